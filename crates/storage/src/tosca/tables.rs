//! The tables of what is derived from TOSCA files, and the views over them for SQL.
//!
//! Rows belong to a row of `documents` and come and go with it, in the same transaction. The views show
//! them under the `_id` of the document. Of several documents of one `_id` they show that of the
//! default store, else that of the store of the least address, as `toscametadata` does.

use super::derived::{DerivedFile, DerivedRow};
use super::rows::derive;
use crate::entries;
use crate::error::Error;
use crate::stores::{self, Scope, StoreId, StoreRef, rows_of};
use optimusdb_dag::{Ipld, OperationRef, StoreKind};
use rusqlite::Connection;

/// The tables, since format 8.
pub(crate) const TABLES: &str = "
-- What uploaded TOSCA files say: one row a file, and rows for what is in it, numbered by `n`. All of it
-- follows from the documents, whose `row` is the first column. Columns of JSON are JSON as text.
CREATE TABLE tosca_file (
  row INTEGER PRIMARY KEY,
  filename TEXT NOT NULL,
  version TEXT,
  kind TEXT NOT NULL,
  profile TEXT,
  description TEXT,
  nodes INTEGER NOT NULL
);
CREATE TABLE tosca_owner (
  row INTEGER, n INTEGER, kind TEXT NOT NULL, name TEXT NOT NULL, above TEXT,
  directives TEXT, count TEXT, properties TEXT, capabilities TEXT,
  PRIMARY KEY (row, n)
) WITHOUT ROWID;
CREATE TABLE tosca_requirement (
  row INTEGER, n INTEGER, node TEXT NOT NULL, name TEXT NOT NULL, ordinal INTEGER NOT NULL,
  target TEXT, target_index INTEGER, capability TEXT, relationship TEXT, count TEXT,
  optional INTEGER NOT NULL, has_filter INTEGER NOT NULL,
  PRIMARY KEY (row, n)
) WITHOUT ROWID;
CREATE TABLE tosca_term (
  row INTEGER, n INTEGER, node TEXT NOT NULL, requirement TEXT, capability TEXT, property TEXT,
  op TEXT NOT NULL, value TEXT,
  PRIMARY KEY (row, n)
) WITHOUT ROWID;
CREATE TABLE tosca_policy (
  row INTEGER, n INTEGER, name TEXT NOT NULL, above TEXT, target TEXT,
  PRIMARY KEY (row, n)
) WITHOUT ROWID;
CREATE TABLE tosca_artifact (
  row INTEGER, n INTEGER, node TEXT NOT NULL, name TEXT NOT NULL, file TEXT, above TEXT,
  repository TEXT,
  PRIMARY KEY (row, n)
) WITHOUT ROWID;
CREATE TABLE tosca_type (
  row INTEGER, n INTEGER, kind TEXT NOT NULL, name TEXT NOT NULL, parent TEXT, profile TEXT,
  here INTEGER NOT NULL, defined INTEGER NOT NULL,
  PRIMARY KEY (row, n)
) WITHOUT ROWID;
CREATE INDEX tosca_type_name ON tosca_type (kind, name) WHERE defined;
";

/// The tables whose rows belong to one of `tosca_file`.
const PARTS: [&str; 6] = [
    "tosca_owner",
    "tosca_requirement",
    "tosca_term",
    "tosca_policy",
    "tosca_artifact",
    "tosca_type",
];

/// Whether what is uploaded into a store has rows here.
fn is_read(store: &StoreRef) -> bool {
    store.kind == StoreKind::Documents && store.scope == Scope::Resource
}

/// Adds the rows of a document that is in that row of `documents`, which has none yet.
pub(crate) fn add(
    db: &Connection,
    store: &StoreRef,
    row: i64,
    document: &Ipld,
) -> Result<(), Error> {
    if !is_read(store) {
        return Ok(());
    }
    let Some(file) = derive(document)? else { return Ok(()) };
    insert_file(db, row, &file)?;
    for (n, part) in (0_i64..).zip(&file.rows) {
        insert(db, row, n, part)?;
    }
    Ok(())
}

