//! Bounded memories of entries: beyond their capacity the oldest are forgotten.

use std::collections::{BTreeMap, VecDeque};

use super::Proven;
use crate::LogCid;

#[derive(Debug)]
pub(crate) struct Memory<V> {
    values: BTreeMap<LogCid, V>,
    oldest_first: VecDeque<LogCid>,
    capacity: usize,
}

impl<V> Memory<V> {
    pub(crate) fn new(capacity: usize) -> Memory<V> {
        Memory { values: BTreeMap::new(), oldest_first: VecDeque::new(), capacity }
    }

    pub(crate) fn get(&self, cid: &LogCid) -> Option<&V> {
        self.values.get(cid)
    }

    pub(crate) fn insert(&mut self, cid: LogCid, value: V) {
        if self.values.insert(cid, value).is_some() {
            return;
        }
        self.oldest_first.push_back(cid);
        if self.oldest_first.len() > self.capacity
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.values.remove(&oldest);
        }
    }

    /// Asserts that all that is remembered will be forgotten in its turn, and the limit.
    pub(super) fn check(&self) {
        debug_assert_eq!(self.values.len(), self.oldest_first.len(), "remembered and in order");
        debug_assert!(self.values.len() <= self.capacity, "more is remembered than may be");
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.values.retain(|_, value| keep(value));
        self.oldest_first.retain(|cid| self.values.contains_key(cid));
    }
}

/// Verified heads that were put off because their writers may not append, as far as is known here.
#[derive(Debug)]
pub(super) struct Deferred {
    by_cid: BTreeMap<LogCid, (u64, Proven)>,
    /// In the order in which they came. Some of them were taken out meanwhile.
    oldest_first: VecDeque<(u64, LogCid)>,
    born: u64,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
}

impl Deferred {
    pub(super) fn new(entries_max: usize, bytes_max: usize) -> Deferred {
        let (by_cid, oldest_first) = (BTreeMap::new(), VecDeque::new());
        Deferred { by_cid, oldest_first, born: 0, bytes: 0, entries_max, bytes_max }
    }

    pub(super) fn get(&self, cid: &LogCid) -> Option<&Proven> {
        self.by_cid.get(cid).map(|(_, proven)| proven)
    }

    pub(super) fn insert(&mut self, proven: Proven) {
        let cid = proven.entry().cid();
        self.take(&cid);
        self.born += 1;
        self.bytes += proven.entry().block().len();
        self.by_cid.insert(cid, (self.born, proven));
        self.oldest_first.push_back((self.born, cid));
        while self.by_cid.len() > self.entries_max || self.bytes > self.bytes_max {
            let Some((born, oldest)) = self.oldest_first.pop_front() else { break };
            if self.by_cid.get(&oldest).is_some_and(|(held, _)| *held == born) {
                self.take(&oldest);
            }
        }
        if self.oldest_first.len() > 2 * self.entries_max {
            let by_cid = &self.by_cid;
            self.oldest_first
                .retain(|(born, cid)| by_cid.get(cid).is_some_and(|(held, _)| held == born));
        }
    }

    /// Asserts the account of bytes, and the limits.
    pub(super) fn check(&self) {
        let bytes: usize =
            self.by_cid.values().map(|(_, proven)| proven.entry().block().len()).sum();
        debug_assert_eq!(self.bytes, bytes, "bytes put off");
        debug_assert!(
            self.by_cid.len() <= self.entries_max,
            "more entries are put off than may be"
        );
        debug_assert!(bytes <= self.bytes_max, "more bytes are put off than may be");
    }

    pub(super) fn take(&mut self, cid: &LogCid) -> Option<Proven> {
        let (_, proven) = self.by_cid.remove(cid)?;
        self.bytes -= proven.entry().block().len();
        Some(proven)
    }

    /// Takes all out, in the order in which they came.
    pub(super) fn take_all(&mut self) -> Vec<Proven> {
        let mut order = std::mem::take(&mut self.oldest_first);
        let by_cid = &mut self.by_cid;
        let taken = order
            .drain(..)
            .filter_map(|(born, cid)| match by_cid.get(&cid) {
                Some((held, _)) if *held == born => by_cid.remove(&cid).map(|(_, proven)| proven),
                _ => None,
            })
            .collect();
        self.bytes = 0;
        taken
    }
}
