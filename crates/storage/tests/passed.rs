//! Entries that were passed over: refused, kept for their time and their block, and not in the log.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::sync::{Cell, Tree};
use optimusdb_dag::{Entry, Links, LogCid};
use optimusdb_storage::{Database, Kind, PartOf, StoreRow};
use support::*;

fn signed(seed: u8, time: u64, next: Vec<LogCid>, refs: Vec<LogCid>) -> Entry {
    let payload = put(&format!("{seed} at {time}"), map([])).into_payload(None);
    Entry::sign(&keys(seed), address("things"), Links { next, refs, time }, payload).unwrap()
}

fn pass_over(database: &mut Database, store: &StoreRow, entry: &Entry) {
    let mut tx = database.begin().unwrap();
    tx.put_passed(store, &entry.cid(), entry.clock().time, entry.block()).unwrap();
    tx.commit().unwrap();
}

#[test]
fn they_are_kept_and_are_not_in_the_log() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let good = signed(1, 1, vec![], vec![]);
        let refused = signed(2, 2, vec![good.cid()], vec![]);
        let child = signed(1, 3, vec![refused.cid(), good.cid()], vec![refused.cid(), good.cid()]);
        // In one transaction with what is built on it.
        let mut tx = database.begin().unwrap();
        tx.put_entry(&store, &good).unwrap();
        let wrong = tx.put_passed(&store, &refused.cid(), 2, good.block()).unwrap_err();
        assert_eq!(wrong.kind(), Kind::Corrupt);
        tx.put_passed(&store, &refused.cid(), 2, refused.block()).unwrap();
        tx.put_passed(&store, &refused.cid(), 2, refused.block()).unwrap();
        tx.put_entry(&store, &child).unwrap();
        tx.set_heads(&store, [child.cid()].iter()).unwrap();
        assert!(tx.view().is_passed(&refused.cid()).unwrap());
        tx.commit().unwrap();
        let _memory = raw(place);
        drop(database);

        let mut database = open(place);
        let view = database.view();
        assert_eq!(view.time_of(&refused.cid()).unwrap(), Some(2));
        assert!(view.is_passed(&refused.cid()).unwrap());
        assert!(!view.is_stored(&refused.cid()).unwrap());
        assert!(view.entry(&refused.cid()).unwrap().is_none());
        assert_eq!(view.block(&refused.cid()).unwrap().as_deref(), Some(refused.block()));
        for stored in [&good, &child] {
            assert!(view.is_stored(&stored.cid()).unwrap());
            assert!(!view.is_passed(&stored.cid()).unwrap());
        }
        assert!(view.document(&store, "2 at 2").unwrap().is_none());
        assert_eq!(now(view, &store).entries, 2);
        // Not in what is compared, and not in a log for those who ask for its block.
        let tree = view.tree(&store).unwrap();
        assert_eq!(tree.summary(Cell::at(0, 1)).unwrap().count, 2);
        assert_eq!(view.part_of(&refused.cid()).unwrap(), Some(PartOf::NoLog));
        assert_eq!(view.part_of(&child.cid()).unwrap(), Some(PartOf::Log(store.address)));
        assert_eq!(view.part_of(&LogCid::of(b"unknown")).unwrap(), None);
        // The links through it come back as they were.
        assert_eq!(view.entry(&child.cid()).unwrap().unwrap().block(), child.block());
        assert_eq!(view.heads(&store).unwrap(), std::slice::from_ref(&child));
        database.reindex(&store, || ()).unwrap();
        assert!(log(database.view(), &store) == [good, child]);
        assert!(database.view().is_passed(&refused.cid()).unwrap());
    });
}

#[test]
fn one_that_is_stored_after_all_is_no_longer_passed_over() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let entry = signed(2, 1, vec![], vec![]);
        let child = signed(1, 2, vec![entry.cid()], vec![]);
        let still = signed(3, 1, vec![], vec![]);
        pass_over(&mut database, &store, &still);
        pass_over(&mut database, &store, &entry);
        deliver(&mut database, &store, std::slice::from_ref(&child)).unwrap();
        let _memory = raw(place);
        drop(database);

        let mut database = open(place);
        // A transaction that is dropped changes nothing.
        let mut tx = database.begin().unwrap();
        tx.put_entry(&store, &entry).unwrap();
        assert!(!tx.view().is_passed(&entry.cid()).unwrap());
        drop(tx);
        assert!(database.view().is_passed(&entry.cid()).unwrap());
        assert!(database.view().block(&entry.cid()).unwrap().is_some());

        let mut tx = database.begin().unwrap();
        tx.put_entry(&store, &entry).unwrap();
        tx.commit().unwrap();
        let view = database.view();
        assert!(view.is_stored(&entry.cid()).unwrap() && !view.is_passed(&entry.cid()).unwrap());
        assert_eq!(view.block(&entry.cid()).unwrap().as_deref(), Some(entry.block()));
        assert_eq!(view.time_of(&entry.cid()).unwrap(), Some(1));
        assert!(view.is_passed(&still.cid()).unwrap());
        assert_eq!(rows(&raw(place), "SELECT cid FROM blocks").len(), 1, "the block is kept twice");
        // What is in the log is not passed over.
        pass_over(&mut database, &store, &entry);
        assert!(!database.view().is_passed(&entry.cid()).unwrap());
        assert_eq!(database.view().entry(&child.cid()).unwrap().unwrap().block(), child.block());
    });
}

#[test]
fn those_of_a_store_are_listed_in_pages() {
    everywhere(|place| {
        let mut database = open(place);
        let (things, others) = (documents(&mut database, "things"), documents(&mut database, "o"));
        let mut all: Vec<_> = (1..=5).map(|time| signed(2, time, vec![], vec![])).collect();
        all.iter().for_each(|entry| pass_over(&mut database, &things, entry));
        pass_over(&mut database, &others, &signed(2, 9, vec![], vec![]));
        all.sort_by_key(|entry| *entry.cid().digest());
        let expected: Vec<LogCid> = all.iter().map(|entry| entry.cid()).collect();
        let view = database.view();
        assert_eq!(view.passed(&things, None, 9).unwrap(), expected);
        assert_eq!(view.passed(&things, None, 2).unwrap(), expected[..2]);
        assert_eq!(view.passed(&things, Some(&expected[1]), 2).unwrap(), expected[2..4]);
        assert_eq!(view.passed(&things, Some(&expected[4]), 2).unwrap(), []);
    });
}
