//! Fast sync over the database: the tree that it shows, before, after and during writes, and whole
//! pulls between two databases.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::sync::{
    Ask, Cell, Declined, Holding, Id, IdTree, Pull, PullEffect, PullLimits, Reply, Request, Span,
    Tree, serve,
};
use optimusdb_dag::{Address, Entry, Identity, Links, LogCid, StoreKind};
use optimusdb_storage::{Database, Place, Readers, Scope, StoreRef, StoreRow, View};
use proptest::prelude::*;
use std::time::Duration;
use support::*;

const NOW: Duration = Duration::ZERO;

/// An entry of that time, with the parents given.
fn entry_at(time: u64, n: u64, next: Vec<LogCid>) -> Entry {
    let links = Links { next, refs: Vec::new(), time };
    let payload = put(&format!("key {n}"), map([])).into_payload(None);
    Entry::sign(&keys((n % 3) as u8 + 1), address("things"), links, payload).unwrap()
}

fn id(entry: &Entry) -> Id {
    Id { time: entry.clock().time, cid: entry.cid() }
}

fn ids<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> IdTree {
    entries.into_iter().map(id).collect()
}

/// Stores entries with the identities of their writers.
fn store_all(database: &mut Database, store: &StoreRow, entries: &[Entry]) {
    let mut tx = database.begin().unwrap();
    for seed in 1..=3 {
        let identity = keys(seed).identity().clone();
        tx.put_block(&identity.cid, &identity.block).unwrap();
    }
    for entry in entries {
        tx.put_entry(store, entry).unwrap();
    }
    tx.commit().unwrap();
}

/// Every cell that is not empty, the root and what is beyond it, and every page of ids.
fn assert_equal_trees(shown: &dyn Tree, expected: &IdTree) {
    assert_eq!(shown.newest(), expected.newest());
    let root = Cell::root(expected.newest().unwrap());
    let mut cells = vec![root, Cell::new(9, 0).unwrap(), Cell::at(1, (1 << 53) - 1)];
    while let Some(cell) = cells.pop() {
        assert_eq!(shown.summary(cell), expected.summary(cell), "{cell:?}");
        if cell.level() > 0 {
            let children = shown.children(cell).unwrap();
            assert_eq!(Ok(&children), expected.children(cell).as_ref(), "{cell:?}");
            cells.extend(children.into_iter().map(|(child, _)| child));
        }
    }
    let all = Span { from: 0, until: 1 << 53 };
    let mut after = None;
    loop {
        let page = shown.ids(all, after, 7).unwrap();
        assert_eq!(Ok(&page), expected.ids(all, after, 7).as_ref());
        let Some(last) = page.last() else { break };
        after = Some(*last);
    }
}

#[test]
fn an_empty_store_is_an_empty_tree() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let tree = database.view().tree(&store).unwrap();
        assert_equal_trees(&tree, &IdTree::new());
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever is written and read in between, every reader is shown the entries that it sees.
    #[test]
    fn the_tree_is_that_of_the_entries(
        leaps in proptest::collection::vec(
            prop_oneof![6 => 0u64..3, 3 => 3u64..70, 1 => 70u64..=1_024], 1..70),
        order in any::<u64>(),
        batches in proptest::collection::vec(1usize..12, 70),
    ) {
        let mut time = 1;
        let mut entries: Vec<Entry> = leaps.iter().enumerate().map(|(n, leap)| {
            time += leap;
            entry_at(time, n as u64, Vec::new())
        }).collect();
        // Old entries arrive after new ones, too.
        if order % 3 > 0 {
            entries.sort_by_key(|entry| entry.cid().digest()[(order % 32) as usize]);
        }
        everywhere(|place| {
            let mut database = open(place);
            let store = documents(&mut database, "things");
            let other = documents(&mut database, "others");
            let readers = Readers::new(place.clone(), 2).with_fingerprints(database.fingerprints());
            let plain = Readers::new(place.clone(), 1);
            let mut expected = IdTree::new();
            let mut rest = entries.as_slice();
            for batch in &batches {
                let (now, later) = rest.split_at((*batch).min(rest.len()));
                rest = later;
                store_all(&mut database, &store, now);
                now.iter().for_each(|entry| { expected.insert(id(entry)); });
                readers.read(NOW, |view| {
                    assert_equal_trees(&view.tree(&store)?, &expected);
                    assert_equal_trees(&view.tree(&other)?, &IdTree::new());
                    Ok(())
                }).unwrap();
                if rest.is_empty() { break; }
            }
            // Without a memory, and in the writer's own.
            plain.read(NOW, |view| {
                assert_equal_trees(&view.tree(&store)?, &expected);
                Ok(())
            }).unwrap();
            assert_equal_trees(&database.view().tree(&store).unwrap(), &expected);
            drop(readers);
            drop(plain);
        });
    }
}

