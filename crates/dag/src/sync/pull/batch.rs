//! Replies with blocks, checked: the entries that were asked for and their identities.

use std::collections::{BTreeSet, VecDeque};

use super::PullError;
use crate::entry::Glance;
use crate::limits::SYNC_ENTRIES_MAX;
use crate::sync::{Ask, Cell, Id, Span};
use crate::{Address, LogCid};

/// The entries of a range, as they come batch by batch.
#[derive(Debug)]
pub(super) struct Ranging {
    pub(super) span: Span,
    /// The first cell of the range.
    pub(super) first: Cell,
    /// Entries that the summaries of its cells say that it holds.
    pub(super) said: u64,
    pub(super) found: u64,
    pub(super) last: Option<Id>,
}

impl Ranging {
    pub(super) fn ask(&self) -> Ask {
        Ask::Range { span: self.span, after: self.last }
    }

    /// Takes the next batch, and gives the identities that it needs.
    pub(super) fn take(
        &mut self,
        log: &Address,
        entries: &[Vec<u8>],
        more: bool,
    ) -> Result<BTreeSet<LogCid>, PullError> {
        if more && entries.is_empty() {
            return Err(PullError::NoProgress);
        }
        let mut named = BTreeSet::new();
        for block in entries {
            let cid = LogCid::of(block);
            let glance = glance(log, cid, block)?;
            let id = Id { time: glance.time, cid };
            if !self.span.contains(id.time) {
                return Err(PullError::NotAsked(cid));
            }
            if self.last.is_some_and(|last| id <= last) {
                return Err(PullError::OutOfOrder(cid));
            }
            self.last = Some(id);
            self.found += 1;
            named.insert(glance.identity);
        }
        if !more && self.found < self.said {
            let Ranging { first, said, found, .. } = *self;
            return Err(PullError::CountShrank { cell: first, said, found });
        }
        Ok(named)
    }
}

/// Entries that are fetched by name.
#[derive(Debug)]
pub(super) struct Fetching {
    /// Those that have not come yet.
    pub(super) wanted: VecDeque<Id>,
}

impl Fetching {
    pub(super) fn ask(&self) -> Ask {
        Ask::Blocks(self.wanted.iter().take(SYNC_ENTRIES_MAX).map(|id| id.cid).collect())
    }

    /// Takes the next batch, and gives the identities that it needs.
    pub(super) fn take(
        &mut self,
        log: &Address,
        entries: &[Vec<u8>],
    ) -> Result<BTreeSet<LogCid>, PullError> {
        if entries.is_empty() {
            return Err(PullError::NoProgress);
        }
        let mut named = BTreeSet::new();
        for block in entries {
            let cid = LogCid::of(block);
            let wanted = self.wanted.pop_front().filter(|id| id.cid == cid);
            let Some(id) = wanted else { return Err(PullError::NotAsked(cid)) };
            let glance = glance(log, cid, block)?;
            if glance.time != id.time {
                return Err(PullError::TimeWrong(cid));
            }
            named.insert(glance.identity);
        }
        Ok(named)
    }
}

fn glance(log: &Address, cid: LogCid, block: &[u8]) -> Result<Glance, PullError> {
    let glance = Glance::of(block).map_err(|why| PullError::NotAnEntry { cid, why })?;
    if glance.log == *log { Ok(glance) } else { Err(PullError::OtherLog(cid)) }
}

/// Every identity that is named comes, each once, and nothing else does. Gives their names.
pub(super) fn check_identities(
    mut named: BTreeSet<LogCid>,
    identities: &[Vec<u8>],
) -> Result<Vec<LogCid>, PullError> {
    let mut cids = Vec::with_capacity(identities.len());
    for block in identities {
        let cid = LogCid::of(block);
        if !named.remove(&cid) {
            return Err(PullError::IdentityNotAsked(cid));
        }
        cids.push(cid);
    }
    match named.into_iter().min() {
        Some(missing) => Err(PullError::IdentityMissing(missing)),
        None => Ok(cids),
    }
}
