//! The answering side: who wants what of this node, and in which order it is served.
//!
//! A machine. Wants wait in a queue per peer, and a few at a time are looked up, those of the peer first that
//! has cost least lately, and of equals in turn: so one peer's thousand wants do not hold up another's single
//! one, and two that read all they can leave others their part. Each peer has a budget of wants per second. A want for a block that is not here is kept for a while and served when the
//! block arrives, as other implementations do: some of them ask only once.

use std::collections::{HashMap, HashSet, VecDeque};

use libp2p::PeerId;
use optimusdb_dag::Cid;

use super::limits::{
    BURST_WANTS_MAX, KEPT_WANTS_MAX, KEPT_WANTS_MS, PEER_READS_MAX, PEER_WANTS_MAX,
    PEER_WANTS_PER_SECOND_MAX, PEERS_MAX, READ_WANTS_MAX, READS_MAX,
};
use super::message::WantType;
use super::turns::Turns;
use crate::peering::accounts::Charged;

/// How a peer wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) ask: WantType,
    pub(super) send_dont_have: bool,
}

/// Wants of one peer that are to be looked up together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WantBatch {
    pub(super) peer: PeerId,
    pub(super) wants: Vec<(Cid, Want)>,
}

/// What was found for a want.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Block(Vec<u8>),
    Have,
    Missing,
    /// The reader had enough blocks already.
    Unread,
}

/// What the peer is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WantAnswer {
    Block(Cid, Vec<u8>),
    Presence(Cid, bool),
}

struct PeerWants {
    queue: Turns<Want>,
    /// Wants for blocks that are not here, with the time until which they are kept.
    kept: Turns<(Want, u64)>,
    reads: usize,
    /// Wants that may be served at once, in thousandths.
    budget: u64,
    counted_at: u64,
}

impl PeerWants {
    fn new(now: u64) -> PeerWants {
        PeerWants {
            queue: Turns::new(),
            kept: Turns::new(),
            reads: 0,
            budget: BURST_WANTS_MAX * 1_000,
            counted_at: now,
        }
    }

    fn refill(&mut self, now: u64) {
        let passed_ms = now.saturating_sub(self.counted_at);
        let gained = passed_ms.saturating_mul(PEER_WANTS_PER_SECOND_MAX);
        self.budget = self.budget.saturating_add(gained).min(BURST_WANTS_MAX * 1_000);
        self.counted_at = now;
    }
}

/// The answering side of bitswap.
pub(super) struct Server {
    peers: HashMap<PeerId, PeerWants>,
    /// Peers with wants in their queue, in the order of their turns.
    ring: VecDeque<PeerId>,
    /// Who is in the ring.
    in_ring: HashSet<PeerId>,
    /// The peers that have kept wants for a block.
    waiting: HashMap<Cid, Vec<PeerId>>,
    reads: usize,
    /// Blocks that arrived while reads were under way, which may have missed them.
    arrived: HashSet<Cid>,
    /// Wants that came while the queue of their peer was full.
    pub(super) dropped_wants: u64,
}

impl Server {
    pub(super) fn new() -> Server {
        Server {
            peers: HashMap::new(),
            ring: VecDeque::new(),
            in_ring: HashSet::new(),
            waiting: HashMap::new(),
            reads: 0,
            arrived: HashSet::new(),
            dropped_wants: 0,
        }
    }

    /// Whether time alone changes something: wants wait for their budget, or are kept for a while.
    pub(super) fn needs_ticks(&self) -> bool {
        !self.ring.is_empty() || !self.waiting.is_empty()
    }

    /// Whether an arriving block could matter.
    pub(super) fn waits_for_blocks(&self) -> bool {
        self.reads > 0 || !self.waiting.is_empty()
    }

    pub(super) fn peer_down(&mut self, peer: PeerId) {
        self.forget_all(peer);
        self.peers.remove(&peer);
    }

