//! The catalog: views over the resource stores' documents, for as many stores as there may be.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::{Entry, Ipld, StoreKind};
use optimusdb_storage::limits::STORES_MAX;
use optimusdb_storage::{
    DATACATALOG_COLUMNS, Database, Error, Kind, Place, Scope, Select, StoreRow,
};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use support::*;

fn catalog(database: &mut Database) -> StoreRow {
    store(database, "kbmetadata", StoreKind::Documents, Scope::Catalog)
}

/// Puts one document, by the writer of that number.
fn write(database: &mut Database, store: &StoreRow, seed: u8, key: &str, fields: Ipld) {
    change(database, store, seed, &put(key, fields));
}

fn change(
    database: &mut Database,
    store: &StoreRow,
    seed: u8,
    operation: &optimusdb_dag::Operation,
) {
    let mut writer = Writer::new(seed, &store.name);
    log(database.view(), store).iter().for_each(|entry| writer.join(entry));
    let entry = writer.write(operation, Some(1_700_000_000_123));
    deliver(database, store, &[entry]).unwrap();
}

#[test]
fn a_resource_document_has_a_catalog_entry() {
    everywhere(|place| {
        let mut database = open(place);
        let catalog = catalog(&mut database);
        let things = documents(&mut database, "things");
        write(
            &mut database,
            &things,
            1,
            "vm-1",
            map([
                ("resource_name", text("Node 1")),
                ("resource_type", text("compute")),
                ("resource_def", text("large")),
                ("resource_tags", Ipld::List(vec![text("edge")])),
                ("author", text("Ada")),
                ("priority", Ipld::Integer(3)),
                ("unrelated", text("not shown")),
            ]),
        );
        let json = database.view().document(&catalog, "vm-1").unwrap().unwrap();
        let entry: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            entry,
            serde_json::json!({
                "_id": "vm-1", "associated_id": "vm-1", "metadata_type": "Resource",
                "component": "compute-large", "name": "Node 1", "tags": ["edge"], "author": "Ada",
                "priority": 3, "created_at": "2023-11-14T22:13:20.123Z",
                "updated_at": "2023-11-14T22:13:20.123Z",
            })
        );
        assert_eq!(
            database.view().value(&catalog, "vm-1").unwrap(),
            None,
            "it has no entry of its own"
        );

        let db = raw(place);
        let mut statement = db.prepare("SELECT * FROM datacatalog").unwrap();
        assert!(statement.column_names().eq(DATACATALOG_COLUMNS));
        let (id, name, priority, scheduling): (String, String, i64, Option<String>) = statement
            .query_row([], |row| Ok((row.get(0)?, row.get(7)?, row.get(15)?, row.get(16)?)))
            .unwrap();
        assert_eq!((id.as_str(), name.as_str(), priority, scheduling), ("vm-1", "Node 1", 3, None));

        change(&mut database, &things, 1, &del("vm-1"));
        assert_eq!(database.view().document(&catalog, "vm-1").unwrap(), None);
        assert_eq!(rows(&raw(place), "SELECT * FROM datacatalog"), Vec::<String>::new());
    });
}