/// A reader that began before a commit sees its own state to the end, and leaves nothing of it for
/// those who see the next one.
#[test]
fn readers_of_two_states_share_what_they_have_in_common() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::File(dir.path().join("optimusdb.sqlite"));
    let mut database = open(&place);
    let store = documents(&mut database, "things");
    let readers = Readers::new(place.clone(), 4).with_fingerprints(database.fingerprints());
    let first: Vec<Entry> = (0..40).map(|n| entry_at(1 + n * 700, n, vec![])).collect();
    let more: Vec<Entry> = (40..50).map(|n| entry_at(1 + n * 700 - 20_000, n, vec![])).collect();
    let last: Vec<Entry> = (50..60).map(|n| entry_at(30_000 + n, n, vec![])).collect();
    for warm in [false, true] {
        let mut expected = ids(&first);
        if !warm {
            store_all(&mut database, &store, &first);
        } else {
            more.iter().chain(&last).for_each(|e| assert!(expected.insert(id(e))));
        }
        readers
            .read(NOW, |old| {
                let old_tree = old.tree(&store)?;
                if warm {
                    assert_equal_trees(&old_tree, &expected);
                    return Ok(());
                }
                // It has begun; what is committed now is not for it.
                old_tree.newest().unwrap();
                store_all(&mut database, &store, &more);
                let between = ids(first.iter().chain(&more));
                readers.read(NOW, |new| {
                    let new_tree = new.tree(&store)?;
                    // In turns, so that each could find what the other left.
                    let root = Cell::root(between.newest().unwrap());
                    for cell in [root, Cell::at(1, 8_000), Cell::at(2, 8_000), root] {
                        assert_eq!(new_tree.summary(cell), between.summary(cell));
                        assert_eq!(old_tree.summary(cell), expected.summary(cell));
                    }
                    store_all(&mut database, &store, &last);
                    assert_equal_trees(&old_tree, &expected);
                    assert_equal_trees(&new_tree, &between);
                    Ok(())
                })
            })
            .unwrap();
    }
}

/// A transaction sees what it did, and what it did is not kept when it is dropped.
#[test]
fn what_is_not_committed_is_not_shared() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let first: Vec<Entry> = (0..20).map(|n| entry_at(1 + n * 90, n, vec![])).collect();
        store_all(&mut database, &store, &first);
        let lost = entry_at(500, 99, vec![]);
        let readers = Readers::new(place.clone(), 2).with_fingerprints(database.fingerprints());
        assert_equal_trees(&database.view().tree(&store).unwrap(), &ids(&first));
        let mut tx = database.begin().unwrap();
        tx.put_entry(&store, &lost).unwrap();
        assert_equal_trees(
            &tx.view().tree(&store).unwrap(),
            &ids(first.iter().chain(std::iter::once(&lost))),
        );
        drop(tx);
        readers
            .read(NOW, |view| {
                assert_equal_trees(&view.tree(&store)?, &ids(&first));
                Ok(())
            })
            .unwrap();
    });
}

