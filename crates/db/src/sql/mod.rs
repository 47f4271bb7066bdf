//! SQL: a statement on its way through a node.
//!
//! What reads, and what changes the users' own tables, is done by [`optimusdb_storage::SqlDoor`]. What
//! writes to a store becomes work of the writer, which runs the statement against what is committed,
//! while nobody else writes, and puts what comes of it as entries, all or none. The answer is text,
//! rendered row by row where the rows are read, and streamed.
//!
//! A read without a row is asked of peers ([`peers`] is what they are shown, [`wire`] how it is said). The
//! answer is that of one peer: the first that has rows. It is that replica's whole answer in the statement's own
//! order, which a merger of several would not be, where there is an aggregate, DISTINCT or LIMIT.

mod peers;
mod wire;

use crate::chunks::{ChunkWriter, Chunks};
use crate::error::Error;
use crate::limits::SQL_READERS_MAX;
use crate::places::{Places, ReadPlace};
use crate::writer::{SqlDone, SqlWork};
pub(crate) use peers::PeerGate;
pub(crate) use wire::{PeerRows, SqlQuestion};

use optimusdb_storage::Error as StorageError;
use optimusdb_storage::{
    Snapshots, SqlCell, SqlColumn, SqlDoor, SqlParams, SqlPlaces, SqlRan, SqlSink, SqlStatement,
    SqlTable,
};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// A statement as a client sends it.
#[derive(Debug)]
pub struct SqlRequest {
    /// One statement.
    pub sql: String,
    /// Its parameters.
    pub params: SqlParams,
    /// How long it may take, in milliseconds; the longest there is if absent.
    pub time_budget_ms: Option<u64>,
    /// Rows after which no more are wanted; all if absent.
    pub rows_max: Option<u64>,
    /// The address of who asks; `None` for the node itself.
    pub client: Option<IpAddr>,
    /// Whether peers are asked where a read has no row here; where nothing is said, while this node is known
    /// to lack entries.
    pub ask_peers: Option<bool>,
}

/// How a statement ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlEnd {
    /// What it did.
    pub did: SqlDid,
    /// Rows inserted, updated or deleted.
    pub affected: usize,
    /// Whether there are more rows than were wanted.
    pub more: bool,
    /// The id of the peer whose rows they are; none of this node.
    pub source: Option<String>,
}

/// What a peer answered.
#[derive(Debug)]
pub(crate) struct PeerAnswer {
    /// Its id.
    pub(crate) peer: String,
    pub(crate) rows: PeerRows,
}

/// What a statement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlDid {
    /// It read.
    Read,
    /// It changed tables that are on this node alone.
    WroteLocally,
    /// It changed a store: every node of the swarm will have that.
    WroteForAll,
}

/// Makes the text of an answer out of a result, on the thread that reads it.
pub trait SqlRender: Send {
    /// Is told the columns, before any row; once.
    fn columns(&mut self, columns: &[SqlColumn], text: &mut String);
    /// Adds a row.
    fn row(&mut self, row: &[SqlCell<'_>], text: &mut String);
    /// Adds what comes at the end.
    fn end(&mut self, end: SqlEnd, text: &mut String);
}

/// The answer to a statement, as a stream of text.
#[derive(Debug)]
pub struct SqlAnswer(Chunks);

impl SqlAnswer {
    /// The next piece, or None after the last one. An error is the last one.
    pub async fn next(&mut self) -> Option<Result<String, Error>> {
        self.0.next().await
    }
}

/// The doors of a node: for its users, and for its peers.
pub(crate) fn sql_gates(
    files: SqlPlaces,
    snapshots: Arc<Snapshots>,
) -> Result<(SqlGate, PeerGate), Error> {
    let peers = PeerGate::new(files.clone());
    Ok((SqlGate::open(files, snapshots)?, peers))
}

/// The door with its bound: so many statements run at a time. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct SqlGate {
    door: Arc<SqlDoor>,
    places: Arc<Places>,
}

impl SqlGate {
    fn open(files: SqlPlaces, snapshots: Arc<Snapshots>) -> Result<SqlGate, Error> {
        let door = Arc::new(SqlDoor::open(files, SQL_READERS_MAX)?);
        let places = Places::new("statements", SQL_READERS_MAX, snapshots);
        Ok(SqlGate { door, places: Arc::new(places) })
    }

    /// Waits for its turn, which takes no thread.
    pub(crate) async fn place(
        &self,
        reader: Option<IpAddr>,
        deadline: Instant,
    ) -> Result<ReadPlace, Error> {
        self.places.take(reader, deadline).await
    }

