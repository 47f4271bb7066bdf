//! Transactions, readers beside them, and the bounds on how long either takes.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::{Entry, Ipld, LogCid, StoreKind};
use optimusdb_storage::limits::FORMAT_VERSION;
use optimusdb_storage::{
    Database, Durability, Error, Field, Filter, Kind, Order, Place, Predicate, Readers, Scope,
    Select, SortField, SortKey,
};
use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use support::*;

const NOW: Duration = Duration::ZERO;

#[test]
fn a_dropped_transaction_leaves_nothing() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let (mut writer, mut lost) = (Writer::new(1, "things"), Writer::new(2, "things"));
        deliver(&mut database, &store, &[writer.write(&put("a", map([])), None)]).unwrap();
        let before = dump(&raw(place));

        let mut tx = database.begin().unwrap();
        let entry = lost.write(&put("b", map([])), None);
        tx.put_block(&lost.keys.identity().cid, &lost.keys.identity().block).unwrap();
        tx.set_fact("swarm", "x").unwrap();
        tx.create_store("more", StoreKind::Events, &address("more"), Scope::Plain).unwrap();
        tx.put_entry(&store, &entry).unwrap();
        tx.set_heads(&store, [entry.cid()].iter()).unwrap();
        assert!(tx.view().document(&store, "b").unwrap().is_some(), "it sees what it did");
        assert!(tx.view().store("more").unwrap().is_some());
        drop(tx);
        assert_eq!(dump(&raw(place)), before);

        // Rows, writers and links of the lost entries are not remembered either.
        let more: Vec<Entry> =
            (0..3).map(|n| writer.write(&put(&n.to_string(), map([])), None)).collect();
        deliver(&mut database, &store, &more).unwrap();
        deliver(&mut database, &store, &[entry.clone(), lost.write(&put("c", map([])), None)])
            .unwrap();
        assert_eq!(log(database.view(), &store).len(), 6);
        assert_eq!(database.view().entry(&entry.cid()).unwrap(), Some(entry));
        assert_eq!(now(database.view(), &store).documents, 6);
    });
}

/// Names are the node's own and may change; the address, the number and the entries stay.
#[test]
fn a_store_may_get_another_name() {
    everywhere(|place| {
        let mut database = open(place);
        let (one, two) = (documents(&mut database, "one"), documents(&mut database, "two"));
        let mut writer = Writer::new(1, "one");
        deliver(&mut database, &one, &[writer.write(&put("a", map([])), None)]).unwrap();
        let mut tx = database.begin().unwrap();
        for (store, name) in [(&one, "~"), (&two, "one"), (&one, "two")] {
            tx.rename_store(store, name).unwrap();
        }
        tx.put_entry(&one, &writer.write(&put("b", map([])), None)).unwrap();
        tx.put_entry(&one, &writer.write(&del("a"), None)).unwrap();
        assert_eq!((tx.grown(&one), tx.grown(&two)), ((0, 2), (0, 0)));
        tx.commit().unwrap();
        let view = database.view();
        for (at, name) in [(one.address, "two"), (two.address, "one")] {
            assert_eq!(view.store_at(&at).unwrap().unwrap().name, name);
            assert_eq!(view.store(name).unwrap().unwrap().address, at);
        }
        assert_eq!(view.store("two").unwrap().unwrap().entries, 3);
        assert!(view.store_at(&address("none")).unwrap().is_none());

        let mut seen = Vec::new();
        let mut after = |row: i64| {
            seen.clear();
            let each = |seq, entry: Entry| {
                seen.push((seq, entry.clock().time));
                std::ops::ControlFlow::Continue(())
            };
            view.log_after(&one, row, each).unwrap();
            seen.clone()
        };
        assert_eq!(after(0), [(1, 1), (2, 2), (3, 3)]);
        assert_eq!(after(2), [(3, 3)]);
        assert_eq!(after(3), []);

        // A name that is taken is refused, and nothing of the transaction stays.
        let mut tx = database.begin().unwrap();
        assert!(tx.rename_store(&one, "one").is_err());
        assert!(tx.commit().is_err());
        assert_eq!(database.view().store_at(&one.address).unwrap().unwrap().name, "two");
    });
}

