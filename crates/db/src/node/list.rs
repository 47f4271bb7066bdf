//! A node and the swarm's list of stores.

use super::Node;
use crate::error::Error;
use crate::limits::LIST_URGENT_MS;
use crate::stores::{self, Fetch, NewStore, STORE_LIST, Source};
use crate::writer::Work;
use optimusdb_dag::Address;
use optimusdb_storage::StoreRow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// What whoever follows the list is woken by.
#[derive(Debug, Default)]
pub(crate) struct ListNews {
    pub(super) news: Notify,
    urgent: Mutex<Urgent>,
}

#[derive(Debug, Default)]
struct Urgent {
    now: bool,
    last: Option<Instant>,
}

impl Node {
    /// Says where blocks come from that are not here, for taking over stores; nowhere at first.
    pub fn set_fetch(&self, fetch: Arc<dyn Fetch>) {
        self.inner.source.set(Some(fetch));
    }

    /// Follows the swarm's list of stores until the node closes: takes over what the list offers
    /// and is not here, and gives the stores the names that it says.
    pub async fn follow_store_list(self) {
        stores::follow(self).await;
    }

    /// Entries have arrived in the swarm's list of stores.
    pub fn store_list_changed(&self) {
        self.inner.list.news.notify_one();
    }

    /// Peers have come that may have what could not be had so far: it is tried again at once.
    pub fn retry_store_list(&self) {
        let mut urgent = self.urgent();
        let gap = Duration::from_millis(LIST_URGENT_MS);
        if urgent.last.is_none_or(|last| last.elapsed() >= gap) {
            *urgent = Urgent { now: true, last: Some(Instant::now()) };
            drop(urgent);
            self.store_list_changed();
        }
    }

    /// Changes whenever a store is made, taken over or named anew.
    pub fn stores_changed(&self) -> watch::Receiver<()> {
        self.inner.stores_changed.subscribe()
    }

    /// Changes whenever who may write to some store may have changed.
    pub fn access_changed(&self) -> watch::Receiver<u64> {
        self.inner.accesses.changes()
    }

    pub(crate) fn list_is_urgent(&self) -> bool {
        std::mem::take(&mut self.urgent().now)
    }

    pub(crate) fn list_news(&self) -> &Notify {
        &self.inner.list.news
    }

    pub(crate) fn source(&self) -> &Source {
        &self.inner.source
    }

    pub(crate) fn is_coordinator(&self) -> bool {
        self.inner.coordinator
    }

    /// The list, as a store.
    pub(crate) fn store_list(&self) -> Option<StoreRow> {
        self.store(STORE_LIST).ok().filter(stores::is_list)
    }

    /// The stores as they are on the disk.
    pub(crate) async fn committed_stores(&self) -> Result<Vec<StoreRow>, Error> {
        self.read(|view| view.stores()).await
    }

    /// Takes over a store and gives names, as [`Work::Reconcile`].
    pub(crate) async fn reconcile(
        &self,
        new: Option<NewStore>,
        names: BTreeMap<Address, String>,
    ) -> Result<(), Error> {
        let node = self.clone();
        // In a task of its own: whoever stops waiting leaves no store that nobody knows.
        let doing = tokio::spawn(async move {
            node.count(Work::Reconcile { new: new.map(Box::new), names }).await?;
            node.know_stores().await
        });
        doing.await.map_err(|e| Error::Internal(format!("taking over a store: {e}")))?
    }

    /// Offers stores in the list.
    pub(crate) async fn offer(&self, stores: Vec<StoreRow>) -> Result<(), Error> {
        self.count(Work::Offer { stores }).await.map(drop)
    }

    fn urgent(&self) -> std::sync::MutexGuard<'_, Urgent> {
        // A panic ends the process, so a poisoned lock is never seen with torn contents.
        self.inner.list.urgent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
