//! The end of a turn: after every input the replicator does what has become due.

use super::fetches::Cause;
use super::{Effect, LocalStore, Replicator};
use crate::LogCid;
use crate::limits::{HEADS_PERIOD_MS, PULL_PERIOD_MS};

impl Replicator {
    /// The latest time at which [`Replicator::on_tick`] is to be called next.
    pub fn due_ms(&self) -> u64 {
        let times = [self.announcements.due_ms(), self.work_due_ms()];
        times.into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// When something is due that a full store queue or a pause holds up.
    fn work_due_ms(&self) -> Option<u64> {
        let parked_ms = self.parked.values().map(|(at_ms, _)| *at_ms).min();
        // Only when nothing is being stored.
        let reconsider_ms = (self.reconsider && self.store_queue.is_empty()).then_some(0);
        let times = match &self.pulling {
            _ if self.store_queue.is_full() => return None,
            Some(pulling) => [
                Some(pulling.due_ms()),
                self.peers.heads_due_ms(),
                parked_ms.map(|at_ms| at_ms.max(pulling.idle_ms())),
                self.wanted.due_ms(),
                reconsider_ms,
            ],
            None => [
                Some(self.turn_at_ms),
                self.peers.heads_due_ms().into_iter().chain(self.peers.pull_due_ms()).min(),
                parked_ms,
                self.wanted.due_ms(),
                reconsider_ms,
            ],
        };
        times.into_iter().flatten().min().map(|at_ms| at_ms.max(self.paused_until_ms))
    }

    pub(super) fn is_paused(&self, now: u64) -> bool {
        now < self.paused_until_ms
    }

    /// Does what is due, and gives all effects since the last time.
    pub(super) fn finish(&mut self, now: u64, local: &dyn LocalStore) -> Vec<Effect> {
        for announced in self.announcements.take_overdue(now) {
            self.identified(now, local, announced, None);
        }
        if !self.is_paused(now) {
            self.give_up_pull(now);
            self.ask_held(now);
            self.start_pull(now);
            self.unpark(now, local);
            self.try_heads(now, local);
            self.fetch_next();
            self.exchange_heads(now);
        }
        if self.join.is_idle() {
            let known: Vec<LogCid> = self.wanted.worked_on().collect();
            for cid in known {
                self.forget_or_retry(now, local, cid);
            }
        }
        self.effects.extend(self.store_queue.next());
        if self.reconsider && self.store_queue.is_empty() && !self.is_paused(now) {
            // What was passed over before the access changed is all stored by now.
            self.reconsider = false;
            self.effects.push(Effect::Reconsider);
        }
        self.name_candidates(now);
        if cfg!(debug_assertions) {
            self.fetches.check();
            self.store_queue.check();
        }
        std::mem::take(&mut self.effects)
    }

    /// The join no longer works on this head and has said nothing about it. If it was
    /// stored by another way it is forgotten, otherwise it is tried again.
    fn forget_or_retry(&mut self, now: u64, local: &dyn LocalStore, cid: LogCid) {
        if self.is_known(local, &cid) {
            self.wanted.remove(&cid);
        } else {
            self.wanted.failed(now, &cid, &mut self.jitter);
        }
    }

    fn give_up_pull(&mut self, now: u64) {
        let due = self.pulling.as_ref().filter(|pulling| pulling.due_ms() <= now);
        if let Some(peer) = due.map(|pulling| pulling.peer) {
            self.end_pull(now, true);
            self.peers.want_pull(peer, now);
        }
    }

    /// Begins the pull that is most called for, or that of the next peer in turn.
    fn start_pull(&mut self, now: u64) {
        if self.pulling.is_some() || self.store_queue.is_full() {
            return;
        }
        // Turns come first, so that a peer which always calls for pulls holds up no other.
        let mut peer = None;
        if self.turn_at_ms <= now {
            self.turn_at_ms = now.saturating_add(self.jitter.around(PULL_PERIOD_MS));
            peer = self.peers.next_in_turn(now);
        }
        if let Some(peer) = peer.or_else(|| self.peers.due_pull(now)) {
            self.begin_pull(now, peer);
        }
    }

    /// Fetches what no pull brought in time.
    fn unpark(&mut self, now: u64, local: &dyn LocalStore) {
        if self.pulling.as_ref().is_some_and(|pulling| now < pulling.idle_ms()) {
            return;
        }
        let due = |(_, (until, _)): &(&LogCid, &(u64, Cause))| *until <= now;
        let due: Vec<(LogCid, Cause)> =
            self.parked.iter().filter(due).map(|(cid, (_, cause))| (*cid, *cause)).collect();
        for (cid, cause) in due {
            self.parked.remove(&cid);
            if self.join.awaits(&cid) {
                self.unpark_one(now, local, cid, cause);
            }
        }
    }

    fn unpark_one(&mut self, now: u64, local: &dyn LocalStore, cid: LogCid, cause: Cause) {
        // Another way may have stored it in the meantime.
        let identity = self.identity(local, &cid);
        let stored = self.is_known(local, &cid);
        let effects = match identity {
            Some(identity) => self.join.on_block(local, cid, &identity.block),
            None if stored => self.join.on_missing(local, cid),
            None => return self.fetches.want(cid, cause),
        };
        self.take_effects_of(now, local, effects, cause, false);
    }

    /// Tries heads again that are due: in turns by a pull from a peer that showed
    /// them, and block by block.
    fn try_heads(&mut self, now: u64, local: &dyn LocalStore) {
        while !self.store_queue.is_full()
            && let Some((cid, attempts, from)) = self.wanted.take_due(now)
        {
            if self.is_known(local, &cid) {
                self.wanted.remove(&cid);
                continue;
            }
            let pulled = from.iter().find(|peer| self.peers.can_pull(now, **peer)).copied();
            let park = pulled.is_some() && attempts.is_multiple_of(2);
            let effects = self.join.on_heads(local, &[cid]);
            let cause = Cause { peer: from.first().copied(), head: Some(cid) };
            self.take_effects_of(now, local, effects, cause, park);
            if let Some(peer) = pulled.filter(|_| park) {
                self.peers.want_pull(peer, now);
            }
        }
    }

    /// Asks for blocks as long as there is room for what they bring.
    fn fetch_next(&mut self) {
        while !self.store_queue.is_full()
            && let Some((cid, cause)) = self.fetches.next()
        {
            if self.join.awaits(&cid) {
                self.effects.push(Effect::Fetch { cid, from: cause.peer.into_iter().collect() });
            } else {
                self.fetches.forget(&cid);
            }
        }
    }

    fn exchange_heads(&mut self, now: u64) {
        while let Some(peer) = self.peers.take_due_heads(now) {
            if self.peers.is_plain(peer) {
                self.effects.push(Effect::SendHeads { peer });
                let next = now.saturating_add(self.jitter.around(HEADS_PERIOD_MS));
                self.peers.want_heads(peer, next);
            }
        }
    }
}
