//! The heads of a log: as they are kept with its store, and found again from its entries.
//!
//! What is kept is believed if it is a list of entries of that log that can be read, the newest of all
//! among them. Where it is not, the heads are what no other entry names, with those left out that are
//! damaged. It takes a pass over the links of the whole log, so the writer keeps what was found. While an
//! entry in the middle is set aside its parents may be taken for heads; the next entry names them once
//! more, which harms nothing.

use crate::entries;
use crate::error::Error;
use crate::links;
use crate::stores::{StoreId, StoreRef};
use optimusdb_dag::join::Passed;
use optimusdb_dag::{Entry, LogCid};
use rusqlite::Connection;
use std::collections::{BTreeSet, HashSet};

/// The heads of a store's log as they are kept, least first.
///
/// # Errors
/// Whatever is wrong with them.
pub(crate) fn kept(db: &Connection, store: &StoreRef) -> Result<Vec<Entry>, Error> {
    let mut statement = db.prepare_cached("SELECT heads, entries FROM stores WHERE id = ?1")?;
    let (text, entries): (String, i64) =
        statement.query_row([store.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let wrong = || Error::Corrupt(format!("the heads of {} are not {text:?}", store.address));
    let rows = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).ok_or_else(wrong)?;
    let rows: Vec<i64> = rows
        .split(',')
        .filter(|row| !row.is_empty())
        .map(|row| row.parse().map_err(|_| wrong()))
        .collect::<Result<_, _>>()?;
    let heads = rows.into_iter().map(|seq| entries::at(db, seq)).collect::<Result<Vec<_>, _>>()?;
    let newest = heads.iter().map(|head| head.clock().time.cast_signed()).max();
    let are_of_the_log = heads.iter().all(|head| *head.log() == store.address);
    if !are_of_the_log || newest != newest_time(db, store.id)? || (entries > 0) != newest.is_some()
    {
        return Err(wrong());
    }
    Ok(sorted(heads))
}

fn newest_time(db: &Connection, store: StoreId) -> Result<Option<i64>, Error> {
    let mut newest = db
        .prepare_cached("SELECT max(time) FROM entries INDEXED BY entries_time WHERE store = ?1")?;
    Ok(newest.query_row([store], |row| row.get(0))?)
}

fn sorted(mut heads: Vec<Entry>) -> Vec<Entry> {
    heads.sort_by_key(Entry::order);
    heads
}

/// Whether the entry in row `seq` is a head of the store, as far as that is kept.
pub(crate) fn are_kept_with(db: &Connection, store: StoreId, seq: i64) -> Result<bool, Error> {
    let mut kept = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM stores WHERE id = ?1
           AND instr(',' || trim(heads, '[]') || ',', ',' || ?2 || ','))",
    )?;
    Ok(kept.query_row((store, seq), |row| row.get(0))?)
}

/// The heads of a store's log as its entries say, least first, and what of them is damaged.
pub(crate) fn found(db: &Connection, store: &StoreRef) -> Result<(Vec<Entry>, Vec<Error>), Error> {
    let mut without = HashSet::new();
    let mut damaged = Vec::new();
    // Each turn leaves out what the one before found to be damaged.
    loop {
        let (mut heads, before) = (Vec::new(), without.len());
        for seq in unnamed(db, store, &without)? {
            match entries::at(db, seq) {
                Ok(entry) => heads.push(entry),
                Err(error @ Error::DamagedEntry { .. }) => {
                    without.insert(seq);
                    damaged.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        if without.len() == before {
            return Ok((sorted(heads), damaged));
        }
    }
}

/// The rows that no other names, all without those of `without`.
fn unnamed(
    db: &Connection,
    store: &StoreRef,
    without: &HashSet<i64>,
) -> Result<BTreeSet<i64>, Error> {
    let mut statement =
        db.prepare("SELECT seq, links FROM entries NOT INDEXED WHERE store = ?1 ORDER BY seq")?;
    let mut rows = statement.query([store.id])?;
    let (mut unnamed, mut addresses) = (BTreeSet::new(), passed_over(db, store)?);
    while let Some(row) = rows.next()? {
        let seq = row.get(0)?;
        if without.contains(&seq) {
            continue;
        }
        unnamed.insert(seq);
        // One whose links cannot be read names nobody; it is found when it is read.
        let Ok(mut bytes) = row.get_ref(1)?.as_blob() else { continue };
        let mut named = Vec::new();
        let next = links::decode(&mut bytes, seq, |at| {
            named.push(at);
            Ok(LogCid::from_digest([0; 32]))
        });
        let Ok(next) = next else { continue };
        for at in named {
            unnamed.remove(&at);
        }
        addresses.extend(next);
    }
    for cid in addresses {
        if let Some(seq) = entries::row_of(db, &cid)? {
            unnamed.remove(&seq);
        }
    }
    Ok(unnamed)
}

/// Whether an entry of the log after row `seq`, which is that of `cid`, names it as a parent. Of an entry
/// that is no head the answer is found soon.
pub(crate) fn is_named(
    db: &Connection,
    store: &StoreRef,
    seq: i64,
    cid: &LogCid,
) -> Result<bool, Error> {
    let mut statement = db.prepare_cached(
        "SELECT seq, links FROM entries NOT INDEXED WHERE store = ?1 AND seq > ?2 ORDER BY seq",
    )?;
    let mut rows = statement.query((store.id, seq))?;
    while let Some(row) = rows.next()? {
        let by = row.get(0)?;
        let Ok(mut bytes) = row.get_ref(1)?.as_blob() else { continue };
        let next = links::decode(&mut bytes, by, |at| {
            Ok(if at == seq { *cid } else { LogCid::from_digest([0; 32]) })
        });
        if next.is_ok_and(|next| next.contains(cid)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What entries name that were passed over: those in the log reach it through them.
fn passed_over(db: &Connection, store: &StoreRef) -> Result<BTreeSet<LogCid>, Error> {
    let mut statement =
        db.prepare("SELECT cid, bytes FROM passed JOIN blocks USING (cid) WHERE store = ?1")?;
    let mut rows = statement.query([store.id])?;
    let mut named = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let (cid, block): ([u8; 32], Vec<u8>) = (row.get(0)?, row.get(1)?);
        let links = Passed::links(LogCid::from_digest(cid), &block, &store.address);
        named.extend(links.unwrap_or_default());
    }
    Ok(named)
}
