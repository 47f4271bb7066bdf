//! The catalog: views over the resource stores' documents, for as many stores as there may be.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::{Entry, Ipld, StoreKind};
use optimusdb_storage::limits::STORES_MAX;
use optimusdb_storage::{
    DATACATALOG_COLUMNS, Database, Error, Kind, Place, Scope, Select, StoreRow, beside,
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
            keys(1).identity().public_key
        );
        assert_eq!(rows(&raw(place), select), [expected], "a document without the file is none");
        assert_eq!(database.view().tosca_keys(&things, "app.yaml").unwrap(), ["t-1"]);
        assert!(database.view().tosca_keys(&things, "other.yaml").unwrap().is_empty());
        // The digest is computed where it is asked for: the test's connection answers the length.
        let digest = rows(&raw(place), "SELECT content_sha256 FROM toscametadata");
        assert_eq!(digest, [format!("[Text(\"{}\")]", yaml.len())]);
    });
}

/// Every entry of the catalog: its `_id`, the resource that it stands for, and its name.
fn entries(database: &Database, catalog: &StoreRow) -> Vec<[String; 3]> {
    let view = database.view();
    let mut found = Vec::new();
    view.documents(catalog, &Select::default(), |key, json| {
        let entry: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(entry["_id"], key);
        assert_eq!(view.document(catalog, key).unwrap().as_deref(), Some(json), "by look-up");
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        found.push([text("_id"), text("associated_id"), text("name")]);
        ControlFlow::Continue(())
    })
    .unwrap();
    found.sort();
    found
}