/// After the first look, a look after a write reads little: the summaries are kept.
#[test]
fn a_summary_after_a_write_is_made_of_those_that_are_kept() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let entries: Vec<Entry> = (0..300).map(|n| entry_at(1 + n * 40, n, vec![])).collect();
        store_all(&mut database, &store, &entries[..299]);
        let root = Cell::root(Some(entries[299].clock().time));
        database.view().tree(&store).unwrap().summary(root).unwrap();
        store_all(&mut database, &store, &entries[299..]);
        // Damage that only a reading of all ids would meet.
        let db = raw(place);
        db.execute("UPDATE entries SET cid = zeroblob(32) WHERE seq = 1", []).unwrap();
        let expected = ids(&entries).summary(root);
        assert_eq!(database.view().tree(&store).unwrap().summary(root), expected);
        let plain = Readers::new(place.clone(), 1);
        let read = plain.read(NOW, |view| Ok(view.tree(&store)?.summary(root))).unwrap();
        assert_ne!(read, expected, "the damage is not met at all");
    });
}

/// Asks a database, as a peer does over the network.
fn ask(view: View<'_>, request: &Request) -> Reply {
    let find = |log: &Address| {
        let store = view.store_at(log).unwrap();
        Ok(store.map(|store| view.tree(&store).unwrap()))
    };
    Reply::decode(&serve(&request.encode(), find).unwrap()).unwrap()
}

/// Pulls everything from one database into another; gives the requests and the bytes.
fn pull(from: &Database, into: &mut Database, store: &StoreRow) -> (usize, usize) {
    let (mut requests, mut bytes) = (0, 0);
    let mut pull = Pull::new(store.address, PullLimits::default());
    let mut request = Some(pull.start());
    while let Some(asked) = request.take() {
        let reply = ask(from.view(), &asked);
        requests += 1;
        bytes += asked.encode().len() + reply.encode().len();
        let effects = pull.on_reply(&into.view().tree(store).unwrap(), &|_| false, reply).unwrap();
        for effect in effects {
            match effect {
                PullEffect::Ask(next) => request = Some(next),
                PullEffect::Entries { blocks, identities } => {
                    let mut tx = into.begin().unwrap();
                    for block in identities {
                        let identity = Identity::decode(LogCid::of(&block), &block).unwrap();
                        tx.put_block(&identity.cid, &identity.block).unwrap();
                    }
                    for block in blocks {
                        let entry = Entry::decode(LogCid::of(&block), &block).unwrap();
                        for parent in entry.next() {
                            assert!(tx.view().is_stored(parent).unwrap(), "a child comes first");
                        }
                        tx.put_entry(store, &entry).unwrap();
                    }
                    tx.commit().unwrap();
                }
                PullEffect::Done { level } => assert!(level),
            }
        }
    }
    (requests, bytes)
}

#[test]
fn two_databases_become_equal() {
    everywhere(|place| {
        let mut ours = open(place);
        let mut theirs = open(&Place::memory());
        let mut logs = [Writer::new(1, "things"), Writer::new(2, "things")];
        let mut shared = Vec::new();
        for n in 0..60 {
            let entry = logs[0].write(&put(&format!("shared {n}"), map([])), Some(n));
            logs[1].join(&entry);
            shared.push(entry);
        }
        let apart: Vec<Vec<Entry>> = logs
            .iter_mut()
            .map(|w| (0..90).map(|n| w.write(&put(&format!("own {n}"), map([])), None)).collect())
            .collect();
        let here = documents(&mut ours, "things");
        // Row numbers differ between replicas.
        documents(&mut theirs, "before");
        let there = documents(&mut theirs, "things");
        store_all(&mut ours, &here, &shared);
        store_all(&mut ours, &here, &apart[0]);
        store_all(&mut theirs, &there, &shared);
        store_all(&mut theirs, &there, &apart[1]);

        let (requests, _) = pull(&theirs, &mut ours, &here);
        assert!(requests <= 6, "{requests} requests");
        pull(&ours, &mut theirs, &there);
        let all: Vec<Entry> = log(ours.view(), &here);
        assert!(log(theirs.view(), &there) == all && all.len() == 240);
        let (requests, bytes) = pull(&ours, &mut theirs, &there);
        assert!(requests == 1 && bytes < 100, "{requests} requests, {bytes} bytes");
        // And into one that has nothing.
        let mut fresh = open(&Place::memory());
        let store = documents(&mut fresh, "things");
        assert_eq!(pull(&ours, &mut fresh, &store).0, 2);
        assert!(log(fresh.view(), &store) == all);
    });
}

