//! The index: a function of the set of entries, whatever the order in which they arrive, and
//! whether it grew with them or is made again from the log.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::{Entry, Ipld, LogCid, Operation, StoreKind};
use optimusdb_storage::{Database, Place, Scope, Select, StoreRow};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use support::*;

/// A wall clock in milliseconds, as a writer may have it.
const NOW: u64 = 1_700_000_000_000;

#[test]
fn put_delete_put() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let mut writer = Writer::new(1, "things");
        let read = |database: &Database| database.view().document(&store, "a").unwrap();
        let count = |database: &Database| now(database.view(), &store).documents;

        let one = writer.write(&put("a", map([("n", Ipld::Integer(1))])), Some(NOW + 1_000));
        deliver(&mut database, &store, &[one]).unwrap();
        assert_eq!(read(&database).as_deref(), Some(r#"{"_id":"a","n":1}"#));
        let value = database.view().value(&store, "a").unwrap();
        assert_eq!(value, Some(map([("n", Ipld::Integer(1)), ("_id", text("a"))])));
        assert_eq!((count(&database), keys_of(&database, &store)), (1, vec!["a".to_owned()]));

        let gone = writer.write(&del("a"), Some(NOW + 2_000));
        deliver(&mut database, &store, &[gone]).unwrap();
        assert_eq!(read(&database), None);
        assert_eq!(database.view().value(&store, "a").unwrap(), None);
        assert_eq!((count(&database), keys_of(&database, &store)), (0, vec![]));
        let again = writer.write(&del("a"), Some(NOW + 2_500));
        let nothing = writer.write(&del("never there"), Some(NOW + 2_500));
        deliver(&mut database, &store, &[again, nothing]).unwrap();
        assert_eq!(count(&database), 0);

        let two = writer.write(&put("a", map([("n", Ipld::Integer(2))])), Some(NOW + 3_000));
        deliver(&mut database, &store, &[two]).unwrap();
        assert_eq!(read(&database).as_deref(), Some(r#"{"_id":"a","n":2}"#));
        assert_eq!(count(&database), 1);
        let stamps = rows(
            &raw(place),
            "SELECT row & 0xffffffffff, created, updated FROM documents WHERE key = 'a'",
        );
        assert_eq!(stamps, ["[Integer(1), Integer(1700000001000), Integer(1700000003000)]"]);
    });
}

/// An older operation that arrives late does not bring a deleted document back.
#[test]
fn a_tombstone_outlives_what_it_deleted() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let (mut a, mut b) = (Writer::new(1, "things"), Writer::new(2, "things"));
        let late = b.write(&put("x", map([])), Some(NOW + 7));
        let put_first = a.write(&put("x", map([])), Some(NOW + 9));
        let delete = a.write(&del("x"), Some(NOW + 9));
        deliver(&mut database, &store, &[put_first, delete]).unwrap();
        deliver(&mut database, &store, &[late]).unwrap();
        assert_eq!(database.view().document(&store, "x").unwrap(), None);
        let row = now(database.view(), &store);
        assert_eq!((row.documents, row.entries), (0, 3));
        let stamps = rows(&raw(place), "SELECT entry, created, updated FROM documents");
        assert_eq!(
            stamps,
            ["[Integer(2), Integer(1700000000007), Integer(1700000000009)]"],
            "the least clock is kept"
        );
    });
}

