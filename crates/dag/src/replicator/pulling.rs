//! The pull that is under way: its requests, its replies, its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::fetches::Cause;
use super::{Effect, LocalStore, Offence, Peer, Replicator};
use crate::join::{JoinEffect, Proven};
use crate::limits::{PARKED_MS_MAX, PULL_REPLY_MS_MAX, PULL_STALL_MS_MAX};
use crate::sync::{Pull, PullEffect, PullError, PullLimits, Reply, Request};
use crate::{Entry, Error, Identity, Kind, LogCid};

/// The pull that is under way.
#[derive(Debug)]
pub(super) struct Pulling {
    pub(super) peer: Peer,
    pull: Pull,
    /// The number of the request without reply.
    number: u64,
    /// When its reply is given up.
    until_ms: u64,
    /// The next request, held back while as much as may waits to be stored.
    held: Option<Request>,
    /// When it last brought something new.
    gained_ms: u64,
    gained: u64,
}

impl Pulling {
    /// The join made this many entries ready.
    pub(super) fn gained(&mut self, now: u64, entries: u64) {
        (self.gained_ms, self.gained) = (now, self.gained + entries);
    }

    /// Entries of the peer that are known to be missing.
    pub(super) fn behind(&self) -> u64 {
        self.pull.progress().behind
    }

    /// From when on parked blocks no longer wait for it.
    pub(super) fn idle_ms(&self) -> u64 {
        self.gained_ms.saturating_add(PARKED_MS_MAX)
    }

    /// When it is given up.
    pub(super) fn due_ms(&self) -> u64 {
        let stalled_ms = self.gained_ms.saturating_add(PULL_STALL_MS_MAX);
        // While it is held back by the disk it is nobody's fault.
        if self.held.is_some() { u64::MAX } else { self.until_ms.min(stalled_ms) }
    }
}

impl Replicator {
    pub(super) fn begin_pull(&mut self, now: u64, peer: Peer) {
        let mut pull = Pull::new(self.log, PullLimits::default());
        let request = pull.start();
        self.peers.pull_begins(peer);
        self.pulling = Some(Pulling {
            peer,
            pull,
            number: 0,
            until_ms: now,
            held: None,
            gained_ms: now,
            gained: 0,
        });
        self.ask(now, request);
    }

    /// Sends a request, or holds it back until there is room for the reply.
    fn ask(&mut self, now: u64, request: Request) {
        let Some(pulling) = &mut self.pulling else { return };
        if self.store_queue.is_full() {
            pulling.held = Some(request);
            return;
        }
        self.asks += 1;
        (pulling.number, pulling.held) = (self.asks, None);
        pulling.until_ms = now.saturating_add(PULL_REPLY_MS_MAX);
        let (peer, number) = (pulling.peer, pulling.number);
        self.effects.push(Effect::Ask { peer, number, request: request.encode() });
    }

    /// Sends what was held back, if there is room again.
    pub(super) fn ask_held(&mut self, now: u64) {
        let held = self.pulling.as_mut().and_then(|pulling| pulling.held.take());
        if let Some(request) = held {
            // The disk was slow, not the peer.
            if let Some(pulling) = &mut self.pulling
                && !self.store_queue.is_full()
            {
                pulling.gained_ms = now;
            }
            self.ask(now, request);
        }
    }

    pub(super) fn replied(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        number: u64,
        reply: Option<&[u8]>,
    ) {
        let Some(mut pulling) = self.pulling.take() else { return };
        if pulling.peer != peer || pulling.number != number {
            self.pulling = Some(pulling);
            return;
        }
        pulling.number = 0;
        let effects = match reply.map(Reply::decode) {
            None => None,
            Some(Err(_)) => {
                self.blame(now, peer, Offence::Forged);
                None
            }
            Some(Ok(reply)) => {
                self.contacted = true;
                let is_known = |cid: &LogCid| {
                    self.is_known(local, cid)
                        || self.refused.get(cid).is_some()
                        || self.deferred.get(cid).is_some()
                };
                match pulling.pull.on_reply(local.tree(), &is_known, reply) {
                    Ok(effects) => Some(effects),
                    Err(why) => {
                        self.pull_failed(now, peer, &why);
                        None
                    }
                }
            }
        };
        self.pulling = Some(pulling);
        match effects {
            Some(effects) => self.take_pulled(now, local, peer, effects),
            // The request was declined, or lost with a connection. After the pause it may succeed.
            None => {
                self.end_pull(now, true);
                self.peers.want_pull(peer, now);
            }
        }
    }

