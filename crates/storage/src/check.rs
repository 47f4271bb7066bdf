//! What must hold of the tables, asked of the tables again.
//!
//! In builds with debug assertions only. Counts are made of small stores and of few entries, and one
//! row or summary in sixteen is looked at again: a check never costs more than a few rows of a commit.

use crate::change::{IndexChange, ShownValue, change};
use crate::entries;
use crate::error::Error;
use crate::stores::{StoreId, StoreRef, rows_of};
use crate::uploads;
use optimusdb_dag::sync::{Cell, Id, Span, Summary, Summing};
use optimusdb_dag::{Entry, LogCid, StoreKind};
use rusqlite::{Connection, OptionalExtension};

/// Entries up to which a store, a transaction or a cell is counted again.
const COUNTED_ENTRIES_MAX: i64 = 128;
/// Of so many entries and summaries one is looked at again, by the first byte of its digest.
const SAMPLED: u8 = 16;

/// The figures of a store are those of its rows.
pub(crate) fn counts(db: &Connection, store: StoreId) -> Result<(), Error> {
    let mut figures =
        db.prepare_cached("SELECT documents, entries, kind FROM stores WHERE id = ?1")?;
    let (documents, entries, kind): (i64, i64, String) =
        figures.query_row([store], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if entries > COUNTED_ENTRIES_MAX {
        return Ok(());
    }
    let [first, end] = rows_of(store);
    let mut count = db.prepare_cached(
        "SELECT (SELECT count(*) FROM documents WHERE row >= ?2 AND row < ?3 AND doc IS NOT NULL),
                (SELECT count(*) FROM documents WHERE row >= ?2 AND row < ?3 AND store != ?1),
                (SELECT count(*) FROM entries INDEXED BY entries_time WHERE store = ?1),
                (SELECT count(*) FROM events WHERE store = ?1),
                (SELECT count(*) FROM stores s, json_each(s.heads) h
                   LEFT JOIN entries e ON e.seq = h.value WHERE s.id = ?1 AND e.store IS NOT ?1),
                (SELECT count(*) FROM passed JOIN entries USING (cid) WHERE passed.store = ?1)",
    )?;
    let counted: [i64; 6] = count.query_row((store, first, end), |row| {
        Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?])
    })?;
    let [there, strange, stored, events, heads, twice] = counted;
    debug_assert_eq!(documents, there, "documents of store {store}");
    debug_assert_eq!(strange, 0, "rows of another store among those of store {store}");
    debug_assert_eq!(entries, stored, "entries of store {store}");
    debug_assert!(events <= stored, "store {store} has more events than entries");
    debug_assert!(events == 0 || kind == StoreKind::Events.as_str(), "events in a store of {kind}");
    debug_assert_eq!(heads, 0, "heads of store {store} that are entries of another");
    debug_assert_eq!(twice, 0, "entries of store {store} that are stored and passed over");
    Ok(())
}

/// The entry in row `seq` reads as it was written, and the row of its key is that of the greatest
/// operation on it.
pub(crate) fn entry(
    db: &Connection,
    store: &StoreRef,
    seq: i64,
    entry: &Entry,
) -> Result<(), Error> {
    if !entry.cid().digest()[0].is_multiple_of(SAMPLED) {
        return Ok(());
    }
    let read = entries::at(db, seq)?;
    debug_assert_eq!(read.block(), entry.block(), "the block of {}", entry.cid());
    debug_assert_eq!(entries::row_of(db, &entry.cid())?, Some(seq), "the row of {}", entry.cid());
    let Some(IndexChange { key, .. }) = change(store.kind, entry) else { return Ok(()) };
    let mut row = db.prepare_cached(
        "SELECT row, time, entry, doc FROM documents WHERE key = ?1 AND store = ?2",
    )?;
    let row = row
        .query_row((&*key, store.id), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<Vec<u8>>>(3)?))
        })
        .optional()?;
    debug_assert!(row.is_some(), "{key} has no row");
    let Some((row, time, by, doc)): Option<(i64, i64, i64, _)> = row else { return Ok(()) };
    let [first, end] = rows_of(store.id);
    debug_assert!((first..end).contains(&row), "the row of {key} is not among its store's");
    let winner = entries::at(db, by)?;
    debug_assert!(winner.order() >= entry.order(), "{key} is shown as an older entry has it");
    debug_assert_eq!(winner.clock().time.cast_signed(), time, "the time of {key}");
    let change = change(store.kind, &winner);
    debug_assert_eq!(change.as_ref().map(|of| &of.key), Some(&key), "whose row that is");
    let value = match change.and_then(|of| of.value) {
        Some(ShownValue::Document(document))
            if uploads::is_replaced(db, store, &key, document)? =>
        {
            None
        }
        value => value,
    };
    let json = value.map(|value| value.json(&key)).transpose()?;
    let written: Option<Vec<u8>> =
        db.prepare_cached("SELECT jsonb(?1)")?.query_row([json], |row| row.get(0))?;
    debug_assert_eq!(doc, written, "what is shown as {key}");
    Ok(())
}