#[test]
fn key_value_stores_hold_any_value() {
    everywhere(|place| {
        let mut database = open(place);
        let store = store(&mut database, "values", StoreKind::KeyValue, Scope::Plain);
        let mut writer = Writer::new(1, "values");
        let values = [
            ("null", Ipld::Null, "null"),
            ("number", Ipld::Integer((1 << 53) - 1), "9007199254740991"),
            ("float", Ipld::Float(-1.5e-9), "-1.5e-9"),
            ("text", text("\u{0}\u{10FFFF}"), "\"\\u0000\u{10FFFF}\""),
            ("bytes", Ipld::Bytes(b"fo".to_vec()), r#"{"/":{"bytes":"Zm8"}}"#),
            ("", Ipld::List(vec![]), "[]"),
        ];
        let entries: Vec<Entry> = values
            .iter()
            .map(|(key, value, _)| {
                writer.write(&Operation::Put { key: (*key).into(), value: value.clone() }, None)
            })
            .collect();
        deliver(&mut database, &store, &entries).unwrap();
        for (key, value, json) in &values {
            let id = serde_json::to_string(key).unwrap();
            let document = format!(r#"{{"_id":{id},"value":{json}}}"#);
            assert_eq!(database.view().document(&store, key).unwrap(), Some(document));
            assert_eq!(database.view().value(&store, key).unwrap().as_ref(), Some(value));
        }
        assert_eq!(now(database.view(), &store).documents, 6);
    });
}

#[test]
fn operations_that_mean_nothing_are_kept_and_change_nothing() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let mut writer = Writer::new(1, "things");
        let payloads = [
            text("no map"),
            map([]),
            map([("op", text("PATCH")), ("key", text("a")), ("value", map([]))]),
            map([("op", text("PUT")), ("key", Ipld::Integer(1)), ("value", map([]))]),
            map([("op", text("PUT")), ("key", text("a")), ("value", Ipld::Null)]),
            Operation::Add { value: map([]) }.into_payload(None),
        ];
        let entries: Vec<Entry> = payloads.into_iter().map(|p| writer.append(p)).collect();
        deliver(&mut database, &store, &entries).unwrap();
        let row = now(database.view(), &store);
        assert_eq!((row.documents, row.entries), (0, 6));
        assert_eq!(log(database.view(), &store), entries);
        assert_eq!(rows(&raw(place), "SELECT * FROM documents"), Vec::<String>::new());
    });
}

/// Two stores never see each other's documents, whatever their keys.
#[test]
fn stores_are_apart() {
    everywhere(|place| {
        let mut database = open(place);
        let stores = ["one", "two"].map(|name| documents(&mut database, name));
        for (n, store) in stores.iter().enumerate() {
            let mut writer = Writer::new(1, &store.name);
            let entries: Vec<Entry> = (0..=n)
                .map(|i| {
                    writer.write(&put(&format!("k{i}"), map([("store", text(&store.name))])), None)
                })
                .collect();
            deliver(&mut database, store, &entries).unwrap();
        }
        assert_eq!(keys_of(&database, &stores[0]), ["k0"]);
        assert_eq!(keys_of(&database, &stores[1]), ["k0", "k1"]);
        assert_eq!(database.view().document(&stores[0], "k1").unwrap(), None);
        let found = database.view().document(&stores[0], "k0").unwrap().unwrap();
        assert!(found.contains("one"), "{found}");
        let before = dump(&raw(place));
        database.reindex(&stores[0], || ()).unwrap();
        assert_eq!(dump(&raw(place)), before);
    });
}

fn keys_of(database: &Database, store: &StoreRow) -> Vec<String> {
    let mut keys = keys_in_order(database, store);
    keys.sort();
    keys
}

fn keys_in_order(database: &Database, store: &StoreRow) -> Vec<String> {
    let mut keys = Vec::new();
    let view = database.view();
    view.documents(store, &Select::default(), |key, _| {
        keys.push(key.to_owned());
        ControlFlow::Continue(())
    })
    .unwrap();
    keys
}

/// One step of a history: writer `writer` does something to key `key`, and first learns what the
/// writer `learns` from knows, if there is one.
#[derive(Debug, Clone)]
struct Step {
    writer: usize,
    learns: Option<usize>,
    key: u8,
    act: Act,
    at_ms: Option<u64>,
}

#[derive(Debug, Clone)]
enum Act {
    Put(i32),
    PutTosca(u8),
    Del,
    Nonsense,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let act = prop_oneof![
        5 => any::<i32>().prop_map(Act::Put),
        1 => (0u8..3).prop_map(Act::PutTosca),
        3 => Just(Act::Del),
        1 => Just(Act::Nonsense),
    ];
    let at_ms = proptest::option::weighted(0.8, 0u64..100);
    let step = (0usize..3, proptest::option::weighted(0.3, 0usize..3), 0u8..4, act, at_ms)
        .prop_map(|(writer, learns, key, act, at_ms)| Step { writer, learns, key, act, at_ms });
    proptest::collection::vec(step, 1..40)
}

