//! Databases of older formats become those of this one, with everything in them.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::sync::{Id, IdTree, Tree};
use optimusdb_dag::{Entry, Operation, StoreKind};
use optimusdb_storage::limits::FORMAT_VERSION;
use optimusdb_storage::{Place, Scope, Select, upload_digits};
use rusqlite::Connection;
use std::ops::ControlFlow;
use std::path::Path;
use support::*;

/// The tables of format 1, as that version made them.
const FORMAT_1: &str = include_str!("format_1.sql");
/// What was added to them until format 5.
const FORMAT_5: &str = include_str!("format_5.sql");

/// A database of an older format with the rows of `newer`, which are those of today.
fn make_older(path: &Path, newer: &Path, version: u32) {
    let mut tables = vec!["facts", "blocks", "writers", "entries", "documents", "events"];
    let db = Connection::open(path).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.execute_batch(FORMAT_1).unwrap();
    if version == 5 {
        db.execute_batch(FORMAT_5).unwrap();
        tables.extend(["passed", "namesakes", "uploads"]);
    }
    db.execute("ATTACH ?1 AS newer", [newer.to_str().unwrap()]).unwrap();
    let made = rows(&db, "SELECT name FROM main.sqlite_schema WHERE type = 'table'");
    assert_eq!(made.len(), tables.len() + 2);
    db.execute_batch(
        "INSERT INTO main.stores
           SELECT id, name, kind, manifest, scope, documents, entries FROM newer.stores",
    )
    .unwrap();
    for table in tables {
        db.execute(&format!("INSERT INTO main.{table} SELECT * FROM newer.{table}"), []).unwrap();
    }
    db.execute_batch(
        "INSERT INTO main.heads
           SELECT s.id, h.value FROM newer.stores AS s, json_each(s.heads) AS h",
    )
    .unwrap();
    db.pragma_update(None, "user_version", version).unwrap();
}

/// One key in two stores, and one file name under two ids, as if uploaded on two nodes at once.
fn uploads() -> Vec<Entry> {
    let mut writers = [Writer::new(1, "others"), Writer::new(2, "others")];
    writers
        .iter_mut()
        .zip(["one", "two"])
        .flat_map(|(writer, content)| {
            let key = format!("tosca_a_{}", upload_digits("a.yaml", content.as_bytes()));
            let file = map([("_filename", text("a.yaml")), ("_original_yaml", text(content))]);
            [writer.write(&put("key 0", map([])), None), writer.write(&put(&key, file), None)]
        })
        .collect()
}

#[test]
fn a_database_of_format_1() {
    let dir = tempfile::tempdir().unwrap();
    let (newer, older) = (dir.path().join("newer.sqlite"), dir.path().join("older.sqlite"));
    let mut database = open(&Place::File(newer.clone()));
    let things = documents(&mut database, "things");
    let events = store(&mut database, "events", StoreKind::Events, Scope::Plain);
    let (mut a, mut b) = (Writer::new(1, "things"), Writer::new(2, "things"));
    let mut entries = Vec::new();
    for n in 0..30 {
        entries.push(a.write(&put(&format!("key {}", n % 7), map([])), Some(n)));
        entries.push(b.write(&del(&format!("key {}", n % 5)), None));
    }
    let mut writer = Writer::new(1, "events");
    let happened: Vec<Entry> =
        (0..9).map(|n| writer.write(&Operation::Add { value: text("x") }, Some(n))).collect();
    deliver(&mut database, &things, &entries).unwrap();
    deliver(&mut database, &events, &happened).unwrap();
    let others = documents(&mut database, "others");
    let uploads = uploads();
    deliver(&mut database, &others, &uploads).unwrap();
    assert_eq!(now(database.view(), &others).documents, 2);
    drop(database);

    make_older(&older, &newer, 1);
    let db = Connection::open(&older).unwrap();
    // At that time both documents of the file name stood.
    db.execute_batch(
        "UPDATE documents SET doc = jsonb('{\"_filename\":\"a.yaml\"}') WHERE doc IS NULL
           AND key LIKE 'tosca_%';
         UPDATE stores SET documents = 3 WHERE name = 'others'",
    )
    .unwrap();
    assert_eq!(db.changes(), 1);
    drop(db);

    let mut database = open(&Place::File(older.clone()));
    for (store, entries) in [(&things, &entries), (&events, &happened), (&others, &uploads)] {
        let expected: IdTree =
            entries.iter().map(|e| Id { time: e.clock().time, cid: e.cid() }).collect();
        let tree = database.view().tree(store).unwrap();
        let root = optimusdb_dag::sync::Cell::root(tree.newest().unwrap());
        assert_eq!(tree.summary(root), expected.summary(root));
        assert_eq!(log(database.view(), store).len(), entries.len());
    }
    // It is the database that it would have been, and goes on as one.
    assert_same(&older, &newer);
    let refused = b.write(&put("refused", map([])), None);
    let mut tx = database.begin().unwrap();
    tx.put_passed(&things, &refused.cid(), refused.clock().time, refused.block()).unwrap();
    tx.commit().unwrap();
    deliver(&mut database, &things, &[a.write(&put("later", map([])), None)]).unwrap();
    assert_eq!(now(database.view(), &things).entries, 61);
}

/// Its documents come in the same order as before, by `_id`.
#[test]
fn a_database_of_format_5() {
    let dir = tempfile::tempdir().unwrap();
    let (newer, older) = (dir.path().join("newer.sqlite"), dir.path().join("older.sqlite"));
    let mut database = open(&Place::File(newer.clone()));
    let (things, others) = (documents(&mut database, "things"), documents(&mut database, "others"));
    let mut writers = [Writer::new(1, "things"), Writer::new(2, "things")];
    let mut entries = Vec::new();
    for n in 0..30 {
        entries.push(writers[0].write(&put(&format!("key {}", n * 7 % 30), map([])), Some(n)));
        entries.push(writers[1].write(&del(&format!("key {}", n % 5)), None));
    }
    deliver(&mut database, &things, &entries).unwrap();
    deliver(&mut database, &others, &uploads()).unwrap();
    drop(database);
    make_older(&older, &newer, 5);
    let by_key = "SELECT key FROM documents WHERE store = 1 AND doc IS NOT NULL ORDER BY key";
    let expected: Vec<String> = {
        let db = Connection::open(&older).unwrap();
        let mut keys = db.prepare(by_key).unwrap();
        keys.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert!(expected.len() > 20);

    let mut database = open(&Place::File(older.clone()));
    assert_same(&older, &newer);
    let mut keys = Vec::new();
    database
        .view()
        .documents(&things, &Select::default(), |key, _| {
            keys.push(key.to_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(keys, expected);
    let more = writers[0].write(&put("later", map([])), None);
    deliver(&mut database, &things, &[more]).unwrap();
    assert_eq!(now(database.view(), &things).entries, 61);
}

/// One database is the other: the same tables, with the same rows.
fn assert_same(older: &Path, newer: &Path) {
    let [older, newer] = [older, newer].map(|path| raw(&Place::File(path.to_owned())));
    let version: u32 = older.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, FORMAT_VERSION);
    let shape = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name <> 'sqlite_stat1'";
    assert_eq!(rows(&older, shape), rows(&newer, shape));
    assert_eq!(dump(&older), dump(&newer));
}
