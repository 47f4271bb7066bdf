//! A statement that writes to a store, carried out by the writer.

use super::batch::Batch;
use super::work::{SqlDone, SqlWork, WriteFailure, planning};
use crate::document::{self, Checked};
use crate::error::Error;
use crate::limits::MATCH_MS_MAX;
use optimusdb_dag::StoreKind;
use optimusdb_storage::{SqlWrites, StoreRef};
use std::time::{Duration, Instant};

impl Batch<'_> {
    /// Runs the statement against what is committed, which is all there is: it is the first of its
    /// transaction. What it writes is put and deleted as entries.
    pub(super) fn sql(
        &mut self,
        store: &StoreRef,
        sql: &SqlWork,
        deadline: Instant,
    ) -> Result<SqlDone, WriteFailure> {
        debug_assert!(self.is_empty(), "a statement does not see what is not committed");
        let most = Instant::now() + Duration::from_millis(MATCH_MS_MAX);
        let captured = sql.door.capture(&sql.statement, deadline.min(most));
        let (returned, writes) = captured.map_err(|error| planning(error.into()))?;
        let affected = writes.affected;
        let (puts, deletes) = checked(store, writes).map_err(planning)?;
        self.own_only(store, &deletes).map_err(planning)?;
        let written = self.delete(store, deletes).and_then(|_| self.put(store, puts));
        written.map_err(WriteFailure::Batch)?;
        Ok(SqlDone { affected, returned })
    }
}

/// What is to be put and deleted, checked as what a client sends in JSON is.
fn checked(store: &StoreRef, writes: SqlWrites) -> Result<(Vec<Checked>, Vec<String>), Error> {
    let (mut puts, mut deletes) = (Vec::new(), Vec::new());
    for (id, document) in writes.documents {
        match document {
            Some(json) => puts.push(serde_json::from_str(&json).map_err(|error| {
                Error::Invalid(format!("the document {id:?} is not JSON: {error}"))
            })?),
            None => deletes.push(id),
        }
    }
    debug_assert!(store.kind != StoreKind::Events, "an event log is not written with SQL");
    Ok((document::check_all(store.kind, puts)?, deletes))
}