    /// Takes back all wants of the peer, as a full want list does.
    pub(super) fn forget_all(&mut self, peer: PeerId) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.queue = Turns::new();
        let kept = std::mem::replace(&mut state.kept, Turns::new());
        for (cid, _) in kept.into_values() {
            self.waits_no_more(&cid, peer);
        }
    }

    /// The peer wants a block.
    pub(super) fn want(&mut self, now: u64, peer: PeerId, cid: Cid, want: Want) {
        if self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&peer) {
            self.dropped_wants += 1;
            return;
        }
        let state = self.peers.entry(peer).or_insert_with(|| PeerWants::new(now));
        if state.kept.remove(&cid).is_some() {
            self.waits_no_more(&cid, peer);
        }
        self.enqueue(peer, cid, want);
    }

    /// The peer takes its want back.
    pub(super) fn cancel(&mut self, peer: PeerId, cid: &Cid) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.queue.remove(cid);
        if state.kept.remove(cid).is_some() {
            self.waits_no_more(cid, peer);
        }
    }

    /// The blocks that the peer asked for and that were not here are looked up again.
    pub(super) fn look_again(&mut self, peer: PeerId) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let kept = std::mem::replace(&mut state.kept, Turns::new());
        for (cid, (want, _)) in kept.into_values() {
            self.waits_no_more(&cid, peer);
            self.enqueue(peer, cid, want);
        }
    }

    /// A block is here now: the peers that wait for it are served.
    pub(super) fn arrived(&mut self, cid: Cid) {
        for peer in self.waiting.remove(&cid).unwrap_or_default() {
            if let Some((want, _)) =
                self.peers.get_mut(&peer).and_then(|state| state.kept.remove(&cid))
            {
                self.enqueue(peer, cid.clone(), want);
            }
        }
        if self.reads > 0 && self.arrived.len() < PEER_WANTS_MAX {
            self.arrived.insert(cid);
        }
    }

    fn enqueue(&mut self, peer: PeerId, cid: Cid, want: Want) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if let Some(earlier) = state.queue.get_mut(&cid) {
            *earlier = want;
        } else if state.queue.len() < PEER_WANTS_MAX {
            state.queue.push_back(cid, want);
        } else {
            self.dropped_wants += 1;
        }
        self.enter_ring(peer);
    }

    fn enter_ring(&mut self, peer: PeerId) {
        if self.in_ring.insert(peer) {
            self.ring.push_back(peer);
        }
    }

    /// The wants to look up next, if a reader is free and somebody's turn has come. `turn` says what a peer has
    /// cost, or that there is no room for its answers.
    pub(super) fn next_read(
        &mut self,
        now: u64,
        turn: impl Fn(&PeerId) -> Option<Charged>,
    ) -> Option<WantBatch> {
        if self.reads >= READS_MAX {
            return None;
        }
        self.ring.retain(|peer| {
            let waits = self.peers.get(peer).is_some_and(|state| !state.queue.is_empty());
            waits || !self.in_ring.remove(peer)
        });
        let mut least: Option<(usize, Charged)> = None;
        for (at, peer) in self.ring.iter().enumerate() {
            let Some(state) = self.peers.get_mut(peer) else { continue };
            state.refill(now);
            if state.reads >= PEER_READS_MAX || state.budget < 1_000 {
                continue;
            }
            if let Some(charged) = turn(peer)
                && least.is_none_or(|(_, least)| charged.cmp(&least).is_lt())
            {
                least = Some((at, charged));
            }
        }
        let peer = self.ring.remove(least?.0)?;
        self.ring.push_back(peer);
        let state = self.peers.get_mut(&peer)?;
        let affordable = usize::try_from(state.budget / 1_000).unwrap_or(READ_WANTS_MAX);
        let count = READ_WANTS_MAX.min(affordable);
        let wants: Vec<(Cid, Want)> =
            std::iter::from_fn(|| state.queue.pop_front()).take(count).collect();
        state.budget -= 1_000 * wants.len() as u64;
        state.reads += 1;
        self.reads += 1;
        Some(WantBatch { peer, wants })
    }

    /// What a [`Read`] found; returns what the peer is to be told.
    pub(super) fn on_read(
        &mut self,
        now: u64,
        peer: PeerId,
        found: Vec<(Cid, Want, Found)>,
    ) -> Vec<WantAnswer> {
        self.reads = self.reads.saturating_sub(1);
        let mut answers = Vec::new();
        if let Some(state) = self.peers.get_mut(&peer) {
            state.reads = state.reads.saturating_sub(1);
            let mut unread = Vec::new();
            for (cid, want, found) in found {
                match found {
                    Found::Block(block) => answers.push(WantAnswer::Block(cid, block)),
                    Found::Have => answers.push(WantAnswer::Presence(cid, true)),
                    Found::Missing if self.arrived.remove(&cid) => unread.push((cid, want)),
                    Found::Missing => {
                        if want.send_dont_have {
                            answers.push(WantAnswer::Presence(cid.clone(), false));
                        }
                        self.keep(now, peer, cid, want);
                    }
                    Found::Unread => unread.push((cid, want)),
                }
            }
            self.put_back(peer, unread);
        }
        if self.reads == 0 {
            self.arrived.clear();
        }
        answers
    }

    fn put_back(&mut self, peer: PeerId, unread: Vec<(Cid, Want)>) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if unread.is_empty() {
            return;
        }
        state.budget += 1_000 * unread.len() as u64;
        for (cid, want) in unread.into_iter().rev() {
            state.queue.push_front(cid, want);
        }
        self.enter_ring(peer);
    }

    fn keep(&mut self, now: u64, peer: PeerId, cid: Cid, want: Want) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let full = state.kept.len() >= KEPT_WANTS_MAX;
        if full && let Some((oldest, _)) = state.kept.pop_front() {
            self.waits_no_more(&oldest, peer);
        }
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.kept.push_back(cid.clone(), (want, now + KEPT_WANTS_MS));
        let waiting = self.waiting.entry(cid).or_default();
        if !waiting.contains(&peer) {
            waiting.push(peer);
        }
    }

    fn waits_no_more(&mut self, cid: &Cid, peer: PeerId) {
        if let Some(waiting) = self.waiting.get_mut(cid) {
            waiting.retain(|other| *other != peer);
            if waiting.is_empty() {
                self.waiting.remove(cid);
            }
        }
    }

    /// Forgets kept wants whose time is over.
    pub(super) fn on_tick(&mut self, now: u64) {
        let mut over = Vec::new();
        for (peer, state) in &mut self.peers {
            while state.kept.front().is_some_and(|(_, until)| *until <= now)
                && let Some((cid, _)) = state.kept.pop_front()
            {
                over.push((cid, *peer));
            }
        }
        for (cid, peer) in over {
            self.waits_no_more(&cid, peer);
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