#[test]
fn a_failed_step_fails_the_transaction() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let mut writer = Writer::new(1, "things");
        let first = writer.write(&put("a", map([])), None);
        deliver(&mut database, &store, std::slice::from_ref(&first)).unwrap();
        let before = dump(&raw(place));

        let mut tx = database.begin().unwrap();
        let second = writer.write(&put("b", map([])), None);
        tx.put_entry(&store, &second).unwrap();
        assert!(tx.put_entry(&store, &first).is_err(), "an entry is stored once");
        assert!(tx.put_entry(&store, &writer.write(&put("c", map([])), None)).is_err());
        assert!(tx.set_fact("swarm", "x").is_err());
        assert!(tx.commit().is_err());
        assert_eq!(dump(&raw(place)), before);
        deliver(&mut database, &store, &[second]).unwrap();
        assert_eq!(now(database.view(), &store).documents, 2);
    });
}

#[test]
fn readers_see_what_is_committed() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let readers = Readers::new(place.clone(), 2);
        let mut writer = Writer::new(1, "things");
        deliver(&mut database, &store, &[writer.write(&put("a", map([])), None)]).unwrap();
        let present =
            |key: &str| readers.read(NOW, |view| view.document(&store, key)).unwrap().is_some();
        let entry = writer.write(&put("b", map([])), None);
        // In memory one lock is on everything, so only a file is read while it is written.
        if matches!(place, Place::File(_)) {
            let mut tx = database.begin().unwrap();
            tx.put_entry(&store, &entry).unwrap();
            tx.set_heads(&store, [entry.cid()].iter()).unwrap();
            assert!(present("a") && !present("b"));
            let heads = readers.read(NOW, |view| view.heads(&store)).unwrap();
            assert_ne!(heads[0].cid(), entry.cid());
            tx.commit().unwrap();
        } else {
            deliver(&mut database, &store, &[entry]).unwrap();
        }
        assert!(present("a") && present("b"));
    });
}

/// A reader that began before a commit goes on with what it began with.
#[test]
fn a_scan_is_of_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::File(dir.path().join("optimusdb.sqlite"));
    let mut database = open(&place);
    let store = documents(&mut database, "things");
    let mut writer = Writer::new(1, "things");
    let entries: Vec<Entry> =
        (0..50).map(|n| writer.write(&put(&n.to_string(), map([])), None)).collect();
    deliver(&mut database, &store, &entries).unwrap();
    let readers = Readers::new(place, 1);
    let mut seen = 0;
    let mut late: Vec<Entry> =
        (50..60).map(|n| writer.write(&put(&n.to_string(), map([])), None)).collect();
    readers
        .read(NOW, |view| {
            view.documents(&store, &Select::default(), |_, _| {
                seen += 1;
                if let Some(entry) = late.pop() {
                    let tx = database.begin().unwrap();
                    put_and_commit(tx, &store, &entry);
                }
                ControlFlow::Continue(())
            })
        })
        .unwrap();
    assert_eq!(seen, 50);
    let after = readers.read(NOW, |view| view.store("things")).unwrap().unwrap();
    assert_eq!(after.documents, 60);
}

fn put_and_commit(
    mut tx: optimusdb_storage::Tx<'_>,
    store: &optimusdb_storage::StoreRow,
    entry: &Entry,
) {
    tx.put_entry(store, entry).unwrap();
    tx.commit().unwrap();
}

