//! Wrong bytes on the disk: what is derived is made again, what is signed is set aside and taken back, and
//! everything else reads as before.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::sync::{Cell, Holding, Span, Tree};
use optimusdb_dag::{Entry, Heads, Ipld, LogCid};
use optimusdb_storage::{
    Database, Error, Field, Filter, Mended, Order, Place, Predicate, Select, StoreRow, View,
};
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use support::*;

const DOCUMENTS: usize = 60;
/// More than all entries of a test, and their bytes.
const ALL: (usize, usize) = (10_000, 1 << 30);

/// A database of so many documents, one of them deleted again by the newest entry; closed.
struct Grown {
    place: Place,
    store: StoreRow,
    writer: Writer,
    entries: Vec<Entry>,
}

fn grown(dir: &Path) -> Grown {
    let place = Place::File(dir.join("optimusdb.sqlite"));
    let mut database = open(&place);
    let store = documents(&mut database, "things");
    let mut writer = Writer::new(1, "things");
    let mut entries: Vec<Entry> = (0..DOCUMENTS)
        .map(|n| {
            let document = put(&key(n), map([("n", Ipld::Integer(n as i128))]));
            writer.write(&document, Some(n as u64))
        })
        .collect();
    entries.push(writer.write(&del(&key(3)), Some(99)));
    let mut tx = database.begin().unwrap();
    tx.put_block(&writer.keys.identity().cid, &writer.keys.identity().block).unwrap();
    tx.commit().unwrap();
    deliver(&mut database, &store, &entries).unwrap();
    let store = now(database.view(), &store);
    Grown { place, store, writer, entries }
}

fn key(n: usize) -> String {
    format!("key {n:03}")
}

fn every_key() -> Vec<String> {
    (0..DOCUMENTS).filter(|n| *n != 3).map(key).collect()
}

/// Changes bytes of the closed database, wherever they are.
fn spoil(place: &Place, from: &[u8], to: &[u8]) {
    let Place::File(path) = place else { panic!("it is in memory") };
    let mut bytes = fs::read(path).unwrap();
    let at: Vec<usize> =
        (0..=bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!at.is_empty(), "{from:?} is nowhere");
    at.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to));
    fs::write(path, bytes).unwrap();
}

/// Makes the document of that key one that is no JSON.
fn spoil_document(place: &Place, key: &str) {
    let from = [b"\x37_id\x77", key.as_bytes()].concat();
    let to = [b"\xf7_id\x77", key.as_bytes()].concat();
    spoil(place, &from, &to);
}

/// Changes what the entry that put that key says.
fn spoil_entry(place: &Place, key: &str) {
    let from = [b"\x63_id\x67", key.as_bytes()].concat();
    let to = [b"\x63_ix\x67", key.as_bytes()].concat();
    spoil(place, &from, &to);
}

fn shown(view: View<'_>, store: &StoreRow, select: &Select) -> Vec<String> {
    let mut shown = Vec::new();
    view.documents(store, select, |key, json| {
        assert!(json.contains(&format!("\"{key}\"")), "{key} shows {json}");
        shown.push(key.to_owned());
        ControlFlow::Continue(())
    })
    .unwrap();
    shown
}

fn mend(database: &mut Database) -> Mended {
    let suspects = database.damage().take();
    let mut tx = database.begin().unwrap();
    let mended = tx.mend(suspects).unwrap();
    tx.commit().unwrap();
    mended
}

fn put_back(database: &mut Database, store: &StoreRow, entry: &Entry) -> bool {
    let mut tx = database.begin().unwrap();
    let is_head = tx.put_back(store, entry).unwrap().expect("it was set aside");
    let mut heads = Heads::new(tx.view().heads(store).unwrap().iter().map(Entry::links).collect());
    if is_head {
        heads.add(entry.links());
    } else {
        heads.pass(entry.next());
    }
    tx.set_heads(store, heads.cids().collect::<Vec<_>>().iter()).unwrap();
    tx.commit().unwrap();
    is_head
}

fn heads(view: View<'_>, store: &StoreRow) -> Vec<LogCid> {
    view.heads(store).unwrap().iter().map(Entry::cid).collect()
}