#[test]
fn a_tosca_document_has_a_row() {
    everywhere(|place| {
        let mut database = open(place);
        let things = documents(&mut database, "things");
        let templates = map([("a", map([])), ("b", map([]))]);
        let yaml = "tosca: é\n";
        let document = map([
            ("_filename", text("app.yaml")),
            ("_original_yaml", text(yaml)),
            ("description", text("An application")),
            ("topology_template", map([("node_templates", templates)])),
        ]);
        write(&mut database, &things, 1, "t-1", document);
        write(&mut database, &things, 1, "t-2", map([("_filename", text("app.yaml"))]));
        let select = "SELECT template_id, description, node_templates_count, created_at, filename,
                        filesize_bytes, uploader FROM toscametadata";
        let expected = format!(
            "[Text(\"t-1\"), Text(\"An application\"), Integer(2), Text(\"2023-11-14T22:13:20.123Z\"), \
             Text(\"app.yaml\"), Integer({}), Text({:?})]",
            yaml.len(),
            keys(1).public_key_hex()
        );
        assert_eq!(rows(&raw(place), select), [expected], "a document without the file is none");
        assert_eq!(database.view().tosca_keys(&things, "app.yaml").unwrap(), ["t-1"]);
        assert!(database.view().tosca_keys(&things, "other.yaml").unwrap().is_empty());
        // The digest is computed where it is asked for, in UTF-8.
        let catalog = catalog(&mut database);
        let select = Select {
            condition: Some("(SELECT content_sha256 FROM toscametadata) = ?".into()),
            params: vec![optimusdb_storage::Param::Text(
                "97d0028a3b74c5b727324d3912cf140c367d3308482bccf20c65e302ac9f2e52".into(),
            )],
            ..Select::default()
        };
        let mut found = 0;
        database
            .view()
            .documents(&catalog, &select, |_, _| {
                found += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(found, 2);
    });
}

/// One key in several stores: the catalog's own document, then the default store, then by name.
#[test]
fn one_entry_for_a_key_in_several_stores() {
    everywhere(|place| {
        let mut database = open(place);
        let later = documents(&mut database, "a-later");
        let sooner = documents(&mut database, "a-before");
        let default = documents(&mut database, "dsswres");
        let catalog = catalog(&mut database);
        let plain = store(&mut database, "0-plain", StoreKind::Documents, Scope::Plain);
        let local = store(&mut database, "0-local", StoreKind::Documents, Scope::Local);
        let values = store(&mut database, "0-values", StoreKind::KeyValue, Scope::Resource);
        let all = [&plain, &local, &values, &later, &sooner, &default, &catalog];
        let winner = |database: &Database| -> Option<String> {
            let view = database.view();
            let json = view.document(&catalog, "k").unwrap();
            let mut scanned = Vec::new();
            view.documents(&catalog, &Select::default(), |_, json| {
                scanned.push(json.to_owned());
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(scanned.first(), json.as_ref(), "a look-up and a scan agree");
            assert!(scanned.len() <= 1, "{scanned:?}");
            let entry: serde_json::Value = serde_json::from_str(&json?).unwrap();
            Some(entry["name"].as_str().unwrap().to_owned())
        };
        let expected = [
            None,
            None,
            None,
            Some("a-later"),
            Some("a-before"),
            Some("dsswres"),
            Some("kbmetadata"),
        ];
        for (store, expected) in all.into_iter().zip(expected) {
            write(&mut database, store, 1, "k", map([("name", text(&store.name))]));
            assert_eq!(winner(&database).as_deref(), expected);
        }
        // And back again: what wins is deleted, and the next one shows.
        for (gone, expected) in all.into_iter().zip(expected).skip(3).rev() {
            assert_eq!(winner(&database).as_deref(), expected);
            change(&mut database, gone, 1, &del("k"));
        }
        assert_eq!(winner(&database), None);
    });
}

#[test]
fn as_many_stores_as_there_may_be() {
    let place = Place::memory();
    let mut database = open(&place);
    let catalog = catalog(&mut database);
    let mut tx = database.begin().unwrap();
    for n in 1..STORES_MAX {
        let name = format!("store {n}");
        tx.create_store(&name, StoreKind::Documents, &address(&name), Scope::Resource).unwrap();
    }
    let over =
        tx.create_store("over", StoreKind::Events, &address("over"), Scope::Plain).unwrap_err();
    assert_eq!(over.kind(), Kind::TooLarge);
    assert!(matches!(over, Error::TooMany(_)));
    tx.commit().expect("a refused store fails nothing else");
    let stores = database.view().stores().unwrap();
    assert_eq!(stores.len(), STORES_MAX);

    for store in &stores[1..] {
        let mut writer = Writer::new(1, &store.name);
        let mut entries =
            vec![writer.write(&put("everywhere", map([("name", text(&store.name))])), None)];
        entries.push(writer.write(&put(&store.name, map([])), None));
        deliver(&mut database, store, &entries).unwrap();
    }
    let view = database.view();
    let winner = view.document(&catalog, "everywhere").unwrap().unwrap();
    assert!(winner.contains("store 1\""), "{winner}");
    let mut entries = 0;
    view.documents(&catalog, &Select::default(), |_, _| {
        entries += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(entries, STORES_MAX);

    // A look-up does not ask every store: microseconds, and this bound is for slow machines.
    let mut times: Vec<Duration> = (0..200)
        .map(|n| {
            let key = format!("store {}", 1 + n % (STORES_MAX - 1));
            let started = Instant::now();
            assert!(view.document(&catalog, &key).unwrap().is_some());
            started.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[100] < Duration::from_millis(1), "a look-up takes {:?}", times[100]);
}

#[test]
fn a_name_or_an_address_is_taken_once() {
    everywhere(|place| {
        let mut database = open(place);
        documents(&mut database, "things");
        for (name, at) in [("things", "other"), ("other", "things")] {
            let mut tx = database.begin().unwrap();
            assert!(
                tx.create_store(name, StoreKind::Documents, &address(at), Scope::Plain).is_err()
            );
        }
        let stores = database.view().stores().unwrap();
        assert_eq!(stores.len(), 1);
        assert_eq!((stores[0].kind, stores[0].scope), (StoreKind::Documents, Scope::Resource));
    });
}

/// The views are made once: another start changes nothing, and other views are replaced.
#[test]
fn views_follow_the_version() {
    everywhere(|place| {
        let db = raw(place);
        let schema_version =
            || -> i64 { db.pragma_query_value(None, "schema_version", |row| row.get(0)).unwrap() };
        drop(open(place));
        let before = (schema_version(), dump(&db));
        drop(open(place));
        assert_eq!((schema_version(), dump(&db)), before);
        db.execute_batch("DROP VIEW datacatalog; CREATE VIEW datacatalog AS SELECT 1 AS old")
            .unwrap();
        drop(open(place));
        assert_eq!(raw(place).prepare("SELECT * FROM datacatalog").unwrap().column_count(), 20);
    });
}

/// Look-ups use an index of the table `documents`, whatever else the views contain.
#[test]
fn look_ups_use_an_index() {
    let place = Place::memory();
    let mut database = open(&place);
    catalog(&mut database);
    let stores: Vec<StoreRow> =
        (0..20).map(|n| documents(&mut database, &format!("s{n}"))).collect();
    for store in &stores {
        let mut writer = Writer::new(1, &store.name);
        let entries: Vec<Entry> = (0..20)
            .map(|n| writer.write(&put(&format!("{}-{n}", store.name), map([])), None))
            .collect();
        deliver(&mut database, store, &entries).unwrap();
    }
    let db = raw(&place);
    for (sql, index) in [
        ("SELECT json(doc) FROM catalog_documents WHERE key = ?1", "documents_key (key=?)"),
        ("SELECT key, json(doc) FROM catalog_documents WHERE (key = ?)", "documents_key (key=?)"),
        ("SELECT * FROM datacatalog WHERE _id = ?1", "documents_key (key=?)"),
        ("SELECT * FROM datacatalog WHERE _id IN (?1, ?2)", "documents_key (key=?)"),
        ("SELECT * FROM toscametadata WHERE template_id = ?1", "documents_key (key=?)"),
        ("SELECT * FROM toscametadata WHERE filename = ?1", "documents_tosca (<expr>=?)"),
        (
            "SELECT key FROM documents WHERE doc ->> '$._original_yaml' IS NOT NULL
               AND doc ->> '$._filename' = ?1 AND store = ?2",
            "documents_tosca (<expr>=? AND store=?)",
        ),
        (
            "SELECT json(doc) FROM documents WHERE key = ?1 AND store = ?2 AND doc IS NOT NULL",
            "documents_key (key=? AND store=?)",
        ),
        (
            "SELECT key FROM documents WHERE row >= ? AND row < ? AND doc IS NOT NULL",
            "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
        ),
        (
            "SELECT key FROM documents WHERE row >= ? AND row < ? AND doc IS NOT NULL AND key = ?",
            "documents_key (key=?",
        ),
        ("SELECT entry FROM events WHERE store = ? ORDER BY time DESC", "events_time (store=?)"),
    ] {
        let plan = plan(&db, sql);
        assert!(plan.iter().any(|step| step.contains(index)), "{sql}: {plan:#?}");
        // The one thing that may be walked whole is a document's own list of node templates.
        let walked: Vec<_> = plan
            .iter()
            .filter(|step| step.starts_with("SCAN") && !step.contains("json_each"))
            .collect();
        assert!(walked.is_empty(), "{sql}: {plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {plan:#?}");
    }
}

/// A scan of the catalog walks one table, whatever the number of stores.
#[test]
fn a_scan_is_not_repeated_for_every_store() {
    let place = Place::memory();
    let _database = open(&place);
    let db = raw(&place);
    for sql in ["SELECT key, json(doc) FROM catalog_documents", "SELECT * FROM toscametadata"] {
        let plan = plan(&db, sql);
        let scans = plan
            .iter()
            .filter(|step| step.starts_with("SCAN") && !step.contains("json_each"))
            .count();
        assert_eq!(scans, 1, "{sql}: {plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("AUTOMATIC")), "{sql}: {plan:#?}");
    }
}

fn plan(db: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let params = vec![1; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(params), |row| row.get(3)).unwrap();
    steps.collect::<Result<_, _>>().unwrap()
}