/// One key in several stores: each document has an entry. The default store's has the key, else
/// that of the least address; whatever the order in which stores and documents came.
#[test]
fn an_entry_for_each_document_of_a_key_in_several_stores() {
    let names = ["a-first", "b-second", "c-third"];
    let mut by_address = names;
    by_address.sort_by_key(|name| address(name).manifest().digest().to_owned());
    let entry = |id: &str, store: &str| [id.to_owned(), "k".into(), store.to_owned()];
    let aside = |store: &str| entry(&beside("k", &address(store), 8), store);
    let mut dumps = Vec::new();
    for turns in 0..3 {
        everywhere(|place| {
            let mut database = open(place);
            let catalog = catalog(&mut database);
            for other in [
                store(&mut database, "0-plain", StoreKind::Documents, Scope::Plain),
                store(&mut database, "0-local", StoreKind::Documents, Scope::Local),
                store(&mut database, "0-values", StoreKind::KeyValue, Scope::Resource),
            ] {
                write(&mut database, &other, 1, "k", map([("name", text(&other.name))]));
            }
            assert!(entries(&database, &catalog).is_empty());
            let mut order = names;
            order.rotate_left(turns);
            for (n, name) in order.into_iter().enumerate() {
                let late = documents(&mut database, name);
                write(&mut database, &late, 1, "k", map([("name", text(name))]));
                let here = by_address.into_iter().filter(|name| order[..=n].contains(name));
                let mut expected: Vec<_> = here.map(aside).collect();
                expected[0][0] = "k".into();
                expected.sort();
                assert_eq!(entries(&database, &catalog), expected);
            }
            let mut all_aside = names.map(aside);
            all_aside.sort();
            let default = documents(&mut database, "dsswres");
            write(&mut database, &default, 1, "k", map([("name", text("dsswres"))]));
            assert_eq!(entries(&database, &catalog)[0], entry("k", "dsswres"));
            assert_eq!(entries(&database, &catalog)[1..], all_aside);
            // A document of the catalog stands in place of an entry, whichever it is.
            let ids = ["k".to_owned(), aside(names[0])[0].clone()];
            for id in &ids {
                write(&mut database, &catalog, 1, id, map([("name", text("own"))]));
            }
            let own = |id: &str| [id.to_owned(), String::new(), "own".into()];
            let shown = entries(&database, &catalog);
            assert_eq!(shown.len(), 4, "{shown:?}");
            assert!(ids.iter().all(|id| shown.contains(&own(id))), "{shown:?}");
            for id in &ids {
                change(&mut database, &catalog, 1, &del(id));
            }
            let shown = rows(&raw(place), "SELECT _id, associated_id, name FROM datacatalog");
            assert_eq!(shown.len(), 4, "{shown:?}");
            dumps.push(rows(&raw(place), "SELECT name FROM namesakes"));

            // It is derived: made again, it is the same.
            let before = dump(&raw(place));
            let at = database.view().store(names[0]).unwrap().unwrap();
            database.reindex(&at, || ()).unwrap();
            assert_eq!(dump(&raw(place)), before);

            change(&mut database, &default, 1, &del("k"));
            let mut expected = all_aside;
            let first = aside(by_address[0]);
            expected.iter_mut().find(|e| **e == first).unwrap()[0] = "k".into();
            expected.sort();
            assert_eq!(entries(&database, &catalog), expected);
            for name in by_address {
                let gone = database.view().store(name).unwrap().unwrap();
                assert_eq!(entries(&database, &catalog)[0], entry("k", name));
                change(&mut database, &gone, 1, &del("k"));
            }
            assert!(entries(&database, &catalog).is_empty());
        });
    }
    assert!(dumps.iter().all(|dump| *dump == dumps[0]), "{dumps:?}");
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
    let first =
        stores[1..].iter().min_by_key(|s| s.address.manifest().digest().to_owned()).unwrap();
    let entry = view.document(&catalog, "everywhere").unwrap().unwrap();
    assert!(entry.contains(&format!("{}\"", first.name)), "{entry}");
    let mut entries = 0;
    view.documents(&catalog, &Select::default(), |_, _| {
        entries += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(entries, 2 * (STORES_MAX - 1));

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
        (
            "SELECT key, json(doc) FROM documents INDEXED BY documents_key
               WHERE store = ? AND doc IS NOT NULL AND key >= ? ORDER BY key DESC",
            "documents_key (key>?)",
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

/// A scan of the catalog walks the documents once, whatever the number of stores.
#[test]
fn a_scan_is_not_repeated_for_every_store() {
    let place = Place::memory();
    let _database = open(&place);
    let db = raw(&place);
    for sql in [
        "SELECT key, json(doc) FROM catalog_documents",
        "SELECT key, json(doc) FROM (SELECT key, doc FROM catalog_documents ORDER BY key LIMIT -1)
           WHERE TRUE AND (doc ->> '$.name' = ?)",
        "SELECT * FROM toscametadata",
    ] {
        let plan = plan(&db, sql);
        let scans = plan.iter().filter(|step| step.starts_with("SCAN d")).count();
        assert_eq!(scans, 1, "{sql}: {plan:#?}");
        let costly = |step: &String| step.contains("AUTOMATIC") || step.contains("TEMP B-TREE");
        assert!(!plan.iter().any(costly), "{sql}: {plan:#?}");
    }
}

fn plan(db: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let params = vec![1; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(params), |row| row.get(3)).unwrap();
    steps.collect::<Result<_, _>>().unwrap()
}

#[test]
fn wall_clocks_of_strangers_are_believed_within_bounds() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "dsswres");
        let mut writer = Writer::new(1, "dsswres");
        let now_ms = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map(|since| since.as_millis() as u64)
            .unwrap();
        let honest = 1_700_000_000_123;
        let day = 86_400_000;
        let mut shown = |at| {
            let entry = writer.write(&put("a", map([])), Some(at));
            deliver(&mut database, &store, &[entry]).unwrap();
            let stamps = "SELECT created_at, updated_at FROM datacatalog";
            rows(&raw(place), stamps).remove(0)
        };
        let text = "Text(\"2023-11-14T22:13:20.123Z\")";
        assert_eq!(shown(honest), format!("[{text}, {text}]"));
        // Nothing of before there were such logs makes a document older, or takes its time away for good.
        assert_eq!(shown(0), format!("[{text}, Null]"));
        assert_eq!(shown(1_577_836_799_999), format!("[{text}, Null]"));
        assert_eq!(shown(honest), format!("[{text}, {text}]"));
        // What is yet to come is not shown, a clock that is a little ahead is.
        assert_eq!(shown(now_ms + day), format!("[{text}, Null]"));
        assert_eq!(shown(u64::MAX >> 11), format!("[{text}, Null]"));
        assert!(shown(now_ms + 60_000).ends_with("Z\")]"));
    });
}
