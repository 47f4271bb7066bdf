//! How level each store is with the peers: written by the driver, read by `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How level a store is with the peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreStatus {
    /// The store's name.
    pub(crate) store: String,
    /// Entries of peers that are known to be missing here; None while that is not known.
    pub(crate) behind: Option<u64>,
    /// Connected peers that have the store.
    pub(crate) peers: usize,
}

/// The list, written by the driver. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub(super) struct Status(Arc<Mutex<BTreeMap<String, StoreStatus>>>);

impl Status {
    pub(super) fn set(&self, status: StoreStatus) {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores.insert(status.store.clone(), status);
    }

    pub(super) fn stores(&self) -> Vec<StoreStatus> {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores.values().cloned().collect()
    }
}
