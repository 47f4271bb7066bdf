//! What the tests share: databases in memory and on disk, writers with public keys, and dumps of
//! everything that a database shows.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use optimusdb_dag::{
    Address, Entry, EntryLinks, Heads, IdentityKeys, Ipld, LogCid, LogTip, Operation, StoreKind,
};
use optimusdb_storage::{Database, Durability, Error, Place, Scope, StoreRow, View};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;

/// Runs `body` with a database place in memory and with one on disk.
pub fn everywhere(mut body: impl FnMut(&Place)) {
    body(&Place::memory());
    let dir = tempfile::tempdir().unwrap();
    body(&Place::File(dir.path().join("optimusdb.sqlite")));
}

pub fn open(place: &Place) -> Database {
    Database::open(place, Durability::Full).unwrap()
}

/// A connection of the test's own to the same database, which knows none of the crate's rules.
pub fn raw(place: &Place) -> Connection {
    let db = match place {
        Place::File(path) => Connection::open(path),
        Place::Memory(n) => Connection::open(format!("file:/optimusdb-{n}?vfs=memdb")),
    }
    .unwrap();
    // The views call it; what it answers does not matter to a dump that compares two of them.
    db.create_scalar_function(
        "sha256_hex",
        1,
        rusqlite::functions::FunctionFlags::SQLITE_UTF8
            | rusqlite::functions::FunctionFlags::SQLITE_INNOCUOUS,
        |context| Ok(context.get_raw(0).as_str_or_null()?.map(|text| format!("{}", text.len()))),
    )
    .unwrap();
    db
}

pub fn keys(seed: u8) -> IdentityKeys {
    IdentityKeys::from_bytes(&[seed; 32], &[seed + 100; 32]).unwrap()
}

/// The address of a store of that name in these tests.
pub fn address(name: &str) -> Address {
    Address::of_manifest(LogCid::of(name.as_bytes()))
}

/// Makes a store and commits it.
pub fn store(database: &mut Database, name: &str, kind: StoreKind, scope: Scope) -> StoreRow {
    let mut tx = database.begin().unwrap();
    let row = tx.create_store(name, kind, &address(name), scope).unwrap();
    tx.commit().unwrap();
    row
}

/// A resource store of documents.
pub fn documents(database: &mut Database, name: &str) -> StoreRow {
    store(database, name, StoreKind::Documents, Scope::Resource)
}

/// The row of a store as it is now.
pub fn now(view: View<'_>, store: &StoreRow) -> StoreRow {
    view.store(&store.name).unwrap().unwrap()
}

pub fn text(text: &str) -> Ipld {
    Ipld::String(text.into())
}

pub fn map<const N: usize>(fields: [(&str, Ipld); N]) -> Ipld {
    Ipld::Map(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

pub fn put(key: &str, value: Ipld) -> Operation {
    let Ipld::Map(mut fields) = value else { panic!("a document is a map") };
    fields.insert("_id".into(), text(key));
    Operation::Put { key: key.into(), value: Ipld::Map(fields) }
}

pub fn del(key: &str) -> Operation {
    Operation::Del { key: key.into() }
}

/// A writer with its own copy of a log, which it need not have stored anywhere.
#[derive(Clone)]
pub struct Writer {
    pub keys: IdentityKeys,
    tip: LogTip,
    known: HashMap<LogCid, EntryLinks>,
}

impl Writer {
    pub fn new(seed: u8, store: &str) -> Writer {
        let tip = LogTip::new(address(store), Vec::new());
        Writer { keys: keys(seed), tip, known: HashMap::new() }
    }

    pub fn append(&mut self, payload: Ipld) -> Entry {
        let known = &self.known;
        let entry =
            self.tip.append(&self.keys, payload, &mut |cid| known.get(cid).cloned()).unwrap();
        self.known.insert(entry.cid(), entry.links());
        entry
    }

    pub fn write(&mut self, operation: &Operation, at_ms: Option<u64>) -> Entry {
        self.append(operation.clone().into_payload(at_ms))
    }

    /// Takes up an entry of another writer; its parents are known.
    pub fn join(&mut self, entry: &Entry) {
        if self.known.insert(entry.cid(), entry.links()).is_none() {
            self.tip.join(entry);
        }
    }

    pub fn knows(&self, cid: &LogCid) -> bool {
        self.known.contains_key(cid)
    }
}

/// Stores entries, parents before children, with the heads that they leave, in one transaction.
pub fn deliver(database: &mut Database, store: &StoreRow, entries: &[Entry]) -> Result<(), Error> {
    let mut heads = Heads::new(database.view().heads(store)?.iter().map(Entry::links).collect());
    let mut tx = database.begin()?;
    for entry in entries {
        tx.put_entry(store, entry)?;
        heads.add(entry.links());
    }
    let heads: Vec<LogCid> = heads.cids().collect();
    tx.set_heads(store, heads.iter())?;
    tx.commit()
}

/// Every entry of a store as the database gives it back.
pub fn log(view: View<'_>, store: &StoreRow) -> Vec<Entry> {
    let mut entries = Vec::new();
    view.log(store, |entry| {
        entries.push(entry);
        ControlFlow::Continue(())
    })
    .unwrap();
    entries
}

/// The rows of a statement, sorted.
pub fn rows(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    let columns = statement.column_count();
    let mut found = statement.query([]).unwrap();
    let mut rows = Vec::new();
    while let Some(row) = found.next().unwrap() {
        let values: Vec<String> = (0..columns).map(|c| shown(row.get(c).unwrap())).collect();
        rows.push(format!("[{}]", values.join(", ")));
    }
    rows.sort();
    rows
}

/// A value, or what stands for one that is too long to compare by eye.
fn shown(value: Value) -> String {
    match value {
        Value::Blob(bytes) => format!("Blob({} bytes, {})", bytes.len(), LogCid::of(&bytes)),
        Value::Text(text) if text.len() > 1_000 => {
            format!("Text({} bytes, {})", text.len(), LogCid::of(text.as_bytes()))
        }
        other => format!("{other:?}"),
    }
}

/// Every table and view with all its rows, byte for byte.
pub fn dump(db: &Connection) -> BTreeMap<String, Vec<String>> {
    let mut names = db
        .prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name")
        .unwrap();
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    names
        .into_iter()
        .map(|name| {
            let rows = rows(db, &format!("SELECT * FROM \"{name}\""));
            (name, rows)
        })
        .collect()
}

/// All bytes of all files under a directory.
pub fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    found
}
