//! Fast sync between honest nodes: what it brings, and what it takes.
#![allow(clippy::unwrap_used)]

mod shelf;

use std::cell::RefCell;
use std::collections::HashMap;

use optimusdb_dag::LogCid;
use optimusdb_dag::limits::{SYNC_BLOCKS_BYTES_MAX, SYNC_ENTRIES_MAX};
use optimusdb_dag::sync::{
    Cell, Holding, Id, IdTree, Pull, PullEffect, PullLimits, Span, Summary, Summing, Tree,
    Unreadable,
};
use proptest::prelude::*;
use shelf::{Growing, Shelf, entry, honest, identity, log, pull, pull_unknown, pull_with, sort};

/// Times as logs have them: a chain, several writers to a tick, leaps up to the limit, far ends.
fn times(entries_max: usize) -> impl Strategy<Value = Vec<u64>> {
    let leap = prop_oneof![8 => 0u64..3, 3 => 3u64..40, 1 => 40u64..=1_024];
    let start = prop_oneof![Just(1u64), Just(1 << 30), Just((1 << 53) - 1_300_000)];
    (start, proptest::collection::vec(leap, 0..entries_max)).prop_map(|(start, leaps)| {
        let mut time = start;
        leaps
            .into_iter()
            .map(|leap| {
                time += leap;
                time
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn two_copies_become_equal(
        times in times(400),
        owners in proptest::collection::vec(0u8..12, 400),
        rarity in 0u8..12,
    ) {
        // Of twelve parts, one or more belong to one side only.
        let all: Vec<_> = times.iter().enumerate().map(|(n, t)| entry(*t, n as u64)).collect();
        let has = |side: u8| Shelf::of(all.iter().zip(&owners).filter(|(_, owner)| {
            **owner >= 2 || **owner == side || **owner < rarity
        }).map(|(entry, _)| entry.clone()));
        let (mut a, mut b) = (has(0), has(1));
        let both = all.iter().filter(|(id, _)| a.tree.contains(id) && b.tree.contains(id)).count();
        let union = all.iter().filter(|(id, _)| a.tree.contains(id) || b.tree.contains(id)).count();
        let apart = union - both;

        let there = pull(&a.clone(), &mut b);
        prop_assert!(there.level);
        prop_assert_eq!(b.tree.len(), union);
        let back = pull(&b, &mut a);
        prop_assert!(back.level);
        prop_assert_eq!(&a.tree, &b.tree);
        prop_assert_eq!(&a.blocks, &b.blocks);
        prop_assert_eq!(there.entries + back.entries, apart);
        for traffic in [there, back] {
            // A root, ten levels at most, and three questions for a place that differs.
            prop_assert!(traffic.requests <= 11 + 3 * apart, "{:?}, {} differ", traffic, apart);
            let beside = traffic.answered_bytes - traffic.entry_bytes;
            prop_assert!(beside <= 100 + 5_000 * 11 * apart.min(64) + 600 * apart, "{:?}", traffic);
            if apart == 0 {
                prop_assert!(traffic.requests == 1 && traffic.answered_bytes < 100);
            }
        }
    }

    /// The streaming computation gives what the definition gives.
    #[test]
    fn summaries_follow_the_definition(times in times(300)) {
        let tree: IdTree =
            times.iter().enumerate().map(|(n, t)| Id { time: *t, cid: LogCid::of(&n.to_be_bytes()) }).collect();
        let root = Cell::root(tree.newest().unwrap());
        let mut closed = HashMap::new();
        let mut summing = Summing::new(root);
        for id in tree.iter() {
            summing.add(id, &mut |cell, summary| { closed.insert(cell, summary); });
        }
        let summary = summing.finish(&mut |cell, summary| { closed.insert(cell, summary); });
        prop_assert_eq!(summary.count as usize, tree.len());
        prop_assert_eq!(summary, defined(&tree, root));
        for (cell, summary) in &closed {
            prop_assert_eq!(*summary, defined(&tree, *cell));
            prop_assert_eq!(*summary, tree.summary(*cell).unwrap());
        }
        // Known summaries in place of the ids in them make no difference.
        let inner: Vec<Cell> = closed.keys().filter(|c| c.level() == 1 && **c != root).copied().collect();
        let mut summing = Summing::new(root);
        let mut next = 0;
        for id in tree.iter() {
            if id.time < next { continue; }
            match inner.iter().find(|c| c.span().contains(id.time) && c.index() % 2 == 0) {
                Some(cell) => {
                    summing.add_cell(*cell, closed[cell], &mut |_, _| {});
                    next = cell.span().until;
                }
                None => summing.add(id, &mut |_, _| {}),
            }
        }
        prop_assert_eq!(summing.finish(&mut |_, _| {}), summary);
    }
}

/// The summary of a cell, written as the document says it.
fn defined(tree: &IdTree, cell: Cell) -> Summary {
    let ids: Vec<&Id> = tree.iter().filter(|id| cell.span().contains(id.time)).collect();
    if ids.is_empty() {
        return Summary::EMPTY;
    }
    let mut bytes = vec![u8::from(cell.level() > 0)];
    if cell.level() == 0 {
        bytes.extend(ids.iter().flat_map(|id| *id.cid.digest()));
    } else {
        let mut slots: Vec<u8> =
            ids.iter().map(|id| Cell::at(cell.level() - 1, id.time).slot()).collect();
        slots.dedup();
        for slot in slots {
            let child = defined(tree, cell.child(slot).unwrap());
            bytes.push(slot);
            bytes.extend(child.count.to_be_bytes());
            bytes.extend(child.hash);
        }
    }
    Summary { count: ids.len() as u64, hash: *LogCid::of(&bytes).digest() }
}

/// A million ids whose summaries were computed in one pass.
struct Large {
    newest: u64,
    cells: HashMap<Cell, Summary>,
    tree: IdTree,
}

impl Large {
    fn chain(entries: u64, without: Option<u64>) -> Large {
        let mut cells = HashMap::new();
        let mut summing = Summing::new(Cell::root(Some(entries)));
        let mut tree = IdTree::new();
        for time in (1..=entries).filter(|time| Some(*time) != without) {
            let mut digest = [7; 32];
            digest[..8].copy_from_slice(&time.to_be_bytes());
            let id = Id { time, cid: LogCid::from_digest(digest) };
            summing.add(&id, &mut |cell, summary| {
                cells.insert(cell, summary);
            });
            // Only the neighbourhood that the tests ask for is kept id by id.
            if without.is_some_and(|without| without.abs_diff(time) < 64) || time == 500_000 {
                tree.insert(id);
            }
        }
        summing.finish(&mut |cell, summary| {
            cells.insert(cell, summary);
        });
        Large { newest: entries, cells, tree }
    }
}

impl Tree for Large {
    fn newest(&self) -> Result<Option<u64>, Unreadable> {
        Ok(Some(self.newest))
    }
    fn summary(&self, cell: Cell) -> Result<Summary, Unreadable> {
        Ok(self.cells.get(&cell).copied().unwrap_or(Summary::EMPTY))
    }
    fn children(&self, cell: Cell) -> Result<Vec<(Cell, Summary)>, Unreadable> {
        let children = (0..64).filter_map(|slot| {
            let child = cell.child(slot)?;
            Some((child, *self.cells.get(&child)?))
        });
        Ok(children.collect())
    }
    fn ids(&self, span: Span, after: Option<Id>, ids_max: usize) -> Result<Vec<Id>, Unreadable> {
        self.tree.ids(span, after, ids_max)
    }
}

impl Holding for Large {
    fn tree(&self) -> &dyn Tree {
        self
    }
    fn entries(
        &self,
        _: Span,
        _: Option<Id>,
        _: usize,
        _: usize,
    ) -> Result<Vec<Vec<u8>>, Unreadable> {
        Ok(Vec::new())
    }
    fn entry(&self, _: &LogCid) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }
    fn identity(&self, _: &LogCid) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }
}

#[test]
fn a_million_equal_entries_are_one_short_round_trip() {
    let large = Large::chain(1_000_000, None);
    let traffic = pull_with(
        PullLimits::default(),
        &large,
        &mut |request| honest(&large, request),
        &mut |_, _| unreachable!("nothing is missing"),
    )
    .unwrap();
    assert!(traffic.level);
    assert_eq!((traffic.requests, traffic.entries), (1, 0));
    assert_eq!((traffic.asked_bytes, traffic.answered_bytes), (34, 39));
}

/// One entry in the midst of 300,000 is found with a handful of questions and asked for by name.
#[test]
fn one_missing_entry_is_found_by_descending() {
    let missing = 150_000;
    let without = Large::chain(300_000, Some(missing));
    let mut with = Large::chain(300_000, None);
    // The server must list the leaf.
    with.tree = without.tree.clone();
    let mut digest = [7; 32];
    digest[..8].copy_from_slice(&missing.to_be_bytes());
    let lost = Id { time: missing, cid: LogCid::from_digest(digest) };
    with.tree.insert(lost);
    let mut asked = Vec::new();
    let mut bytes = 0;
    let mut pull = Pull::new(log(), PullLimits::default());
    let mut request = pull.start();
    loop {
        asked.push(sort(&request.ask));
        if let optimusdb_dag::sync::Ask::Blocks(cids) = &request.ask {
            assert_eq!(cids, &[lost.cid]);
            assert_eq!(pull.progress().behind, 1);
            break;
        }
        let reply = honest(&with, &request);
        bytes += request.encode().len() + reply.encode().len();
        let effects = pull.on_reply(&without, &|_| false, reply).unwrap();
        let [PullEffect::Ask(next)] = effects.as_slice() else { panic!("{effects:?}") };
        request = next.clone();
    }
    assert_eq!(asked, ["open", "children", "children", "children", "ids", "blocks"]);
    assert!(bytes < 9_000, "{bytes} bytes");
}

#[test]
fn a_fresh_node_takes_one_question_a_batch() {
    let from = Shelf::of((1..=3_000).map(|n| entry(n, n)));
    let mut into = Shelf::default();
    let traffic = pull(&from, &mut into);
    assert_eq!(into.tree, from.tree);
    // Entries of 500 bytes: it is their number that a batch is full of.
    assert_eq!(traffic.requests, 1 + 3_000usize.div_ceil(SYNC_ENTRIES_MAX));
    assert_eq!(traffic.identities, 3, "each identity is handed over once");
    let beside = traffic.answered_bytes - traffic.entry_bytes;
    assert!(beside < 3_000 * 3 + 3 * 3 * 500 + 100, "{beside} bytes");
}

#[test]
fn who_is_a_little_behind_takes_few_questions() {
    for behind in [1u64, 20, 300, 2_500] {
        let from = Shelf::of(
            (1..=70_000).step_by(10).chain(70_001..=70_000 + behind).map(|n| entry(n, n)),
        );
        let mut into = Shelf::of((1..=70_000).step_by(10).map(|n| entry(n, n)));
        let traffic = pull(&from, &mut into);
        assert_eq!(into.tree, from.tree);
        assert_eq!(traffic.entries as u64, behind);
        assert!(traffic.requests <= 10, "{behind} behind: {traffic:?}");
        let beside = traffic.answered_bytes - traffic.entry_bytes + traffic.asked_bytes;
        assert!(beside < 20_000, "{behind} behind: {traffic:?}");
    }
}

#[test]
fn who_is_ahead_pulls_nothing() {
    let mut ahead = Shelf::of((1..=500).map(|n| entry(n, n)));
    let behind = Shelf::of((1..=400).map(|n| entry(n, n)));
    let traffic = pull(&behind, &mut ahead);
    assert!(traffic.level && traffic.entries == 0 && traffic.requests <= 4, "{traffic:?}");
    let traffic = pull(&Shelf::default(), &mut ahead);
    assert_eq!((traffic.level, traffic.requests, traffic.answered_bytes), (true, 1, 2));
    let traffic = pull(&Shelf::default(), &mut Shelf::default());
    assert_eq!((traffic.level, traffic.requests), (true, 1));
}

/// Thousands of entries in one tick, half of them on each side: lists of ids come page by page.
#[test]
fn a_crowded_tick_is_listed_in_pages() {
    let all: Vec<_> = (0..9_000).map(|n| entry(77, n)).collect();
    let from = Shelf::of(all.iter().take(7_000).cloned());
    let mut into = Shelf::of(all.iter().skip(2_000).cloned());
    let traffic = pull(&from, &mut into);
    assert_eq!(into.tree.len(), 9_000);
    assert_eq!(traffic.entries, 2_000);
    // Four pages of 2,048 ids, and for each the blocks that are missing.
    assert!(traffic.requests <= 2 + 2 * 4, "{traffic:?}");
}

#[test]
fn large_entries_fill_a_batch_and_the_largest_still_come() {
    let large = |time: u64, bytes: usize| {
        let parts = optimusdb_dag::StoredEntry {
            cid: LogCid::from_digest([0; 32]),
            log: log(),
            key: hex::encode([9; 33]),
            identity: LogCid::of(&identity(9)),
            sig_der: vec![9; 70],
            next: Vec::new(),
            refs: Vec::new(),
            time,
            payload_cbor: [&[0x5a][..], &(bytes as u32).to_be_bytes(), &vec![1; bytes]].concat(),
        };
        let block = parts.block();
        (Id { time, cid: LogCid::of(&block) }, block)
    };
    let sizes =
        [400_000, 400_000, 400_000, 2_000_000, 2_000_000, 70_000, 70_000, 1_100_000, 70_000];
    let all: Vec<_> = sizes.iter().enumerate().map(|(n, b)| large(n as u64 + 1, *b)).collect();
    let from = Shelf::of(all.clone());
    let mut into = Shelf::of(all[5..6].iter().cloned());
    let traffic = pull(&from, &mut into);
    assert_eq!(into.tree, from.tree);
    assert_eq!(traffic.entries, 8);
    // After the root and the ids: two together, the others alone.
    assert_eq!(traffic.requests, 2 + 7);
    assert!(traffic.answered_bytes < traffic.entry_bytes + 7 * 500 + 1_000);
    assert!(sizes[0] * 2 < SYNC_BLOCKS_BYTES_MAX && sizes[0] * 3 > SYNC_BLOCKS_BYTES_MAX);
}

/// The other side grows while it is being read, and so do we.
#[test]
fn growth_on_both_sides_is_no_offence() {
    let all: Vec<_> = (1..=2_000u64).map(|n| entry(n / 2 + 1, n)).collect();
    let mut from = Shelf::of(all.iter().filter(|(id, _)| id.cid.digest()[0] % 2 == 0).cloned());
    let ours = Shelf::of(all.iter().filter(|(id, _)| id.cid.digest()[1] % 2 == 0).cloned());
    let into = RefCell::new(ours);
    let mut more = all.iter().filter(|(id, _)| id.cid.digest()[0] % 2 == 1);
    let traffic = pull_with(
        PullLimits::default(),
        &Growing(&into),
        &mut |request| {
            let reply = honest(&from, request);
            // After every answer some more arrive, all over the log.
            for (id, block) in more.by_ref().take(40) {
                from.put(*id, block.clone());
            }
            reply
        },
        &mut |blocks, _| {
            for block in blocks {
                let id = all.iter().find(|(id, _)| id.cid == LogCid::of(block)).unwrap().0;
                into.borrow_mut().put(id, block.clone());
            }
        },
    )
    .unwrap();
    assert!(traffic.level && traffic.entries > 400, "{traffic:?}");
    // Another pull brings what came too late for the first.
    for (id, block) in more {
        from.put(*id, block.clone());
    }
    let mut into = into.into_inner();
    pull(&from, &mut into);
    assert!(from.tree.iter().all(|id| into.tree.contains(id)));
}

/// With few cells in mind it takes more questions and brings the same.
#[test]
fn a_small_memory_brings_the_same() {
    let all: Vec<_> = (1..=20_000u64).map(|n| entry(n, n)).collect();
    let from = Shelf::of(all.iter().cloned());
    let into = RefCell::new(Shelf::of(
        all.iter().filter(|(id, _)| id.time % 100 != 0 && id.time < 15_000).cloned(),
    ));
    let mut asked = 0;
    let limits = PullLimits { cells_max: 20, ..PullLimits::default() };
    let traffic = pull_with(
        limits,
        &Growing(&into),
        &mut |request| {
            asked += 1;
            honest(&from, request)
        },
        &mut |blocks, _| {
            for block in blocks {
                into.borrow_mut().put(from.by_cid[&LogCid::of(block)], block.clone());
            }
        },
    )
    .unwrap();
    assert!(traffic.level);
    assert_eq!(into.borrow().tree, from.tree);
    assert!(asked < 150, "{asked} questions");
}

/// A pull ends at its bound, and the next goes on where it ended.
#[test]
fn many_entries_are_pulled_in_rounds() {
    let from = Shelf::of((1..=5_000).map(|n| entry(n, n)));
    let into = RefCell::new(Shelf::default());
    let mut rounds = 0;
    loop {
        rounds += 1;
        let limits = PullLimits { entries_max: 2_000, ..PullLimits::default() };
        let traffic = pull_with(
            limits,
            &Growing(&into),
            &mut |request| honest(&from, request),
            &mut |blocks, _| {
                for block in blocks {
                    into.borrow_mut().put(from.by_cid[&LogCid::of(block)], block.clone());
                }
            },
        )
        .unwrap();
        if traffic.level {
            break;
        }
        assert!(traffic.entries >= 2_000);
    }
    assert_eq!(rounds, 3);
    assert_eq!(into.borrow().tree, from.tree);
}

/// What was refused here for good is listed and not fetched again.
#[test]
fn known_entries_are_not_asked_for() {
    let from = Shelf::of((1..=300).map(|n| entry(n, n)));
    let lacking = entry(300, 300).0;
    let ours = Shelf::of((1..=299).map(|n| entry(n, n)));
    let traffic = pull_unknown(
        PullLimits::default(),
        (&ours.tree, &|cid| *cid == lacking.cid),
        &mut |request| honest(&from, request),
        &mut |_, _| unreachable!("it is known"),
    )
    .unwrap();
    assert!(traffic.level && traffic.entries == 0 && traffic.requests == 3, "{traffic:?}");
}