/// The entries of a history, parents before children.
fn history(steps: &[Step], store: &str) -> Vec<Entry> {
    let mut writers: Vec<Writer> = (1..=3).map(|seed| Writer::new(seed, store)).collect();
    let mut entries: Vec<Entry> = Vec::new();
    for step in steps {
        if let Some(from) = step.learns {
            let learned: Vec<&Entry> =
                entries.iter().filter(|entry| writers[from].knows(&entry.cid())).collect();
            learned.into_iter().for_each(|entry| writers[step.writer].join(entry));
        }
        let key = format!("key {}", step.key);
        let operation = match &step.act {
            Act::Put(n) => put(&key, map([("n", Ipld::Integer(i128::from(*n)))])),
            Act::PutTosca(n) => put(
                &key,
                map([
                    ("_filename", text(&format!("{n}.yaml"))),
                    ("_original_yaml", text("a: 1\n")),
                    ("description", text("é")),
                ]),
            ),
            Act::Del => del(&key),
            Act::Nonsense => Operation::Add { value: Ipld::Null },
        };
        entries.push(writers[step.writer].write(&operation, step.at_ms));
    }
    entries
}

/// A delivery in which every parent comes before its children; `choices` decide among the rest.
fn parents_first(entries: &[Entry], choices: &[prop::sample::Index]) -> Vec<Entry> {
    let mut left: BTreeMap<LogCid, &Entry> = entries.iter().map(|e| (e.cid(), e)).collect();
    let mut done = BTreeSet::new();
    let mut order = Vec::new();
    let mut choices = choices.iter().cycle();
    while !left.is_empty() {
        let ready: Vec<LogCid> = left
            .values()
            .filter(|e| e.next().iter().all(|p| done.contains(p)))
            .map(|e| e.cid())
            .collect();
        let cid = *choices.next().unwrap().get(&ready);
        order.push(left.remove(&cid).unwrap().clone());
        done.insert(cid);
    }
    order
}

/// What must not depend on the order of arrival: everything but the numbers of rows, with the
/// winning entry by its hash.
fn derived(place: &Place) -> Vec<Vec<String>> {
    let db = raw(place);
    [
        "SELECT d.store, d.key, d.time, hex(e.cid), d.created, d.updated, hex(d.doc)
         FROM documents d JOIN entries e ON e.seq = d.entry",
        "SELECT id, name, documents, entries FROM stores",
        "SELECT hex(e.cid) FROM stores s, json_each(s.heads) h JOIN entries e ON e.seq = h.value",
        "SELECT key, hex(doc) FROM catalog_documents",
        "SELECT * FROM datacatalog",
        "SELECT template_id, description, node_templates_count, created_at, filename,
           filesize_bytes, content_sha256, uploader FROM toscametadata",
    ]
    .map(|sql| rows(&db, sql))
    .into()
}

fn replica(entries: &[Entry], batch: usize) -> (Place, Database) {
    let place = Place::memory();
    let mut database = open(&place);
    let store = documents(&mut database, "things");
    store_catalog(&mut database);
    for entries in entries.chunks(batch) {
        deliver(&mut database, &store, entries).unwrap();
    }
    (place, database)
}

fn store_catalog(database: &mut Database) {
    store(database, "catalog", StoreKind::Documents, Scope::Catalog);
}

