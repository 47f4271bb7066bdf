//! How far each shared store is behind its peers: written by the driver, read for `/readyz` and
//! `/metrics`.

use optimusdb_dag::Address;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries of peers that each store is known to lack; 0 while that is not known. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Status(Arc<Mutex<BTreeMap<Address, u64>>>);

impl Status {
    pub(super) fn set(&self, store: Address, behind: Option<u64>) {
        self.lock().insert(store, behind.unwrap_or(0));
    }

    /// None for a store that is not shared.
    pub(super) fn behind(&self, store: &Address) -> Option<u64> {
        self.lock().get(store).copied()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Address, u64>> {
        // A panic ends the process, so a poisoned lock is never seen with a torn map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
