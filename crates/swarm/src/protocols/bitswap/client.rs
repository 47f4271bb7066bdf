//! The asking side: whom to ask for which block, and when to ask somebody else.
//!
//! A machine: it has no IO, and the time is an argument. A fetch asks its best candidate for the
//! block. If that one is silent, a second one is asked after [`HEDGE_MS`] and others after
//! [`PEER_TIMEOUT_MS`]; after a no or a lost connection the next one is asked at once. Candidates come
//! first, then all other connected peers, and last those that failed lately. But for the first few,
//! peers that are no candidates are asked only whether they have the block.
//!
//! Blocks that belong together are fetched in a session ([`sessions`]), which remembers who has them.
//! If all peers say no to such a block, their wants are kept for a while: it may come late.
//!
//! Each peer has a window of blocks that it is asked for at a time; what does not fit waits for a
//! place. A caller that asks for a block that is being fetched already shares the fetch.

mod choice;
mod fetch;
mod sessions;

use std::collections::BTreeMap;

use libp2p::PeerId;
use optimusdb_dag::Cid;

use fetch::{Fetch, Question, QuestionState};
pub(super) use sessions::SessionTicket;
use sessions::{Awaited, Sessions};

use super::FetchError;
use super::limits::{
    ASK_AGAIN_MS, HAVES_ASKED_MAX, HEDGE_MS, LATE_BLOCK_MS, PEER_TIMEOUT_MS, REST_MS,
    SESSION_HAVES_ASKED_MAX, STRANGERS_ASKED_MAX,
};
use super::message::WantType;
use super::outbox::WantUpdate;
use super::window::PeerWindow;

/// What the machine wants done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FetchEffect {
    /// Tell the peer.
    Send(PeerId, Cid, WantUpdate),
    /// The fetch is over: the block and who sent it, or why there is none.
    Done(Cid, Result<(Vec<u8>, PeerId), FetchError>),
}

/// The asking side of bitswap.
pub(super) struct Client {
    // Both are ordered, so that the same inputs lead to the same questions.
    fetches: BTreeMap<Cid, Fetch>,
    peers: BTreeMap<PeerId, PeerWindow>,
    sessions: Sessions,
    awaited: BTreeMap<Cid, Awaited>,
    effects: Vec<FetchEffect>,
    /// Peers whose window may have a place for a fetch that waits.
    freed: Vec<PeerId>,
    /// Blocks that came and that no caller waits for.
    pub(super) unwanted_blocks: u64,
}

