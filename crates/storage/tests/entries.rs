//! Entries, blocks, facts and heads: what was stored comes back byte for byte, or not at all.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::{AccessController, Entry, Ipld, Links, LogCid, Manifest, Operation, StoreKind};
use optimusdb_storage::{
    Error, Field, Filter, Kind, Order, Place, Predicate, Readers, Scope, Select, SortField, SortKey,
};
use std::ops::ControlFlow;
use std::time::Duration;
use support::*;

/// Payloads of every sort: small, large, deep, with bytes and links, and some that mean nothing.
fn payloads() -> Vec<Ipld> {
    let deep = (0..100).fold(Ipld::Null, |inner, _| Ipld::List(vec![inner]));
    let mut payloads: Vec<Ipld> = [
        map([]),
        map([("text", text("é\u{0}\"\\\u{1F600}"))]),
        map([("float", Ipld::Float(0.1)), ("least", Ipld::Integer(-(1 << 53) + 1))]),
        map([("bytes", Ipld::Bytes(vec![0, 255])), ("list", Ipld::List(vec![Ipld::Bool(true)]))]),
        map([("large", text(&"x".repeat(200_000)))]),
        map([("deep", deep)]),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, value)| put(&format!("key {n}"), value).into_payload(Some(n as u64)))
    .collect();
    payloads.push(del("key 0").into_payload(None));
    payloads.push(text("no operation at all"));
    payloads.push(Ipld::Bytes(vec![1, 2, 3]));
    payloads
}

#[test]
fn entries_come_back_byte_for_byte() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let (mut a, mut b) = (Writer::new(1, "things"), Writer::new(2, "things"));
        let mut entries = Vec::new();
        for round in 0..12 {
            for payload in payloads().into_iter().skip(round % 3) {
                entries.push(a.append(payload.clone()));
                entries.push(b.append(payload));
            }
            if round % 4 == 3 {
                // Two heads become the parents of one entry.
                entries.iter().for_each(|entry| a.join(entry));
                entries.iter().for_each(|entry| b.join(entry));
            }
        }
        deliver(&mut database, &store, &entries).unwrap();
        let _memory = raw(place);
        drop(database);

        let database = open(place);
        let view = database.view();
        assert!(
            entries.iter().any(|e| e.refs().len() == 16)
                && entries.iter().any(|e| e.next().len() == 2)
        );
        for entry in &entries {
            let back = view.entry(&entry.cid()).unwrap().expect("it was stored");
            assert_eq!(back.block(), entry.block());
            assert_eq!(view.block(&entry.cid()).unwrap().as_deref(), Some(entry.block()));
            assert_eq!(view.time_of(&entry.cid()).unwrap(), Some(entry.clock().time));
        }
        entries.sort_by_key(|entry| (entry.clock().time, entry.cid()));
        assert!(log(view, &store) == entries, "the log is not in order");
        assert_eq!(now(view, &store).entries, entries.len() as u64);
        let nothing = LogCid::of(b"nothing");
        assert!(view.entry(&nothing).unwrap().is_none() && view.block(&nothing).unwrap().is_none());
        assert_eq!(view.time_of(&nothing).unwrap(), None);
        let mut seen = 0;
        view.log(&store, |_| {
            seen += 1;
            if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!(seen, 3, "it goes on after a break");
    });
}

#[test]
fn links_are_distances_and_unknown_ones_are_digests() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let mut writer = Writer::new(1, "things");
        let chain: Vec<Entry> =
            (0..200).map(|n| writer.write(&put(&n.to_string(), map([])), None)).collect();
        deliver(&mut database, &store, &chain).unwrap();
        // An entry that names the newest, the oldest, and one that is not here, twice over.
        let unknown = LogCid::of(b"elsewhere");
        let links = Links {
            next: vec![chain[199].cid(), chain[0].cid(), unknown],
            refs: vec![chain[72].cid(), unknown, chain[73].cid()],
            time: 201,
        };
        let payload = put("last", map([])).into_payload(None);
        let entry = Entry::sign(&writer.keys, store.address, links, payload).unwrap();
        deliver(&mut database, &store, std::slice::from_ref(&entry)).unwrap();
        assert_eq!(database.view().entry(&entry.cid()).unwrap().unwrap().block(), entry.block());

        let db = raw(place);
        let links_of = |seq: i64| -> Vec<u8> {
            db.query_row("SELECT links FROM entries WHERE seq = ?1", [seq], |row| row.get(0))
                .unwrap()
        };
        // The first has none; the second has its parent one row before, and no refs.
        assert_eq!(links_of(1), [0, 0]);
        assert_eq!(links_of(2), [1, 1, 0]);
        // In a chain: one parent, sixteen refs behind it.
        let mut expected = vec![1, 1, 16];
        expected.extend(2..=17);
        assert_eq!(links_of(100), expected);
        // 201 − 200, 201 − 1 = 200 in two bytes, the digest; 128 in two bytes, the digest, 127 in one.
        let mut expected = vec![3, 1, 0xc8, 0x01, 0];
        expected.extend(unknown.digest());
        expected.extend([3, 0x80, 0x01, 0]);
        expected.extend(unknown.digest());
        expected.push(127);
        assert_eq!(links_of(201), expected);
    });
}

