//! Summaries of the sync trees, kept in memory for all readers of a database.
//!
//! A summary says something about one state of a store, and readers look at different ones: each at
//! the snapshot that it began with. States are told apart by the number of the store's entries,
//! which every commit that adds some raises. Invariants:
//!
//! - A kept summary holds for every state since some commit; no later commit touched its times.
//! - A commit is made known before it happens. It takes away the summaries of the times in it, and
//!   from then on a reader of an older state neither finds nor leaves any there.
//! - So a reader finds what it would have computed itself. Should a commit not happen after all, its
//!   times are read anew until the next one, and nothing is wrong.
//!
//! It is bounded: summaries of the lowest levels, which are the cheapest to compute, are let go
//! first, and of the commits the oldest are remembered together.

use crate::limits::{FINGERPRINT_CELLS_MAX, FINGERPRINT_COMMITS_MAX};
use crate::stores::StoreId;
use optimusdb_dag::limits::SYNC_LEVELS_MAX;
use optimusdb_dag::sync::{Cell, Span, Summary};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The summaries that the readers of one [`crate::Database`] share.
#[derive(Debug, Default)]
pub struct Fingerprints {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    stores: HashMap<StoreId, Store>,
    cells: usize,
}

#[derive(Debug, Default)]
struct Store {
    // By level, then by index.
    cells: [HashMap<u64, Summary>; SYNC_LEVELS_MAX as usize],
    // Oldest first, by the state that each leads to.
    commits: VecDeque<Commit>,
}

/// The times of the entries that lead to a state.
#[derive(Debug, Clone, Copy)]
struct Commit {
    entries: i64,
    times: Span,
}

impl Fingerprints {
    /// The state of `store` is about to become that of `entries` entries, with new ones at these
    /// times.
    pub(crate) fn changing(&self, store: StoreId, entries: i64, times: Span) {
        let mut kept = self.kept();
        let kept = &mut *kept;
        let store = kept.stores.entry(store).or_default();
        // A state that was announced and never came: states only go up.
        while store.commits.back().is_some_and(|last| last.entries >= entries) {
            store.commits.pop_back();
        }
        store.commits.push_back(Commit { entries, times });
        if store.commits.len() > FINGERPRINT_COMMITS_MAX
            && let (Some(first), Some(second)) =
                (store.commits.pop_front(), store.commits.front_mut())
        {
            second.times.from = second.times.from.min(first.times.from);
            second.times.until = second.times.until.max(first.times.until);
        }
        for (level, cells) in (0..).zip(&mut store.cells) {
            let from = Cell::at(level, times.from).index();
            let until = Cell::at(level, times.until - 1).index();
            let before = cells.len();
            if until - from < before as u64 {
                for index in from..=until {
                    cells.remove(&index);
                }
            } else {
                cells.retain(|index, _| !(from..=until).contains(index));
            }
            kept.cells -= before - cells.len();
        }
        let is_ordered = store.commits.iter().is_sorted_by(|a, b| a.entries < b.entries);
        debug_assert!(is_ordered, "commits are not in the order of their states");
        debug_assert!(store.commits.len() <= FINGERPRINT_COMMITS_MAX, "too many commits are known");
        kept.check();
    }

    /// The summary of a cell in the state of `entries` entries, if it is kept.
    pub(crate) fn get(&self, store: StoreId, entries: i64, cell: Cell) -> Option<Summary> {
        let kept = self.kept();
        let store = kept.stores.get(&store)?;
        store.find(entries, cell)
    }

    /// The largest cell below `level` that is kept, holds `time` and begins at `from` or later.
    pub(crate) fn largest(
        &self,
        store: StoreId,
        entries: i64,
        level: u8,
        time: u64,
        from: u64,
    ) -> Option<(Cell, Summary)> {
        let kept = self.kept();
        let store = kept.stores.get(&store)?;
        (0..level).rev().map(|level| Cell::at(level, time)).find_map(|cell| {
            if cell.span().from < from {
                return None;
            }
            Some((cell, store.find(entries, cell)?))
        })
    }

    /// Keeps summaries that were computed in the state of `entries` entries, as far as they still
    /// hold.
    pub(crate) fn keep(
        &self,
        store: StoreId,
        entries: i64,
        cells: impl Iterator<Item = (Cell, Summary)>,
    ) {
        let mut kept = self.kept();
        let kept = &mut *kept;
        let store = kept.stores.entry(store).or_default();
        for (cell, summary) in cells {
            if store.is_changed(entries, cell.span()) {
                continue;
            }
            let level = &mut store.cells[usize::from(cell.level())];
            if level.insert(cell.index(), summary).is_none() {
                kept.cells += 1;
            }
        }
        kept.shrink();
        kept.check();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Lets the lowest levels go until there is room.
    fn shrink(&mut self) {
        let mut level = 0;
        while self.cells > FINGERPRINT_CELLS_MAX && level < usize::from(SYNC_LEVELS_MAX) {
            for store in self.stores.values_mut() {
                self.cells -= store.cells[level].len();
                store.cells[level] = HashMap::new();
            }
            level += 1;
        }
    }

    /// The account of summaries is that of what is kept, and within its bound.
    fn check(&self) {
        let cells = self.stores.values().flat_map(|store| &store.cells).map(HashMap::len);
        debug_assert_eq!(self.cells, cells.sum::<usize>(), "summaries that are kept");
        debug_assert!(self.cells <= FINGERPRINT_CELLS_MAX, "too many summaries are kept");
    }
}

impl Store {
    fn find(&self, entries: i64, cell: Cell) -> Option<Summary> {
        let summary = self.cells[usize::from(cell.level())].get(&cell.index())?;
        if self.is_changed(entries, cell.span()) { None } else { Some(*summary) }
    }