    fn pull_failed(&mut self, now: u64, peer: Peer, why: &PullError) {
        if why.is_offence() {
            self.blame(now, peer, Offence::Forged);
        }
    }

    fn take_pulled(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        effects: Vec<PullEffect>,
    ) {
        for effect in effects {
            // A bad entry ends the pull, and what was to come with it.
            if self.pulling.is_none() {
                return;
            }
            match effect {
                PullEffect::Ask(request) => self.ask(now, request),
                PullEffect::Entries { blocks, identities } => {
                    if !self.take_batch(now, local, peer, &blocks, &identities) {
                        self.blame(now, peer, Offence::Invalid);
                        self.end_pull(now, true);
                    }
                }
                PullEffect::Done { level } => {
                    let for_nothing = self.pulling.as_ref().is_some_and(|pulling| {
                        pulling.pull.progress().handed_over > 0 && pulling.gained == 0
                    });
                    self.end_pull(now, for_nothing);
                    if !level {
                        self.peers.want_pull(peer, now);
                    }
                }
            }
        }
    }

    /// Joins what a pull brought; false if some of it breaks a rule, which its
    /// peer must have seen, too.
    fn take_batch(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        blocks: &[Vec<u8>],
        identities: &[Vec<u8>],
    ) -> bool {
        let cause = Cause { peer: Some(peer), head: None };
        let mut good = self.take_identities(now, local, identities, cause);
        let mut provable = Vec::new();
        for block in blocks {
            let cid = LogCid::of(block);
            if self.is_known(local, &cid) || self.refused.get(&cid).is_some() {
                continue;
            }
            let Ok(entry) = Entry::decode(cid, block) else {
                good = false;
                continue;
            };
            match self.identity(local, &entry.identity()) {
                Some(identity) => provable.push((entry, identity)),
                // Rare: it was sent before, and is forgotten. The join asks for it.
                None => {
                    let effects = self.join.on_announced(local, block);
                    self.take_effects_of(now, local, effects, cause, false);
                }
            }
        }
        let cids: Vec<LogCid> = provable.iter().map(|(entry, _)| entry.cid()).collect();
        let mut proven: Vec<Proven> = Vec::with_capacity(cids.len());
        for (cid, result) in cids.iter().zip(local.prove(&self.log, provable)) {
            match result {
                Ok(entry) => proven.push(entry),
                Err(_) => {
                    self.refused.insert(*cid, ());
                    good = false;
                }
            }
        }
        let effects = self.join.on_all_proven(local, proven);
        // Entries that other peers showed may be refused now, too. This peer is not to blame for them.
        let shown: BTreeSet<LogCid> = cids.into_iter().collect();
        good &= !effects.iter().any(|effect| is_offence(effect, &shown));
        self.take_effects_of(now, local, effects, cause, false);
        good
    }

    fn take_identities(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        blocks: &[Vec<u8>],
        cause: Cause,
    ) -> bool {
        let mut good = true;
        for block in blocks {
            let cid = LogCid::of(block);
            if self.identity(local, &cid).is_none() {
                match Identity::decode(cid, block) {
                    Ok(identity) => self.identities.insert(cid, Arc::new(identity)),
                    Err(_) => good = false,
                }
            }
            // Announcements and the join may be waiting for it.
            self.fetches.forget(&cid);
            self.fetched(now, local, cid, Some(block), cause);
        }
        good
    }

    /// The pull is over. Blocks that it was to bring and did not bring are fetched.
    pub(super) fn end_pull(&mut self, now: u64, for_nothing: bool) {
        if let Some(pulling) = self.pulling.take() {
            self.peers.pull_ends(now, pulling.peer, for_nothing);
            self.wanted.hasten_of(pulling.peer, now);
            self.parked.values_mut().for_each(|(until_ms, _)| *until_ms = now);
        }
    }
}

/// Whether the join refused one of these entries for something that its peer must
/// have seen, too.
fn is_offence(effect: &JoinEffect, shown: &BTreeSet<LogCid>) -> bool {
    let JoinEffect::Reject { cid, why } = effect else { return false };
    let excused = matches!(why, Error::AncestorRefused(_) | Error::AccessDenied);
    !excused && why.kind() != Kind::Unavailable && shown.contains(cid)
}