/// The rows from `first_seq` on of a store are what the transaction says that it added.
pub(crate) fn grown(
    db: &Connection,
    store: StoreId,
    first_seq: i64,
    (documents, entries): (i64, i64),
    times: Span,
) -> Result<(), Error> {
    debug_assert!(documents.abs() <= entries, "{entries} entries changed {documents} documents");
    if entries > COUNTED_ENTRIES_MAX {
        return Ok(());
    }
    let mut added = db.prepare_cached(
        "SELECT count(*), min(time), max(time) FROM entries WHERE seq >= ?1 AND store = ?2",
    )?;
    let (count, least, greatest): (i64, i64, i64) =
        added.query_row((first_seq, store), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    debug_assert_eq!(entries, count, "entries that were added to store {store}");
    debug_assert_eq!(times.from.cast_signed(), least, "the first time of what was added");
    debug_assert_eq!(times.until.cast_signed(), greatest + 1, "the last time of what was added");
    Ok(())
}

/// The heads of a store, as rows in ascending order, are entries of it, and the newest entry is one.
pub(crate) fn heads(db: &Connection, store: StoreId, heads: &[i64]) -> Result<(), Error> {
    debug_assert!(heads.is_sorted_by(|a, b| a < b), "a head of store {store} is there twice");
    let mut time_of = db.prepare_cached("SELECT store, time FROM entries WHERE seq = ?1")?;
    let mut greatest = None;
    for head in heads {
        let (of, time): (StoreId, i64) =
            time_of.query_row([head], |row| Ok((row.get(0)?, row.get(1)?)))?;
        debug_assert_eq!(of, store, "the store of the head in row {head}");
        greatest = greatest.max(Some(time));
    }
    let mut newest = db
        .prepare_cached("SELECT max(time) FROM entries INDEXED BY entries_time WHERE store = ?1")?;
    let newest: Option<i64> = newest.query_row([store], |row| row.get(0))?;
    debug_assert_eq!(greatest, newest, "nothing comes after the newest entry of store {store}");
    Ok(())
}

/// A summary that was kept is what the entries of its cell sum up to.
pub(crate) fn summary(
    db: &Connection,
    store: StoreId,
    cell: Cell,
    kept: Summary,
) -> Result<(), Error> {
    if !kept.hash[0].is_multiple_of(SAMPLED) || kept.count > COUNTED_ENTRIES_MAX.cast_unsigned() {
        return Ok(());
    }
    let Span { from, until } = cell.span();
    let mut ids = db.prepare_cached(
        "SELECT time, cid FROM entries INDEXED BY entries_time
         WHERE store = ?1 AND time >= ?2 AND time < ?3 ORDER BY time, cid",
    )?;
    let mut rows = ids.query((store, from.cast_signed(), until.cast_signed()))?;
    let mut summing = Summing::new(cell);
    while let Some(row) = rows.next()? {
        let time = row.get::<_, i64>(0)?.cast_unsigned();
        summing.add(&Id { time, cid: LogCid::from_digest(row.get(1)?) }, &mut |_, _| {});
    }
    debug_assert_eq!(summing.finish(&mut |_, _| {}), kept, "what is kept of {cell:?}");
    Ok(())
}
