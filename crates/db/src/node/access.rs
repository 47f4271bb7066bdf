//! Who may write to the stores of a node.

use super::Node;
use crate::access::{AccessControl, AccessInfo};
use crate::error::Error;
use crate::stores::check_identity;
use crate::writer::{AccessChange, Work};

impl Node {
    /// Who may write to a store.
    pub async fn access(&self, store: &str) -> Result<AccessInfo, Error> {
        let store = self.store(store)?;
        let control = self.read(move |view| Ok(AccessControl::of(view, &store))).await??;
        Ok(control.into_info(self.inner.keys.identity()))
    }

    /// Lets identities write to a store from now on, or no more. What is so already stays so.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the access of the store never changes, [`Error::Denied`] where this
    /// node's identity is not one of its admins.
    pub async fn change_access(
        &self,
        store: &str,
        grant: Vec<String>,
        revoke: Vec<String>,
    ) -> Result<AccessInfo, Error> {
        let row = self.store(store)?;
        for id in grant.iter().chain(&revoke) {
            check_identity(id)?;
        }
        self.count(Work::Access { store: row, change: AccessChange { grant, revoke } }).await?;
        self.access(store).await
    }
}
