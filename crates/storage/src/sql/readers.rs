//! The connections that statements read with.

use super::link::{Role, SqlLink, SqlPlaces};
use super::run::Prepared;
use super::statement::{SqlSink, SqlStatement};
use super::tables::Audience;
use crate::error::Error;
use std::sync::{Mutex, PoisonError};

/// The two connections that a statement reads with, one after the other if need be.
#[derive(Debug)]
pub(super) struct SqlReader {
    /// Documents as they are kept.
    binary: SqlLink,
    /// Documents as their text.
    pub(super) text: SqlLink,
}

impl SqlReader {
    /// Runs a statement if it reads.
    pub(super) fn read(
        &mut self,
        statement: &SqlStatement,
        sink: &mut dyn SqlSink,
    ) -> Result<Prepared, Error> {
        match self.binary.read(statement, sink) {
            Ok(Prepared::NeedsText) => self.text.read(statement, sink),
            ran => ran,
        }
    }

    /// Whether a statement can be prepared and only reads.
    pub(super) fn reads(&mut self, statement: &SqlStatement) -> Result<bool, Error> {
        self.text.within("BEGIN", statement, statement.deadline, |link| {
            let _watched = link.guard.watch();
            let prepared = link.prepare(&statement.sql)?;
            let reads = prepared.readonly();
            prepared.discard();
            Ok(reads)
        })
    }
}

/// Connections for reading, made when first needed and then kept.
#[derive(Debug)]
pub(super) struct ReaderPool {
    places: SqlPlaces,
    role: Role,
    idle: Mutex<Vec<SqlReader>>,
    idle_max: usize,
}

impl ReaderPool {
    /// At most `idle_max` are kept; the caller bounds how many there are at a time.
    pub(super) fn new(places: SqlPlaces, role: Role, idle_max: usize) -> ReaderPool {
        ReaderPool { places, role, idle: Mutex::default(), idle_max }
    }

    /// Lets `work` have one that shows what `audience` sees.
    pub(super) fn lend<T>(
        &self,
        audience: &Audience,
        work: impl FnOnce(&mut SqlReader) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let open = |binary| SqlLink::open(&self.places, self.role, binary);
        let mut reader = match idle {
            Some(reader) => reader,
            None => SqlReader { binary: open(true)?, text: open(false)? },
        };
        reader.binary.show_to(audience);
        reader.text.show_to(audience);
        let done = work(&mut reader);
        if matches!(done, Ok(_) | Err(Error::Statement { .. } | Error::Interrupted)) {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < self.idle_max {
                idle.push(reader);
            }
        }
        done
    }
}
