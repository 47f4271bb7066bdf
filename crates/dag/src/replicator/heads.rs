//! What peers show: announcements and their verdicts, heads, blocks; and what
//! becomes of it in the join.

use std::collections::VecDeque;
use std::sync::Arc;

use super::announcements::Announced;
use super::fetches::Cause;
use super::store_queue::Ready;
use super::{AnnouncementId, Effect, LocalStore, Offence, Peer, Replicator, Verdict};
use crate::join::{JoinEffect, Proven};
use crate::limits::{FETCH_CANDIDATES_MAX, HEAD_RETRY_MS, PARKED_BLOCKS_MAX, PARKED_MS_MAX};
use crate::{Entry, Error, Identity, Kind, LogCid};

impl Replicator {
    pub(super) fn announced(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        id: AnnouncementId,
        block: &[u8],
    ) {
        let cid = LogCid::of(block);
        if !self.is_heard(now, peer) {
            return self.verdict(id, Verdict::Ignore);
        }
        if !self.may_announce(now, peer, id) || self.is_repeated(now, local, peer, id, &cid) {
            return;
        }
        let entry = match Entry::decode(cid, block) {
            Ok(entry) if *entry.log() == self.log => entry,
            _ => return self.reject(now, peer, id, cid),
        };
        let writer = entry.identity();
        if let Some(identity) = self.identity(local, &writer) {
            return match Proven::new(entry, identity, &self.log) {
                Ok(proven) => self.judge(now, local, peer, id, proven),
                Err(_) => self.reject(now, peer, id, cid),
            };
        }
        if self.announcements.wait(now, peer, id, entry) {
            // It is waited for, so it takes no turn.
            let cause = Cause { peer: Some(peer), head: None };
            if self.fetches.open(writer, cause) {
                self.effects.push(Effect::Fetch { cid: writer, from: vec![peer] });
            }
        } else {
            self.leave_to_pull(now, peer, id);
        }
    }

    /// Whether what a peer says is looked at: not while it only costs. That it goes on then is held against
    /// it.
    pub(super) fn is_heard(&mut self, now: u64, peer: Peer) -> bool {
        if !self.peers.only_costs(now, peer) {
            return true;
        }
        if self.peers.may_blame_waste(now, peer) {
            self.blame(now, peer, Offence::Waste);
        }
        false
    }

    /// Counts an announcement. One too many is left to a pull, which is cheaper.
    pub(super) fn may_announce(&mut self, now: u64, peer: Peer, id: AnnouncementId) -> bool {
        let may = self.peers.may_announce(now, peer);
        if !may {
            self.leave_to_pull(now, peer, id);
        }
        may
    }

    fn leave_to_pull(&mut self, now: u64, peer: Peer, id: AnnouncementId) {
        self.verdict(id, Verdict::Ignore);
        self.turn_to(peer, now);
    }

    /// Answers an announcement of what is known already. What came by another
    /// way before its announcement is passed on all the same, once.
    pub(super) fn is_repeated(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        id: AnnouncementId,
        cid: &LogCid,
    ) -> bool {
        if self.refused.get(cid).is_some() {
            self.verdict(id, Verdict::Reject);
            self.useless(now, peer);
            return true;
        }
        if !self.is_known(local, cid) {
            return false;
        }
        match self.seen.get(cid) {
            Some(true) => {
                self.verdict(id, Verdict::Ignore);
                self.useless(now, peer);
            }
            Some(false) => {
                self.verdict(id, Verdict::Accept);
                self.seen.insert(*cid, true);
            }
            // A pull brought it, and the record of that is forgotten. Nobody is to blame.
            None => self.verdict(id, Verdict::Ignore),
        }
        true
    }

