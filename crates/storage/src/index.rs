//! The index: per store and key, the newest operation.
//!
//! A row is a function of the set of entries, never of the order in which they arrived: the winner
//! is the greatest by (clock time, clock id, CID), a delete stays as a tombstone, and `created` is
//! the least wall clock of all puts of the key. Wall clocks are those of strangers: one that says a time
//! before there was such a log, or beyond the calendar, counts as none. Of uploaded files of one name one stands
//! ([`crate::uploads`]). So replaying the log in any order gives the same rows.

use crate::catalog;
use crate::change::{IndexChange, ShownValue, change};
use crate::entries;
use crate::error::Error;
use crate::mend;
use crate::stores::{Scope, StoreId, StoreRef, rows_of};
use crate::tosca;
use crate::uploads::{self, Upload};
use optimusdb_dag::{Entry, StoreKind};
use rusqlite::Connection;
use std::collections::BTreeSet;

/// Applies the operation of `entry`, stored in row `seq`, to the rows of its store. Answers by how
/// many the number of documents changed.
pub(crate) fn apply(
    db: &Connection,
    store: &StoreRef,
    seq: i64,
    entry: &Entry,
) -> Result<i64, Error> {
    // An operation that this version does not know is kept in the log and changes nothing.
    let Some(IndexChange { key, value, at_ms }) = change(store.kind, entry) else { return Ok(0) };
    let upload = match value {
        Some(ShownValue::Document(document)) => {
            mended(db, || uploads::note(db, store, seq, entry, &key, document))?
        }
        _ => Upload::NONE,
    };
    let written = Written { value, shown: !upload.replaced, at_ms };
    let documents = mended(db, || write_row(db, store, seq, entry, &key, written))?;
    let documents = documents - upload.replaces;
    if store.kind == StoreKind::Events {
        let time = entry.clock().time.cast_signed();
        db.prepare_cached("INSERT OR IGNORE INTO events (entry, store, time) VALUES (?1, ?2, ?3)")?
            .execute((seq, store.id, time))?;
    }
    Ok(documents)
}

/// Does a step whose first change fails where a document is damaged: then it is made again, and the step
/// done once more.
fn mended<T>(db: &Connection, step: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    match step().map_err(Error::of_documents) {
        Err(Error::DamagedDocument) => {
            mend::documents(db)?;
            step()
        }
        done => done,
    }
}

/// What an operation writes.
#[derive(Clone, Copy)]
struct Written<'v> {
    /// The document of a PUT; none of a DEL.
    value: Option<ShownValue<'v>>,
    /// Whether it is there, or replaced already by one of another key.
    shown: bool,
    /// The writer's wall clock, where the operation carries it.
    at_ms: Option<u64>,
}

/// The rows of a key.
struct Held {
    here: Option<Existing>,
    /// Whether other stores have one, too.
    elsewhere: bool,
}

struct Existing {
    row: i64,
    time: i64,
    entry: i64,
    created: Option<i64>,
    present: bool,
    /// Whether it has rows of a TOSCA file.
    tosca: bool,
}

fn write_row(
    db: &Connection,
    store: &StoreRef,
    seq: i64,
    entry: &Entry,
    key: &str,
    Written { value, shown, at_ms }: Written<'_>,
) -> Result<i64, Error> {
    let Held { here, elsewhere } = held(db, store.id, key)?;
    let at = at_ms.and_then(|at| i64::try_from(at).ok());
    let time = entry.clock().time.cast_signed();
    let created_here = value.and(at);
    let value = value.filter(|_| shown);
    let json = || value.map(|value| value.json(key)).transpose();
    let document = value.and_then(ShownValue::document);
    let Some(old) = here else {
        let json = json()?;
        let [first, end] = rows_of(store.id);
        debug_assert!(first + seq < end, "row {seq} of an entry reaches into the next store's");
        db.prepare_cached(
            "INSERT INTO documents (row, store, key, time, entry, created, updated, doc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, jsonb(?8))",
        )?
        .execute((first + seq, store.id, key, time, seq, created_here, at, &json))?;
        if let Some(document) = document {
            tosca::add(db, store, first + seq, document)?;
        }
        if elsewhere && store.kind == StoreKind::Documents && store.scope == Scope::Resource {
            catalog::list_namesakes(db, key)?;
        }
        return Ok(i64::from(json.is_some()));
    };
    let created = match (old.created, created_here) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let wins = time > old.time
        || (time == old.time && Some(entry.order()) > entries::order_at(db, old.entry)?);
    if !wins {
        if created != old.created {
            db.prepare_cached("UPDATE documents SET created = ?2 WHERE row = ?1")?
                .execute((old.row, created))?;
        }
        return Ok(0);
    }
    let json = json()?;
    db.prepare_cached(
        "UPDATE documents SET time = ?2, entry = ?3, created = ?4, updated = ?5, doc = jsonb(?6)
         WHERE row = ?1",
    )?
    .execute((old.row, time, seq, created, at, &json))?;
    if old.tosca {
        tosca::remove(db, old.row)?;
    }
    if let Some(document) = document {
        tosca::add(db, store, old.row, document)?;
    }
    Ok(i64::from(json.is_some()) - i64::from(old.present))
}

