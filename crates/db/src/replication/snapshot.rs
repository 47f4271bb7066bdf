//! What a replicator may ask about this node, answered from one state of the database.

use crate::limits::{IDENTITIES_KEPT_MAX, PASSED_ENTRIES_JUDGED_MAX, PROVE_ALONE_ENTRIES_MAX};
use optimusdb_dag::join::{Proven, Replica};
use optimusdb_dag::replicator::LocalStore;
use optimusdb_dag::sync::Tree;
use optimusdb_dag::{Address, Entry, Error, Identity, LogCid};
use optimusdb_storage::{StoreRef, StoreTree, View};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// Identities that were verified: reading one costs two signatures.
#[derive(Debug, Default)]
pub(super) struct Identities(RefCell<HashMap<LogCid, Arc<Identity>>>);

/// One state of a store.
pub(super) struct Snapshot<'v> {
    view: View<'v>,
    tree: StoreTree<'v>,
    identities: &'v Identities,
    store: StoreRef,
}

impl<'v> Snapshot<'v> {
    pub(super) fn new(
        view: View<'v>,
        store: &StoreRef,
        identities: &'v Identities,
    ) -> Result<Self, optimusdb_storage::Error> {
        Ok(Snapshot { view, tree: view.tree(store)?, identities, store: *store })
    }

    /// What was passed over in this store, to be judged again.
    pub(super) fn passed(&self) -> Vec<LogCid> {
        let passed = self.view.passed(&self.store, None, PASSED_ENTRIES_JUDGED_MAX);
        passed.unwrap_or_default()
    }

    pub(super) fn block(&self, cid: &LogCid) -> Option<Vec<u8>> {
        self.view.block(cid).ok()?
    }
}

impl Replica for Snapshot<'_> {
    // An entry that cannot be read is treated as absent: it is then fetched, and storing it again
    // fails where the damage can be reported.
    fn time_of(&self, cid: &LogCid) -> Option<u64> {
        self.view.time_of(cid).ok()?
    }

    fn identity(&self, cid: &LogCid) -> Option<Arc<Identity>> {
        if let Some(known) = self.identities.0.borrow().get(cid) {
            return Some(Arc::clone(known));
        }
        let block = self.view.block(cid).ok()??;
        let identity = Arc::new(Identity::decode(*cid, &block).ok()?);
        let mut known = self.identities.0.borrow_mut();
        if known.len() >= IDENTITIES_KEPT_MAX {
            known.clear();
        }
        known.insert(*cid, Arc::clone(&identity));
        Some(identity)
    }
}

impl LocalStore for Snapshot<'_> {
    fn tree(&self) -> &dyn Tree {
        &self.tree
    }

    /// Signatures are what a sync spends its time on, so every core takes its share.
    fn prove(
        &self,
        log: &Address,
        entries: Vec<(Entry, Arc<Identity>)>,
    ) -> Vec<Result<Proven, Error>> {
        let prove = |entries: Vec<(Entry, Arc<Identity>)>| -> Vec<Result<Proven, Error>> {
            let proven = entries.into_iter();
            proven.map(|(entry, identity)| Proven::new(entry, identity, log)).collect()
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        if entries.len() <= PROVE_ALONE_ENTRIES_MAX || cores == 1 {
            return prove(entries);
        }
        let share = entries.len().div_ceil(cores);
        let mut entries = entries.into_iter();
        let mut shares = Vec::with_capacity(cores);
        loop {
            let next: Vec<_> = entries.by_ref().take(share).collect();
            if next.is_empty() {
                break;
            }
            shares.push(next);
        }
        std::thread::scope(|scope| {
            let running: Vec<_> =
                shares.into_iter().map(|share| scope.spawn(|| prove(share))).collect();
            let proven = running.into_iter().map(|thread| thread.join());
            // A panic has ended the process already.
            proven.flat_map(|proven| proven.unwrap_or_default()).collect()
        })
    }
}
