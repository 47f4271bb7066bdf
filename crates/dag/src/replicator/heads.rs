//! What peers show: announcements and their verdicts, heads, blocks; and what
//! becomes of it in the join.

use std::collections::VecDeque;
use std::sync::Arc;

use super::announcements::Announced;
use super::fetches::Cause;
use super::outbox::Ready;
use super::{Effect, Host, Offence, Peer, Replicator, Token, Verdict};
use crate::join::{JoinEffect, Proven};
use crate::limits::{FETCH_CANDIDATES_MAX, HEAD_RETRY_MS, PARKED_BLOCKS_MAX, PARKED_MS_MAX};
use crate::{Entry, Error, Identity, Kind, LogCid};

impl Replicator {
    pub(super) fn announced(
        &mut self,
        now: u64,
        host: &dyn Host,
        peer: Peer,
        token: Token,
        block: &[u8],
    ) {
        let cid = LogCid::of(block);
        if !self.may_announce(now, peer, token) || self.is_repeated(now, host, peer, token, &cid) {
            return;
        }
        let entry = match Entry::decode(cid, block) {
            Ok(entry) if *entry.log() == self.log => entry,
            _ => return self.reject(now, peer, token, cid),
        };
        let writer = entry.identity();
        if let Some(identity) = self.identity(host, &writer) {
            return match Proven::new(entry, identity, &self.log) {
                Ok(proven) => self.judge(now, host, peer, token, proven),
                Err(_) => self.reject(now, peer, token, cid),
            };
        }
        if self.announcements.wait(now, peer, token, entry) {
            // It is waited for, so it takes no turn.
            let cause = Cause { peer: Some(peer), head: None };
            if self.fetches.open(writer, cause) {
                self.effects.push(Effect::Fetch { cid: writer, from: vec![peer] });
            }
        } else {
            self.leave_to_pull(now, peer, token);
        }
    }

    /// Counts an announcement. One too many is left to a pull, which is cheaper.
    pub(super) fn may_announce(&mut self, now: u64, peer: Peer, token: Token) -> bool {
        let may = self.peers.may_announce(now, peer);
        if !may {
            self.leave_to_pull(now, peer, token);
        }
        may
    }

    fn leave_to_pull(&mut self, now: u64, peer: Peer, token: Token) {
        self.verdict(token, Verdict::Ignore);
        self.turn_to(peer, now);
    }

    /// Answers an announcement of what is known already. What came by another
    /// way before its announcement is passed on all the same, once.
    pub(super) fn is_repeated(
        &mut self,
        now: u64,
        host: &dyn Host,
        peer: Peer,
        token: Token,
        cid: &LogCid,
    ) -> bool {
        if self.refused.get(cid).is_some() {
            self.verdict(token, Verdict::Reject);
            self.useless(now, peer);
            return true;
        }
        if !self.is_known(host, cid) {
            return false;
        }
        match self.seen.get(cid) {
            Some(true) => {
                self.verdict(token, Verdict::Ignore);
                self.useless(now, peer);
            }
            Some(false) => {
                self.verdict(token, Verdict::Accept);
                self.seen.insert(*cid, true);
            }
            // A pull was faster than a writer in haste, and what it brought is forgotten here
            // already: nobody is to blame.
            None => self.verdict(token, Verdict::Ignore),
        }
        true
    }

    /// Gives the verdict on a verified entry, and hands it to the join.
    pub(super) fn judge(
        &mut self,
        now: u64,
        host: &dyn Host,
        peer: Peer,
        token: Token,
        proven: Proven,
    ) {
        let cid = proven.entry().cid();
        let may_write = self.access.judge(proven.identity()) == crate::Standing::Allowed
            || self.access.vouches(&cid);
        if !may_write && !self.access.is_mutable() {
            return self.reject(now, peer, token, cid);
        }
        self.seen.insert(cid, true);
        self.contact_ms = Some(now);
        self.head(now, host, peer, Shown::Proven(Box::new(proven)));
        if self.refused.get(&cid).is_some() {
            return self.reject(now, peer, token, cid);
        }
        self.verdict(token, if may_write { Verdict::Accept } else { Verdict::Ignore });
    }

