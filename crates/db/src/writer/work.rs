//! What can be written. Each kind of work first plans, then applies.

use super::batch::Batch;
use crate::document::Checked;
use crate::error::{Error, Kind};
use crate::query::Criteria;
use optimusdb_dag::{Address, Cid, Entry, Identity, Ipld, Operation, StoreKind};
use optimusdb_storage::{Scope, StoreRow};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// One write, checked as far as it can be without the database.
#[derive(Debug)]
pub(crate) enum Work {
    /// Insert or replace documents.
    Put { store: StoreRow, documents: Vec<Checked> },
    /// Set fields in all that match.
    Update { store: StoreRow, criteria: Criteria, fields: BTreeMap<String, Ipld> },
    /// Delete all that match.
    Delete { store: StoreRow, criteria: Criteria },
    /// Put the document of a TOSCA file, in place of earlier ones of that file name.
    Upload { store: StoreRow, filename: String, document: Checked },
    /// Add an event to an event log.
    Append { store: StoreRow, event: Ipld, bytes: usize },
    /// Add entries received from elsewhere, verified, parents before children, with the identities
    /// of their writers.
    Join { store: StoreRow, entries: Vec<Entry>, identities: Vec<Arc<Identity>> },
    /// Make a store.
    CreateStore(NewStore),
}

/// A store to be made, with the blocks that define it.
#[derive(Debug, Clone)]
pub(crate) struct NewStore {
    pub(crate) name: String,
    pub(crate) kind: StoreKind,
    pub(crate) address: Address,
    pub(crate) scope: Scope,
    pub(crate) blocks: Vec<(Cid, Vec<u8>)>,
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
fn planning(error: Error) -> Failure {
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
            Work::Upload { document, .. } => document.bytes,
            Work::Append { bytes, .. } => *bytes,
            Work::Join { entries, .. } => entries.iter().map(|e| e.block().len()).sum(),
            Work::Update { .. } | Work::Delete { .. } | Work::CreateStore(_) => 0,
        }
    }

    pub(crate) fn run(self, batch: &mut Batch<'_>, deadline: Instant) -> Result<Done, Failure> {
        let done = match self {
            Work::Put { store, documents } => batch.put(&store, documents),
            Work::Update { store, criteria, fields } => {
                let documents = batch
                    .matching(&store, &criteria, deadline)
                    .and_then(|keys| batch.updated(&store, keys, &fields))
                    .map_err(planning)?;
                batch.put(&store, documents)
            }
            Work::Delete { store, criteria } => {
                let keys = batch.matching(&store, &criteria, deadline).map_err(planning)?;
                batch.own_only(&store, &keys).map_err(planning)?;
                batch.delete(&store, keys)
            }
            Work::Upload { store, filename, document } => {
                let mut earlier = batch
                    .tx
                    .view()
                    .tosca_keys(&store, &filename)
                    .map_err(|e| planning(e.into()))?;
                earlier.retain(|key| *key != document.id);
                batch.delete(&store, earlier).and_then(|_| batch.put(&store, vec![document]))
            }
            Work::Append { store, event, .. } => {
                batch.append(&store, Operation::Add { value: event }).map(|()| 1)
            }
            Work::Join { store, entries, identities } => batch.join(&store, &entries, &identities),
            Work::CreateStore(new) => return create_store(batch, new),
        };
        done.map(Done::Count).map_err(Failure::Batch)
    }
}

fn create_store(batch: &mut Batch<'_>, new: NewStore) -> Result<Done, Failure> {
    let existing = batch.tx.view().store(&new.name).map_err(|e| planning(e.into()))?;
    if let Some(existing) = existing {
        if existing.address == new.address {
            return Ok(Done::Store(existing));
        }
        return Err(Failure::Own(Error::Conflict(format!(
            "store {} exists already, as {} store {}",
            new.name,
            existing.kind.as_str(),
            existing.address
        ))));
    }
    for (cid, block) in &new.blocks {
        batch.tx.put_block(cid, block).map_err(|e| Failure::Batch(e.into()))?;
    }
    match batch.tx.create_store(&new.name, new.kind, &new.address, new.scope) {
        Ok(store) => Ok(Done::Store(store)),
        // Refused before anything was changed.
        Err(error @ optimusdb_storage::Error::TooMany(_)) => Err(Failure::Own(error.into())),
        Err(error) => Err(Failure::Batch(error.into())),
    }
}