    /// Gives the verdict on a verified entry, and hands it to the join.
    pub(super) fn judge(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        id: AnnouncementId,
        proven: Proven,
    ) {
        let cid = proven.entry().cid();
        let may_write = self.access.judge(proven.identity()) == crate::Standing::Allowed
            || self.access.vouches(&cid);
        if !may_write && !self.access.is_mutable() {
            return self.reject(now, peer, id, cid);
        }
        self.seen.insert(cid, true);
        self.contacted = true;
        self.head(now, local, peer, ShownHead::Proven(Box::new(proven)));
        if self.refused.get(&cid).is_some() {
            return self.reject(now, peer, id, cid);
        }
        self.verdict(id, if may_write { Verdict::Accept } else { Verdict::Ignore });
    }

    fn reject(&mut self, now: u64, peer: Peer, id: AnnouncementId, cid: LogCid) {
        self.refused.insert(cid, ());
        self.verdict(id, Verdict::Reject);
        self.useless(now, peer);
    }

    pub(super) fn verdict(&mut self, id: AnnouncementId, verdict: Verdict) {
        self.effects.push(Effect::Verdict { id, verdict });
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
    pub(super) fn shown(&mut self, now: u64, local: &dyn LocalStore, peer: Peer, block: &[u8]) {
        let cid = LogCid::of(block);
        if self.is_known(local, &cid) {
            return;
        }
        if self.refused.get(&cid).is_some() {
            return self.useless(now, peer);
        }
        self.head(now, local, peer, ShownHead::Block(cid, block));
        self.wanted.is_shown(&cid, peer);
    }

    /// Hands a head to the join. What it lacks is left to a pull if its peer can
    /// be pulled from.
    fn head(&mut self, now: u64, local: &dyn LocalStore, peer: Peer, shown: ShownHead<'_>) {
        let cid = shown.cid();
        if self.is_paused(now) || self.store_queue.is_full() {
            self.wanted.insert(cid, peer, Some(now.saturating_add(HEAD_RETRY_MS)));
            return;
        }
        if !self.wanted.insert(cid, peer, None) {
            // A fast writer announces more than there is room for. A pull brings all of it.
            return self.turn_to(peer, now);
        }
        let waiting = self.join.waiting();
        let effects = match shown {
            ShownHead::Proven(proven) => self.join.on_proven(local, *proven),
            ShownHead::Block(_, block) => self.join.on_announced(local, block),
        };
        self.wanted.awaits(&cid, added(waiting, self.join.waiting()));
        let (park, parked) = (self.peers.can_pull(now, peer), self.parked.len());
        let cause = Cause { peer: Some(peer), head: Some(cid) };
        self.take_effects_of(now, local, effects, cause, park);
        if self.parked.len() > parked {
            self.peers.want_pull(peer, now);
        }
    }

    pub(super) fn fetched(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
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
                self.identified(now, local, announced, identity.clone());
            }
        }
        let waiting = self.join.waiting();
        let mut effects = match block {
            Some(block) => self.join.on_block(local, cid, block),
            None => self.join.on_missing(local, cid),
        };
        if let Some(head) = cause.head {
            // A long chain is no crowd: what an entry names in place of itself is not counted.
            self.wanted.awaits(&head, added(waiting + 1, self.join.waiting()));
        }
        // A peer that serves entries has their ancestors, too. If one cannot be had
        // now, the others are left to the next pull.
        if let (None, Cause { peer: Some(peer), head: None }) = (block, cause) {
            for lacked in self.fetches.drop_pulled(peer) {
                effects.extend(self.join.on_missing(local, lacked));
            }
        }
        self.take_effects_of(now, local, effects, cause, false);
    }

    /// The identity that an announcement waited for is here, or cannot be had.
    pub(super) fn identified(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        announced: Announced,
        identity: Option<Arc<Identity>>,
    ) {
        let Announced { peer, id, entry, .. } = announced;
        let cid = entry.cid();
        match identity.map(|identity| Proven::new(entry, identity, &self.log)) {
            Some(Ok(proven)) => self.judge(now, local, peer, id, proven),
            Some(Err(_)) => self.reject(now, peer, id, cid),
            None => {
                self.verdict(id, Verdict::Ignore);
                self.wanted.insert(cid, peer, Some(now.saturating_add(HEAD_RETRY_MS)));
                self.useless(now, peer);
            }
        }
    }

    /// A verified identity, wherever it is kept.
    pub(super) fn identity(&self, local: &dyn LocalStore, cid: &LogCid) -> Option<Arc<Identity>> {
        self.identities.get(cid).cloned().or_else(|| local.identity(cid))
    }

    pub(super) fn take_effects(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        effects: Vec<JoinEffect>,
    ) {
        self.take_effects_of(now, local, effects, Cause { peer: None, head: None }, false);
    }

    /// Carries out the effects of the join. With `park`, blocks that it lacks are not
    /// fetched before the pull that probably brings them is over.
    pub(super) fn take_effects_of(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        effects: Vec<JoinEffect>,
        cause: Cause,
        park: bool,
    ) {
        let (mut effects, mut given_up) = (VecDeque::from(effects), false);
        while let Some(effect) = effects.pop_front() {
            match effect {
                // Without the one that cannot be had, the other ancestors of a head are of no use.
                JoinEffect::Fetch { cid } if given_up && !self.join.needs(&cid) => {
                    effects.extend(self.join.on_missing(local, cid));
                }
                JoinEffect::Fetch { cid } if park && self.parked.len() < PARKED_BLOCKS_MAX => {
                    self.parked.insert(cid, (now.saturating_add(PARKED_MS_MAX), cause));
                }
                JoinEffect::Fetch { cid } => self.fetches.want(cid, cause),
                JoinEffect::Ready { entries, identities, passed } => {
                    self.ready(now, Ready { entries, identities, passed, restored: Vec::new() });
                }
                JoinEffect::Restored { entries } => {
                    self.store_queue.add(Ready { restored: entries, ..Ready::default() });
                }
                JoinEffect::Reject { cid, why } => {
                    given_up = true;
                    let lacked = self.rejected(now, cid, &why);
                    effects.extend(lacked.into_iter().map(|cid| JoinEffect::Fetch { cid }));
                }
                JoinEffect::Deferred { cid, .. } => {
                    self.wanted.remove(&cid);
                    self.deferred.insert(cid, ());
                }
                // The driver has checked what it hands over, so nobody has this block.
                JoinEffect::Mismatch { cid } => effects.extend(self.join.on_missing(local, cid)),
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
        let entries = ready.entries.len() as u64;
        self.peers.ready(entries);
        if let Some(pulling) = &mut self.pulling {
            pulling.gained(now, entries);
        }
        self.store_queue.add(ready);
        if silent {
            self.heads_changed(now);
        }
    }

    /// The join refused a head, or an ancestor of one. Gives the blocks that need not
    /// be asked for any more, unless something else needs them.
    fn rejected(&mut self, now: u64, cid: LogCid, why: &Error) -> Vec<LogCid> {
        // Who shows a head among its own says that it has all of it. Who passed it on does not.
        if matches!(why, Error::BlockMissing(_))
            && let Some((peer, links)) = self.wanted.shown_by(&cid)
        {
            self.peers.absent(now, peer, links as u64);
        }
        let is_head = if why.kind() == Kind::Unavailable {
            self.wanted.failed(now, &cid, &mut self.jitter)
        } else {
            if !matches!(why, Error::AncestorRefused(_)) {
                self.refused.insert(cid, ());
            }
            self.wanted.remove(&cid)
        };
        if !is_head {
            return Vec::new();
        }
        let parked = self.parked.extract_if(.., |_, (_, cause)| cause.head == Some(cid));
        parked.map(|(lacked, _)| lacked).chain(self.fetches.drop_of(&cid)).collect()
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

/// By how many there are more now.
fn added(before: usize, now: usize) -> isize {
    now.cast_signed() - before.cast_signed()
}

/// A head as a peer shows it.
enum ShownHead<'a> {
    Proven(Box<Proven>),
    Block(LogCid, &'a [u8]),
}

impl ShownHead<'_> {
    fn cid(&self) -> LogCid {
        match self {
            ShownHead::Proven(proven) => proven.entry().cid(),
            ShownHead::Block(cid, _) => *cid,
        }
    }
}
