//! Blocks to be asked for, a line for each peer that caused them.
//!
//! Lines take turns, so no peer's holds up another's. How many of a line are asked
//! for at a time grows with what is found and shrinks with what nobody has: an
//! entry that names a thousand parents which do not exist costs a handful of
//! fetches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Peer;
use crate::LogCid;
use crate::limits::{FETCHES_FIRST, FETCHES_MAX, FETCHES_MIN};

/// Blocks up to which the lines are counted again after every turn, in builds with assertions.
const CHECKED_FETCHES_MAX: usize = 256;

/// Why a block is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cause {
    /// Who showed what needs it.
    pub(super) peer: Option<Peer>,
    /// The head that needs it.
    pub(super) head: Option<LogCid>,
}

#[derive(Debug)]
struct Line {
    waiting: VecDeque<(LogCid, Option<LogCid>)>,
    open: usize,
    /// How many may be open.
    window: usize,
}

#[derive(Debug, Default)]
pub(super) struct Fetches {
    lines: BTreeMap<Option<Peer>, Line>,
    waiting: BTreeSet<LogCid>,
    open: BTreeMap<LogCid, Cause>,
    last: Option<Peer>,
}

impl Fetches {
    /// Puts a block in its line, unless it is in one or asked for.
    pub(super) fn want(&mut self, cid: LogCid, cause: Cause) {
        if !self.open.contains_key(&cid) && self.waiting.insert(cid) {
            self.line(cause.peer).waiting.push_back((cid, cause.head));
        }
    }

    /// Notes that a block is asked for out of turn; false if it is already.
    pub(super) fn open(&mut self, cid: LogCid, cause: Cause) -> bool {
        if self.open.contains_key(&cid) {
            return false;
        }
        if self.waiting.remove(&cid) {
            self.lines
                .values_mut()
                .for_each(|line| line.waiting.retain(|(other, _)| *other != cid));
        }
        self.line(cause.peer).open += 1;
        self.open.insert(cid, cause);
        true
    }

    fn line(&mut self, peer: Option<Peer>) -> &mut Line {
        let empty = || Line { waiting: VecDeque::new(), open: 0, window: FETCHES_FIRST };
        self.lines.entry(peer).or_insert_with(empty)
    }

    /// The next block to ask for; it counts as asked for.
    pub(super) fn next(&mut self) -> Option<(LogCid, Cause)> {
        if self.open.len() >= FETCHES_MAX {
            return None;
        }
        let may = |(peer, line): (&Option<Peer>, &Line)| {
            (line.open < line.window && !line.waiting.is_empty()).then_some(*peer)
        };
        use std::ops::Bound::{Excluded, Unbounded};
        let after = self.lines.range((Excluded(self.last), Unbounded)).find_map(may);
        let peer = after.or_else(|| self.lines.iter().find_map(may))?;
        self.last = peer;
        let line = self.line(peer);
        let (cid, head) = line.waiting.pop_front()?;
        line.open += 1;
        let cause = Cause { peer, head };
        self.waiting.remove(&cid);
        self.open.insert(cid, cause);
        Some((cid, cause))
    }

    /// A block has come, or nobody has it; why it was asked for, if it was.
    pub(super) fn done(&mut self, cid: &LogCid, found: bool) -> Option<Cause> {
        let cause = self.open.remove(cid)?;
        let line = self.line(cause.peer);
        line.open -= 1;
        line.window = match found {
            true => (line.window + 1).min(FETCHES_MAX),
            false => (line.window / 2).max(FETCHES_MIN),
        };
        if line.open == 0 && line.waiting.is_empty() {
            self.lines.remove(&cause.peer);
        }
        Some(cause)
    }

    /// A block that was asked for is not needed any more.
    pub(super) fn forget(&mut self, cid: &LogCid) {
        if let Some(cause) = self.open.remove(cid) {
            self.line(cause.peer).open -= 1;
            self.lines.retain(|_, line| line.open > 0 || !line.waiting.is_empty());
        }
    }

    /// Takes out what waits for the sake of this head.
    pub(super) fn drop_of(&mut self, head: &LogCid) -> Vec<LogCid> {
        self.drop_where(|_, of| of == Some(*head))
    }