#[test]
fn readers_cannot_write() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let readers = Readers::new(place.clone(), 1);
        // Names and texts are data, and whatever they hold, what reads cannot write.
        for hostile in ["x') = 1) ; DELETE FROM stores; --", "'", "\"", "\\\"] ? --"] {
            let field = Field::new(hostile).unwrap();
            let filter = Filter::field(field.clone(), &[Predicate::Texts(vec![hostile])]);
            let sort = SortField { field, descending: true };
            let order = Order::By(vec![sort], |_, _, _| SortKey::Null);
            let select = Select { filter, order, ..Select::default() };
            readers
                .read(NOW, |view| view.documents(&store, &select, |_, _| ControlFlow::Continue(())))
                .unwrap();
        }
        assert_eq!(database.view().stores().unwrap().len(), 1);
        let mut tx = database.begin().unwrap();
        tx.set_fact("swarm", "x").unwrap();
        tx.commit().unwrap();
    });
}

#[test]
fn select_narrows_orders_and_stops() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let catalog =
            support::store(&mut database, "catalog", StoreKind::Documents, Scope::Catalog);
        let mut writer = Writer::new(1, "things");
        let mut entries: Vec<Entry> = (0..20)
            .map(|n| writer.write(&put(&format!("{n:02}"), map([("n", Ipld::Integer(n))])), None))
            .collect();
        entries.push(writer.write(&del("07"), None));
        deliver(&mut database, &store, &entries).unwrap();
        let n = Field::new("n").unwrap();
        let key = |key| Filter::field(Field::Key, &[Predicate::Texts(vec![key])]);
        let above = Filter::field(n.clone(), &[Predicate::NumberRange(16.5, f64::INFINITY)]);
        let by_n = vec![SortField { field: n, descending: true }];
        let select = Select {
            filter: Filter::any([above, key("03")]),
            order: Order::By(by_n, |_, _, _| SortKey::Null),
            deadline: None,
            ..Select::default()
        };
        let read = |store, select: &Select, most| {
            let mut keys = Vec::new();
            let view = database.view();
            view.documents(store, select, |key, json| {
                assert!(json.contains(key));
                keys.push(key.to_owned());
                if keys.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
            keys
        };
        assert_eq!(read(&store, &select, 100), ["19", "18", "17", "03"]);
        assert_eq!(read(&store, &select, 2), ["19", "18"]);
        assert_eq!(read(&store, &Select::default(), 100).len(), 19);
        assert_eq!(read(&catalog, &Select::default(), 100).len(), 19);
        let by_key = Select { filter: key("05"), ..Select::default() };
        assert_eq!(read(&catalog, &by_key, 100), ["05"]);
        let never = Filter::field(Field::Key, &[]);
        for filter in [never.clone(), Filter::all([key("05"), never])] {
            let select = Select { filter, ..Select::default() };
            assert!(
                read(&store, &select, 100).is_empty() && read(&catalog, &select, 100).is_empty()
            );
        }
    });
}

#[test]
fn a_deadline_ends_a_long_scan() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let mut writer = Writer::new(1, "things");
        let entries: Vec<Entry> =
            (0..200).map(|n| writer.write(&put(&n.to_string(), map([])), None)).collect();
        deliver(&mut database, &store, &entries).unwrap();
        // More rows than are read between two looks at the clock, and none that passes.
        let rows_more = 20_000;
        raw(place)
            .execute(
                "INSERT INTO documents (row, store, key, time, entry, doc)
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?2)
                 SELECT (?1 << 40) + 1000 + i, ?1, 'more' || i, 1, 1, jsonb('{}') FROM n",
                (store.id, rows_more),
            )
            .unwrap();
        let nothing = |deadline| Select {
            filter: Filter::field(Field::new("n").unwrap(), &[Predicate::Exists]),
            order: Order::Stored,
            deadline: Some(deadline),
            ..Select::default()
        };
        // Long enough to be looked at by the clock: rows that lead nowhere.
        raw(place)
            .execute_batch(
                "INSERT INTO events (entry, store, time)
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)
                 SELECT 1000000 + i, 1, i FROM n",
            )
            .unwrap();
        let readers = Readers::new(place.clone(), 1);
        for _ in 0..3 {
            let read = |deadline| {
                let select = nothing(deadline);
                readers.read(NOW, |view| {
                    view.documents(&store, &select, |key, _| panic!("{key} passes"))
                })
            };
            let answer = read(Instant::now());
            assert!(matches!(answer, Err(Error::Interrupted)), "{answer:?}");
            read(Instant::now() + Duration::from_secs(3_600)).unwrap();
            // The same connection, and its next statement has no deadline.
            let all = readers.read(NOW, |view| {
                let mut n = 0;
                view.documents(&store, &Select::default(), |_, _| {
                    n += 1;
                    ControlFlow::Continue(())
                })?;
                Ok(n)
            });
            assert_eq!(all.unwrap(), 200 + rows_more);
        }

        // In a transaction, an interrupted read leaves what was written.
        let mut tx = database.begin().unwrap();
        let entry = writer.write(&put("more", map([])), None);
        tx.put_entry(&store, &entry).unwrap();
        let past = nothing(Instant::now());
        let answer = tx.view().documents(&store, &past, |_, _| ControlFlow::Continue(()));
        assert!(matches!(answer, Err(Error::Interrupted)));
        tx.set_heads(&store, [entry.cid()].iter()).unwrap();
        tx.commit().unwrap();
        assert_eq!(now(database.view(), &store).documents, 201);
    });
}

