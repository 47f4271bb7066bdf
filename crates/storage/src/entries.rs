//! Entries of every store's log, kept as columns instead of blocks.
//!
//! A block of 1.6 KB is mostly text that can be made again: the address of its log, the writer's
//! keys, the hashes of the entries before it. What cannot is kept: signature, payload, clock, and
//! the links as distances ([`crate::links`]). Reading makes the block again and checks its hash, so
//! a wrong byte on disk is an error and never an answer: [`Error::DamagedEntry`], with its row, so that it
//! can be set aside ([`crate::set_aside`]).

use crate::error::Error;
use crate::limits::LINK_CACHE_ENTRIES_MAX;
use crate::links;
use crate::stores::StoreId;
use optimusdb_dag::{Address, Entry, LogCid, OrderKey, StoredEntry};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;

/// What the write path knows without asking SQLite.
#[derive(Debug, Default)]
pub(crate) struct EntryCache {
    rows: HashMap<LogCid, i64>,
    /// By their identities; each has one key, as far as honest writers go.
    writers: HashMap<LogCid, (String, i64)>,
}

impl EntryCache {
    /// As [`row_of`], without asking SQLite for what was stored lately.
    pub(crate) fn row_of(&self, db: &Connection, cid: &LogCid) -> Result<Option<i64>, Error> {
        match self.rows.get(cid) {
            Some(row) => Ok(Some(*row)),
            None => row_of(db, cid),
        }
    }

    fn remember(&mut self, cid: LogCid, seq: i64) {
        if self.rows.len() >= LINK_CACHE_ENTRIES_MAX {
            // Links point to what is recent: forget the older half.
            let newest = self.rows.values().copied().max().unwrap_or(0);
            let keep_from = newest - (LINK_CACHE_ENTRIES_MAX / 2) as i64;
            self.rows.retain(|_, row| *row > keep_from);
        }
        self.rows.insert(cid, seq);
    }
}

/// The row of an entry, when it is stored.
pub(crate) fn row_of(db: &Connection, cid: &LogCid) -> Result<Option<i64>, Error> {
    let mut statement = db.prepare_cached("SELECT seq FROM entries WHERE cid = ?1")?;
    Ok(statement.query_row([cid.digest()], |row| row.get(0)).optional()?)
}

/// The log of an entry, when it is stored.
pub(crate) fn log_of(db: &Connection, cid: &LogCid) -> Result<Option<Address>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT s.manifest FROM entries e JOIN stores s ON s.id = e.store WHERE e.cid = ?1",
    )?;
    let manifest: Option<[u8; 32]> =
        statement.query_row([cid.digest()], |row| row.get(0)).optional()?;
    Ok(manifest.map(|digest| Address::of_manifest(LogCid::from_digest(digest))))
}

/// The hash of the entry in row `seq`.
pub(crate) fn cid_of(db: &Connection, seq: i64) -> Result<LogCid, Error> {
    let mut statement = db.prepare_cached("SELECT cid FROM entries WHERE seq = ?1")?;
    let digest: Option<[u8; 32]> = statement.query_row([seq], |row| row.get(0)).optional()?;
    let digest = match digest {
        None => digest_set_aside(db, seq)?,
        there => there,
    };
    digest
        .map(LogCid::from_digest)
        .ok_or_else(|| Error::Corrupt(format!("an entry links to row {seq}, which is not there")))
}

/// The digest of the entry that was in row `seq` before it was set aside ([`crate::set_aside`]).
fn digest_set_aside(db: &Connection, seq: i64) -> Result<Option<[u8; 32]>, Error> {
    let mut statement = db.prepare_cached("SELECT cid FROM set_aside WHERE seq = ?1")?;
    Ok(statement.query_row([seq], |row| row.get(0)).optional()?.flatten())
}

