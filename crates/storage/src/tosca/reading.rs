//! Reading for a match: templates, and everything that has capabilities.
//!
//! A store is read as it lies, in one pass over what is small: of a file only the rows of what has
//! capabilities, of a resource only its capabilities.

use crate::connection::Link;
use crate::error::Error;
use crate::stores::{StoreRef, rows_of};
use rusqlite::{Connection, Row, Statement, ToSql};
use std::time::Instant;

/// What has capabilities in a TOSCA file. Columns that end in `json` hold JSON.
#[derive(Debug)]
pub struct Owner<'r> {
    /// The `_id` of the file's document.
    pub key: &'r str,
    /// A number that the owners of one document share.
    pub file: i64,
    /// Whether it is a node or a type.
    pub kind: OwnerKind,
    /// Its name.
    pub name: &'r str,
    /// Its type, or what it is derived from.
    pub above: Option<&'r str>,
    /// Its properties with their values: an object.
    pub properties_json: Option<&'r str>,
    /// `{"<capability>":{"type":…,"properties":{…}}}`
    pub capabilities_json: Option<&'r str>,
}

/// What an [`Owner`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerKind {
    /// A node template.
    Node,
    /// A node type.
    Type,
}

/// A type and what it is derived from, in one file.
#[derive(Debug)]
pub struct TypeEdge<'r> {
    /// A number that all types of one file share.
    pub file: i64,
    /// What it is a type of: `node`, `capability`, …
    pub kind: &'r str,
    /// Its name, where it is defined.
    pub name: &'r str,
    /// What it is derived from, without a prefix.
    pub parent: Option<&'r str>,
    /// Whether that is defined in the same file.
    pub here: bool,
}

/// The templates of that key, or all: names of stores, and keys.
pub(crate) fn templates(
    db: &Connection,
    key: Option<&str>,
) -> Result<Vec<(String, String)>, Error> {
    let sql = match key {
        Some(_) => "SELECT store, template FROM tosca_templates WHERE template = ?1",
        None => "SELECT store, template FROM tosca_templates WHERE ?1 IS NULL ORDER BY template",
    };
    let mut found = db.prepare_cached(sql)?;
    let found = found.query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Everything in the TOSCA files of a store that may have capabilities, file by file.
pub(crate) fn owners(
    link: &Link,
    store: &StoreRef,
    deadline: Instant,
    each: impl FnMut(&Owner<'_>),
) -> Result<(), Error> {
    let statement = link.db.prepare_cached(
        "SELECT d.key, o.row, o.kind, o.name, o.above, o.properties, o.capabilities
         FROM tosca_owner AS o CROSS JOIN documents AS d ON d.row = o.row
         WHERE o.row >= ?1 AND o.row < ?2 ORDER BY o.row, o.n",
    )?;
    let [first, end] = rows_of(store.id);
    read_owners(link, statement, &[&first, &end], deadline, each)
}

/// The node types of all files.
pub(crate) fn type_owners(
    link: &Link,
    deadline: Instant,
    each: impl FnMut(&Owner<'_>),
) -> Result<(), Error> {
    let statement = link.db.prepare_cached(
        "SELECT '', row, kind, name, above, properties, capabilities FROM tosca_owner
         WHERE kind = 'type' ORDER BY row, n",
    )?;
    read_owners(link, statement, &[], deadline, each)
}

fn read_owners(
    link: &Link,
    mut statement: rusqlite::CachedStatement<'_>,
    params: &[&dyn ToSql],
    deadline: Instant,
    mut each: impl FnMut(&Owner<'_>),
) -> Result<(), Error> {
    rows(link, &mut statement, params, deadline, |row| {
        each(&Owner {
            key: text(row, 0)?,
            file: row.get(1)?,
            kind: if text(row, 2)? == "type" { OwnerKind::Type } else { OwnerKind::Node },
            name: text(row, 3)?,
            above: text_or_null(row, 4)?,
            properties_json: text_or_null(row, 5)?,
            capabilities_json: text_or_null(row, 6)?,
        });
        Ok(())
    })
}

/// The types that files define.
pub(crate) fn type_edges(
    link: &Link,
    deadline: Instant,
    mut each: impl FnMut(&TypeEdge<'_>),
) -> Result<(), Error> {
    let mut statement = link.db.prepare_cached(
        "SELECT row, kind, name, parent, here FROM tosca_type
         WHERE defined AND kind IN ('node', 'capability') ORDER BY row, n",
    )?;
    rows(link, &mut statement, &[], deadline, |row| {
        each(&TypeEdge {
            file: row.get(0)?,
            kind: text(row, 1)?,
            name: text(row, 2)?,
            parent: text_or_null(row, 3)?,
            here: row.get(4)?,
        });
        Ok(())
    })
}

/// The documents of a store that have an object `capabilities` and are no TOSCA files: the key, and
/// the JSON of the capabilities, or where `whole` of all.
pub(crate) fn resources(
    link: &Link,
    store: &StoreRef,
    whole: bool,
    deadline: Instant,
    mut each: impl FnMut(&str, &str),
) -> Result<(), Error> {
    let shown = if whole { "json(doc)" } else { "doc -> '$.capabilities'" };
    let mut statement = link.db.prepare_cached(&format!(
        "SELECT key, {shown} FROM documents
         WHERE row >= ?1 AND row < ?2 AND doc IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM tosca_file AS f WHERE f.row = documents.row)
           AND json_type(doc, '$.capabilities') = 'object'",
    ))?;
    let [first, end] = rows_of(store.id);
    rows(link, &mut statement, &[&first, &end], deadline, |row| {
        each(text(row, 0)?, text(row, 1)?);
        Ok(())
    })
}

fn rows(
    link: &Link,
    statement: &mut Statement<'_>,
    params: &[&dyn ToSql],
    deadline: Instant,
    mut each: impl FnMut(&Row<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let _bounded = link.until(Some(deadline));
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        each(row)?;
        // What a caller does with a row takes time that SQLite's steps do not show.
        if Instant::now() >= deadline {
            return Err(Error::Interrupted);
        }
    }
    Ok(())
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, Error> {
    Ok(text_or_null(row, column)?.unwrap_or_default())
}

fn text_or_null<'r>(row: &'r Row<'_>, column: usize) -> Result<Option<&'r str>, Error> {
    row.get_ref(column)?
        .as_str_or_null()
        .map_err(|_| Error::Corrupt("what is derived from a TOSCA file is not text".into()))
}
