//! Verified entries that wait to be stored, in pieces of which one is under way.
//!
//! Entries that became ready together are stored together if some of them are
//! passed over: the heads below a passed-over entry stop being heads only because
//! of the entry above it. All others may be cut into pieces anywhere, parents first.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::Effect;
use crate::join::Passed;
use crate::limits::{
    STORE_BYTES_MAX, STORE_ENTRIES_MAX, STORE_WAITING_BYTES_MAX, STORE_WAITING_ENTRIES_MAX,
};
use crate::{Entry, Identity, LogCid};

/// Entries up to which they are counted again after every turn, in builds with assertions.
const CHECKED_ENTRIES_MAX: usize = 256;

/// Entries that are stored together, and what belongs to them.
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) entries: Vec<Entry>,
    pub(super) identities: Vec<Arc<Identity>>,
    pub(super) passed: Vec<Passed>,
    pub(super) restored: Vec<Entry>,
}

#[derive(Debug, Default)]
pub(super) struct StoreQueue {
    waiting: VecDeque<Ready>,
    bytes: usize,
    /// What is under way.
    storing: Option<Vec<LogCid>>,
    /// Entries that wait or are under way.
    cids: BTreeSet<LogCid>,
}

impl StoreQueue {
    pub(super) fn add(&mut self, ready: Ready) {
        self.cids.extend(ready.entries.iter().map(Entry::cid));
        self.bytes += ready.bytes();
        if !ready.passed.is_empty() || ready.bytes() <= STORE_BYTES_MAX {
            self.waiting.push_back(ready);
            return;
        }
        let Ready { entries, identities, passed, restored } = ready;
        self.waiting.push_back(Ready { identities, passed, ..Ready::default() });
        for entries in pieces(entries) {
            self.waiting.push_back(Ready { entries, ..Ready::default() });
        }
        for restored in pieces(restored) {
            self.waiting.push_back(Ready { restored, ..Ready::default() });
        }
    }

    /// The next piece, unless one is under way.
    pub(super) fn next(&mut self) -> Option<Effect> {
        if self.storing.is_some() {
            return None;
        }
        let mut piece = self.waiting.pop_front()?;
        let mut bytes = piece.bytes();
        while let Some(next) = self.waiting.front()
            && bytes + next.bytes() <= STORE_BYTES_MAX
            && piece.entries.len() + next.entries.len() <= STORE_ENTRIES_MAX
        {
            bytes += next.bytes();
            let next = self.waiting.pop_front().expect("invariant: looked at just now");
            piece.append(next);
        }
        self.bytes -= bytes;
        self.storing = Some(piece.entries.iter().map(Entry::cid).collect());
        let Ready { entries, identities, passed, restored } = piece;
        Some(Effect::Store { entries, identities, passed, restored })
    }

    /// What was under way is stored.
    pub(super) fn stored(&mut self) {
        for cid in self.storing.take().into_iter().flatten() {
            self.cids.remove(&cid);
        }
    }

    /// Whether an entry waits or is under way.
    pub(super) fn contains(&self, cid: &LogCid) -> bool {
        self.cids.contains(cid)
    }

    pub(super) fn len(&self) -> usize {
        self.cids.len()
    }

    /// Whether no entry waits or is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.storing.is_none()
    }

    pub(super) fn is_storing(&self) -> bool {
        self.storing.is_some()
    }

    /// Asserts that the accounts agree with what waits and is under way, while that is quickly counted.
    pub(super) fn check(&self) {
        if self.cids.len() > CHECKED_ENTRIES_MAX || self.waiting.len() > CHECKED_ENTRIES_MAX {
            return;
        }
        let bytes: usize = self.waiting.iter().map(Ready::bytes).sum();
        debug_assert_eq!(self.bytes, bytes, "bytes that wait to be stored");
        let waiting = self.waiting.iter().flat_map(|ready| &ready.entries).map(Entry::cid);
        let under_way = self.storing.iter().flatten().copied();
        let cids: BTreeSet<LogCid> = waiting.chain(under_way).collect();
        debug_assert_eq!(self.cids, cids, "entries that wait or are under way");
    }

    /// Whether as much waits as may wait.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= STORE_WAITING_BYTES_MAX || self.cids.len() >= STORE_WAITING_ENTRIES_MAX
    }
}

impl Ready {
    fn bytes(&self) -> usize {
        let entries = self.entries.iter().chain(&self.restored).map(|entry| entry.block().len());
        entries.chain(self.passed.iter().map(|passed| passed.block.len())).sum()
    }

    fn append(&mut self, mut later: Ready) {
        self.entries.append(&mut later.entries);
        self.passed.append(&mut later.passed);
        self.restored.append(&mut later.restored);
        for identity in later.identities {
            if !self.identities.contains(&identity) {
                self.identities.push(identity);
            }
        }
    }
}

/// Cuts a list into pieces that are not too large to be stored in one go.
fn pieces(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let (mut pieces, mut bytes) = (vec![Vec::new()], 0);
    for entry in entries {
        let size = entry.block().len();
        if bytes + size > STORE_BYTES_MAX {
            pieces.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        pieces.last_mut().expect("invariant: begins with one").push(entry);
    }
    pieces
}