/// What fast sync serves of a store.
fn served(view: View<'_>, store: &StoreRow) -> Vec<LogCid> {
    let tree = view.tree(store).unwrap();
    let span = Span { from: 0, until: 1_000_000 };
    let blocks = tree.entries(span, None, ALL.0, ALL.1).unwrap();
    blocks.iter().map(|block| LogCid::of(block)).collect()
}

/// How many entries the summary of a store counts.
fn summed(view: View<'_>, store: &StoreRow) -> u64 {
    let tree = view.tree(store).unwrap();
    tree.summary(Cell::root(tree.newest().unwrap())).unwrap().count
}

/// Everything that a healthy database of the same content shows, but for the account of what was damaged.
fn shown_rows(place: &Place) -> BTreeMap<String, Vec<String>> {
    let mut dump = dump(&raw(place));
    dump.remove("facts");
    dump
}

#[test]
fn a_document_that_cannot_be_read_is_shown_as_its_entry_has_it_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let Grown { place, store, mut writer, .. } = grown(dir.path());
    let before = shown_rows(&place);
    spoil_document(&place, &key(7));
    spoil_document(&place, &key(40));

    let mut database = open(&place);
    let view = database.view();
    for order in [Order::Own, Order::Stored] {
        assert_eq!(shown(view, &store, &Select { order, ..Select::default() }), every_key());
    }
    let n = Field::new("n").unwrap();
    let filter = Filter::field(n, &[Predicate::NumberRange(39.0, 41.0)]);
    let some = Select { filter, ..Select::default() };
    assert_eq!(shown(view, &store, &some), [key(39), key(40), key(41)]);
    assert!(view.document(&store, &key(7)).unwrap().unwrap().contains("\"n\":7"));
    assert!(database.damage().is_suspected());

    assert_eq!(mend(&mut database), Mended { documents: 2, ..Mended::default() });
    assert_eq!(shown(database.view(), &store, &Select::default()), every_key());
    assert!(!database.damage().is_suspected());
    drop(database);
    assert_eq!(shown_rows(&place), before);

    // Nobody need have read it: a put of its key, and one of another, go through.
    spoil_document(&place, &key(7));
    spoil_document(&place, &key(40));
    let mut database = open(&place);
    let entry = writer.write(&put(&key(7), map([("n", text("new"))])), Some(100));
    deliver(&mut database, &store, &[entry]).unwrap();
    assert!(database.view().document(&store, &key(7)).unwrap().unwrap().contains("new"));
    assert_eq!(shown(database.view(), &store, &Select::default()), every_key());
    assert!(!database.damage().is_suspected());
}

#[test]
fn a_damaged_entry_is_set_aside_and_comes_back_to_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let Grown { place, store, writer, entries } = grown(dir.path());
    let before = shown_rows(&place);
    spoil_entry(&place, &key(30));
    let lost = &entries[30];

    let mut database = open(&place);
    let read = database.view().entry(&lost.cid());
    assert!(matches!(read, Err(Error::DamagedEntry { .. })), "{read:?}");
    database.damage().take();
    // What is served is all but that one, and it is noted.
    let others: Vec<LogCid> =
        entries.iter().map(Entry::cid).filter(|cid| *cid != lost.cid()).collect();
    assert_eq!(served(database.view(), &store), others);
    assert_eq!(summed(database.view(), &store), entries.len() as u64);
    let mended = mend(&mut database);
    assert_eq!(mended.entries.len(), 1, "{mended:?}");

    // From now on it is as if it had never come: peers see that it is missing here.
    let view = database.view();
    assert_eq!(served(view, &store), others);
    assert_eq!(summed(view, &store), others.len() as u64);
    assert_eq!(now(view, &store).entries, others.len() as u64);
    assert!(
        view.entry(&lost.cid()).unwrap().is_none() && view.time_of(&lost.cid()).unwrap().is_none()
    );
    assert!(view.is_set_aside(&lost.cid()).unwrap());
    assert_eq!(view.set_aside(10).unwrap(), [(store.id, lost.cid())]);
    assert_eq!(heads(view, &store), [entries[DOCUMENTS].cid()]);
    assert_eq!(shown(view, &store, &Select::default()), every_key());
    drop(database);

    let mut database = open(&place);
    assert!(!put_back(&mut database, &store, lost));
    assert_eq!(served(database.view(), &store).len(), entries.len());
    assert_eq!(summed(database.view(), &store), entries.len() as u64);
    drop((database, writer));
    assert_eq!(shown_rows(&place), before);
}