    fn reject(&mut self, now: u64, peer: Peer, token: Token, cid: LogCid) {
        self.refused.insert(cid, ());
        self.verdict(token, Verdict::Reject);
        self.useless(now, peer);
    }

    fn verdict(&mut self, token: Token, verdict: Verdict) {
        self.effects.push(Effect::Verdict { token, verdict });
    }

    fn useless(&mut self, now: u64, peer: Peer) {
        if self.peers.was_useless(now, peer) {
            self.blame(now, peer, Offence::Flood);
        }
    }

    pub(super) fn blame(&mut self, now: u64, peer: Peer, why: Offence) {
        self.peers.blame(now, peer);
        self.effects.push(Effect::Blame { peer, why });
    }

    /// A peer shows a head outside of announcements.
    pub(super) fn shown(&mut self, now: u64, host: &dyn Host, peer: Peer, block: &[u8]) {
        let cid = LogCid::of(block);
        if self.is_known(host, &cid) {
            return;
        }
        if self.refused.get(&cid).is_some() {
            return self.useless(now, peer);
        }
        self.head(now, host, peer, Shown::Block(cid, block));
    }

    /// Hands a head to the join. What it lacks is left to a pull if its peer can
    /// be pulled from.
    fn head(&mut self, now: u64, host: &dyn Host, peer: Peer, shown: Shown<'_>) {
        let cid = shown.cid();
        if self.is_paused(now) || self.outbox.is_full() {
            self.wanted.insert(cid, peer, Some(now.saturating_add(HEAD_RETRY_MS)));
            return;
        }
        if !self.wanted.insert(cid, peer, None) {
            // A writer in haste announces more than there is room for. A pull brings all of it.
            return self.turn_to(peer, now);
        }
        let effects = match shown {
            Shown::Proven(proven) => self.join.on_proven(host, *proven),
            Shown::Block(_, block) => self.join.on_announced(host, block),
        };
        let (park, parked) = (self.peers.can_pull(now, peer), self.parked.len());
        let cause = Cause { peer: Some(peer), head: Some(cid) };
        self.take_effects_of(now, host, effects, cause, park);
        if self.parked.len() > parked {
            self.peers.want_pull(peer, now);
        }
    }

    pub(super) fn fetched(
        &mut self,
        now: u64,
        host: &dyn Host,
        cid: LogCid,
        block: Option<&[u8]>,
        cause: Cause,
    ) {
        let waiting = self.announcements.take(&cid);
        if !waiting.is_empty() {
            let identity = block.and_then(|block| Identity::decode(cid, block).ok()).map(Arc::new);
            if let Some(identity) = &identity {
                self.identities.insert(cid, Arc::clone(identity));
            }
            for announced in waiting {
                self.identified(now, host, announced, identity.clone());
            }
        }
        let mut effects = match block {
            Some(block) => self.join.on_block(host, cid, block),
            None => self.join.on_missing(host, cid),
        };
        // Who serves entries has their ancestors, too. If one cannot be had now,
        // the next pull is soon enough to look for the others.
        if let (None, Cause { peer: Some(peer), head: None }) = (block, cause) {
            for lacked in self.fetches.drop_pulled(peer) {
                effects.extend(self.join.on_missing(host, lacked));
            }
        }
        self.take_effects_of(now, host, effects, cause, false);
    }

    /// The identity that an announcement waited for is here, or cannot be had.
    pub(super) fn identified(
        &mut self,
        now: u64,
        host: &dyn Host,
        announced: Announced,
        identity: Option<Arc<Identity>>,
    ) {
        let Announced { peer, token, entry, .. } = announced;
        let cid = entry.cid();
        match identity.map(|identity| Proven::new(entry, identity, &self.log)) {
            Some(Ok(proven)) => self.judge(now, host, peer, token, proven),
            Some(Err(_)) => self.reject(now, peer, token, cid),
            None => {
                self.verdict(token, Verdict::Ignore);
                self.wanted.insert(cid, peer, Some(now.saturating_add(HEAD_RETRY_MS)));
                self.useless(now, peer);
            }
        }
    }