impl Client {
    pub(super) fn new() -> Client {
        Client {
            fetches: BTreeMap::new(),
            peers: BTreeMap::new(),
            sessions: Sessions::default(),
            awaited: BTreeMap::new(),
            effects: Vec::new(),
            freed: Vec::new(),
            unwanted_blocks: 0,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.fetches.is_empty() && self.awaited.is_empty()
    }

    /// What is to be done since the last call.
    pub(super) fn take_effects(&mut self) -> Vec<FetchEffect> {
        std::mem::take(&mut self.effects)
    }

    /// A peer is there, a node of the own swarm or not. Fetches under way ask it at the next tick.
    pub(super) fn peer_up(&mut self, now: u64, peer: PeerId, member: bool) {
        self.peers.entry(peer).or_insert_with(|| PeerWindow::new(now)).member = member;
    }

    pub(super) fn peer_down(&mut self, now: u64, peer: PeerId) {
        let Some(mut window) = self.peers.remove(&peer) else { return };
        let mut moved = window.take_parked();
        self.sessions.peer_down(peer);
        self.awaited.retain(|_, awaited| awaited.forget(&peer));
        for (cid, fetch) in &mut self.fetches {
            if fetch.was_asked(&peer) {
                fetch.questions.retain(|question| question.peer != peer);
                moved.push(cid.clone());
            }
        }
        for cid in moved {
            if let Some(fetch) = self.fetches.get_mut(&cid) {
                fetch.parked = fetch.parked.filter(|at| *at != peer);
                // To a session the peer may come back.
                fetch.candidates.retain(|one| *one != peer || fetch.session.is_some());
                self.advance(now, &cid);
            }
        }
        self.fill_places(now);
    }

    /// Begins a fetch, or adds candidates to the one under way.
    pub(super) fn fetch(&mut self, now: u64, cid: Cid, candidates: &[PeerId]) {
        let fetch = self.fetches.entry(cid.clone()).or_insert_with(|| Fetch::new(now));
        candidates.iter().for_each(|candidate| fetch.name(*candidate));
        self.advance(now, &cid);
        self.fill_places(now);
    }

    /// Begins a fetch of a block of a session.
    pub(super) fn fetch_in(&mut self, now: u64, cid: Cid, ticket: &SessionTicket) {
        self.stop_awaiting(|one, _| *one == cid);
        let (holders, looks) = self.sessions.enter(now, ticket);
        let fetch = self.fetches.entry(cid.clone()).or_insert_with(|| Fetch {
            session: Some(ticket.number),
            members_only: ticket.members_only,
            ..Fetch::new(now)
        });
        fetch.looks |= looks && fetch.session == Some(ticket.number);
        holders.into_iter().for_each(|holder| fetch.name(holder));
        self.advance(now, &cid);
        self.fill_places(now);
    }

    /// Nobody waits for the block any more.
    pub(super) fn abandon(&mut self, now: u64, cid: &Cid) {
        self.end(now, cid, None);
        self.fill_places(now);
    }

    /// A block came. Its address was computed from its bytes.
    pub(super) fn on_block(&mut self, now: u64, peer: PeerId, cid: Cid, block: Vec<u8>) {
        if self.fetches.contains_key(&cid) {
            // Blocks that nobody asked for are no sign that those will come that were asked for.
            if let Some(window) = self.peers.get_mut(&peer) {
                window.heard(now, block.len());
            }
            self.effects.push(FetchEffect::Done(cid.clone(), Ok((block, peer))));
            self.end(now, &cid, Some(peer));
        } else {
            self.unwanted_blocks += 1;
        }
        self.fill_places(now);
    }

    /// A peer says whether it has a block.
    pub(super) fn on_presence(&mut self, now: u64, peer: PeerId, cid: &Cid, have: bool) {
        let fetch = self.fetches.get_mut(cid);
        let session = fetch.as_ref().and_then(|fetch| fetch.session);
        let Some(question) = fetch.and_then(|fetch| fetch.question(&peer)) else {
            return self.on_awaited(now, peer, cid, have);
        };
        let (ask, earlier) = (question.ask, question.state);
        question.state = match (have, ask) {
            // It says that it has the block that it was asked for: the block is still to come.
            (true, WantType::Block) => return,
            (true, WantType::Have) => QuestionState::Has,
            (false, _) => QuestionState::No,
        };
        if earlier == QuestionState::Waiting {
            self.release(peer, ask);
        }
        match session {
            Some(session) if have => self.holds(session, peer),
            Some(session) => self.sessions.lacks(session, peer),
            None => {}
        }
        self.advance(now, cid);
        self.fill_places(now);
    }

    /// A message could not be sent to the peer; `mute` if it does not speak bitswap at all.
    pub(super) fn on_send_failed(&mut self, now: u64, peer: PeerId, mute: bool) {
        let Some(window) = self.peers.get_mut(&peer) else { return };
        window.rest(now + REST_MS);
        window.mute |= mute;
        let mut moved = window.take_parked();
        for (cid, fetch) in &mut self.fetches {
            let Some(question) = fetch.question(&peer) else { continue };
            if question.state == QuestionState::Waiting {
                window.release(question.ask);
                question.state = if mute { QuestionState::No } else { QuestionState::Late };
                moved.push(cid.clone());
            }
        }
        for cid in moved {
            if let Some(fetch) = self.fetches.get_mut(&cid) {
                fetch.parked = fetch.parked.filter(|at| *at != peer);
                self.advance(now, &cid);
            }
        }
        self.fill_places(now);
    }

    /// Looks at the clocks.
    pub(super) fn on_tick(&mut self, now: u64) {
        let cids: Vec<Cid> = self.fetches.keys().cloned().collect();
        for cid in cids {
            self.advance(now, &cid);
        }
        self.stop_awaiting(|_, until| now >= until);
        self.fill_places(now);
    }

    /// Gives the places that became free to the fetches that wait for them.
    fn fill_places(&mut self, now: u64) {
        while let Some(peer) = self.freed.pop() {
            while let Some(window) = self.peers.get_mut(&peer)
                && window.has_place()
                && let Some(cid) = window.unpark()
            {
                if let Some(fetch) = self.fetches.get_mut(&cid)
                    && fetch.parked == Some(peer)
                {
                    fetch.parked = None;
                    self.advance(now, &cid);
                }
            }
        }
    }

    fn release(&mut self, peer: PeerId, ask: WantType) {
        if let Some(window) = self.peers.get_mut(&peer) {
            window.release(ask);
            self.freed.push(peer);
        }
    }

    /// Ends a fetch and tells all peers that were asked, but for the one that sent the block.
    fn end(&mut self, now: u64, cid: &Cid, sender: Option<PeerId>) {
        let Some(mut fetch) = self.fetches.remove(cid) else { return };
        if let Some((session, sender)) = fetch.session.zip(sender) {
            self.holds(session, sender);
            self.await_answers(now, cid, &mut fetch);
        }
        for question in fetch.questions {
            if question.state == QuestionState::Waiting {
                self.release(question.peer, question.ask);
            }
            // Also those that said no: they keep the want, and would send the block when they get it.
            if Some(question.peer) != sender {
                self.effects.push(FetchEffect::Send(
                    question.peer,
                    cid.clone(),
                    WantUpdate::Cancel,
                ));
            }
        }
    }

    /// Takes a fetch as far as it goes now.
    fn advance(&mut self, now: u64, cid: &Cid) {
        let Some(fetch) = self.fetches.get(cid) else { return };
        if fetch.is_over(now) {
            self.effects.push(FetchEffect::Done(cid.clone(), Err(FetchError::TimedOut)));
            return self.end(now, cid, None);
        }
        self.give_up_silent(now, cid);
        let Some(fetch) = self.fetches.get(cid) else { return };
        if fetch.parked.is_some() {
            return;
        }
        self.ask_for_block(now, cid);
        self.ask_for_presence(now, cid);
        let Some(fetch) = self.fetches.get(cid) else { return };
        if fetch.parked.is_some() || fetch.is_open() || self.may_come_late(now, fetch) {
            return;
        }
        let late = fetch.questions.iter().any(|question| question.state == QuestionState::Late);
        let why = if late { FetchError::TimedOut } else { FetchError::NotFound };
        self.effects.push(FetchEffect::Done(cid.clone(), Err(why)));
        self.end(now, cid, None);
    }

    /// Whether a block that nobody has now is waited for all the same: somebody is there who may get
    /// it, or may be there soon.
    fn may_come_late(&self, now: u64, fetch: &Fetch) -> bool {
        let late = |question: &Question| question.state == QuestionState::Late;
        fetch.session.is_some()
            && (now < fetch.created + LATE_BLOCK_MS || fetch.questions.iter().any(late))
            && (!fetch.candidates.is_empty()
                || self.peers.values().any(|window| window.takes_part(fetch.members_only)))
    }

    /// Questions to peers that have been silent for too long are late.
    fn give_up_silent(&mut self, now: u64, cid: &Cid) {
        let Some(fetch) = self.fetches.get_mut(cid) else { return };
        if fetch.session.is_some() {
            // Who was late is asked again, for there may be nobody else.
            fetch.questions.retain(|question| {
                question.state != QuestionState::Late || now < question.at + ASK_AGAIN_MS
            });
        }
        for question in &mut fetch.questions {
            let Some(window) = self.peers.get_mut(&question.peer) else { continue };
            if question.state == QuestionState::Waiting
                && window.silence(now, question.at) >= PEER_TIMEOUT_MS
            {
                question.state = QuestionState::Late;
                window.late(now);
                window.release(question.ask);
                self.freed.push(question.peer);
            }
        }
    }

    /// Asks for the block until as many peers as should be are working on it.
    fn ask_for_block(&mut self, now: u64, cid: &Cid) {
        loop {
            let Some(fetch) = self.fetches.get(cid) else { return };
            let working = fetch.count(WantType::Block, QuestionState::Waiting);
            let hedged = self.longest_silence(now, fetch) >= HEDGE_MS;
            let wanted = match self.has_candidate(fetch) || fetch.session.is_some() {
                true => 1 + usize::from(hedged),
                false => STRANGERS_ASKED_MAX,
            };
            if working >= wanted {
                return;
            }
            let Some(peer) = self.best(now, fetch) else { return };
            if !self.peers.get(&peer).is_some_and(PeerWindow::has_place) {
                // If another peer is at work already, the fetch need not wait for a place.
                if working == 0 {
                    self.park(cid, peer);
                }
                return;
            }
            self.ask(now, cid, peer, WantType::Block);
        }
    }

    /// Asks others whether they have the block, if there is reason to look around.
    fn ask_for_presence(&mut self, now: u64, cid: &Cid) {
        loop {
            let Some(fetch) = self.fetches.get(cid) else { return };
            let hedged = self.longest_silence(now, fetch) >= HEDGE_MS;
            let asked = fetch.count(WantType::Have, QuestionState::Waiting);
            let known = fetch.count(WantType::Have, QuestionState::Has);
            let look_around = hedged || fetch.looks || !self.has_candidate(fetch);
            let asked_max = match fetch.session {
                Some(_) => SESSION_HAVES_ASKED_MAX,
                None => HAVES_ASKED_MAX,
            };
            if !look_around || asked + known >= asked_max {
                return;
            }
            let Some(peer) = self.best_unasked(now, fetch) else { return };
            if !self.peers.get(&peer).is_some_and(PeerWindow::may_be_asked) {
                return;
            }
            self.ask(now, cid, peer, WantType::Have);
        }
    }

    fn park(&mut self, cid: &Cid, peer: PeerId) {
        if let (Some(fetch), Some(window)) = (self.fetches.get_mut(cid), self.peers.get_mut(&peer))
        {
            fetch.parked = Some(peer);
            window.park(cid.clone());
        }
    }

    fn ask(&mut self, now: u64, cid: &Cid, peer: PeerId, ask: WantType) {
        let (Some(fetch), Some(window)) = (self.fetches.get_mut(cid), self.peers.get_mut(&peer))
        else {
            return;
        };
        window.take_place(ask);
        fetch.first_asked.get_or_insert(now);
        let question = Question { peer, ask, at: now, state: QuestionState::Waiting };
        match fetch.question(&peer) {
            Some(earlier) => *earlier = question,
            None => fetch.questions.push(question),
        }
        self.effects.push(FetchEffect::Send(peer, cid.clone(), WantUpdate::Want(ask)));
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