#[test]
fn the_log_goes_on_without_a_head_that_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let Grown { place, store, mut writer, entries } = grown(dir.path());
    spoil(&place, b"\x63DEL", b"\x63DEM");
    let lost = &entries[DOCUMENTS];

    let mut database = open(&place);
    assert_eq!(heads(database.view(), &store), [entries[DOCUMENTS - 1].cid()]);
    let mended = mend(&mut database);
    assert_eq!((mended.entries.len(), mended.heads.as_slice()), (1, &[store.id][..]));
    assert_eq!(heads(database.view(), &store), [entries[DOCUMENTS - 1].cid()]);
    assert!(!database.damage().is_suspected());
    // The next entry is written beside it.
    let mut beside = Writer::new(2, "things");
    entries[..DOCUMENTS].iter().for_each(|entry| beside.join(entry));
    let next = beside.write(&put("next", map([])), Some(200));
    deliver(&mut database, &store, std::slice::from_ref(&next)).unwrap();

    assert!(put_back(&mut database, &store, lost));
    let both: std::collections::BTreeSet<LogCid> = [lost.cid(), next.cid()].into();
    assert_eq!(
        heads(database.view(), &store).into_iter().collect::<std::collections::BTreeSet<_>>(),
        both
    );
    writer.join(&next);
    let merge = writer.write(&put("merge", map([])), Some(300));
    assert_eq!(merge.next().len(), 2);
    deliver(&mut database, &store, std::slice::from_ref(&merge)).unwrap();
    assert_eq!(heads(database.view(), &store), [merge.cid()]);
}

#[test]
fn heads_are_found_again_from_the_entries() {
    for wrong in ["", "[", "[]", "[999]", "[1]", "no list", "[1,2]"] {
        let dir = tempfile::tempdir().unwrap();
        let Grown { place, store, entries, .. } = grown(dir.path());
        raw(&place).execute("UPDATE stores SET heads = ?1", [wrong]).unwrap();
        let mut database = open(&place);
        assert_eq!(heads(database.view(), &store), [entries[DOCUMENTS].cid()], "{wrong:?}");
        assert_eq!(mend(&mut database).heads, [store.id]);
        assert_eq!(heads(database.view(), &store), [entries[DOCUMENTS].cid()]);
        assert!(!database.damage().is_suspected(), "{wrong:?} is mended");
    }
}

#[test]
fn a_wrong_address_of_a_whole_entry_is_made_right() {
    let dir = tempfile::tempdir().unwrap();
    let Grown { place, store, entries, .. } = grown(dir.path());
    let before = shown_rows(&place);
    let set = "UPDATE entries SET cid = zeroblob(32) WHERE seq = 20";
    raw(&place).execute(set, []).unwrap();
    let mut database = open(&place);
    // Those that link to it read as damaged as long as that lasts.
    assert!(served(database.view(), &store).len() < entries.len());
    while database.damage().is_suspected() {
        mend(&mut database);
    }
    drop(database);
    assert_eq!(shown_rows(&place), before);
}

#[test]
fn a_wrong_row_that_many_entries_share_is_made_right() {
    for wrong in [
        "UPDATE writers SET key = replace(key, 'a', 'b')",
        "UPDATE writers SET identity = zeroblob(32)",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let Grown { place, store, .. } = grown(dir.path());
        let before = shown_rows(&place);
        raw(&place).execute_batch(wrong).unwrap();
        let mut database = open(&place);
        assert_eq!(served(database.view(), &store), [], "{wrong}");
        let mended = mend(&mut database);
        assert_eq!((mended.shared, mended.entries.len()), (1, 0), "{wrong}: {mended:?}");
        drop(database);
        assert_eq!(shown_rows(&place), before, "{wrong}");
    }
}

