//! Documents of the index that cannot be read: made again from their entries.
//!
//! SQLite can neither change nor remove such a row while an index has an expression over its document, which
//! it would compute again. So that index is dropped and made anew, in the transaction that mends the rows.

use crate::change::{ShownValue, change};
use crate::entries;
use crate::error::Error;
use crate::limits::{MENDED_ROWS_MAX, REMADE_ROWS_MAX};
use crate::stores::{self, StoreId, StoreRef, rows_of};
use crate::tosca;
use crate::uploads;
use optimusdb_dag::Entry;
use rusqlite::Connection;
use rusqlite::types::Value;

/// The condition that a document cannot be read.
const UNREADABLE: &str = "doc IS NOT NULL AND NOT json_valid(doc, 8)";

/// The row of a document, as its entry has it.
struct Remade {
    key: String,
    time: i64,
    updated: Option<i64>,
    json: Option<String>,
    entry: Entry,
}

/// What a row of the index is to hold. None if its entry says nothing that belongs there.
fn remade(db: &Connection, store: &StoreRef, row: i64) -> Result<Option<Remade>, Error> {
    let [first, _] = rows_of(store.id);
    let by: i64 = db
        .prepare_cached("SELECT entry FROM documents WHERE row = ?1")?
        .query_row([row], |row| row.get(0))?;
    let entry = entries::at(db, by)?;
    // The row's number says which entry named the key first, so a wrong name of the winner is noticed.
    let names_it = match entries::at(db, row - first) {
        Ok(named) => {
            let (one, other) = (change(store.kind, &named), change(store.kind, &entry));
            one.map(|of| of.key) == other.map(|of| of.key)
        }
        // It is set aside, or damaged itself.
        Err(Error::DamagedEntry { .. }) => true,
        Err(error) => return Err(error),
    };
    let Some(change) = change(store.kind, &entry).filter(|_| names_it) else {
        return Ok(None);
    };
    let (key, updated) =
        (change.key.into_owned(), change.at_ms.and_then(|at| i64::try_from(at).ok()));
    let json = match change.value {
        Some(ShownValue::Document(document))
            if uploads::is_replaced(db, store, &key, document)? =>
        {
            None
        }
        value => value.map(|value| value.json(&key)).transpose()?,
    };
    let time = entry.clock().time.cast_signed();
    Ok(Some(Remade { key, time, updated, json, entry }))
}

/// The documents of a store with those that cannot be read made again: a table to be put in front of a
/// statement over `documents`, and what it binds. None if all can be read.
pub(crate) fn readable(
    db: &Connection,
    store: &StoreRef,
) -> Result<Option<(String, Vec<Value>)>, Error> {
    let mut statement = db.prepare(&format!(
        "SELECT row FROM documents WHERE row >= ?1 AND row < ?2 AND {UNREADABLE} LIMIT ?3"
    ))?;
    let [first, end] = rows_of(store.id);
    let limit = i64::try_from(REMADE_ROWS_MAX + 1).unwrap_or(i64::MAX);
    let rows: Vec<i64> =
        statement.query_map([first, end, limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Ok(None);
    }
    if rows.len() > REMADE_ROWS_MAX {
        return Err(Error::DamagedDocument);
    }
    let mut cases = String::new();
    let mut params = Vec::new();
    for row in rows {
        // A document whose entry is damaged, too, is not there until a peer gives the entry back.
        let json = match remade(db, store, row) {
            Ok(remade) => remade.and_then(|remade| remade.json),
            Err(Error::DamagedEntry { .. }) => None,
            Err(error) => return Err(error),
        };
        cases.push_str(" WHEN ? THEN jsonb(?)");
        params.push(Value::Integer(row));
        params.push(json.map_or(Value::Null, Value::Text));
    }
    let table = format!(
        "WITH documents AS (SELECT row, store, key, time, entry, created, updated,
           CASE row{cases} ELSE doc END AS doc FROM main.documents) "
    );
    Ok(Some((table, params)))
}

/// Makes every document again that cannot be read. Answers how many, and what entries of theirs are
/// damaged; the documents of these are gone until the entries are back.
pub(crate) fn documents(db: &Connection) -> Result<(usize, Vec<Error>), Error> {
    let mut statement =
        db.prepare(&format!("SELECT row FROM documents WHERE {UNREADABLE} LIMIT ?1"))?;
    let rows: Vec<i64> =
        statement.query_map([MENDED_ROWS_MAX], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Ok((0, Vec::new()));
    }
    let stores = stores::list(db)?;
    let mut damaged = Vec::new();
    without_expressions(db, || {
        // Beyond the limit, and of stores that are not there: nothing of them can be indexed.
        db.execute(&format!("UPDATE documents SET doc = NULL WHERE {UNREADABLE}"), [])?;
        for row in &rows {
            let store = stores.iter().find(|store| {
                let [first, end] = rows_of(store.id);
                (first..end).contains(row)
            });
            if let Some(store) = store
                && let Err(error) = rewrite(db, store, *row)
            {
                match error {
                    Error::DamagedEntry { .. } => damaged.push(error),
                    error => return Err(error),
                }
            }
        }
        Ok(())
    })?;
    stores.iter().try_for_each(|store| recount(db, store.id))?;
    Ok((rows.len(), damaged))
}

/// Writes a row of the index anew, as its entry has it.
pub(crate) fn rewrite(db: &Connection, store: &StoreRef, row: i64) -> Result<(), Error> {
    let Some(Remade { key, time, updated, json, entry }) = remade(db, store, row)? else {
        return Ok(());
    };
    // A row that another has the key of was made while this one had lost it.
    db.prepare_cached(
        "UPDATE OR IGNORE documents SET key = ?2, time = ?3, updated = ?4, doc = jsonb(?5)
         WHERE row = ?1",
    )?
    .execute((row, &key, time, updated, &json))?;
    tosca::remove(db, row)?;
    if json.is_some()
        && let Some(change) = change(store.kind, &entry)
        && let Some(ShownValue::Document(document)) = change.value
    {
        tosca::add(db, store, row, document)?;
    }
    Ok(())
}

/// Counts the documents of a store again.
pub(crate) fn recount(db: &Connection, store: StoreId) -> Result<(), Error> {
    let [first, end] = rows_of(store);
    db.prepare_cached(
        "UPDATE stores SET documents = (SELECT count(*) FROM documents
           WHERE row >= ?2 AND row < ?3 AND doc IS NOT NULL) WHERE id = ?1",
    )?
    .execute((store, first, end))?;
    Ok(())
}

/// Takes away every document that cannot be read, so that its row can be removed.
pub(crate) fn blank(db: &Connection) -> Result<(), Error> {
    without_expressions(db, || {
        db.execute(&format!("UPDATE documents SET doc = NULL WHERE {UNREADABLE}"), [])?;
        Ok(())
    })
}

/// Changes documents while no index computes anything of them.
fn without_expressions(
    db: &Connection,
    change: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let sql: String = db.query_row(
        "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = 'documents_tosca'",
        [],
        |row| row.get(0),
    )?;
    db.execute_batch("DROP INDEX documents_tosca")?;
    change()?;
    Ok(db.execute_batch(&sql)?)
}