/// Removes the rows of a document, if it has any.
pub(crate) fn remove(db: &Connection, row: i64) -> Result<(), Error> {
    let found = db.prepare_cached("DELETE FROM tosca_file WHERE row = ?1")?.execute([row])?;
    if found == 0 {
        return Ok(());
    }
    for table in PARTS {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE row = ?1"))?.execute([row])?;
    }
    Ok(())
}

/// Removes the rows of all documents of a store.
pub(crate) fn clear(db: &Connection, store: StoreId) -> Result<(), Error> {
    for table in ["tosca_file"].iter().chain(&PARTS) {
        db.execute(&format!("DELETE FROM {table} WHERE row >= ?1 AND row < ?2"), rows_of(store))?;
    }
    Ok(())
}

fn insert_file(db: &Connection, row: i64, file: &DerivedFile<'_>) -> Result<(), Error> {
    db.prepare_cached("INSERT INTO tosca_file VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute((
        row,
        file.filename,
        file.version,
        file.kind.as_str(),
        file.profile,
        file.description,
        i64::try_from(file.nodes).unwrap_or(i64::MAX),
    ))?;
    Ok(())
}

fn insert(db: &Connection, row: i64, n: i64, part: &DerivedRow<'_>) -> Result<(), Error> {
    match part {
        DerivedRow::Owner {
            kind,
            name,
            above,
            directives_json,
            count_json,
            properties_json,
            capabilities_json,
        } => db
            .prepare_cached("INSERT INTO tosca_owner VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
            .execute((
                row,
                n,
                kind,
                name,
                above,
                directives_json,
                count_json,
                properties_json,
                capabilities_json,
            ))?,
        DerivedRow::Requirement {
            node,
            name,
            ordinal,
            target,
            target_index,
            capability,
            relationship,
            count_json,
            optional,
            has_filter,
        } => db
            .prepare_cached(
                "INSERT INTO tosca_requirement
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute((
                row,
                n,
                node,
                name,
                i64::try_from(*ordinal).unwrap_or(i64::MAX),
                target,
                target_index,
                capability,
                relationship,
                count_json,
                optional,
                has_filter,
            ))?,
        DerivedRow::Term { node, requirement, capability, property, op, value_json } => db
            .prepare_cached("INSERT INTO tosca_term VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute((row, n, node, requirement, capability, property, op, value_json))?,
        DerivedRow::Policy { name, above, target } => db
            .prepare_cached("INSERT INTO tosca_policy VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute((row, n, name, above, target))?,
        DerivedRow::Artifact { node, name, file, above, repository } => db
            .prepare_cached("INSERT INTO tosca_artifact VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute((row, n, node, name, file, above, repository))?,
        DerivedRow::Type { kind, name, parent, profile, here, defined } => db
            .prepare_cached("INSERT INTO tosca_type VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute((row, n, kind, name, parent, profile, here, defined))?,
    };
    Ok(())
}

/// Adds the rows of all documents that were there before these tables.
pub(crate) fn fill(db: &Connection) -> Result<(), Error> {
    for store in stores::list(db)? {
        let [first, end] = rows_of(store.id);
        let mut uploaded = db.prepare(
            "SELECT row, entry FROM documents
             WHERE doc ->> '$._original_yaml' IS NOT NULL AND row >= ?1 AND row < ?2
               AND row NOT IN (SELECT row FROM tosca_file) ORDER BY row",
        )?;
        let uploaded = uploaded.query_map([first, end], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let uploaded: Vec<(i64, i64)> = uploaded.collect::<Result<_, _>>()?;
        for (row, entry) in uploaded {
            let entry = match entries::at(db, entry) {
                // It is found when it is read, and its rows are made when it is back.
                Err(Error::DamagedEntry { .. }) => continue,
                entry => entry?,
            };
            if let Some((OperationRef::Put { value, .. }, _)) =
                OperationRef::of(store.kind, entry.payload())
            {
                add(db, &store, row, value)?;
            }
        }
    }
    Ok(())
}