/// Stores `entry` in row `seq`. The caller knows that it is new.
pub(crate) fn insert(
    db: &Connection,
    cache: &mut EntryCache,
    store: StoreId,
    seq: i64,
    entry: &Entry,
) -> Result<(), Error> {
    let writer = writer_of(db, cache, entry)?;
    let mut linked = Vec::with_capacity(48);
    for list in [entry.next(), entry.refs()] {
        links::encode(&mut linked, seq, list, |cid| cache.row_of(db, cid))?;
    }
    let mut statement = db.prepare_cached(
        "INSERT INTO entries (seq, cid, store, time, writer, links, sig, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute((
        seq,
        entry.cid().digest(),
        store,
        // A clock is at most 2^53 - 1.
        entry.clock().time.cast_signed(),
        writer,
        &linked,
        entry.sig_der(),
        entry.payload_cbor(),
    ))?;
    cache.remember(entry.cid(), seq);
    Ok(())
}

fn writer_of(db: &Connection, cache: &mut EntryCache, entry: &Entry) -> Result<i64, Error> {
    let (identity, key) = (entry.identity(), entry.key());
    if let Some((known, id)) = cache.writers.get(&identity)
        && known == key
    {
        return Ok(*id);
    }
    db.prepare_cached("INSERT OR IGNORE INTO writers (identity, key) VALUES (?1, ?2)")?
        .execute((identity.digest(), key))?;
    let id = db
        .prepare_cached("SELECT id FROM writers WHERE identity = ?1 AND key = ?2")?
        .query_row((identity.digest(), key), |row| row.get(0))?;
    if cache.writers.len() < LINK_CACHE_ENTRIES_MAX {
        cache.writers.insert(identity, (key.to_owned(), id));
    }
    Ok(id)
}

const COLUMNS: &str =
    "e.seq, e.cid, e.time, e.links, e.sig, e.payload, w.identity, w.key, s.manifest
     FROM entries e LEFT JOIN writers w ON w.id = e.writer LEFT JOIN stores s ON s.id = e.store";

/// The entry `cid` with its exact block, when it is stored.
pub(crate) fn get(db: &Connection, cid: &LogCid) -> Result<Option<Entry>, Error> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} WHERE e.cid = ?1"))?;
    statement.query_row([cid.digest()], |row| Ok(read(db, row))).optional()?.transpose()
}

/// The entry in row `seq`.
pub(crate) fn at(db: &Connection, seq: i64) -> Result<Entry, Error> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} WHERE e.seq = ?1"))?;
    statement
        .query_row([seq], |row| Ok(read(db, row)))
        .optional()?
        .unwrap_or_else(|| Err(Error::DamagedEntry { row: seq, why: "it is not there".into() }))
}

fn read(db: &Connection, row: &Row<'_>) -> Result<Entry, Error> {
    let seq = row.get(0)?;
    let parts = parts(row, |row| cid_of(db, row)).map_err(|error| damaged(seq, error))?;
    Entry::from_stored(&parts).map_err(|error| damaged(seq, error.into()))
}

/// The parts that are stored in row `seq`, whether or not they make the entry that was.
pub(crate) fn parts_at(db: &Connection, seq: i64) -> Result<Option<StoredEntry>, Error> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} WHERE e.seq = ?1"))?;
    let found =
        statement.query_row([seq], |row| Ok(parts(row, |row| cid_of(db, row)))).optional()?;
    Ok(found.and_then(Result::ok))
}

/// What is wrong in the row of an entry is damage to it; what keeps SQLite from reading is not.
fn damaged(row: i64, error: Error) -> Error {
    match error {
        Error::Corrupt(why) => Error::DamagedEntry { row, why },
        Error::Block(why) => Error::DamagedEntry { row, why: why.to_string() },
        other => other,
    }
}

/// The parts of the entry in a row of [`COLUMNS`]; `cid_of` finds the address of another row.
fn parts(
    row: &Row<'_>,
    mut cid_of: impl FnMut(i64) -> Result<LogCid, Error>,
) -> Result<StoredEntry, Error> {
    let seq: i64 = row.get(0)?;
    let mut rest = row.get_ref(3)?.as_blob().map_err(|e| Error::Corrupt(e.to_string()))?;
    let next = links::decode(&mut rest, seq, &mut cid_of)?;
    let refs = links::decode(&mut rest, seq, &mut cid_of)?;
    let time: i64 = row.get(2)?;
    Ok(StoredEntry {
        cid: LogCid::from_digest(row.get(1)?),
        log: Address::of_manifest(LogCid::from_digest(row.get(8)?)),
        key: row.get(7)?,
        identity: LogCid::from_digest(row.get(6)?),
        sig_der: row.get(4)?,
        next,
        refs,
        time: time.cast_unsigned(),
        payload_cbor: row.get(5)?,
    })
}