/// An entry that arrives later than one that names it is still found by its digest.
#[test]
fn a_link_to_what_comes_later_stays_a_digest() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let mut writer = Writer::new(1, "things");
        let first = writer.write(&put("a", map([])), None);
        let second = writer.write(&put("b", map([])), None);
        // No writer does so: heads could not be kept like this.
        let mut tx = database.begin().unwrap();
        for entry in [&second, &first] {
            tx.put_entry(&store, entry).unwrap();
        }
        tx.commit().unwrap();
        for entry in [&first, &second] {
            assert_eq!(
                database.view().entry(&entry.cid()).unwrap().unwrap().block(),
                entry.block()
            );
        }
    });
}

#[test]
fn blocks_and_facts() {
    everywhere(|place| {
        let mut database = open(place);
        let access = AccessController::ipfs(vec!["*".into()]);
        let manifest = Manifest {
            name: "things".into(),
            kind: StoreKind::Documents,
            access: access.address(),
            meta: None,
        };
        let mut blocks = vec![access.encode(), manifest.encode().unwrap()];
        let keys = keys(1);
        blocks.push((keys.identity().cid, keys.identity().block.clone()));
        let mut tx = database.begin().unwrap();
        for (cid, bytes) in blocks.iter().chain(&blocks) {
            tx.put_block(cid, bytes).unwrap();
        }
        tx.set_fact("swarm", "first").unwrap();
        tx.set_fact("swarm", "second").unwrap();
        let wrong = tx.put_block(&blocks[0].0, &blocks[1].1).unwrap_err();
        assert_eq!(wrong.kind(), Kind::Corrupt);
        assert_eq!(tx.view().block(&blocks[1].0).unwrap().as_ref(), Some(&blocks[1].1));
        tx.commit().unwrap();
        let view = database.view();
        for (cid, bytes) in &blocks {
            assert_eq!(view.block(cid).unwrap().as_ref(), Some(bytes));
        }
        assert_eq!(view.fact("swarm").unwrap().as_deref(), Some("second"));
        assert_eq!(view.fact("weather").unwrap(), None);
    });
}

#[test]
fn heads_are_replaced_and_must_be_stored() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let other = documents(&mut database, "others");
        let (mut a, mut b) = (Writer::new(1, "things"), Writer::new(2, "things"));
        let one = a.write(&put("x", map([])), None);
        let two = b.write(&put("x", map([])), None);
        assert_eq!(database.view().heads(&store).unwrap(), []);
        deliver(&mut database, &store, &[one.clone(), two.clone()]).unwrap();
        let mut both = vec![one.clone(), two.clone()];
        both.sort_by_key(Entry::order);
        assert_eq!(database.view().heads(&store).unwrap(), both, "least first");
        b.join(&one);
        let merged = b.write(&put("x", map([])), None);
        deliver(&mut database, &store, std::slice::from_ref(&merged)).unwrap();
        assert_eq!(database.view().heads(&store).unwrap(), std::slice::from_ref(&merged));
        assert_eq!(database.view().heads(&other).unwrap(), []);

        let mut tx = database.begin().unwrap();
        let missing = LogCid::of(b"missing");
        assert!(matches!(tx.set_heads(&store, [missing].iter()), Err(Error::Corrupt(_))));
        assert!(tx.commit().is_err(), "what a failed call left half done is not committed");
        assert_eq!(database.view().heads(&store).unwrap(), [merged]);
    });
}