    /// Takes out what waits because of a pull from this peer.
    pub(super) fn drop_pulled(&mut self, peer: Peer) -> Vec<LogCid> {
        self.drop_where(|line, head| line == Some(peer) && head.is_none())
    }

    fn drop_where(
        &mut self,
        is_dropped: impl Fn(Option<Peer>, Option<LogCid>) -> bool,
    ) -> Vec<LogCid> {
        let mut dropped = Vec::new();
        for (peer, line) in &mut self.lines {
            line.waiting.retain(|(cid, head)| {
                let drop = is_dropped(*peer, *head);
                if drop {
                    dropped.push(*cid);
                }
                !drop
            });
        }
        for cid in &dropped {
            self.waiting.remove(cid);
        }
        self.lines.retain(|_, line| line.open > 0 || !line.waiting.is_empty());
        dropped
    }

    /// Nothing that waits is needed any more. What is asked for may still come.
    pub(super) fn clear_waiting(&mut self) {
        self.waiting.clear();
        self.lines.values_mut().for_each(|line| line.waiting.clear());
        self.lines.retain(|_, line| line.open > 0);
    }

    /// Asserts that the lines hold what the accounts say, as far as that is quickly counted.
    pub(super) fn check(&self) {
        if self.len() > CHECKED_FETCHES_MAX {
            return;
        }
        let waiting: usize = self.lines.values().map(|line| line.waiting.len()).sum();
        debug_assert_eq!(self.waiting.len(), waiting, "blocks that wait in a line");
        for (peer, line) in &self.lines {
            let open = self.open.values().filter(|cause| cause.peer == *peer).count();
            debug_assert_eq!(line.open, open, "blocks asked for because of {peer:?}");
            debug_assert!((FETCHES_MIN..=FETCHES_MAX).contains(&line.window), "{}", line.window);
            for (cid, _) in &line.waiting {
                debug_assert!(self.waiting.contains(cid), "{cid} waits and is not counted");
                debug_assert!(!self.open.contains_key(cid), "{cid} waits and is asked for");
            }
        }
        for cause in self.open.values() {
            debug_assert!(self.lines.contains_key(&cause.peer), "{cause:?} has no line");
        }
    }

    /// Blocks asked for and waiting to be.
    pub(super) fn len(&self) -> usize {
        self.open.len() + self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cid(n: u64) -> LogCid {
        LogCid::of(&n.to_be_bytes())
    }

    fn cause(peer: u64) -> Cause {
        Cause { peer: Some(Peer(peer)), head: Some(cid(1_000 + peer)) }
    }

    #[test]
    fn a_long_line_holds_up_no_other_and_costs_little() {
        let mut fetches = Fetches::default();
        (0..500).for_each(|n| fetches.want(cid(n), cause(1)));
        fetches.want(cid(900), cause(2));
        let (mut asked, mut of_other) = (Vec::new(), 0);
        while let Some((cid, cause)) = fetches.next() {
            of_other += usize::from(cause.peer == Some(Peer(2)));
            asked.push(cid);
        }
        assert_eq!((asked.len(), of_other), (FETCHES_FIRST + 1, 1));
        for cid in &asked[..4] {
            assert!(fetches.done(cid, false).is_some());
        }
        assert_eq!(fetches.next(), None, "the line is not asked for faster than it is answered");
        assert_eq!(fetches.drop_of(&cid(1_001)).len(), 500 - FETCHES_FIRST);
        assert_eq!(fetches.len(), asked.len() - 4);
    }

    #[test]
    fn what_is_found_is_asked_for_faster() {
        let mut fetches = Fetches::default();
        (0..1_000).for_each(|n| fetches.want(cid(n), cause(1)));
        let (mut open, mut most) = (VecDeque::new(), 0);
        for _ in 0..400 {
            while let Some((cid, _)) = fetches.next() {
                open.push_back(cid);
            }
            most = most.max(open.len());
            fetches.done(&open.pop_front().unwrap(), true);
        }
        assert_eq!(most, FETCHES_MAX);
    }
}