#[test]
fn a_pool_waits_gives_up_and_takes_back() {
    everywhere(|place| {
        let mut database = open(place);
        documents(&mut database, "things");
        let readers = Readers::new(place.clone(), 2);
        std::thread::scope(|scope| {
            let (entered, in_read) = sync_channel(2);
            let (release, go) = sync_channel::<()>(2);
            let go = std::sync::Arc::new(std::sync::Mutex::new(go));
            for _ in 0..2 {
                let (readers, entered, go) = (&readers, entered.clone(), go.clone());
                scope.spawn(move || {
                    readers
                        .read(NOW, |view| {
                            entered.send(()).unwrap();
                            go.lock().unwrap().recv().unwrap();
                            view.stores()
                        })
                        .unwrap();
                });
            }
            in_read.recv().unwrap();
            in_read.recv().unwrap();
            // Both are lent: no wait, a short wait, and one that is long enough.
            for wait in [NOW, Duration::from_millis(50)] {
                let started = Instant::now();
                let answer = readers.read(wait, |view| view.stores());
                assert!(matches!(answer, Err(Error::Interrupted)));
                assert!(started.elapsed() >= wait);
            }
            let waiting =
                scope.spawn(|| readers.read(Duration::from_secs(30), |view| view.stores()));
            release.send(()).unwrap();
            assert_eq!(waiting.join().unwrap().unwrap().len(), 1);
            release.send(()).unwrap();
        });
        // A read that fails or panics gives its connection back, too.
        for _ in 0..5 {
            let failed = readers.read(NOW, |_| Err::<(), _>(Error::Corrupt("on purpose".into())));
            assert_eq!(failed.unwrap_err().kind(), Kind::Corrupt);
            let panicked = std::thread::scope(|scope| {
                scope
                    .spawn(|| readers.read(NOW, |_| -> Result<(), Error> { panic!("on purpose") }))
                    .join()
            });
            assert!(panicked.is_err());
        }
        readers.read(NOW, |a| readers.read(NOW, |b| Ok((a.stores()?, b.stores()?)))).unwrap();
    });
}

/// A connection that cannot be made is not counted as lent.
#[test]
fn a_pool_over_nothing_fails_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::File(dir.path().join("optimusdb.sqlite"));
    let readers = Readers::new(place.clone(), 1);
    for _ in 0..3 {
        assert_eq!(readers.read(NOW, |view| view.stores()).unwrap_err().kind(), Kind::Internal);
    }
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "a reader makes no file");
    let _database = open(&place);
    assert_eq!(readers.read(NOW, |view| view.stores()).unwrap().len(), 0);
}

