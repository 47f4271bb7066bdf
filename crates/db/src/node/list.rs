//! A node and the swarm's list of stores: what the follower of the list needs of it.

use super::Node;
use crate::access::admins_of;
use crate::error::Error;
use crate::stores::{Follower, ListWriter, NewStore};
use crate::writer::Work;
use optimusdb_dag::Address;
use optimusdb_storage::StoreRow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Node {
    /// Follows the swarm's list of stores until the node closes: takes over what the list offers
    /// and is not here, and gives the stores the names that it says.
    pub(super) async fn follow_store_list(self) {
        let (lookups, source) = (self.inner.lookups.clone(), Arc::clone(&self.inner.source));
        let (news, coordinator) = (Arc::clone(&self.inner.list_news), self.inner.coordinator);
        Follower::new(lookups, source, news, coordinator, self).follow().await;
    }
}

impl ListWriter for Node {
    async fn reconcile(
        &self,
        new: Option<NewStore>,
        names: BTreeMap<Address, String>,
    ) -> Result<(), Error> {
        let node = self.clone();
        // A task of its own: if the follower is dropped meanwhile, the names are still read again.
        let doing = tokio::spawn(async move {
            node.count(Work::Reconcile { new: new.map(Box::new), names }).await?;
            node.inner.names.read_again(&node.inner.lookups).await
        });
        doing.await.map_err(|e| Error::Internal(format!("taking over a store: {e}")))?
    }

    async fn offer(&self, stores: Vec<StoreRow>) -> Result<(), Error> {
        self.count(Work::Offer { stores }).await.map(drop)
    }

    async fn admins_of(&self, stores: Vec<StoreRow>) -> Result<Vec<(Address, Vec<String>)>, Error> {
        let read = self.inner.lookups.read(move |view| {
            let admins =
                stores.into_iter().map(|store| Ok((store.address, admins_of(view, &store)?)));
            Ok(admins.collect::<Result<_, Error>>())
        });
        read.await?
    }

    fn contested(&self, stores: BTreeMap<Address, BTreeSet<Address>>) {
        self.inner.names.contest(stores);
    }

    fn has_ended(&self) -> bool {
        !self.ready().ready
    }
}
