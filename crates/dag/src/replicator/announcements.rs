//! Announced entries that wait for their writer's identity, so that they can be
//! judged before they are passed on.

use std::collections::VecDeque;

use super::{AnnouncementId, Peer};
use crate::limits::{
    ANNOUNCEMENT_WAIT_MS, ANNOUNCEMENTS_WAITING_BYTES_MAX, ANNOUNCEMENTS_WAITING_MAX,
    ANNOUNCEMENTS_WAITING_OF_PEER_MAX,
};
use crate::{Entry, LogCid};

/// An announcement without verdict.
#[derive(Debug)]
pub(super) struct Announced {
    pub(super) peer: Peer,
    pub(super) id: AnnouncementId,
    pub(super) entry: Entry,
    until_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct Announcements {
    oldest_first: VecDeque<Announced>,
    bytes: usize,
}

impl Announcements {
    /// Lets an announcement wait; false if there is no room.
    pub(super) fn wait(&mut self, now: u64, peer: Peer, id: AnnouncementId, entry: Entry) -> bool {
        let of_peer = self.oldest_first.iter().filter(|waiting| waiting.peer == peer).count();
        let bytes = self.bytes + entry.block().len();
        if self.oldest_first.len() >= ANNOUNCEMENTS_WAITING_MAX
            || of_peer >= ANNOUNCEMENTS_WAITING_OF_PEER_MAX
            || bytes > ANNOUNCEMENTS_WAITING_BYTES_MAX
        {
            return false;
        }
        self.bytes = bytes;
        let until_ms = now.saturating_add(ANNOUNCEMENT_WAIT_MS);
        self.oldest_first.push_back(Announced { peer, id, entry, until_ms });
        true
    }

    /// Takes out what waits for this identity.
    pub(super) fn take(&mut self, identity: &LogCid) -> VecDeque<Announced> {
        self.take_where(|waiting| waiting.entry.identity() == *identity)
    }

    /// Takes out what has waited too long.
    pub(super) fn take_overdue(&mut self, now: u64) -> VecDeque<Announced> {
        self.take_where(|waiting| waiting.until_ms <= now)
    }

    fn take_where(&mut self, taken: impl Fn(&Announced) -> bool) -> VecDeque<Announced> {
        if !self.oldest_first.iter().any(&taken) {
            return VecDeque::new();
        }
        let all = std::mem::take(&mut self.oldest_first);
        let (out, kept): (VecDeque<_>, VecDeque<_>) = all.into_iter().partition(taken);
        self.bytes = kept.iter().map(|waiting| waiting.entry.block().len()).sum();
        self.oldest_first = kept;
        out
    }

    pub(super) fn due_ms(&self) -> Option<u64> {
        self.oldest_first.front().map(|oldest| oldest.until_ms)
    }

    pub(super) fn len(&self) -> usize {
        self.oldest_first.len()
    }
}
