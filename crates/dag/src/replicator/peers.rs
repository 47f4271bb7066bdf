//! The peers of one store: what each speaks, when it is due, and how far it is
//! trusted. Sends nothing.

use std::collections::BTreeMap;

use super::Peer;
use crate::limits::{
    ABSENT_LINKS_BURST_MAX, ABSENT_LINKS_PER_SECOND_MAX, ANNOUNCEMENTS_BURST_MAX,
    ANNOUNCEMENTS_PER_SECOND_MAX, OFFENCES_MAX, PULL_GAP_MS, PULL_GAP_MS_MAX, REPLICATOR_PEERS_MAX,
    SHUN_MS, USELESS_BURST_MESSAGES_MAX, USELESS_MESSAGES_PER_SECOND_MAX,
    VAIN_ANNOUNCEMENTS_BURST_MAX, VAIN_ANNOUNCEMENTS_PER_SECOND_MAX, WASTE_BLAME_MS,
};

/// What is known of one peer.
#[derive(Debug, Default)]
pub(super) struct PeerRecord {
    /// Gone peers are kept while there is room: their offences count on.
    connected: bool,
    native: bool,
    /// When a pull from it is called for.
    pull_at_ms: Option<u64>,
    /// No pull from it before this.
    pull_after_ms: u64,
    pull_gap_ms: u64,
    /// When heads are to be exchanged with it.
    heads_at_ms: Option<u64>,
    announcements: LeakyBucket,
    useless: LeakyBucket,
    /// Ancestors of what it showed that nobody has.
    absent: LeakyBucket,
    /// Announcements beyond the entries that became ready.
    vain: LeakyBucket,
    /// No blame for what it costs before this.
    blame_after_ms: u64,
    offences: u32,
    /// When its offences are forgotten.
    forgiven_ms: u64,
}

/// A leaky bucket: it lets through a burst, and then a rate.
#[derive(Debug, Default)]
struct LeakyBucket {
    /// What is in it, in thousandths.
    level: u64,
    /// When it was looked at last.
    at_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct StorePeers {
    by_peer: BTreeMap<Peer, PeerRecord>,
    /// The peer that was pulled from last in turn.
    last: Option<Peer>,
}

impl StorePeers {
    /// A peer is connected and has this store; false if there is no room for it.
    pub(super) fn connect(&mut self, peer: Peer, native: bool) -> bool {
        let Some(record) = self.track(peer) else { return false };
        (record.connected, record.native, record.pull_after_ms) = (true, native, 0);
        true
    }

    pub(super) fn disconnect(&mut self, peer: Peer) {
        if let Some(record) = self.by_peer.get_mut(&peer) {
            record.connected = false;
            (record.pull_at_ms, record.heads_at_ms) = (None, None);
        }
    }

    /// The record of a peer. It is made if the peer is new and there is room.
    fn track(&mut self, peer: Peer) -> Option<&mut PeerRecord> {
        if self.by_peer.len() >= REPLICATOR_PEERS_MAX && !self.by_peer.contains_key(&peer) {
            let gone = self.by_peer.iter().filter(|(_, record)| !record.connected);
            let (gone, _) = gone.min_by_key(|(_, record)| record.forgiven_ms)?;
            let gone = *gone;
            self.by_peer.remove(&gone);
        }
        Some(self.by_peer.entry(peer).or_default())
    }

    /// Whether it is or was connected, as far as is remembered.
    pub(super) fn is_known(&self, peer: Peer) -> bool {
        self.by_peer.contains_key(&peer)
    }

    pub(super) fn len(&self) -> usize {
        self.by_peer.len()
    }

    /// Whether entries can be pulled from this peer.
    pub(super) fn can_pull(&self, now: u64, peer: Peer) -> bool {
        self.by_peer
            .get(&peer)
            .is_some_and(|record| record.connected && record.native && !record.is_shunned(now))
    }

    pub(super) fn is_connected(&self, peer: Peer, native: bool) -> bool {
        self.by_peer.get(&peer).is_some_and(|record| record.connected && record.native == native)
    }

    /// Whether it is connected and speaks only heads and blocks.
    pub(super) fn is_plain(&self, peer: Peer) -> bool {
        self.by_peer.get(&peer).is_some_and(|record| record.connected && !record.native)
    }

    /// Whether a peer may be asked for blocks.
    pub(super) fn can_fetch(&self, now: u64, peer: Peer) -> bool {
        self.by_peer.get(&peer).is_some_and(|record| record.connected && !record.is_shunned(now))
    }

