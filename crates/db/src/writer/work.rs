//! What can be written. Each kind of work first plans, then applies.

use super::access::AccessChange;
use super::batch::Batch;
use crate::document::Checked;
use crate::error::{Error, Kind};
use crate::query::Query;
use crate::stores::NewStore;
use optimusdb_dag::join::Passed;
use optimusdb_dag::{Address, Entry, Identity, Ipld, LogCid};
use optimusdb_storage::StoreRow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// One write, checked as far as it can be without the database.
#[derive(Debug)]
pub(crate) enum Work {
    /// Insert or replace documents or values, or add events.
    Put { store: StoreRow, documents: Vec<Checked> },
    /// Set fields in what the query asks for.
    Update { store: StoreRow, query: Box<Query>, fields: BTreeMap<String, Ipld> },
    /// Delete what the query asks for.
    Delete { store: StoreRow, query: Box<Query> },
    /// Put the documents of TOSCA files, each in place of earlier ones of its file name.
    Upload { store: StoreRow, files: Vec<(String, Checked)> },
    /// Add entries received from elsewhere.
    Join { store: StoreRow, received: Received },
    /// Make a store, with the one that says who may write to it.
    CreateStore(Box<NewStore>),
    /// Take over a store, and give the stores of the swarm's list the names that it says.
    Reconcile { new: Option<Box<NewStore>>, names: BTreeMap<Address, String> },
    /// Offer stores in the swarm's list.
    Offer { stores: Vec<StoreRow> },
    /// Change who may write to a store.
    Access { store: StoreRow, change: AccessChange },
}

/// What a join found to be stored, all of it or nothing.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Verified entries, parents before children.
    pub(crate) entries: Vec<Entry>,
    /// The identities of their writers, as far as they are new.
    pub(crate) identities: Vec<Arc<Identity>>,
    /// What is passed over below them.
    pub(crate) passed: Vec<Passed>,
    /// Entries that were stored as passed over and are so no more.
    pub(crate) restored: Vec<Entry>,
}

impl Received {
    /// The blocks that this node has once they are stored, and may not have had before.
    pub(crate) fn cids(&self) -> Vec<LogCid> {
        let entries = self.entries.iter().map(Entry::cid);
        let identities = self.identities.iter().map(|identity| identity.cid);
        entries.chain(identities).chain(self.passed.iter().map(|passed| passed.cid)).collect()
    }

    fn bytes(&self) -> usize {
        let entries = self.entries.iter().chain(&self.restored).map(|e| e.block().len());
        entries.chain(self.passed.iter().map(|p| p.block.len())).sum()
    }
}

/// What a write answers once it is committed.
#[derive(Debug)]
pub(crate) enum Done {
    /// So many documents or entries.
    Count(usize),
    /// The store that was made.
    Store(StoreRow),
}

/// Why a write was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Its own fault: nothing of it was written, and its neighbours go on.
    Own(Error),
    /// The database failed while it was applied: nothing of the batch can be kept.
    Batch(Error),
}

/// While planning, only a failing database concerns the others.
pub(super) fn planning(error: Error) -> Failure {
    match error.kind() {
        Kind::Internal | Kind::Unavailable => Failure::Batch(error),
        _ => Failure::Own(error),
    }
}

impl Work {
    /// About how many bytes it holds while it waits.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Work::Put { documents, .. } => documents.iter().map(|d| d.bytes).sum(),
            Work::Upload { files, .. } => files.iter().map(|(_, d)| d.bytes).sum(),
            Work::Join { received, .. } => received.bytes(),
            Work::Access { change, .. } => {
                change.grant.iter().chain(&change.revoke).map(String::len).sum()
            }
            Work::Update { .. }
            | Work::Delete { .. }
            | Work::CreateStore(_)
            | Work::Reconcile { .. }
            | Work::Offer { .. } => 0,
        }
    }

    /// The store that a client writes to with it, which takes that this node may.
    fn written(&self) -> Option<&StoreRow> {
        match self {
            Work::Put { store, .. }
            | Work::Update { store, .. }
            | Work::Delete { store, .. }
            | Work::Upload { store, .. } => Some(store),
            Work::Join { .. }
            | Work::CreateStore(_)
            | Work::Reconcile { .. }
            | Work::Offer { .. }
            | Work::Access { .. } => None,
        }
    }

    pub(crate) fn run(self, batch: &mut Batch<'_>, deadline: Instant) -> Result<Done, Failure> {
        if let Some(store) = self.written() {
            batch.may_write(store).map_err(planning)?;
        }
        let done = match self {
            Work::Put { store, documents } => batch.put(&store, documents),
            Work::Update { store, query, fields } => {
                let documents = batch
                    .matching(&store, &query, deadline)
                    .and_then(|keys| batch.updated(&store, keys, &fields))
                    .map_err(planning)?;
                batch.put(&store, documents)
            }
            Work::Delete { store, query } => {
                let keys = batch.matching(&store, &query, deadline).map_err(planning)?;
                batch.own_only(&store, &keys).map_err(planning)?;
                batch.delete(&store, keys)
            }
            Work::Upload { store, files } => {
                let mut earlier = BTreeSet::new();
                for (filename, _) in &files {
                    let keys = batch.tx.view().tosca_keys(&store, filename);
                    earlier.extend(keys.map_err(|e| planning(e.into()))?);
                }
                let documents: Vec<Checked> = files.into_iter().map(|(_, d)| d).collect();
                for document in &documents {
                    earlier.remove(&document.id);
                }
                let earlier = earlier.into_iter().collect();
                batch.delete(&store, earlier).and_then(|_| batch.put(&store, documents))
            }
            Work::Join { store, received } => batch.join(&store, &received),
            Work::CreateStore(new) => return batch.create_store(*new).map(Done::Store),
            Work::Reconcile { new, names } => {
                return batch.reconcile(new.map(|new| *new), &names).map(Done::Count);
            }
            Work::Offer { stores } => return batch.offer(&stores).map(Done::Count),
            Work::Access { store, change } => {
                return batch.change_access(&store, change).map(Done::Count);
            }
        };
        done.map(Done::Count).map_err(Failure::Batch)
    }
}