    /// A verified identity, wherever it is kept.
    pub(super) fn identity(&self, host: &dyn Host, cid: &LogCid) -> Option<Arc<Identity>> {
        self.identities.get(cid).cloned().or_else(|| host.identity(cid))
    }

    pub(super) fn take_effects(&mut self, now: u64, host: &dyn Host, effects: Vec<JoinEffect>) {
        self.take_effects_of(now, host, effects, Cause { peer: None, head: None }, false);
    }

    /// Does what the join asks. What it lacks is fetched, or parked until a pull
    /// has brought it or has not.
    pub(super) fn take_effects_of(
        &mut self,
        now: u64,
        host: &dyn Host,
        effects: Vec<JoinEffect>,
        cause: Cause,
        park: bool,
    ) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                JoinEffect::Fetch { cid } if park && self.parked.len() < PARKED_BLOCKS_MAX => {
                    self.parked.insert(cid, (now.saturating_add(PARKED_MS_MAX), cause));
                }
                JoinEffect::Fetch { cid } => self.fetches.want(cid, cause),
                JoinEffect::Ready { entries, identities, passed } => {
                    self.ready(now, Ready { entries, identities, passed, restored: Vec::new() });
                }
                JoinEffect::Restored { entries } => {
                    self.outbox.add(Ready { restored: entries, ..Ready::default() });
                }
                JoinEffect::Reject { cid, why } => {
                    // The other ancestors that it lacks are of no use without this one.
                    for lacked in self.rejected(now, cid, &why) {
                        effects.extend(self.join.on_missing(host, lacked));
                    }
                }
                JoinEffect::Deferred { cid, .. } => {
                    self.wanted.remove(&cid);
                    self.deferred.insert(cid, ());
                }
                // What the caller hands over is checked, so this is a block that nobody has.
                JoinEffect::Mismatch { cid } => effects.extend(self.join.on_missing(host, cid)),
            }
        }
    }

    fn ready(&mut self, now: u64, ready: Ready) {
        let mut silent = false;
        for entry in &ready.entries {
            let cid = entry.cid();
            self.wanted.remove(&cid);
            if self.seen.get(&cid).is_none() {
                self.seen.insert(cid, false);
                silent = true;
            }
        }
        if let Some(pulling) = &mut self.pulling {
            pulling.gained(now, ready.entries.len() as u64);
        }
        self.outbox.add(ready);
        if silent {
            self.heads_changed(now);
        }
    }

    /// A head, or an ancestor of one, is not joined; gives what is no longer
    /// worth asking for.
    fn rejected(&mut self, now: u64, cid: LogCid, why: &Error) -> Vec<LogCid> {
        let is_head = if why.kind() == Kind::Unavailable {
            self.wanted.failed(now, &cid, &mut self.jitter)
        } else {
            if !matches!(why, Error::AncestorRefused(_)) {
                self.refused.insert(cid, ());
            }
            self.wanted.remove(&cid)
        };
        if is_head { self.fetches.drop_of(&cid) } else { Vec::new() }
    }

    /// Names the peers that are the likeliest to have what is asked for.
    pub(super) fn name_candidates(&mut self, now: u64) {
        if !self.effects.iter().any(|effect| matches!(effect, Effect::Fetch { .. })) {
            return;
        }
        let mut likely: Vec<Peer> = Vec::new();
        for peer in self.wanted.sources() {
            if likely.len() >= FETCH_CANDIDATES_MAX {
                break;
            }
            if !likely.contains(&peer) && self.peers.can_fetch(now, peer) {
                likely.push(peer);
            }
        }
        for effect in &mut self.effects {
            let Effect::Fetch { from, .. } = effect else { continue };
            from.retain(|peer| self.peers.can_fetch(now, *peer));
            for peer in &likely {
                if from.len() < FETCH_CANDIDATES_MAX && !from.contains(peer) {
                    from.push(*peer);
                }
            }
        }
    }
}

/// A head as a peer shows it.
enum Shown<'a> {
    Proven(Box<Proven>),
    Block(LogCid, &'a [u8]),
}

impl Shown<'_> {
    fn cid(&self) -> LogCid {
        match self {
            Shown::Proven(proven) => proven.entry().cid(),
            Shown::Block(cid, _) => *cid,
        }
    }
}
