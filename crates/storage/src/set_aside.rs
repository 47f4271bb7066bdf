//! Entries that are damaged on the disk: taken out of their log until a peer gives them back.
//!
//! One that is set aside is treated as one that was never received: summaries, heads and answers to peers are
//! without it, and whoever shows it to this node is asked for it. Its row number and its address stay, for
//! the links of other entries are distances between rows. When it is back, it has its old row again.

use crate::entries::{self, EntryCache};
use crate::error::Error;
use crate::stores::{self, StoreId};
use optimusdb_dag::join::Proven;
use optimusdb_dag::{Entry, Identity, LogCid};
use rusqlite::{Connection, OptionalExtension};
use std::sync::Arc;

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS set_aside (
  seq INTEGER PRIMARY KEY,
  cid BLOB,
  store INTEGER NOT NULL
)";

/// The fact that counts how many were ever set aside.
const COUNT: &str = "entries_set_aside";

/// Makes the table if it is missing. It is empty on a disk that keeps what it is given.
pub(crate) fn create_table(db: &Connection) -> Result<(), Error> {
    Ok(db.execute_batch(TABLE)?)
}

/// The row that an entry had, if it is set aside.
pub(crate) fn place_of(db: &Connection, cid: &LogCid) -> Result<Option<i64>, Error> {
    let mut statement = db.prepare_cached("SELECT seq FROM set_aside WHERE cid = ?1")?;
    Ok(statement.query_row([cid.digest()], |row| row.get(0)).optional()?)
}

/// Those of all stores, each with the number of its store: at most `limit`.
pub(crate) fn list(db: &Connection, limit: usize) -> Result<Vec<(StoreId, LogCid)>, Error> {
    let mut statement =
        db.prepare_cached("SELECT store, cid FROM set_aside WHERE cid IS NOT NULL LIMIT ?1")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = statement
        .query_map([limit], |row| Ok((row.get(0)?, LogCid::from_digest(row.get(1)?))))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// How many there are of each store.
pub(crate) fn counts(db: &Connection) -> Result<Vec<(StoreId, u64)>, Error> {
    let mut statement =
        db.prepare_cached("SELECT store, count(*) FROM set_aside GROUP BY store")?;
    let counts = statement
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?
        .collect::<Result<_, _>>()?;
    Ok(counts)
}

/// What is added to the number of entries of a store to name its state. It grows by two with every entry
/// that is set aside, so no state has the name of an earlier one.
pub(crate) fn state_base(db: &Connection) -> Result<i64, Error> {
    let mut statement =
        db.prepare_cached("SELECT 2 * CAST(value AS INTEGER) FROM facts WHERE name = ?1")?;
    Ok(statement.query_row([COUNT], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Sets the entry in row `seq` aside, if it cannot be read. Answers its store; none if it can be.
pub(crate) fn set_aside(db: &Connection, seq: i64) -> Result<Option<StoreId>, Error> {
    match entries::at(db, seq) {
        Err(Error::DamagedEntry { .. }) => {}
        Ok(_) => return Ok(None),
        Err(error) => return Err(error),
    }
    if let Some(cid) = proven_address(db, seq)? {
        change_rows(db, "UPDATE entries SET cid = ?2 WHERE seq = ?1", (seq, cid.digest()))?;
        return Ok(None);
    }
    let row = db
        .prepare_cached("SELECT cid, store FROM entries WHERE seq = ?1")?
        .query_row([seq], |row| Ok((row.get::<_, Option<[u8; 32]>>(0).ok().flatten(), row.get(1))))
        .optional()?;
    // One that is not there was set aside already.
    let Some((cid, store)) = row else { return Ok(None) };
    let store: StoreId = store.unwrap_or(0);
    db.execute(
        "INSERT OR REPLACE INTO set_aside (seq, cid, store) VALUES (?1, ?2, ?3)",
        (seq, cid, store),
    )?;
    db.execute(
        "INSERT INTO facts (name, value) VALUES (?1, '1')
         ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
        [COUNT],
    )?;
    change_rows(db, "DELETE FROM entries WHERE seq = ?1", [seq])?;
    Ok(Some(store))
}

/// The address of the entry in row `seq` if all of the row but the address is as its writer signed it.
fn proven_address(db: &Connection, seq: i64) -> Result<Option<LogCid>, Error> {
    let Some(parts) = entries::parts_at(db, seq)? else { return Ok(None) };
    let block = parts.block();
    let cid = LogCid::of(&block);
    if entries::row_of(db, &cid)?.is_some() {
        return Ok(None);
    }
    let mut identities = db.prepare_cached("SELECT bytes FROM blocks WHERE cid = ?1")?;
    let identity: Option<Vec<u8>> =
        identities.query_row([parts.identity.digest()], |row| row.get(0)).optional()?;
    let proven = identity.is_some_and(|identity| {
        let entry = Entry::decode(cid, &block);
        let identity = Identity::decode(parts.identity, &identity);
        match (entry, identity) {
            (Ok(entry), Ok(identity)) => Proven::new(entry, Arc::new(identity), &parts.log).is_ok(),
            _ => false,
        }
    });
    Ok(proven.then_some(cid))
}

/// Runs a statement that changes rows of `entries`, whose indexes may say something else than they do.
fn change_rows(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params + Clone,
) -> Result<(), Error> {
    match db.execute(sql, params.clone()).map_err(Error::from) {
        Err(Error::Unreadable(_)) => {
            db.execute_batch("REINDEX entries")?;
            db.execute(sql, params)?;
            Ok(())
        }
        done => done.map(drop),
    }
}

/// Counts the entries of every store again.
pub(crate) fn recount(db: &Connection) -> Result<(), Error> {
    db.execute(
        "UPDATE stores SET entries =
           (SELECT count(*) FROM entries INDEXED BY entries_time WHERE store = stores.id)",
        [],
    )?;
    Ok(())
}

/// Stores an entry again that was set aside in row `seq`.
pub(crate) fn put_back(
    db: &Connection,
    cache: &mut EntryCache,
    seq: i64,
    entry: &Entry,
) -> Result<(), Error> {
    let store = stores::by_address(db, entry.log())?;
    let store =
        store.ok_or_else(|| Error::Corrupt(format!("there is no store {}", entry.log())))?;
    db.execute("DELETE FROM set_aside WHERE seq = ?1", [seq])?;
    entries::insert(db, cache, store.id, seq, entry)?;
    db.execute("UPDATE stores SET entries = entries + 1 WHERE id = ?1", [store.id])?;
    Ok(())
}
