//! Clocks and the total order of a log.
//!
//! Entries are ordered by clock time, then by clock id as text, then by content
//! address. The last is ours: other implementations leave two entries of one
//! writer with equal times unordered, and any tie-break agrees with them.

use std::sync::Arc;

use crate::LogCid;

/// When an entry was written, in the log's own time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clock {
    /// The Lamport time: one above the newest entry its writer knew.
    pub time: u64,
    /// The writer's public key in hexadecimal.
    pub id: Arc<str>,
}

/// The place of an entry in the total order of its log. The greatest wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// The Lamport time.
    pub time: u64,
    /// The writer's public key in hexadecimal.
    pub id: Arc<str>,
    /// The entry's content address.
    pub cid: LogCid,
}

/// An entry as the shape of the log sees it: its name, its clock, its parents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryLinks {
    /// The entry's content address.
    pub cid: LogCid,
    /// Its clock.
    pub clock: Clock,
    /// Its parents: the heads its writer knew.
    pub next: Vec<LogCid>,
}

impl EntryLinks {
    /// The place of this entry in the total order.
    pub fn order(&self) -> OrderKey {
        OrderKey { time: self.clock.time, id: Arc::clone(&self.clock.id), cid: self.cid }
    }

    /// Compares by the total order without allocating.
    pub(crate) fn cmp_order(&self, other: &EntryLinks) -> std::cmp::Ordering {
        (&self.clock, &self.cid).cmp(&(&other.clock, &other.cid))
    }
}

/// What an entry to be written is linked to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    /// The heads, newest first.
    pub next: Vec<LogCid>,
    /// Older entries, newest first: hints that let others fetch in parallel.
    pub refs: Vec<LogCid>,
    /// The Lamport time.
    pub time: u64,
}