#[test]
fn a_database_of_a_newer_format_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("optimusdb.sqlite");
    let place = Place::File(path.clone());
    drop(open(&place));
    raw(&place).pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = Database::open(&place, Durability::Full).unwrap_err();
    assert!(
        matches!(refused, Error::NewerFormat { found: 99, known: FORMAT_VERSION, .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("optimusdb.sqlite has format 99"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    raw(&place).pragma_update(None, "user_version", FORMAT_VERSION).unwrap();
    open(&place);
}

#[test]
fn what_is_no_database_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("optimusdb.sqlite");
    let bytes = b"these are somebody's notes, and not a database at all".repeat(50);
    std::fs::write(&path, &bytes).unwrap();
    let refused = Database::open(&Place::File(path.clone()), Durability::Full).unwrap_err();
    assert_eq!(refused.kind(), Kind::Corrupt, "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    // The file of a first start that ended before anything was written.
    std::fs::write(&path, b"").unwrap();
    open(&Place::File(path));
}

#[test]
fn an_odd_path_is_a_path() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a b?c#d%20é&mode=ro");
    std::fs::create_dir(&odd).unwrap();
    let place = Place::File(odd.join("optimusdb.sqlite"));
    let mut database = open(&place);
    documents(&mut database, "things");
    assert!(odd.join("optimusdb.sqlite").is_file());
    let stores = Readers::new(place, 1).read(NOW, |view| view.stores()).unwrap();
    assert_eq!(stores[0].address.manifest(), LogCid::of(b"things"));
}

/// A copy that another program takes of the database in use is a database.
#[test]
fn a_backup_beside_the_running_node() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::File(dir.path().join("optimusdb.sqlite"));
    let mut database = open(&place);
    let store = documents(&mut database, "things");
    let mut writer = Writer::new(1, "things");
    let entries: Vec<Entry> =
        (0..30).map(|n| writer.write(&put(&n.to_string(), map([])), None)).collect();
    deliver(&mut database, &store, &entries).unwrap();
    let copy = dir.path().join("copy.sqlite");
    // Unlike `raw`, without a function of ours.
    let other = rusqlite::Connection::open(dir.path().join("optimusdb.sqlite")).unwrap();
    other.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    deliver(&mut database, &store, &[writer.write(&put("later", map([])), None)]).unwrap();

    let mut restored = open(&Place::File(copy));
    assert_eq!(log(restored.view(), &store), entries);
    let later = log(database.view(), &store).pop().unwrap();
    deliver(&mut restored, &store, &[later]).unwrap();
    assert_eq!(now(restored.view(), &store).documents, 31);
}

#[test]
fn many_heads_are_kept_exactly_and_shown_in_part() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let without_parents =
            |n: u32| Writer::new(1, "things").write(&put(&n.to_string(), map([])), None);
        let apart: Vec<Entry> = (0..200).map(without_parents).collect();
        deliver(&mut database, &store, &apart[..150]).unwrap();
        deliver(&mut database, &store, &apart[150..]).unwrap();
        let mut newest: Vec<LogCid> = apart[136..].iter().map(Entry::cid).collect();
        newest.sort_unstable();
        assert_eq!(database.view().newest_heads(&store, 64).unwrap(), (200, newest));
        assert_eq!(database.view().heads(&store).unwrap().len(), 200);

        // One above them all takes them away; a transaction that is undone, nothing.
        let mut above = Writer::new(2, "things");
        apart.iter().for_each(|entry| above.join(entry));
        let top = above.write(&put("top", map([])), None);
        let mut tx = database.begin().unwrap();
        tx.put_entry(&store, &top).unwrap();
        tx.set_heads(&store, [top.cid()].iter()).unwrap();
        drop(tx);
        assert_eq!(database.view().newest_heads(&store, 1).unwrap().0, 200);
        let more = without_parents(200);
        deliver(&mut database, &store, &[more.clone(), top.clone()]).unwrap();
        let (count, heads) = database.view().newest_heads(&store, 64).unwrap();
        assert_eq!((count, heads), (2, vec![more.cid(), top.cid()]));
    });
}
