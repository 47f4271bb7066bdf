//! Entries that were passed over: refused, and ancestors of entries in the log.
//!
//! They are no part of the log, of its index or of what fast sync compares. Their time counts when
//! the clocks of their descendants are checked, and their blocks are kept, because whoever takes in
//! a descendant has to pass over them, too.

use crate::error::Error;
use crate::stores::StoreId;
use optimusdb_dag::LogCid;
use rusqlite::{Connection, OptionalExtension};

/// Keeps one, unless it is in the log. Answers whether it is here as passed over.
pub(crate) fn insert(
    db: &Connection,
    store: StoreId,
    cid: &LogCid,
    time: u64,
    block: &[u8],
) -> Result<bool, Error> {
    if crate::entries::row_of(db, cid)?.is_some() {
        return Ok(false);
    }
    db.prepare_cached("INSERT OR IGNORE INTO passed (cid, store, time) VALUES (?1, ?2, ?3)")?
        .execute((cid.digest(), store, time.cast_signed()))?;
    db.prepare_cached("INSERT OR IGNORE INTO blocks (cid, bytes) VALUES (?1, ?2)")?
        .execute((cid.digest(), block))?;
    Ok(true)
}

/// Takes one away that is about to be stored, its block with it: the entry's own row has all of it.
pub(crate) fn forget(db: &Connection, cid: &LogCid) -> Result<(), Error> {
    let forgotten =
        db.prepare_cached("DELETE FROM passed WHERE cid = ?1")?.execute([cid.digest()])?;
    if forgotten > 0 {
        db.prepare_cached("DELETE FROM blocks WHERE cid = ?1")?.execute([cid.digest()])?;
    }
    Ok(())
}

/// The clock time of one.
pub(crate) fn time_of(db: &Connection, cid: &LogCid) -> Result<Option<u64>, Error> {
    let mut statement = db.prepare_cached("SELECT time FROM passed WHERE cid = ?1")?;
    let time: Option<i64> = statement.query_row([cid.digest()], |row| row.get(0)).optional()?;
    Ok(time.map(i64::cast_unsigned))
}

/// Those of a store, in the order of their digests from behind `after` on.
pub(crate) fn of_store(
    db: &Connection,
    store: StoreId,
    after: Option<&LogCid>,
    limit: usize,
) -> Result<Vec<LogCid>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT cid FROM passed WHERE store = ?1 AND cid > ?2 ORDER BY cid LIMIT ?3",
    )?;
    let after: &[u8] = after.map_or(&[], |cid| cid.digest());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let digests = statement.query_map((store, after, limit), |row| row.get::<_, [u8; 32]>(0))?;
    digests.map(|digest| Ok(LogCid::from_digest(digest?))).collect()
}

/// Whether there is any.
pub(crate) fn is_any(db: &Connection) -> Result<bool, Error> {
    Ok(db.query_row("SELECT EXISTS (SELECT 1 FROM passed)", [], |row| row.get(0))?)
}
