//! How far each shared store is behind its peers: written by the driver, read for `/readyz` and
//! `/metrics`.

use optimusdb_dag::Address;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries of peers that each store is known to lack; none before the first word of a peer. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Status(Arc<Mutex<BTreeMap<Address, Option<u64>>>>);

impl Status {
    pub(super) fn set(&self, store: Address, behind: Option<u64>) {
        self.lock().insert(store, behind);
    }

    /// None for a store that is not shared, 0 while nothing is known.
    pub(super) fn behind(&self, store: &Address) -> Option<u64> {
        self.lock().get(store).map(|behind| behind.unwrap_or(0))
    }

    /// Whether every store is known to lack nothing.
    pub(super) fn is_level(&self) -> bool {
        let stores = self.lock();
        !stores.is_empty() && stores.values().all(|behind| *behind == Some(0))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Address, Option<u64>>> {
        // A panic ends the process, so a poisoned lock is never seen with a torn map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
