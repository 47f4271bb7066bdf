//! The tables of `files.sqlite`, and the questions that more than one part asks them.

use super::segments::{KnownSegment, Spot};
use crate::connection::Place;
use crate::error::Error;
use crate::limits::FILES_FORMAT_VERSION;
use optimusdb_dag::Cid;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

pub(super) const FORMAT_1: &str = "
-- A block: in `bytes` or in a segment. `adding` names what it was added with; while that is in
-- `adds`, nobody else sees it. The same block may be there twice, of two that were added at once.
CREATE TABLE blocks (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL,
  adding INTEGER NOT NULL,
  length INTEGER NOT NULL,
  segment INTEGER,
  at INTEGER,
  bytes BLOB
);
CREATE INDEX blocks_hash ON blocks (hash, adding);
CREATE INDEX blocks_adding ON blocks (adding);
CREATE INDEX blocks_segment ON blocks (segment, at, length) WHERE segment IS NOT NULL;

-- What is being added and not finished.
CREATE TABLE adds (id INTEGER PRIMARY KEY);

-- Addresses below which nothing is removed.
CREATE TABLE pins (
  cid BLOB PRIMARY KEY,
  name TEXT NOT NULL,
  created INTEGER NOT NULL
) WITHOUT ROWID;
";

const FORMAT_2: &str = "
-- So that the bytes of all blocks are counted without reading any.
DROP INDEX blocks_adding;
CREATE INDEX blocks_adding ON blocks (adding, length);

-- Who wants it (0 a user, 1 the swarm); whether all of it is here (0 not known yet, 1 yes, 2 it could not be
-- had, 3 there is no room); how often that was tried in vain, when it is tried again, and what was wrong.
ALTER TABLE pins ADD COLUMN replica INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pins ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pins ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pins ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pins ADD COLUMN error TEXT NOT NULL DEFAULT '';
CREATE INDEX pins_partial ON pins (replica, created, due) WHERE state <> 1;

-- What a user has unpinned: the node pins none of it of its own accord.
CREATE TABLE declined (cid BLOB PRIMARY KEY) WITHOUT ROWID;

-- What the swarm has contributed, as far as the log was read: `judged` once there is a verdict.
CREATE TABLE contributed (
  cid BLOB PRIMARY KEY,
  name TEXT NOT NULL,
  size INTEGER,
  created INTEGER NOT NULL,
  judged INTEGER NOT NULL DEFAULT 0,
  tries INTEGER NOT NULL DEFAULT 0,
  due INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX contributed_due ON contributed (due) WHERE judged = 0;

-- The last entry of the contributions that was read: its row in the other database, and its address.
CREATE TABLE contributions_read (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  row INTEGER NOT NULL,
  entry BLOB NOT NULL
);
";

const FORMAT_3: &str = "
-- Those that were tried least come first.
DROP INDEX pins_partial;
CREATE INDEX pins_partial ON pins (replica, tries, created, due) WHERE state <> 1;
";

/// What each version adds to the one before.
const FORMATS: [&str; FILES_FORMAT_VERSION as usize] = [FORMAT_1, FORMAT_2, FORMAT_3];

/// Makes the tables, or brings those of an older format up to date. A newer format is left untouched.
pub(super) fn prepare(db: &mut Connection, place: &Place) -> Result<(), Error> {
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > FILES_FORMAT_VERSION {
        let path = match place {
            Place::File(path) => path.clone(),
            Place::Memory(n) => n.to_string().into(),
        };
        return Err(Error::NewerFormat { path, found, known: FILES_FORMAT_VERSION });
    }
    if found < FILES_FORMAT_VERSION {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        FORMATS.iter().skip(found as usize).try_for_each(|format| tx.execute_batch(format))?;
        tx.pragma_update(None, "user_version", FILES_FORMAT_VERSION)?;
        tx.commit()?;
    }
    Ok(())
}

/// Removes what a stop in the middle left. Nobody is adding yet. On a full disk it stays, unseen as it
/// was, until a later start.
pub(super) fn forget_unfinished(db: &mut Connection) -> Result<(), Error> {
    // A start that has nothing to remove writes nothing: the disk may have no room left.
    let any = "SELECT EXISTS (SELECT 1 FROM adds)";
    if !db.query_row(any, [], |row| row.get(0))? {
        return Ok(());
    }
    match remove_unfinished(db) {
        Err(Error::Full(_)) => Ok(()),
        removed => removed,
    }
}

fn remove_unfinished(db: &mut Connection) -> Result<(), Error> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute("DELETE FROM blocks WHERE adding IN (SELECT id FROM adds)", [])?;
    tx.execute("DELETE FROM adds", [])?;
    Ok(tx.commit()?)
}

/// A number for the next add that neither a block nor an unfinished add bears.
pub(super) fn next_add(db: &Connection) -> Result<i64, Error> {
    let next = "SELECT max(coalesce((SELECT max(adding) FROM blocks), 0),
        coalesce((SELECT max(id) FROM adds), 0)) + 1";
    Ok(db.query_row(next, [], |row| row.get(0))?)
}

/// Every segment that holds blocks.
pub(super) fn segments(db: &Connection) -> Result<Vec<KnownSegment>, Error> {
    let mut statement = db.prepare(
        "SELECT segment, max(at + length), sum(length) FROM blocks WHERE segment IS NOT NULL
         GROUP BY segment",
    )?;
    let rows = statement.query_map([], |row| {
        let (end, bytes) = (row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64);
        Ok(KnownSegment { number: row.get(0)?, end, bytes })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Bytes of all blocks, those of adds that are not finished among them.
pub(super) fn block_bytes(db: &Connection) -> Result<u64, Error> {
    let sum = "SELECT coalesce(sum(length), 0) FROM blocks";
    Ok(db.query_row(sum, [], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

/// What a block is found by: its hash, whatever the codec and the version of its address.
pub(super) fn key(cid: &Cid) -> Vec<u8> {
    // The greatest number of a hash that is known has 16 bits.
    let code = cid.hash().code().code() as u16;
    [&code.to_be_bytes(), cid.hash().digest()].concat()
}

/// Where a block lies, from three columns that begin at `first`.
pub(super) fn spot(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Spot>> {
    let (Some(segment), Some(at)) = (row.get(first)?, row.get::<_, Option<i64>>(first + 1)?) else {
        return Ok(None);
    };
    let length: i64 = row.get(first + 2)?;
    Ok(Some(Spot { segment, at: at as u64, length: length as u64 }))
}

/// The bytes of a block that is there for all.
pub(super) fn length(db: &Connection, key: &[u8]) -> Result<Option<u64>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT length FROM blocks WHERE hash = ?1 AND adding NOT IN (SELECT id FROM adds) LIMIT 1",
    )?;
    let length: Option<i64> = statement.query_row([key], |row| row.get(0)).optional()?;
    Ok(length.map(i64::cast_unsigned))
}

/// Whether a block is there, for all or for who adds under `adding`.
pub(super) fn is_there(db: &Connection, key: &[u8], adding: i64) -> Result<bool, Error> {
    let mut statement = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM blocks WHERE hash = ?1
           AND (adding = ?2 OR adding NOT IN (SELECT id FROM adds)))",
    )?;
    Ok(statement.query_row((key, adding), |row| row.get(0))?)
}