#[test]
fn events_in_the_order_of_their_log() {
    everywhere(|place| {
        let mut database = open(place);
        let store = store(&mut database, "happenings", StoreKind::Events, Scope::Plain);
        let (mut a, mut b) = (Writer::new(1, "happenings"), Writer::new(2, "happenings"));
        let add = |n: i128| Operation::Add { value: map([("n", Ipld::Integer(n))]) };
        let mut entries: Vec<Entry> = (0..20).map(|n| a.write(&add(n), Some(5))).collect();
        entries.extend((20..30).map(|n| b.write(&add(n), None)));
        // What is no event is kept in the log and shown nowhere.
        entries.push(b.write(&put("x", map([])), None));
        deliver(&mut database, &store, &entries).unwrap();
        entries.pop();
        entries.sort_by_key(Entry::order);
        let row = now(database.view(), &store);
        assert_eq!((row.documents, row.entries), (30, 31));
        let mut found = Vec::new();
        let mut documents = |select: &Select| {
            found.clear();
            let each = |key: &str, json: &str| {
                found.push((key.to_owned(), json.to_owned()));
                ControlFlow::Continue(())
            };
            database.view().documents(&store, select, each).unwrap();
            found.clone()
        };
        let shown = documents(&Select::default());
        let keys: Vec<&str> = shown.iter().map(|(key, _)| key.as_str()).collect();
        let cids: Vec<String> = entries.iter().map(|entry| entry.cid().to_string()).collect();
        assert_eq!(keys, cids);
        let (newest, json) = &shown[29];
        assert_eq!(*json, format!(r#"{{"_id":"{newest}","value":{{"n":19}}}}"#));
        // Looked for like documents.
        let below_2 = [Predicate::NumberRange(f64::NEG_INFINITY, 1.5)];
        let filter = Filter::field(Field::new("value.n").unwrap(), &below_2);
        let few = Select { filter, ..Select::default() };
        let [zero, one] = documents(&few).try_into().unwrap();
        assert!(zero.1.ends_with(r#"{"n":0}}"#) && one.1.ends_with(r#"{"n":1}}"#));
        let by_key = vec![SortField { field: Field::Key, descending: false }];
        let order = Order::By(by_key, |_, _, _| SortKey::Null);
        let by_key = documents(&Select { order, ..Select::default() });
        assert!(by_key.is_sorted() && by_key.len() == 30);
        let one = database.view().document(&store, &shown[3].0).unwrap();
        assert_eq!(one.as_ref(), Some(&shown[3].1));
    });
}

/// Every column of an entry, the names of its log and of its writer, and the rows that its links
/// lead to: with one of them wrong, the entry is not given out.
#[test]
fn a_damaged_row_is_an_error_and_never_an_answer() {
    const DAMAGES: [&str; 14] = [
        "UPDATE entries SET payload = CAST(replace(payload, x'505554', x'505555') AS BLOB) WHERE seq = 4",
        "UPDATE entries SET payload = x'' WHERE seq = 4",
        "UPDATE entries SET sig = CAST(x'31' || substr(sig, 2) AS BLOB) WHERE seq = 4",
        "UPDATE entries SET sig = CAST(substr(sig, 1, 39) || substr(sig, 41) AS BLOB) WHERE seq = 4",
        "UPDATE entries SET sig = 'no signature' WHERE seq = 4",
        "UPDATE entries SET time = time + 1 WHERE seq = 4",
        // The grandparent instead of the parent; an end too soon; a row before the first.
        "UPDATE entries SET links = x'0102020203' WHERE seq = 4",
        "UPDATE entries SET links = x'01' WHERE seq = 4",
        "UPDATE entries SET links = x'01ffffffffffffffff7f00' WHERE seq = 4",
        "UPDATE entries SET cid = zeroblob(32) WHERE seq = 3",
        "UPDATE entries SET cid = zeroblob(7) WHERE seq = 3",
        "UPDATE writers SET key = replace(key, 'a', 'b')",
        "UPDATE writers SET identity = zeroblob(32)",
        "UPDATE stores SET manifest = zeroblob(32)",
    ];
    for damage in DAMAGES {
        everywhere(|place| {
            let mut database = open(place);
            let store = documents(&mut database, "things");
            let mut writer = Writer::new(1, "things");
            let entries: Vec<Entry> =
                (0..4).map(|n| writer.write(&put(&n.to_string(), map([])), None)).collect();
            deliver(&mut database, &store, &entries).unwrap();
            let db = raw(place);
            let before = dump(&db);
            assert!(db.execute(damage, []).unwrap() > 0, "{damage}");
            assert_ne!(dump(&db), before, "{damage} changed nothing");

            let view = database.view();
            let last = entries[3].cid();
            let errors = [
                view.entry(&last).unwrap_err(),
                view.block(&last).unwrap_err(),
                view.log(&store, |_| ControlFlow::Continue(())).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), Kind::Corrupt, "{damage}: {error}");
            }
            // What is left can be built on.
            for head in view.heads(&store).unwrap() {
                assert!(head.cid() != last && entries.contains(&head), "{damage}: {head:?}");
            }
        });
    }
}

/// Flips bits all over a database file. Whatever SQLite makes of it, an entry that is given out is
/// the one that was asked for.
#[test]
fn a_damaged_file_yields_right_entries_or_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("optimusdb.sqlite");
    let place = Place::File(path.clone());
    let mut database = open(&place);
    let store = documents(&mut database, "things");
    let mut writer = Writer::new(1, "things");
    let entries: Vec<Entry> =
        (0..60).map(|n| writer.write(&put(&n.to_string(), map([])), None)).collect();
    deliver(&mut database, &store, &entries).unwrap();
    drop(database);
    let sound = std::fs::read(&path).unwrap();
    let (mut errors, mut answers) = (0, 0);
    for at in (0..sound.len()).step_by(251) {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).unwrap();
        let _ = std::fs::remove_file(dir.path().join("optimusdb.sqlite-wal"));
        let readers = Readers::new(place.clone(), 1);
        for entry in &entries {
            match readers.read(Duration::ZERO, |view| view.entry(&entry.cid())) {
                Ok(Some(back)) => {
                    assert_eq!(back.block(), entry.block(), "with byte {at} flipped");
                    answers += 1;
                }
                Ok(None) | Err(_) => errors += 1,
            }
        }
    }
    assert!(errors > 100 && answers > 1_000, "{errors} errors, {answers} answers");
}