#[test]
fn only_the_store_that_was_named_is_served() {
    everywhere(|place| {
        let mut database = open(place);
        let local = store(&mut database, "validations", StoreKind::Documents, Scope::Local);
        let things = documents(&mut database, "things");
        let others = documents(&mut database, "others");
        let entry = entry_at(1, 1, vec![]);
        let mut secret = Writer::new(1, "validations");
        let secret = secret.write(&put("secret", map([])), None);
        store_all(&mut database, &things, std::slice::from_ref(&entry));
        store_all(&mut database, &local, std::slice::from_ref(&secret));
        let answer = |store: &StoreRef, question| {
            ask(database.view(), &Request { log: store.address, ask: question })
        };
        let unknown = StoreRef { address: address("unknown"), ..things.store };
        assert_eq!(answer(&unknown, Ask::Open { version: 1 }), Reply::Declined(Declined::Unknown));
        assert!(matches!(
            answer(&things, Ask::Open { version: 1 }),
            Reply::Root { newest: Some(1), .. }
        ));
        // By name only what is in the store that was named, and only entries.
        let none = Reply::Blocks { entries: vec![], identities: vec![], more: false };
        for cid in [secret.cid(), keys(1).identity().cid] {
            assert_eq!(answer(&things, Ask::Blocks(vec![cid])), none);
        }
        assert_eq!(answer(&others, Ask::Blocks(vec![entry.cid()])), none);
        let Reply::Blocks { entries, identities, more: false } =
            answer(&things, Ask::Blocks(vec![entry.cid()]))
        else {
            panic!("no blocks")
        };
        assert_eq!(entries, [entry.block()]);
        assert_eq!(identities, [keys(2).identity().block.clone()]);
    });
}

/// Ranges of entries as blocks: bounded by number and bytes, from any place on, links into the
/// range and out of it.
#[test]
fn a_range_of_entries_is_read_in_pieces() {
    everywhere(|place| {
        let mut database = open(place);
        let store = documents(&mut database, "things");
        let mut writer = Writer::new(1, "things");
        let mut entries: Vec<Entry> = (0..50)
            .map(|n| {
                let text = text(&"x".repeat(n * 40));
                writer.write(&put(&n.to_string(), map([("text", text)])), None)
            })
            .collect();
        // Several at one time, naming entries far back and one that is not here.
        for n in 0..5 {
            let next = vec![entries[3].cid(), LogCid::of(b"elsewhere"), entries[40].cid()];
            entries.push(entry_at(30, n, next));
        }
        deliver(&mut database, &store, &entries).unwrap();
        entries.sort_by_key(id);
        let tree = database.view().tree(&store).unwrap();
        let blocks: Vec<Vec<u8>> = entries.iter().map(|e| e.block().to_vec()).collect();
        let all = Span { from: 0, until: 1 << 53 };
        assert!(tree.entries(all, None, 100, usize::MAX).unwrap() == blocks);
        for (n, entry) in entries.iter().enumerate() {
            let time = entry.clock().time;
            let found = tree.entries(all, Some(id(entry)), 4, usize::MAX).unwrap();
            assert!(found == blocks[n + 1..(n + 5).min(blocks.len())]);
            let found =
                tree.entries(Span { from: time, until: time + 3 }, None, 100, 5_000).unwrap();
            let from = entries.iter().position(|e| e.clock().time == time).unwrap();
            let mut bytes = 0;
            let fits = entries[from..]
                .iter()
                .take_while(|e| {
                    bytes += e.block().len();
                    e.clock().time < time + 3 && (bytes <= 5_000 || bytes == e.block().len())
                })
                .count();
            assert!(found == blocks[from..from + fits] && !found.is_empty());
            assert_eq!(tree.entry(&entry.cid()).unwrap().as_deref(), Some(entry.block()));
        }
        let db = raw(place);
        db.execute("UPDATE entries SET sig = substr(sig, 2) WHERE seq = 7", []).unwrap();
        let given = tree.entries(all, None, 100, usize::MAX).unwrap();
        assert_eq!(given.len(), blocks.len() - 1, "a damaged entry is given out");
        assert!(given.iter().all(|block| blocks.contains(block)));
    });
}