/// A write beside a wrong row of its writer makes the right one once more.
#[test]
fn a_wrong_row_is_joined_with_the_right_one_that_came_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let Grown { place, store, entries, .. } = grown(dir.path());
    raw(&place)
        .execute_batch(
            "CREATE TEMP TABLE right AS SELECT identity, key FROM writers;
             UPDATE writers SET key = replace(key, 'a', 'b');
             INSERT INTO writers (identity, key) SELECT identity, key FROM temp.right",
        )
        .unwrap();
    let mut database = open(&place);
    assert_eq!(served(database.view(), &store), []);
    assert_eq!(mend(&mut database).shared, 1);
    assert_eq!(served(database.view(), &store).len(), entries.len());
}

#[test]
fn the_index_is_made_again_around_what_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let Grown { place, store, entries, .. } = grown(dir.path());
    let before = shown_rows(&place);
    spoil_document(&place, &key(10));
    spoil_document(&place, &key(30));
    spoil_entry(&place, &key(30));
    spoil_entry(&place, &key(31));
    raw(&place).execute("UPDATE stores SET heads = '[7]'", []).unwrap();

    let mut database = open(&place);
    database.reindex_log().unwrap();
    let mended = database.reindex(&store, || {}).unwrap();
    assert_eq!((mended.entries.len(), mended.heads.len()), (2, 1), "{mended:?}");
    let there = shown(database.view(), &store, &Select::default());
    let expected = every_key().into_iter().filter(|k| *k != key(30) && *k != key(31));
    assert_eq!(there, expected.collect::<Vec<_>>());
    assert_eq!(now(database.view(), &store).documents, there.len() as u64);
    // The child first: it is put back though its parent is still away.
    put_back(&mut database, &store, &entries[31]);
    put_back(&mut database, &store, &entries[30]);
    assert_eq!(shown(database.view(), &store, &Select::default()), every_key());
    assert_eq!(served(database.view(), &store).len(), entries.len());
    assert_eq!(heads(database.view(), &store), [entries[DOCUMENTS].cid()]);
    drop(database);
    let after = shown_rows(&place);
    // Links to what was away are kept as addresses.
    for table in before.keys().filter(|table| *table != "entries") {
        assert_eq!(after[table], before[table], "{table}");
    }
}

#[test]
fn a_write_ahead_log_that_lost_commits_is_noticed() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 3] = [
        ("cut off", |wal| wal.truncate(wal.len() / 2)),
        ("a wrong byte", |wal| {
            let at = wal.len() / 2;
            wal[at] ^= 1;
        }),
        ("gone", |wal| wal.clear()),
    ];
    for (what, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let Grown { place, store, mut writer, .. } = grown(dir.path());
        let copy = tempfile::tempdir().unwrap();
        let mut database = open(&place);
        assert_eq!(database.lost_entries(), 0);
        for n in 0..100 {
            let entry = writer.write(&put(&format!("late {n}"), map([])), None);
            deliver(&mut database, &store, &[entry]).unwrap();
        }
        // As the process leaves it when it is killed.
        for file in fs::read_dir(dir.path()).unwrap() {
            let file = file.unwrap();
            if !file.file_name().to_string_lossy().ends_with("-shm") {
                fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
            }
        }
        drop(database);
        let place = Place::File(copy.path().join("optimusdb.sqlite"));
        let wal = copy.path().join("optimusdb.sqlite-wal");
        let mut bytes = fs::read(&wal).unwrap();
        damage(&mut bytes);
        fs::write(&wal, bytes).unwrap();

        let database = open(&place);
        let missing = DOCUMENTS as u64 + 101 - now(database.view(), &store).entries;
        assert!(missing > 0, "{what}");
        assert_eq!(database.lost_entries(), missing, "{what}");
        drop(database);
        let mut again = open(&place);
        assert_eq!(again.lost_entries(), missing, "{what}: it is not forgotten");
        again.let_lost_go();
        drop(again);
        assert_eq!(open(&place).lost_entries(), 0);
    }
}
