//! Who may write to the stores of a node.

use super::Node;
use crate::access::{AccessInfo, Control};
use crate::error::Error;
use crate::limits::READ_MS_MAX;
use crate::stores::check_identity;
use crate::writer::{AccessChange, Work};
use std::sync::Arc;
use std::time::Duration;

impl Node {
    /// Who may write to a store.
    pub async fn access(&self, store: &str) -> Result<AccessInfo, Error> {
        let store = self.store(store)?;
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let wait = Duration::from_millis(READ_MS_MAX);
            let control = inner.points.read(wait, |view| Ok(Control::of(view, &store)))??;
            Ok(control.into_info(inner.keys.identity()))
        })
        .await
        .map_err(|e| Error::Internal(format!("reading who may write: {e}")))?
    }

    /// Lets identities write to a store from now on, or no more. What is so already stays so.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the access of the store never changes, [`Error::Denied`] where this
    /// node is none of its admins.
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