    /// Whether a commit after the state of `entries` entries adds something at these times.
    fn is_changed(&self, entries: i64, span: Span) -> bool {
        let mut newer = self.commits.iter().rev().take_while(|commit| commit.entries > entries);
        newer.any(|Commit { times, .. }| times.from < span.until && span.from < times.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use optimusdb_dag::LogCid;
    use optimusdb_dag::sync::{Id, IdTree, Tree};
    use proptest::prelude::*;

    const STORE: StoreId = 7;

    #[derive(Debug, Clone)]
    enum Happening {
        /// Entries at these times are announced and committed.
        Commit(Vec<u64>),
        /// They are announced, and the commit fails.
        Fail(Vec<u64>),
        /// A reader begins at the state that is committed.
        Begin,
        /// The n-th reader looks a cell up, and leaves what it computed.
        Read(usize, u8, u64),
        /// The n-th reader ends.
        End(usize),
    }

    fn happening() -> impl Strategy<Value = Happening> {
        let times = || proptest::collection::vec(1u64..5_000, 1..5);
        prop_oneof![
            3 => times().prop_map(Happening::Commit),
            1 => times().prop_map(Happening::Fail),
            2 => Just(Happening::Begin),
            8 => (0usize..4, 0u8..4, 0u64..5_000).prop_map(|(n, l, t)| Happening::Read(n, l, t)),
            1 => (0usize..4).prop_map(Happening::End),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Whatever happens in between, a reader finds what it would compute itself.
        #[test]
        fn every_reader_finds_what_is_true_for_it(
            happenings in proptest::collection::vec(happening(), 1..80),
        ) {
            let fingerprints = Fingerprints::default();
            let mut committed = IdTree::new();
            let mut readers: Vec<IdTree> = vec![IdTree::new()];
            let mut n = 0u64;
            let mut grown = |tree: &IdTree, times: &[u64]| {
                let mut tree = tree.clone();
                for time in times {
                    n += 1;
                    tree.insert(Id { time: *time, cid: LogCid::of(&n.to_be_bytes()) });
                }
                tree
            };
            for happening in happenings {
                match happening {
                    Happening::Commit(times) => {
                        let next = grown(&committed, &times);
                        announce(&fingerprints, &next, &times);
                        committed = next;
                    }
                    Happening::Fail(times) => {
                        let next = grown(&committed, &times);
                        announce(&fingerprints, &next, &times);
                    }
                    Happening::Begin if readers.len() < 4 => readers.push(committed.clone()),
                    Happening::Begin => readers[0] = committed.clone(),
                    Happening::End(at) => {
                        readers.remove(at % readers.len());
                        if readers.is_empty() {
                            readers.push(committed.clone());
                        }
                    }
                    Happening::Read(at, level, time) => {
                        let tree = &readers[at % readers.len()];
                        let state = tree.len() as i64;
                        let cell = Cell::at(level, time);
                        let truth = tree.summary(cell).unwrap();
                        if let Some(found) = fingerprints.get(STORE, state, cell) {
                            prop_assert_eq!(found, truth);
                        }
                        if let Some((known, found)) = fingerprints.largest(STORE, state, 4, time, 0) {
                            prop_assert!(known.span().contains(time));
                            prop_assert_eq!(found, tree.summary(known).unwrap());
                        }
                        if !truth.is_empty() {
                            fingerprints.keep(STORE, state, std::iter::once((cell, truth)));
                        }
                    }
                }
            }
            fingerprints.kept().check();
        }
    }

    fn announce(fingerprints: &Fingerprints, next: &IdTree, times: &[u64]) {
        let from = *times.iter().min().unwrap();
        let until = *times.iter().max().unwrap() + 1;
        fingerprints.changing(STORE, next.len() as i64, Span { from, until });
    }

    fn some(n: u64) -> Summary {
        Summary { count: n + 1, hash: [1; 32] }
    }

    #[test]
    fn it_is_bounded_and_keeps_the_upper_levels() {
        let fingerprints = Fingerprints::default();
        for store in 0..4 {
            for level in (0..4u8).rev() {
                let cells = (0..10_000u64).map(|n| (Cell::new(level, n).unwrap(), some(n)));
                fingerprints.keep(store, 1, cells);
                assert!(fingerprints.kept().cells <= FINGERPRINT_CELLS_MAX);
            }
        }
        let is_kept = |level| fingerprints.get(0, 1, Cell::new(level, 5).unwrap()).is_some();
        assert!(is_kept(3) && !is_kept(0));
        for store in 0..4 {
            for n in 1..5_000 {
                fingerprints.changing(store, n, Span { from: 3, until: 4 });
            }
        }
        assert!(
            fingerprints.kept().stores.values().all(|s| s.commits.len() == FINGERPRINT_COMMITS_MAX)
        );
        // Long ago, and still not forgotten: an old reader finds nothing there, and leaves nothing.
        let (there, elsewhere) = (Cell::new(3, 0).unwrap(), Cell::new(3, 9).unwrap());
        fingerprints.keep(0, 1, [(there, some(0)), (elsewhere, some(9))].into_iter());
        assert_eq!(fingerprints.get(0, 1, there), None);
        assert_eq!(fingerprints.get(0, 4_999, there), None);
        assert_eq!(fingerprints.get(0, 1, elsewhere), Some(some(9)));
    }
}
