//! Heads: the entries no known entry names as a parent, and how the next entry
//! of a writer is linked to them.

use std::collections::{BinaryHeap, HashSet, VecDeque};

use crate::limits::{NEXT_LINKS_MAX, RECENT_ENTRIES_MAX, REFS_WRITTEN_MAX};
use crate::{EntryLinks, Links, LogCid, OrderKey};

/// The heads of a log, newest first.
///
/// Entries must arrive parents first and once: then a new entry is never an
/// ancestor of a head, and removing the parents it names is all there is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heads {
    newest_first: Vec<EntryLinks>,
}

impl Heads {
    /// The heads of a log as they were stored, in any order.
    pub fn new(mut heads: Vec<EntryLinks>) -> Heads {
        heads.sort_by(|a, b| b.cmp_order(a));
        heads.dedup_by_key(|head| head.cid);
        Heads { newest_first: heads }
    }

    /// The heads, newest first.
    pub fn as_slice(&self) -> &[EntryLinks] {
        &self.newest_first
    }

    /// The addresses of the heads, newest first.
    pub fn cids(&self) -> impl Iterator<Item = LogCid> + '_ {
        self.newest_first.iter().map(|head| head.cid)
    }

    /// Adds an entry that is new to the log and whose parents are in it. The
    /// parents are no longer heads.
    pub fn add(&mut self, entry: EntryLinks) {
        let parents: HashSet<&LogCid> = entry.next.iter().collect();
        self.newest_first.retain(|head| !parents.contains(&head.cid) && head.cid != entry.cid);
        let place = self.newest_first.partition_point(|head| head.cmp_order(&entry).is_gt());
        debug_assert!(
            self.newest_first[..place].iter().all(|head| !head.next.contains(&entry.cid)),
            "{} comes after a child of its",
            entry.cid
        );
        debug_assert!(
            self.newest_first[place..].iter().all(|head| head.cmp_order(&entry).is_lt()),
            "heads are out of order"
        );
        self.newest_first.insert(place, entry);
    }

    /// Notes an entry that is passed over and has these parents. They are no longer heads, because
    /// the entry above the passed one, which is in the log, reaches them.
    pub fn pass(&mut self, next: &[LogCid]) {
        let parents: HashSet<&LogCid> = next.iter().collect();
        self.newest_first.retain(|head| !parents.contains(&head.cid));
    }
}

/// How the next entry of a log with these heads is linked.
///
/// `next` are the heads, newest first (the newest [`NEXT_LINKS_MAX`] of them). The
/// time is one above the newest head. For `refs` the log is walked from the
/// heads, newest first; of the first `16 + h` entries, `h` being the number of
/// heads, the first `h` are left out. With one head that is everything behind
/// it; with several, one of `refs` may be a head again. `lookup` finds entries
/// that are no heads; where it finds nothing the walk goes on without.
pub fn plan_append(
    heads: &[EntryLinks],
    lookup: &mut dyn FnMut(&LogCid) -> Option<EntryLinks>,
) -> Links {
    let mut newest_first: Vec<&EntryLinks> = heads.iter().collect();
    newest_first.sort_by(|a, b| b.cmp_order(a));
    newest_first.truncate(NEXT_LINKS_MAX);
    let next: Vec<LogCid> = newest_first.iter().map(|head| head.cid).collect();
    let time = newest_first.first().map_or(0, |head| head.clock.time) + 1;

    let mut seen: HashSet<LogCid> = next.iter().copied().collect();
    let mut front: BinaryHeap<Walked> =
        newest_first.into_iter().map(|head| Walked(head.order(), head.next.clone())).collect();
    let wanted = REFS_WRITTEN_MAX + next.len();
    let mut walked = Vec::with_capacity(wanted);
    while let Some(Walked(order, parents)) = front.pop() {
        walked.push(order.cid);
        if walked.len() == wanted {
            break;
        }
        for parent in parents {
            if seen.insert(parent)
                && let Some(links) = lookup(&parent)
            {
                front.push(Walked(links.order(), links.next));
            }
        }
    }
    let refs = walked.split_off(next.len().min(walked.len()));
    debug_assert!(refs.len() <= REFS_WRITTEN_MAX, "{} references", refs.len());
    debug_assert!(heads.iter().all(|head| head.clock.time < time), "a head is not older");
    Links { next, refs, time }
}

/// An entry on the front of the walk, ordered by its place in the log.
struct Walked(OrderKey, Vec<LogCid>);

impl PartialEq for Walked {
    fn eq(&self, other: &Walked) -> bool {
        self.0 == other.0
    }
}

impl Eq for Walked {}

impl PartialOrd for Walked {
    fn partial_cmp(&self, other: &Walked) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Walked {
    fn cmp(&self, other: &Walked) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// The links of the entries last seen, so that a writer of a chain looks nothing up.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    oldest_first: VecDeque<EntryLinks>,
}

impl Recent {
    /// Keeps an entry, and forgets the oldest beyond [`RECENT_ENTRIES_MAX`].
    pub fn keep(&mut self, entry: EntryLinks) {
        if self.oldest_first.len() == RECENT_ENTRIES_MAX {
            self.oldest_first.pop_front();
        }
        self.oldest_first.push_back(entry);
    }

    /// Keeps an entry that was looked up as one older than all others, if there is room.
    pub(crate) fn keep_older(&mut self, entry: EntryLinks) {
        if self.oldest_first.len() < RECENT_ENTRIES_MAX {
            self.oldest_first.push_front(entry);
        }
    }

    /// The links of an entry, if it is among the kept ones.
    pub fn find(&self, cid: &LogCid) -> Option<&EntryLinks> {
        self.oldest_first.iter().rev().find(|entry| entry.cid == *cid)
    }
}
