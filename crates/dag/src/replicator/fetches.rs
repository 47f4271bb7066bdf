//! Blocks to be asked for, in a queue for each peer that caused them.
//!
//! Queues take turns, so a long one holds up no other. How many blocks of a queue
//! are asked for at a time grows with each that is found and shrinks with each that
//! nobody has: an entry that names a thousand parents which do not exist costs a
//! handful of fetches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Peer;
use crate::LogCid;
use crate::limits::{FETCHES_FIRST, FETCHES_MAX, FETCHES_MIN};

/// Blocks up to which the queues are counted again after every turn, in builds with assertions.
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
struct PeerQueue {
    waiting: VecDeque<(LogCid, Option<LogCid>)>,
    open: usize,
    /// How many may be open.
    window: usize,
}

#[derive(Debug, Default)]
pub(super) struct Fetches {
    queues: BTreeMap<Option<Peer>, PeerQueue>,
    waiting: BTreeSet<LogCid>,
    open: BTreeMap<LogCid, Cause>,
    last: Option<Peer>,
}

impl Fetches {
    /// Puts a block in the queue of its peer, unless it is in a queue or asked for.
    pub(super) fn want(&mut self, cid: LogCid, cause: Cause) {
        if !self.open.contains_key(&cid) && self.waiting.insert(cid) {
            self.queue(cause.peer).waiting.push_back((cid, cause.head));
        }
    }

    /// Notes that a block is asked for out of turn; false if it is already.
    pub(super) fn open(&mut self, cid: LogCid, cause: Cause) -> bool {
        if self.open.contains_key(&cid) {
            return false;
        }
        if self.waiting.remove(&cid) {
            self.queues
                .values_mut()
                .for_each(|queue| queue.waiting.retain(|(other, _)| *other != cid));
        }
        self.queue(cause.peer).open += 1;
        self.open.insert(cid, cause);
        true
    }

    fn queue(&mut self, peer: Option<Peer>) -> &mut PeerQueue {
        let empty = || PeerQueue { waiting: VecDeque::new(), open: 0, window: FETCHES_FIRST };
        self.queues.entry(peer).or_insert_with(empty)
    }

    /// The next block to ask for; it counts as asked for.
    pub(super) fn next(&mut self) -> Option<(LogCid, Cause)> {
        if self.open.len() >= FETCHES_MAX {
            return None;
        }
        let may = |(peer, queue): (&Option<Peer>, &PeerQueue)| {
            (queue.open < queue.window && !queue.waiting.is_empty()).then_some(*peer)
        };
        use std::ops::Bound::{Excluded, Unbounded};
        let after = self.queues.range((Excluded(self.last), Unbounded)).find_map(may);
        let peer = after.or_else(|| self.queues.iter().find_map(may))?;
        self.last = peer;
        let queue = self.queue(peer);
        let (cid, head) = queue.waiting.pop_front()?;
        queue.open += 1;
        let cause = Cause { peer, head };
        self.waiting.remove(&cid);
        self.open.insert(cid, cause);
        Some((cid, cause))
    }

    /// A block has come, or nobody has it; why it was asked for, if it was.
    pub(super) fn done(&mut self, cid: &LogCid, found: bool) -> Option<Cause> {
        let cause = self.open.remove(cid)?;
        let queue = self.queue(cause.peer);
        queue.open -= 1;
        queue.window = match found {
            true => (queue.window + 1).min(FETCHES_MAX),
            false => (queue.window / 2).max(FETCHES_MIN),
        };
        if queue.open == 0 && queue.waiting.is_empty() {
            self.queues.remove(&cause.peer);
        }
        Some(cause)
    }

    /// A block that was asked for is not needed any more.
    pub(super) fn forget(&mut self, cid: &LogCid) {
        if let Some(cause) = self.open.remove(cid) {
            self.queue(cause.peer).open -= 1;
            self.queues.retain(|_, queue| queue.open > 0 || !queue.waiting.is_empty());
        }
    }

    /// Takes out what waits for the sake of this head.
    pub(super) fn drop_of(&mut self, head: &LogCid) -> Vec<LogCid> {
        self.drop_where(|_, of| of == Some(*head))
    }

    /// Takes out what waits because of a pull from this peer.
    pub(super) fn drop_pulled(&mut self, peer: Peer) -> Vec<LogCid> {
        self.drop_where(|queue, head| queue == Some(peer) && head.is_none())
    }

    fn drop_where(
        &mut self,
        is_dropped: impl Fn(Option<Peer>, Option<LogCid>) -> bool,
    ) -> Vec<LogCid> {
        let mut dropped = Vec::new();
        for (peer, queue) in &mut self.queues {
            queue.waiting.retain(|(cid, head)| {
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
        self.queues.retain(|_, queue| queue.open > 0 || !queue.waiting.is_empty());
        dropped
    }

    /// Forgets the blocks that wait. Those that are asked for may still come.
    pub(super) fn clear_waiting(&mut self) {
        self.waiting.clear();
        self.queues.values_mut().for_each(|queue| queue.waiting.clear());
        self.queues.retain(|_, queue| queue.open > 0);
    }

    /// Asserts that the queues hold what the accounts say, as far as that is quickly counted.
    pub(super) fn check(&self) {
        if self.len() > CHECKED_FETCHES_MAX {
            return;
        }
        let waiting: usize = self.queues.values().map(|queue| queue.waiting.len()).sum();
        debug_assert_eq!(self.waiting.len(), waiting, "blocks that wait in a queue");
        for (peer, queue) in &self.queues {
            let open = self.open.values().filter(|cause| cause.peer == *peer).count();
            debug_assert_eq!(queue.open, open, "blocks asked for because of {peer:?}");
            debug_assert!((FETCHES_MIN..=FETCHES_MAX).contains(&queue.window), "{}", queue.window);
            for (cid, _) in &queue.waiting {
                debug_assert!(self.waiting.contains(cid), "{cid} waits and is not counted");
                debug_assert!(!self.open.contains_key(cid), "{cid} waits and is asked for");
            }
        }
        for cause in self.open.values() {
            debug_assert!(self.queues.contains_key(&cause.peer), "{cause:?} has no queue");
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
        assert_eq!(fetches.next(), None, "the queue is not asked for faster than it is answered");
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
