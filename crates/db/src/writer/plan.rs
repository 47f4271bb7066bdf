//! Carrying out what is to be written. Each kind of work first plans, which may refuse it, and then
//! applies, which only a failing database stops.

use super::batch::Batch;
use super::chosen::Chosen;
use super::work::{Done, Work, WriteFailure, planning};
use crate::document::Checked;
use std::collections::BTreeSet;
use std::time::Instant;

/// Does a piece of work within a transaction.
pub(super) fn carry_out(
    work: Work,
    batch: &mut Batch<'_>,
    deadline: Instant,
) -> Result<Done, WriteFailure> {
    if let Some(store) = work.written() {
        batch.may_write(store).map_err(planning)?;
    }
    let done = match work {
        Work::Put { store, documents } => batch.put(&store, documents),
        Work::Update { store, choice, fields } => {
            let keys = match batch.chosen(&store, choice, deadline).map_err(planning)? {
                Chosen::Keys(keys) => keys,
                Chosen::Outdated => return Ok(Done::Outdated),
            };
            let documents = batch.updated(&store, keys, &fields).map_err(planning)?;
            batch.put(&store, documents)
        }
        Work::Delete { store, choice } => {
            let keys = match batch.chosen(&store, choice, deadline).map_err(planning)? {
                Chosen::Keys(keys) => keys,
                Chosen::Outdated => return Ok(Done::Outdated),
            };
            batch.own_only(&store, &keys).map_err(planning)?;
            batch.delete(&store, keys)
        }
        Work::Sql { store, sql } => return batch.sql(&store, &sql, deadline).map(Done::Sql),
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
        // Steps of upkeep that the writer does between two transactions.
        Work::Checkpoint | Work::Mend => return Ok(Done::Count(0)),
        Work::Offer { stores } => return batch.offer(&stores).map(Done::Count),
        Work::Access { store, change } => {
            return batch.change_access(&store, change).map(Done::Count);
        }
    };
    done.map(Done::Count).map_err(WriteFailure::Batch)
}