    /// Runs a statement. `write` puts the work of one that writes to a store of that name to the
    /// writer, and waits for it; `ask` asks peers for so many columns where one that reads has no row.
    pub(crate) async fn run(
        &self,
        place: ReadPlace,
        statement: SqlStatement,
        mut render: Box<dyn SqlRender>,
        write: impl AsyncFnOnce(String, SqlWork) -> Result<SqlDone, Error> + Send + 'static,
        ask: impl AsyncFnOnce(Arc<SqlStatement>, usize) -> Option<PeerAnswer> + Send + 'static,
    ) -> Result<SqlAnswer, Error> {
        let door = Arc::clone(&self.door);
        let taking = place.taking();
        let chunks = Chunks::made(place.taking(), statement.deadline, move |mut chunks| {
            let is_gone = chunks.is_gone();
            let asked = Arc::clone(&taking);
            let is_gone = Arc::new(move || is_gone() || asked.is_over());
            let statement = Arc::new(SqlStatement { is_gone, ..statement });
            let mut sink =
                Rendered { chunks: &mut chunks, render: &mut *render, columns: 0, rows: 0 };
            let ran = door.run(&statement, &mut sink).map_err(|error| match error {
                StorageError::Interrupted if taking.is_outdated() => StorageError::SnapshotOver,
                error => error,
            });
            drop(place);
            let ran = ran.map_err(Error::from);
            let end = ran.and_then(|ran| match ran {
                SqlRan::Read { more: false } if sink.rows == 0 => {
                    let runtime = sink.chunks.runtime();
                    let answer = runtime.block_on(ask(statement, sink.columns));
                    Ok(sink.take(answer))
                }
                SqlRan::Read { more } => Ok(SqlEnd::of(SqlDid::Read, 0, more)),
                SqlRan::Local { affected } => Ok(SqlEnd::of(SqlDid::WroteLocally, affected, false)),
                SqlRan::Replicated(table) => {
                    let store = door.written_store(&table)?.ok_or_else(|| {
                        Error::Conflict(format!("the table {table} has changed meanwhile"))
                    })?;
                    let work = SqlWork { door: Arc::clone(&door), statement };
                    let runtime = sink.chunks.runtime();
                    let done = runtime.block_on(write(store.name, work))?;
                    done.returned.give(&mut sink);
                    Ok(SqlEnd::of(SqlDid::WroteForAll, done.affected, false))
                }
            });
            match end {
                Ok(end) => {
                    // Who is gone does not read the end either.
                    let _ = chunks.write(|text| render.end(end, text));
                    chunks.end();
                }
                Err(error) => chunks.fail(error),
            }
        });
        Ok(SqlAnswer(chunks.await?))
    }

    /// The tables that statements see.
    pub(crate) async fn tables(&self) -> Result<Vec<SqlTable>, Error> {
        let door = Arc::clone(&self.door);
        let listing = tokio::task::spawn_blocking(move || door.tables());
        Ok(listing.await.map_err(|e| Error::Internal(format!("listing the tables: {e}")))??)
    }
}

impl SqlEnd {
    /// How a statement ended that was run here.
    fn of(did: SqlDid, affected: usize, more: bool) -> SqlEnd {
        SqlEnd { did, affected, more, source: None }
    }
}

/// Renders rows into chunks.
struct Rendered<'a> {
    chunks: &'a mut ChunkWriter,
    render: &'a mut dyn SqlRender,
    columns: usize,
    rows: u64,
}

impl Rendered<'_> {
    /// Renders what a peer answered, if one did.
    fn take(&mut self, answer: Option<PeerAnswer>) -> SqlEnd {
        let mut end = SqlEnd::of(SqlDid::Read, 0, false);
        let Some(PeerAnswer { peer, rows }) = answer else { return end };
        for row in &rows.rows {
            let cells: Vec<SqlCell<'_>> = row.iter().map(SqlCell::from).collect();
            if self.row(&cells).is_break() {
                break;
            }
        }
        end.more = rows.more;
        end.source = Some(peer);
        end
    }
}

impl SqlSink for Rendered<'_> {
    fn columns(&mut self, columns: &[SqlColumn]) {
        self.columns = columns.len();
        // A reader that is gone is noticed at the first row.
        let _ = self.chunks.write(|text| self.render.columns(columns, text));
    }

    fn row(&mut self, row: &[SqlCell<'_>]) -> ControlFlow<()> {
        self.rows += 1;
        self.chunks.write(|text| self.render.row(row, text))
    }
}