/// The block of the entry `cid`, when it is stored and the caller wants one of its log.
pub(crate) fn block(
    db: &Connection,
    cid: &LogCid,
    is_wanted: impl FnOnce(&Address) -> bool,
) -> Result<Option<Vec<u8>>, Error> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} WHERE e.cid = ?1"))?;
    let found = statement
        .query_row([cid.digest()], |row| {
            let seq = row.get(0)?;
            Ok(parts(row, |row| cid_of(db, row))
                .map(|parts| (seq, parts))
                .map_err(|e| damaged(seq, e)))
        })
        .optional()?;
    match found.transpose()? {
        Some((seq, parts)) if is_wanted(&parts.log) => Ok(Some(checked_block(seq, &parts)?)),
        _ => Ok(None),
    }
}

/// The blocks of the first entries of a store after `after` and before the time `until`, by time and
/// address: at most `entries_max` and, but for the first, `bytes_max`. What is damaged is left out, and
/// told to `on_damaged`.
pub(crate) fn blocks(
    db: &Connection,
    store: StoreId,
    after: (i64, &[u8]),
    until: i64,
    (entries_max, bytes_max): (usize, usize),
    mut on_damaged: impl FnMut(Error),
) -> Result<Vec<Vec<u8>>, Error> {
    // The joined tables are small; their order keeps that of the index.
    let mut statement = db.prepare_cached(&format!(
        "SELECT {} FROM entries e INDEXED BY entries_time
           LEFT JOIN writers w ON w.id = e.writer LEFT JOIN stores s ON s.id = e.store
         WHERE e.store = ?1 AND (e.time, e.cid) > (?2, ?3) AND e.time < ?4
         ORDER BY e.time, e.cid LIMIT ?5",
        COLUMNS.split_once(" FROM ").map_or(COLUMNS, |(columns, _)| columns).trim_end()
    ))?;
    let limit = i64::try_from(entries_max).unwrap_or(i64::MAX);
    let mut rows = statement.query((store, after.0, after.1, until, limit))?;
    // Most links lead to entries just before, which were read already.
    let mut seen: HashMap<i64, LogCid> = HashMap::new();
    let mut blocks = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let seq = row.get(0)?;
        let parts = parts(row, |at| match seen.get(&at) {
            Some(cid) => Ok(*cid),
            None => {
                let cid = cid_of(db, at)?;
                seen.insert(at, cid);
                Ok(cid)
            }
        });
        let read = parts.map_err(|error| damaged(seq, error)).and_then(|parts| {
            let block = checked_block(seq, &parts)?;
            Ok((parts.cid, block))
        });
        let (cid, block) = match read {
            Ok(read) => read,
            Err(error @ Error::DamagedEntry { .. }) => {
                on_damaged(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        bytes += block.len();
        if bytes > bytes_max && !blocks.is_empty() {
            break;
        }
        seen.insert(seq, cid);
        blocks.push(block);
    }
    Ok(blocks)
}

/// The block that the parts make, if it is the one that was stored.
fn checked_block(row: i64, parts: &StoredEntry) -> Result<Vec<u8>, Error> {
    let block = parts.block();
    match LogCid::of(&block) == parts.cid {
        true => Ok(block),
        false => {
            let why = optimusdb_dag::Error::HashMismatch(parts.cid).to_string();
            Err(Error::DamagedEntry { row, why })
        }
    }
}

/// The place of the entry in row `seq` in its log's order, without making its block. None for one that
/// is set aside: it is applied again when it is put back.
pub(crate) fn order_at(db: &Connection, seq: i64) -> Result<Option<OrderKey>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT e.time, w.key, e.cid FROM entries e JOIN writers w ON w.id = e.writer
         WHERE e.seq = ?1",
    )?;
    let found: Option<(i64, String, [u8; 32])> =
        statement.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    Ok(found.map(|(time, id, cid)| OrderKey {
        time: time.cast_unsigned(),
        id: id.into(),
        cid: LogCid::from_digest(cid),
    }))
}
