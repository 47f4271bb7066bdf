//! What must hold of the tables, asked of the tables again.
//!
//! In builds with debug assertions only. Counts are made of small stores, the row of an entry is
//! looked at for one entry in sixteen: a check never costs more than a few rows of a commit.

use crate::entries;
use crate::error::Error;
use crate::index::{self, Effect, Shown};
use crate::stores::{StoreId, StoreRef, rows_of};
use crate::uploads;
use optimusdb_dag::{Entry, StoreKind};
use rusqlite::{Connection, OptionalExtension};

/// Entries up to which a store is counted again at each commit.
const COUNTED_ENTRIES_MAX: i64 = 128;
/// Of so many entries one is looked at again, by the first byte of its digest.
const SAMPLED_ENTRIES: u8 = 16;

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
    if !entry.cid().digest()[0].is_multiple_of(SAMPLED_ENTRIES) {
        return Ok(());
    }
    let read = entries::at(db, seq)?;
    debug_assert_eq!(read.block(), entry.block(), "the block of {}", entry.cid());
    debug_assert_eq!(entries::row_of(db, &entry.cid())?, Some(seq), "the row of {}", entry.cid());
    let Some(Effect { key, .. }) = index::effect(store.kind, entry) else { return Ok(()) };
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
    let effect = index::effect(store.kind, &winner);
    debug_assert_eq!(effect.as_ref().map(|of| &of.key), Some(&key), "whose row that is");
    let value = match effect.and_then(|of| of.value) {
        Some(Shown::Document(document)) if uploads::is_replaced(db, store, &key, document)? => None,
        value => value,
    };
    let json = value.map(|value| value.json(&key)).transpose()?;
    let written: Option<Vec<u8>> =
        db.prepare_cached("SELECT jsonb(?1)")?.query_row([json], |row| row.get(0))?;
    debug_assert_eq!(doc, written, "what is shown as {key}");
    Ok(())
}
