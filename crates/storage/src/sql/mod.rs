//! SQL of users: one statement at a time, over the stores, the catalog, the node and tables of their
//! own.
//!
//! SQLite is the only parser and the only guard: nothing here looks into the text of a statement but `binary.rs`, to choose a connection. The
//! connections can read what is the node's and write none of it ([`link`]); what a statement may name
//! is decided by SQLite's authorizer ([`guard`]); the limits and the deadline are SQLite's, too. What a
//! statement writes to a store is collected ([`capture`]) and left to the caller, who makes signed
//! entries of it. The users' own tables are a database of their own, in a file of its own, so nothing
//! that happens there can harm what the node keeps.

mod binary;
mod bounds;
mod capture;
mod functions;
mod guard;
mod link;
mod peers;
mod readers;
mod run;
mod statement;
mod tables;

pub use capture::SqlWrites;
pub use link::SqlPlaces;
pub use peers::PeerDoor;
pub use statement::{SqlCell, SqlColumn, SqlParams, SqlSink, SqlStatement, SqlValue};
use tables::Audience;
pub use tables::{SqlTable, SqlTableKind};

use crate::connection::{Durability, read_write};
use crate::error::Error;
use crate::journal::Journal;
use link::{Role, SqlLink};
use readers::ReaderPool;
use run::Prepared;
pub use run::SqlReturned;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How long between two looks whether the users' tables can be written.
const LOCK_POLL: Duration = Duration::from_millis(2);

/// What became of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlRan {
    /// It read. `more` says that there are more rows than were wanted.
    Read {
        /// Whether rows are left.
        more: bool,
    },
    /// It changed the users' own tables, so many rows of them, and that is on the disk.
    Local {
        /// Rows inserted, updated or deleted.
        affected: usize,
    },
    /// Nothing yet: it writes to the table of that name, which is replicated.
    /// [`SqlDoor::capture`] says what.
    Replicated(String),
}

/// The way of statements into a node.
#[derive(Debug)]
pub struct SqlDoor {
    places: SqlPlaces,
    readers: ReaderPool,
    writing: Mutex<SqlLink>,
    capturing: Mutex<SqlLink>,
}

impl SqlDoor {
    /// Opens it, making the database of the users' tables if need be. At most `idle_max` connections
    /// for reading are kept; the caller bounds how many there are at a time.
    pub fn open(places: SqlPlaces, idle_max: usize) -> Result<SqlDoor, Error> {
        // What is attached to be read must be there.
        drop(Journal::open(&places.journal)?);
        drop(read_write(&places.user, Durability::Full)?);
        let writing = Mutex::new(SqlLink::open(&places, Role::Write, false)?);
        let capturing = Mutex::new(SqlLink::open(&places, Role::Capture, false)?);
        let readers = ReaderPool::new(places.clone(), Role::Read, idle_max);
        Ok(SqlDoor { places, readers, writing, capturing })
    }

    /// Runs a statement that reads, or that changes the users' own tables. One that writes to a store
    /// is only recognised.
    ///
    /// # Errors
    /// [`Error::Statement`] for one that cannot be carried out as it stands, [`Error::Interrupted`] at
    /// its deadline or when nobody waits any more.
    pub fn run(&self, statement: &SqlStatement, sink: &mut dyn SqlSink) -> Result<SqlRan, Error> {
        match self.readers.lend(&Audience::Users, |reader| reader.read(statement, sink))? {
            // The connection that has the text needs nothing else.
            Prepared::NeedsText => Err(Error::Corrupt("a statement was not run".into())),
            Prepared::Read { more } => Ok(SqlRan::Read { more }),
            Prepared::Replicated(name) => Ok(SqlRan::Replicated(name)),
            Prepared::Local => {
                let (returned, affected) = self.write(statement)?;
                returned.give(sink);
                Ok(SqlRan::Local { affected })
            }
        }
    }

    /// What a statement would write to the store of its table, in the present state of the database,
    /// and what it returns. Nothing is written.
    /// The caller's other writers wait meanwhile, so it has a deadline of its own, beside the statement's.
    pub fn capture(
        &self,
        statement: &SqlStatement,
        deadline: Instant,
    ) -> Result<(SqlReturned, SqlWrites), Error> {
        let mut link = self.capturing.lock().unwrap_or_else(PoisonError::into_inner);
        let captured = link.capture(statement, deadline.min(statement.deadline));
        if !matches!(captured, Ok(_) | Err(Error::Statement { .. } | Error::Interrupted)) {
            *link = SqlLink::open(&self.places, Role::Capture, false)?;
        }
        captured
    }

    /// The store that a table is of, if statements can write it.
    pub fn written_store(&self, table: &str) -> Result<Option<crate::StoreRow>, Error> {
        let shown = self.readers.lend(&Audience::Users, |reader| reader.text.shown())?;
        let written = shown.into_iter().find(|view| view.writable && view.name == table);
        Ok(written.and_then(|view| view.store))
    }

    /// The tables that statements see.
    pub fn tables(&self) -> Result<Vec<SqlTable>, Error> {
        self.readers.lend(&Audience::Users, |reader| reader.text.tables())
    }

    fn write(&self, statement: &SqlStatement) -> Result<(SqlReturned, usize), Error> {
        let mut link = self.writer(statement)?;
        let written = link.write(statement);
        if !matches!(written, Ok(_) | Err(Error::Statement { .. } | Error::Interrupted)) {
            *link = SqlLink::open(&self.places, Role::Write, false)?;
        }
        written
    }

    /// The connection that writes the users' tables: others may have it until their deadlines.
    fn writer(&self, statement: &SqlStatement) -> Result<MutexGuard<'_, SqlLink>, Error> {
        loop {
            match self.writing.try_lock() {
                Ok(link) => return Ok(link),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {
                    if Instant::now() >= statement.deadline || (statement.is_gone)() {
                        return Err(Error::Interrupted);
                    }
                    std::thread::sleep(LOCK_POLL);
                }
            }
        }
    }
}