    /// The connected peers.
    pub(super) fn connected(&self) -> impl Iterator<Item = (Peer, bool)> + '_ {
        let connected = self.by_peer.iter().filter(|(_, record)| record.connected);
        connected.map(|(peer, record)| (*peer, record.native))
    }

    /// Calls for a pull from this peer at this time or before.
    pub(super) fn want_pull(&mut self, peer: Peer, at_ms: u64) {
        if let Some(record) = self.by_peer.get_mut(&peer)
            && record.connected
            && record.native
        {
            record.pull_at_ms = Some(record.pull_at_ms.map_or(at_ms, |before| before.min(at_ms)));
        }
    }

    /// The peer whose pull is most overdue.
    pub(super) fn due_pull(&self, now: u64) -> Option<Peer> {
        let due = self.by_peer.iter().filter_map(|(peer, record)| {
            let at_ms = record.pull_at_ms?.max(record.pull_after_ms);
            (at_ms <= now && !record.is_shunned(now)).then_some((at_ms, *peer))
        });
        due.min().map(|(_, peer)| peer)
    }

    /// The next peer in turn that may be pulled from now.
    pub(super) fn next_in_turn(&mut self, now: u64) -> Option<Peer> {
        let may = |(peer, record): (&Peer, &PeerRecord)| {
            let may = record.connected
                && record.native
                && record.pull_after_ms <= now
                && !record.is_shunned(now);
            may.then_some(*peer)
        };
        let after = self.last.and_then(|last| {
            use std::ops::Bound::{Excluded, Unbounded};
            self.by_peer.range((Excluded(last), Unbounded)).find_map(may)
        });
        let next = after.or_else(|| self.by_peer.iter().find_map(may))?;
        self.last = Some(next);
        Some(next)
    }

    /// A pull from this peer begins.
    pub(super) fn pull_begins(&mut self, peer: Peer) {
        if let Some(record) = self.by_peer.get_mut(&peer) {
            record.pull_at_ms = None;
        }
    }

    /// A pull from this peer is over. If it was for nothing, the next one must wait; the wait doubles
    /// with every such pull in a row.
    pub(super) fn pull_ends(&mut self, now: u64, peer: Peer, for_nothing: bool) {
        if let Some(record) = self.by_peer.get_mut(&peer) {
            record.pull_gap_ms = if for_nothing {
                (2 * record.pull_gap_ms).clamp(2 * PULL_GAP_MS, PULL_GAP_MS_MAX)
            } else {
                PULL_GAP_MS
            };
            record.pull_after_ms = now.saturating_add(record.pull_gap_ms);
        }
    }

    /// Something changed that makes pulls worth while again.
    pub(super) fn forget_gaps(&mut self) {
        for record in self.by_peer.values_mut() {
            (record.pull_gap_ms, record.pull_after_ms) = (PULL_GAP_MS, 0);
        }
    }

    /// Calls for an exchange of heads with a peer at this time, or before.
    pub(super) fn want_heads(&mut self, peer: Peer, at_ms: u64) {
        if let Some(record) = self.by_peer.get_mut(&peer)
            && record.connected
        {
            record.heads_at_ms = Some(record.heads_at_ms.map_or(at_ms, |before| before.min(at_ms)));
        }
    }

    /// A peer with which heads are to be exchanged now; it no longer is.
    pub(super) fn take_due_heads(&mut self, now: u64) -> Option<Peer> {
        let due = self.by_peer.iter_mut().find_map(|(peer, record)| {
            record.heads_at_ms.is_some_and(|at_ms| at_ms <= now).then_some((*peer, record))
        });
        let (peer, record) = due?;
        record.heads_at_ms = None;
        Some(peer)
    }

    /// When heads are to be exchanged with some peer.
    pub(super) fn heads_due_ms(&self) -> Option<u64> {
        self.by_peer.values().filter_map(|record| record.heads_at_ms).min()
    }

    /// When some pull that is called for may begin.
    pub(super) fn pull_due_ms(&self) -> Option<u64> {
        let pulls = self.by_peer.values().filter_map(|record| {
            let shunned_ms = if record.offences >= OFFENCES_MAX { record.forgiven_ms } else { 0 };
            Some(record.pull_at_ms?.max(record.pull_after_ms).max(shunned_ms))
        });
        pulls.min()
    }

    /// Counts an announcement or an exchange of heads; false if it is one too many.
    pub(super) fn may_announce(&mut self, now: u64, peer: Peer) -> bool {
        let Some(record) = self.track(peer) else { return false };
        record.announcements.add(now, ANNOUNCEMENTS_PER_SECOND_MAX, ANNOUNCEMENTS_BURST_MAX)
    }