/// Drops every row derived from a store's log, and makes them again; `indexed` is called after each
/// entry of it, but for those in the rows `without`. Answers what entries are damaged: the rest is made
/// without them, too.
pub(crate) fn derive(
    db: &Connection,
    store: &StoreRef,
    without: &BTreeSet<i64>,
    indexed: &mut dyn FnMut(),
) -> Result<Vec<Error>, Error> {
    if let Err(error) = clear(db, store.id).map_err(Error::of_documents) {
        match error {
            Error::DamagedDocument => mend::blank(db)?,
            error => return Err(error),
        }
        clear(db, store.id)?;
    }
    let (mut documents, mut damaged) = (0, Vec::new());
    let mut statement = db
        .prepare("SELECT seq FROM entries INDEXED BY entries_time WHERE store = ?1 ORDER BY seq")?;
    let mut rows = statement.query([store.id])?;
    while let Some(row) = rows.next()? {
        let seq = row.get(0)?;
        if without.contains(&seq) {
            continue;
        }
        match entries::at(db, seq) {
            Ok(entry) => documents += apply(db, store, seq, &entry)?,
            Err(error @ Error::DamagedEntry { .. }) => damaged.push(error),
            Err(error) => return Err(error),
        }
        indexed();
    }
    db.execute("UPDATE stores SET documents = ?2 WHERE id = ?1", (store.id, documents))?;
    Ok(damaged)
}

/// Applies an entry that is back after it was set aside: what its key shows may still be its own, and
/// lost.
pub(crate) fn apply_again(
    db: &Connection,
    store: &StoreRef,
    seq: i64,
    entry: &Entry,
) -> Result<(), Error> {
    apply(db, store, seq, entry)?;
    if let Some(IndexChange { key, .. }) = change(store.kind, entry)
        && let Some(row) = held(db, store.id, &key)?.here
        && row.entry == seq
    {
        mend::rewrite(db, store, row.row)?;
    }
    mend::recount(db, store.id)
}

/// The rows of a store's log that SQLite cannot read.
pub(crate) fn unreadable_rows(db: &Connection, store: &StoreRef) -> Result<BTreeSet<i64>, Error> {
    let mut statement =
        db.prepare("SELECT seq FROM entries INDEXED BY entries_time WHERE store = ?1")?;
    let rows: Vec<i64> =
        statement.query_map([store.id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let unreadable = |seq: &i64| matches!(entries::at(db, *seq), Err(Error::Unreadable(_)));
    Ok(rows.into_iter().filter(unreadable).collect())
}

/// Gives up the tables of the index, whose pages may not be readable, and makes empty ones. What they took
/// of the file is lost to it.
pub(crate) fn give_up(db: &Connection) -> Result<(), Error> {
    const OURS: &str = "tbl_name IN ('documents', 'events', 'uploads', 'namesakes')
        OR tbl_name LIKE 'tosca!_%' ESCAPE '!'";
    let mut statement = db.prepare(&format!(
        "SELECT sql FROM sqlite_schema WHERE type IN ('table', 'index') AND sql IS NOT NULL
           AND ({OURS}) ORDER BY type DESC, rowid"
    ))?;
    let made: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    db.execute_batch(&format!(
        "PRAGMA writable_schema = ON;
         DELETE FROM sqlite_schema WHERE type IN ('table', 'index') AND ({OURS});
         PRAGMA writable_schema = RESET"
    ))?;
    made.iter().try_for_each(|sql| Ok(db.execute_batch(sql)?))
}

fn clear(db: &Connection, store: StoreId) -> Result<(), Error> {
    db.execute("DELETE FROM documents WHERE row >= ?1 AND row < ?2", rows_of(store))?;
    db.execute("DELETE FROM namesakes WHERE row >= ?1 AND row < ?2", rows_of(store))?;
    db.execute("DELETE FROM events WHERE store = ?1", [store])?;
    uploads::clear(db, store)?;
    tosca::clear(db, store)
}

/// Which rows have that key: one look-up in the index `documents_key`, which has all stores' together.
fn held(db: &Connection, store: StoreId, key: &str) -> Result<Held, Error> {
    let mut rows = db.prepare_cached("SELECT row, store FROM documents WHERE key = ?1")?;
    let mut rows = rows.query([key])?;
    let mut held = Held { here: None, elsewhere: false };
    while let Some(row) = rows.next()? {
        if row.get::<_, StoreId>(1)? == store {
            held.here = Some(existing(db, row.get(0)?)?);
        } else {
            held.elsewhere = true;
        }
    }
    Ok(held)
}

fn existing(db: &Connection, row: i64) -> Result<Existing, Error> {
    let mut statement = db.prepare_cached(
        "SELECT time, entry, created, doc IS NOT NULL,
           EXISTS (SELECT 1 FROM tosca_file WHERE row = ?1)
         FROM documents WHERE row = ?1",
    )?;
    Ok(statement.query_row([row], |found| {
        Ok(Existing {
            row,
            time: found.get(0)?,
            entry: found.get(1)?,
            created: found.get(2)?,
            present: found.get(3)?,
            tosca: found.get(4)?,
        })
    })?)
}
