//! What can be written, and what comes of it.

use crate::document::Checked;
use crate::error::{Error, Kind};
use crate::found::FoundKeys;
use crate::limits::ENTRY_BYTES_MIN;
use crate::query::Query;
use crate::stores::NewStore;
use optimusdb_dag::join::Passed;
use optimusdb_dag::{Address, Entry, Identity, Ipld, LogCid};
use optimusdb_storage::{SqlDoor, SqlReturned, SqlStatement, StoreRef, StoreRow};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One write, checked as far as it can be without the database.
#[derive(Debug)]
pub(crate) enum Work {
    /// Insert or replace documents or values, or add events.
    Put { store: StoreRef, documents: Vec<Checked> },
    /// Set fields in what the query asks for.
    Update { store: StoreRef, choice: Choice, fields: Arc<BTreeMap<String, Ipld>> },
    /// Delete what the query asks for.
    Delete { store: StoreRef, choice: Choice },
    /// Change the store by what a statement writes to its table.
    Sql { store: StoreRef, sql: SqlWork },
    /// Put the documents of TOSCA files, each in place of earlier ones of its file name.
    Upload { store: StoreRef, files: Vec<(String, Checked)> },
    /// Add entries received from elsewhere.
    Join { store: StoreRef, received: ReceivedEntries },
    /// Make a store, with the one that says who may write to it.
    CreateStore(Box<NewStore>),
    /// Take over a store, and give the stores of the swarm's list the names that it says.
    Reconcile { new: Option<Box<NewStore>>, names: BTreeMap<Address, String> },
    /// Offer stores in the swarm's list.
    Offer { stores: Vec<StoreRow> },
    /// Change who may write to a store.
    Access { store: StoreRef, change: AccessChange },
    /// Mend what readers found to be damaged. A step of upkeep, in a transaction of its own.
    Mend,
    /// Move the write-ahead log into the database file. A step of upkeep, outside of transactions.
    Checkpoint,
}

/// Which documents are updated or deleted.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) query: Arc<Query>,
    /// What was found beside the writer; none where a few look-ups find it.
    pub(crate) found: Option<FoundKeys>,
}

/// A statement that writes to a store, and the door that can run it.
#[derive(Debug)]
pub(crate) struct SqlWork {
    pub(crate) door: Arc<SqlDoor>,
    pub(crate) statement: Arc<SqlStatement>,
}

/// What a statement that wrote to a store gives back.
#[derive(Debug)]
pub(crate) struct SqlDone {
    pub(crate) affected: usize,
    pub(crate) returned: SqlReturned,
}

/// A change of who may write to a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AccessChange {
    /// The identities that may from now on.
    pub(crate) grant: Vec<String>,
    /// Those that may no more.
    pub(crate) revoke: Vec<String>,
}

/// What a join found to be stored, all of it or nothing.
#[derive(Debug, Default)]
pub(crate) struct ReceivedEntries {
    /// Verified entries, parents before children.
    pub(crate) entries: Vec<Entry>,
    /// The identities of their writers, as far as they are new.
    pub(crate) identities: Vec<Arc<Identity>>,
    /// What is passed over below them.
    pub(crate) passed: Vec<Passed>,
    /// Entries that were stored as passed over and are so no more.
    pub(crate) restored: Vec<Entry>,
}

impl ReceivedEntries {
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
    /// What a statement gives back.
    Sql(SqlDone),
    /// Nothing, as too much was written since what it changes was looked for.
    Outdated,
}

/// Why a write was not done.
#[derive(Debug)]
pub(crate) enum WriteFailure {
    /// Its own fault: nothing of it was written, and its neighbours go on.
    Own(Error),
    /// The database failed while it was applied: nothing of the batch can be kept.
    Batch(Error),
}

/// While planning, only a failing database concerns the others.
pub(super) fn planning(error: Error) -> WriteFailure {
    match error.kind() {
        Kind::Internal | Kind::Unavailable => WriteFailure::Batch(error),
        _ => WriteFailure::Own(error),
    }
}

impl Work {
    /// About how many bytes it holds while it waits.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Work::Put { documents, .. } => {
                documents.iter().map(|d| d.bytes + ENTRY_BYTES_MIN).sum()
            }
            Work::Upload { files, .. } => files.iter().map(|(_, d)| d.bytes).sum(),
            Work::Join { received, .. } => received.bytes(),
            Work::Access { change, .. } => {
                change.grant.iter().chain(&change.revoke).map(String::len).sum()
            }
            Work::Update { choice, fields, .. } => map_bytes(fields) + choice.bytes(),
            Work::Delete { choice, .. } => choice.bytes(),
            Work::Sql { sql, .. } => sql.statement.bytes(),
            Work::CreateStore(_)
            | Work::Reconcile { .. }
            | Work::Offer { .. }
            | Work::Mend
            | Work::Checkpoint => 0,
        }
    }

    /// The store that a client writes to with it, which takes that this node may.
    pub(super) fn written(&self) -> Option<&StoreRef> {
        match self {
            Work::Put { store, .. }
            | Work::Update { store, .. }
            | Work::Delete { store, .. }
            | Work::Sql { store, .. }
            | Work::Upload { store, .. } => Some(store),
            Work::Join { .. }
            | Work::CreateStore(_)
            | Work::Reconcile { .. }
            | Work::Offer { .. }
            | Work::Access { .. }
            | Work::Mend
            | Work::Checkpoint => None,
        }
    }

    /// Whether entries of this node come of it.
    pub(crate) fn makes_entries(&self) -> bool {
        match self {
            Work::Join { .. } | Work::Reconcile { .. } | Work::Mend | Work::Checkpoint => false,
            Work::Put { .. }
            | Work::Update { .. }
            | Work::Delete { .. }
            | Work::Sql { .. }
            | Work::Upload { .. }
            | Work::CreateStore(_)
            | Work::Offer { .. }
            | Work::Access { .. } => true,
        }
    }

    /// The store whose tables it changes, if it is one.
    pub(super) fn store(&self) -> Option<&StoreRef> {
        match self {
            Work::Join { store, .. } | Work::Access { store, .. } => Some(store),
            _ => self.written(),
        }
    }
}

impl Choice {
    fn bytes(&self) -> usize {
        self.found.as_ref().map_or(0, FoundKeys::bytes)
    }
}

/// About as many bytes as it would have in an entry.
fn value_bytes(value: &Ipld) -> usize {
    match value {
        Ipld::String(text) => 1 + text.len(),
        Ipld::Bytes(bytes) => 1 + bytes.len(),
        Ipld::List(values) => 1 + values.iter().map(value_bytes).sum::<usize>(),
        Ipld::Map(fields) => 1 + map_bytes(fields),
        Ipld::Null | Ipld::Bool(_) => 1,
        Ipld::Integer(_) | Ipld::Float(_) | Ipld::Link(_) => size_of::<u64>(),
    }
}

fn map_bytes(fields: &BTreeMap<String, Ipld>) -> usize {
    fields.iter().map(|(name, value)| 1 + name.len() + value_bytes(value)).sum()
}