    /// Counts something useless; true if that makes it a flood.
    pub(super) fn was_useless(&mut self, now: u64, peer: Peer) -> bool {
        let Some(record) = self.by_peer.get_mut(&peer) else { return false };
        let flood =
            !record.useless.add(now, USELESS_MESSAGES_PER_SECOND_MAX, USELESS_BURST_MESSAGES_MAX);
        if flood {
            record.useless = LeakyBucket { level: 0, at_ms: now };
        }
        flood
    }

    /// Ancestors of what this peer showed cannot be had.
    pub(super) fn absent(&mut self, now: u64, peer: Peer, links: u64) {
        if let Some(record) = self.by_peer.get_mut(&peer) {
            let (rate, burst) = (ABSENT_LINKS_PER_SECOND_MAX, ABSENT_LINKS_BURST_MAX);
            record.absent.pour(now, links, rate, burst);
        }
    }

    /// This peer announces something that it wrote itself, which may be in vain.
    pub(super) fn announces(&mut self, now: u64, peer: Peer) {
        if let Some(record) = self.by_peer.get_mut(&peer) {
            let (rate, burst) = (VAIN_ANNOUNCEMENTS_PER_SECOND_MAX, VAIN_ANNOUNCEMENTS_BURST_MAX);
            record.vain.pour(now, 1, rate, burst);
        }
    }

    /// Whether this peer has announced as much as is looked at.
    pub(super) fn announces_enough(&mut self, now: u64, peer: Peer) -> bool {
        self.by_peer.get_mut(&peer).is_some_and(|record| {
            let bucket = &mut record.announcements;
            bucket.is_over(now, ANNOUNCEMENTS_PER_SECOND_MAX, ANNOUNCEMENTS_BURST_MAX - 1)
        })
    }

    /// So many entries are ready: as many announcements, whoever made them, were not in vain.
    pub(super) fn ready(&mut self, entries: u64) {
        for record in self.by_peer.values_mut() {
            record.vain.drain(entries);
        }
    }

    /// Whether this peer costs and brings nothing.
    pub(super) fn only_costs(&mut self, now: u64, peer: Peer) -> bool {
        self.by_peer.get_mut(&peer).is_some_and(|record| {
            record.absent.is_over(now, ABSENT_LINKS_PER_SECOND_MAX, ABSENT_LINKS_BURST_MAX)
                || record.vain.is_over(
                    now,
                    VAIN_ANNOUNCEMENTS_PER_SECOND_MAX,
                    VAIN_ANNOUNCEMENTS_BURST_MAX,
                )
        })
    }

    /// Whether it is time to blame this peer for what it costs; it then counts as blamed.
    pub(super) fn may_blame_waste(&mut self, now: u64, peer: Peer) -> bool {
        self.by_peer.get_mut(&peer).is_some_and(|record| {
            let may = record.blame_after_ms <= now;
            if may {
                record.blame_after_ms = now.saturating_add(WASTE_BLAME_MS);
            }
            may
        })
    }

    /// Remembers an offence.
    pub(super) fn blame(&mut self, now: u64, peer: Peer) {
        if let Some(record) = self.by_peer.get_mut(&peer) {
            if record.forgiven_ms <= now {
                record.offences = 0;
            }
            record.offences = record.offences.saturating_add(1);
            record.forgiven_ms = now.saturating_add(SHUN_MS);
        }
    }
}

impl PeerRecord {
    fn is_shunned(&self, now: u64) -> bool {
        self.offences >= OFFENCES_MAX && now < self.forgiven_ms
    }
}

impl LeakyBucket {
    fn leak(&mut self, now: u64, per_second: u64) {
        let leaked = now.saturating_sub(self.at_ms).saturating_mul(per_second);
        (self.level, self.at_ms) = (self.level.saturating_sub(leaked), now.max(self.at_ms));
    }

    /// Adds what may not fit; not all of what is far beyond is remembered.
    fn pour(&mut self, now: u64, amount: u64, per_second: u64, burst: u64) {
        self.leak(now, per_second);
        let level = self.level.saturating_add(amount.saturating_mul(1_000));
        self.level = level.min(2 * burst * 1_000);
    }

    fn drain(&mut self, amount: u64) {
        self.level = self.level.saturating_sub(amount.saturating_mul(1_000));
    }

    fn is_over(&mut self, now: u64, per_second: u64, burst: u64) -> bool {
        self.leak(now, per_second);
        self.level > burst * 1_000
    }

    fn add(&mut self, now: u64, per_second: u64, burst: u64) -> bool {
        self.leak(now, per_second);
        let fits = self.level + 1_000 <= burst * 1_000;
        if fits {
            self.level += 1_000;
        }
        fits
    }
}