/// The winner per key, decided without a database.
fn model(entries: &[Entry]) -> BTreeMap<String, Option<i128>> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by_key(|entry| entry.order());
    let mut winners = BTreeMap::new();
    for entry in sorted {
        match Operation::from_payload(StoreKind::Documents, entry.payload()) {
            Some((Operation::Put { key, value: Ipld::Map(fields) }, _)) => {
                let n = match fields.get("n") {
                    Some(Ipld::Integer(n)) => *n,
                    _ => -1,
                };
                winners.insert(key, Some(n));
            }
            Some((Operation::Del { key }, _)) => drop(winners.insert(key, None)),
            _ => {}
        }
    }
    winners
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_arrival_does_not_matter(
        steps in steps(),
        choices in proptest::collection::vec(any::<prop::sample::Index>(), 40),
        batch in 1usize..10,
    ) {
        let entries = history(&steps, "things");
        let (place, mut database) = replica(&entries, entries.len());
        let (shuffled_place, _shuffled) = replica(&parents_first(&entries, &choices), batch);
        let expected = derived(&place);
        prop_assert_eq!(&expected, &derived(&shuffled_place));

        let store = database.view().store("things").unwrap().unwrap();
        for (key, n) in model(&entries) {
            let found = database.view().value(&store, &key).unwrap();
            let found = found.map(|value| match value {
                Ipld::Map(fields) => match fields.get("n") { Some(Ipld::Integer(n)) => *n, _ => -1 },
                _ => -2,
            });
            prop_assert_eq!(found, n, "{}", key);
        }
        let present = model(&entries).values().flatten().count() as u64;
        prop_assert_eq!(store.documents, present);
        prop_assert_eq!(keys_of(&database, &store).len() as u64, present);

        reindexed_is_equal(&place, &mut database, &store)?;
        prop_assert_eq!(&expected, &derived(&place));
    }
}

/// Dropping the index and replaying the log gives the same rows, byte for byte.
fn reindexed_is_equal(
    place: &Place,
    database: &mut Database,
    store: &StoreRow,
) -> Result<(), TestCaseError> {
    let before = dump(&raw(place));
    // Whatever is in the index, and in the counter, is not looked at.
    raw(place)
        .execute_batch(
            "UPDATE documents SET doc = jsonb('1'), time = 0; UPDATE stores SET documents = 77;",
        )
        .unwrap();
    database.reindex(store, || ()).unwrap();
    let mut after = dump(&raw(place));
    let others = "SELECT * FROM stores";
    raw(place).execute("UPDATE stores SET documents = 0 WHERE name <> 'things'", []).unwrap();
    after.insert("stores".into(), rows(&raw(place), others));
    prop_assert_eq!(before, after);
    Ok(())
}

#[test]
fn events_are_made_again() {
    everywhere(|place| {
        let mut database = open(place);
        let store = store(&mut database, "happenings", StoreKind::Events, Scope::Plain);
        let mut writer = Writer::new(1, "happenings");
        let entries: Vec<Entry> = (0..20)
            .map(|n| writer.write(&Operation::Add { value: Ipld::Integer(n) }, None))
            .collect();
        deliver(&mut database, &store, &entries).unwrap();
        let before = dump(&raw(place));
        raw(place).execute("DELETE FROM events WHERE entry % 2 = 0", []).unwrap();
        database.reindex(&store, || ()).unwrap();
        assert_eq!(dump(&raw(place)), before);
        assert_eq!(now(database.view(), &store).documents, 20);
    });
}

/// Documents come by their keys, whether their store is most of what there is or hardly any of it.
#[test]
fn documents_come_by_key_beside_many_and_few_others() {
    everywhere(|place| {
        let mut database = open(place);
        let (few, many) = (documents(&mut database, "few"), documents(&mut database, "many"));
        let mut writers = [Writer::new(1, "few"), Writer::new(1, "many")];
        let mut fill = |database: &mut Database, from: u32, until: u32| {
            for (store, writer) in [&few, &many].into_iter().zip(&mut writers) {
                let end = if store.id == few.id { until.min(4) } else { until };
                let entries: Vec<Entry> = (from..end)
                    .map(|n| writer.write(&put(&format!("{:03}", n * 7 % 300), map([])), None))
                    .collect();
                deliver(database, store, &entries).unwrap();
            }
        };
        for (from, until) in [(0, 100), (100, 300)] {
            fill(&mut database, from, until);
            assert_eq!(keys_in_order(&database, &few), ["000", "007", "014", "021"]);
            let mut all: Vec<String> = (0..until).map(|n| format!("{:03}", n * 7 % 300)).collect();
            all.sort();
            assert_eq!(keys_in_order(&database, &many), all);
        }
    });
}
