//! The index: per store and key, the newest operation.
//!
//! A row is a function of the set of entries, never of the order in which they arrived: the winner
//! is the greatest by (clock time, clock id, CID), a delete stays as a tombstone, and `created` is
//! the least wall clock of all puts of the key. Of uploaded files of one name one stands
//! ([`crate::uploads`]). So replaying the log in any order gives the same rows.

use crate::catalog;
use crate::entries;
use crate::error::Error;
use crate::json::{document_text, pair_text};
use crate::stores::{Scope, StoreId, StoreRef, rows_of};
use crate::tosca;
use crate::uploads::{self, Upload};
use optimusdb_dag::{Entry, Ipld, OperationRef, StoreKind};
use rusqlite::Connection;
use std::borrow::Cow;

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
            uploads::note(db, store, seq, entry, &key, document)?
        }
        _ => Upload::NONE,
    };
    let written = Written { value, shown: !upload.replaced, at_ms };
    let documents = write_row(db, store, seq, entry, &key, written)? - upload.replaces;
    if store.kind == StoreKind::Events {
        let time = entry.clock().time.cast_signed();
        db.prepare_cached("INSERT INTO events (entry, store, time) VALUES (?1, ?2, ?3)")?
            .execute((seq, store.id, time))?;
    }
    Ok(documents)
}

/// Which document an entry changes, and what it becomes.
pub(crate) struct IndexChange<'e> {
    pub(crate) key: Cow<'e, str>,
    /// `None` is a deletion.
    pub(crate) value: Option<ShownValue<'e>>,
    /// The writer's wall clock, where the operation carries it.
    pub(crate) at_ms: Option<u64>,
}

/// A value as reads and SQL see it.
#[derive(Clone, Copy)]
pub(crate) enum ShownValue<'e> {
    /// A document, as it is but for its `_id`, which is its key.
    Document(&'e Ipld),
    /// What is no document by itself: it is shown with its key.
    Value(&'e Ipld),
}

impl<'e> ShownValue<'e> {
    fn document(self) -> Option<&'e Ipld> {
        match self {
            ShownValue::Document(document) => Some(document),
            ShownValue::Value(_) => None,
        }
    }

    pub(crate) fn json(self, key: &str) -> Result<String, Error> {
        match self {
            ShownValue::Document(document) => document_text(key, document),
            ShownValue::Value(value) => pair_text(key, value),
        }
    }
}

/// What an entry does to the documents of a store of that kind, if it does anything.
pub(crate) fn change(kind: StoreKind, entry: &Entry) -> Option<IndexChange<'_>> {
    let (operation, at_ms) = OperationRef::of(kind, entry.payload())?;
    let (key, value) = match operation {
        OperationRef::Put { key, value } if kind == StoreKind::Documents => {
            (key.into(), Some(ShownValue::Document(value)))
        }
        OperationRef::Put { key, value } => (key.into(), Some(ShownValue::Value(value))),
        OperationRef::Del { key } => (key.into(), None),
        // An event is a document that nothing ever replaces, under the hash of its entry.
        OperationRef::Add { value } => {
            (entry.cid().to_string().into(), Some(ShownValue::Value(value)))
        }
    };
    Some(IndexChange { key, value, at_ms })
}

/// What an operation writes.
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
    let wins =
        time > old.time || (time == old.time && entry.order() > entries::order_at(db, old.entry)?);
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
/// entry of it.
pub(crate) fn derive(
    db: &Connection,
    store: &StoreRef,
    indexed: &mut dyn FnMut(),
) -> Result<(), Error> {
    clear(db, store.id)?;
    let mut documents = 0;
    let mut statement = db
        .prepare("SELECT seq FROM entries INDEXED BY entries_time WHERE store = ?1 ORDER BY seq")?;
    let mut rows = statement.query([store.id])?;
    while let Some(row) = rows.next()? {
        let seq = row.get(0)?;
        documents += apply(db, store, seq, &entries::at(db, seq)?)?;
        indexed();
    }
    db.execute("UPDATE stores SET documents = ?2 WHERE id = ?1", (store.id, documents))?;
    Ok(())
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
