//! The list of stores.

use crate::error::Error;
use crate::limits::STORES_MAX;
use optimusdb_dag::{Address, LogCid, StoreKind};
use rusqlite::{Connection, OptionalExtension, Row};
use std::ops::Deref;

/// The number of a store on this node; never leaves it.
pub type StoreId = i64;

/// Bits of a row of `documents` that name an entry; those above name the store.
const ENTRY_BITS: u32 = 40;

/// The rows of `documents` that belong to a store: from the first to before the second.
pub(crate) fn rows_of(store: StoreId) -> [i64; 2] {
    [store << ENTRY_BITS, (store + 1) << ENTRY_BITS]
}

/// What part a store plays beside holding its documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Replicated; each of its documents has an entry in the catalog.
    Resource,
    /// Replicated; holds the catalog's own documents, and shows the derived ones.
    Catalog,
    /// Replicated, without a part in the catalog.
    Plain,
    /// Replicated; says who may write to another store.
    Access,
    /// This node's own, never sent.
    Local,
}

impl Scope {
    const ALL: [(Scope, &'static str); 5] = [
        (Scope::Resource, "resource"),
        (Scope::Catalog, "catalog"),
        (Scope::Plain, "plain"),
        (Scope::Access, "access"),
        (Scope::Local, "local"),
    ];

    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(s, _)| *s == self).map_or("", |(_, text)| text)
    }

    fn parse(text: &str) -> Option<Scope> {
        Self::ALL.iter().find(|(_, t)| *t == text).map(|(scope, _)| *scope)
    }
}

/// One store of this node: what of it never changes while it is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreRef {
    /// Its number here.
    pub id: StoreId,
    /// What its operations mean.
    pub kind: StoreKind,
    /// Its address, which names its manifest.
    pub address: Address,
    /// Its part in the catalog.
    pub scope: Scope,
}

/// What is known of a store in one state of the database. It can be given wherever the store alone is
/// asked for.
#[derive(Debug, Clone)]
pub struct StoreRow {
    /// The store.
    pub store: StoreRef,
    /// Its name, which may change.
    pub name: String,
    /// Documents that are there now, tombstones not counted.
    pub documents: u64,
    /// Entries of its log that are stored.
    pub entries: u64,
}

impl Deref for StoreRow {
    type Target = StoreRef;

    fn deref(&self) -> &StoreRef {
        &self.store
    }
}

const COLUMNS: &str = "id, name, kind, manifest, scope, documents, entries";

/// Every store, in the order in which they were made here.
pub(crate) fn list(db: &Connection) -> Result<Vec<StoreRow>, Error> {
    list_in(db, "")
}

/// The same of the database in the schema `of`, a name with its dot.
pub(crate) fn list_in(db: &Connection, of: &str) -> Result<Vec<StoreRow>, Error> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM {of}stores ORDER BY id"))?;
    let mut rows = statement.query([])?;
    let mut stores = Vec::new();
    while let Some(row) = rows.next()? {
        stores.push(read(row)?);
    }
    Ok(stores)
}

pub(crate) fn by_name(db: &Connection, name: &str) -> Result<Option<StoreRow>, Error> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM stores WHERE name = ?1"))?;
    statement.query_row([name], |row| Ok(read(row))).optional()?.transpose()
}

pub(crate) fn by_address(db: &Connection, address: &Address) -> Result<Option<StoreRow>, Error> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM stores WHERE manifest = ?1"))?;
    statement.query_row([address.manifest().digest()], |row| Ok(read(row))).optional()?.transpose()
}

fn read(row: &Row<'_>) -> Result<StoreRow, Error> {
    let damaged = |what: &str| Error::Corrupt(format!("a store has no valid {what}"));
    let kind: String = row.get(2)?;
    let scope: String = row.get(4)?;
    let store = StoreRef {
        id: row.get(0)?,
        kind: kind.parse().map_err(|_| damaged("kind"))?,
        address: Address::of_manifest(LogCid::from_digest(row.get(3)?)),
        scope: Scope::parse(&scope).ok_or_else(|| damaged("scope"))?,
    };
    Ok(StoreRow {
        store,
        name: row.get(1)?,
        documents: row.get::<_, i64>(5)?.cast_unsigned(),
        entries: row.get::<_, i64>(6)?.cast_unsigned(),
    })
}

/// Gives a store another name; no other may have it.
pub(crate) fn rename(db: &Connection, store: StoreId, name: &str) -> Result<(), Error> {
    db.execute("UPDATE stores SET name = ?2 WHERE id = ?1", (store, name))?;
    Ok(())
}

/// Adds a store.
pub(crate) fn create(
    db: &Connection,
    name: &str,
    kind: StoreKind,
    address: &Address,
    scope: Scope,
) -> Result<StoreRow, Error> {
    let count: i64 = db.query_row("SELECT count(*) FROM stores", [], |row| row.get(0))?;
    if count >= STORES_MAX as i64 {
        return Err(Error::TooMany(format!(
            "this node has {STORES_MAX} stores, which is its limit"
        )));
    }
    db.execute(
        "INSERT INTO stores (name, kind, manifest, scope) VALUES (?1, ?2, ?3, ?4)",
        (name, kind.as_str(), address.manifest().digest(), scope.as_str()),
    )?;
    by_name(db, name)?.ok_or_else(|| Error::Corrupt(format!("store {name} was not kept")))
}

/// A name beside `name` for what belongs to the store at `address`, where another has that name: with
/// that many characters of the address behind, of those that differ from address to address.
pub fn beside(name: &str, address: &Address, chars: usize) -> String {
    let address = address.manifest().to_string();
    let own = address.strip_prefix("zdpu").unwrap_or(&address);
    let own: String = own.chars().take(chars).collect();
    format!("{name}~{own}")
}
