//! Sessions: blocks that belong together, and who had the earlier ones of them.
//!
//! The first block of a session is asked of one peer, and many others are asked whether they have it.
//! Who sends a block or says that it has one is a candidate for all later ones, so these are asked of
//! few peers, and spread over them. A peer that lacks block after block is one no longer. While only
//! few peers are known to have anything, others are asked again from time to time.

use std::collections::BTreeMap;

use libp2p::PeerId;
use optimusdb_dag::Cid;

use super::fetch::{Fetch, Question, QuestionState};
use super::{Client, FetchEffect};
use crate::protocols::bitswap::limits::{
    ANSWERS_AWAITED_MS, LOOK_AGAIN_MS, SESSION_IDLE_MS, SESSION_MISSES_MAX, SESSION_PEERS_MAX,
    SESSION_PEERS_MIN, SESSIONS_MAX,
};
use crate::protocols::bitswap::message::WantType;
use crate::protocols::bitswap::outbox::WantUpdate;

/// What a caller says of the session that a block belongs to.
#[derive(Debug)]
pub(in crate::protocols::bitswap) struct SessionTicket {
    /// Which session it is.
    pub(in crate::protocols::bitswap) number: u64,
    /// Peers of which somebody said that they have the blocks.
    pub(in crate::protocols::bitswap) named: Vec<PeerId>,
    /// Whether only nodes of the own swarm are asked.
    pub(in crate::protocols::bitswap) members_only: bool,
}

/// A peer that may have the blocks of a session.
struct Holder {
    peer: PeerId,
    /// It has sent one, or said that it has one.
    proven: bool,
    /// Blocks in a row that it did not have.
    misses: u32,
}

/// What is remembered of one session.
struct Session {
    holders: Vec<Holder>,
    /// When other peers were last asked.
    looked: Option<u64>,
    used: u64,
}

/// All sessions.
#[derive(Default)]
pub(super) struct Sessions(BTreeMap<u64, Session>);

impl Sessions {
    /// The peers to ask first, and whether others should be asked, too.
    pub(super) fn enter(&mut self, now: u64, ticket: &SessionTicket) -> (Vec<PeerId>, bool) {
        if self.0.len() >= SESSIONS_MAX && !self.0.contains_key(&ticket.number) {
            self.0.retain(|_, session| now < session.used + SESSION_IDLE_MS);
            let oldest = self.0.iter().min_by_key(|(_, session)| session.used).map(|(at, _)| *at);
            if let Some(oldest) = oldest.filter(|_| self.0.len() >= SESSIONS_MAX) {
                self.0.remove(&oldest);
            }
        }
        let session = self.0.entry(ticket.number).or_insert_with(|| {
            let named = ticket.named.iter().take(SESSION_PEERS_MAX);
            let holder = |peer: &PeerId| Holder { peer: *peer, proven: false, misses: 0 };
            Session { holders: named.map(holder).collect(), looked: None, used: now }
        });
        session.used = now;
        let proven = session.holders.iter().filter(|holder| holder.proven).count();
        let looks = proven < SESSION_PEERS_MIN
            && session.looked.is_none_or(|looked| now >= looked + LOOK_AGAIN_MS);
        if looks {
            session.looked = Some(now);
        }
        (session.holders.iter().map(|holder| holder.peer).collect(), looks)
    }

    /// The peer has a block of the session. True if that is new.
    fn has(&mut self, number: u64, peer: PeerId) -> bool {
        let Some(session) = self.0.get_mut(&number) else { return false };
        if let Some(holder) = session.holders.iter_mut().find(|holder| holder.peer == peer) {
            holder.misses = 0;
            return !std::mem::replace(&mut holder.proven, true);
        }
        if session.holders.len() >= SESSION_PEERS_MAX {
            // One that was only named makes room for one that has something.
            let Some(at) = session.holders.iter().position(|holder| !holder.proven) else {
                return false;
            };
            session.holders.remove(at);
        }
        session.holders.push(Holder { peer, proven: true, misses: 0 });
        true
    }

    /// The peer does not have a block of the session.
    pub(super) fn lacks(&mut self, number: u64, peer: PeerId) {
        let Some(session) = self.0.get_mut(&number) else { return };
        if let Some(holder) = session.holders.iter_mut().find(|holder| holder.peer == peer) {
            holder.misses += 1;
        }
        session.holders.retain(|holder| holder.misses < SESSION_MISSES_MAX);
    }

    /// The peer has left. Those that were named may come back.
    pub(super) fn peer_down(&mut self, peer: PeerId) {
        for session in self.0.values_mut() {
            for holder in session.holders.iter_mut().filter(|holder| holder.peer == peer) {
                holder.proven = false;
            }
        }
    }
}

/// Peers that were asked whether they have a block that has come meanwhile. Their answers still tell
/// whom to ask for the next ones.
pub(super) struct Awaited {
    session: u64,
    peers: Vec<PeerId>,
    until: u64,
}

impl Awaited {
    /// Forgets a peer that has left; false if there is nobody else.
    pub(super) fn forget(&mut self, peer: &PeerId) -> bool {
        self.peers.retain(|one| one != peer);
        !self.peers.is_empty()
    }
}

impl Client {
    /// The peer has a block of the session: fetches that are under way may ask it, too.
    pub(super) fn holds(&mut self, number: u64, peer: PeerId) {
        if self.sessions.has(number, peer) {
            for fetch in self.fetches.values_mut().filter(|it| it.session == Some(number)) {
                fetch.name(peer);
            }
        }
    }

    /// Takes over from a fetch whose block came the questions whose answers are awaited.
    pub(super) fn await_answers(&mut self, now: u64, cid: &Cid, fetch: &mut Fetch) {
        let Some(session) = fetch.session.filter(|_| fetch.looks) else { return };
        let awaited = |question: &mut Question| {
            question.ask == WantType::Have && question.state == QuestionState::Waiting
        };
        let peers: Vec<PeerId> =
            fetch.questions.extract_if(.., awaited).map(|question| question.peer).collect();
        if !peers.is_empty() {
            let until = now + ANSWERS_AWAITED_MS;
            self.awaited.insert(cid.clone(), Awaited { session, peers, until });
        }
    }

    /// An answer to a question whose block has come meanwhile.
    pub(super) fn on_awaited(&mut self, now: u64, peer: PeerId, cid: &Cid, have: bool) {
        let Some(awaited) = self.awaited.get_mut(cid) else { return };
        let Some(at) = awaited.peers.iter().position(|one| *one == peer) else { return };
        awaited.peers.swap_remove(at);
        let (session, over) = (awaited.session, awaited.peers.is_empty());
        if over {
            self.awaited.remove(cid);
        }
        self.let_go(peer, cid);
        if have {
            self.holds(session, peer);
        }
        self.fill_places(now);
    }

    /// Answers to these questions are awaited no longer.
    pub(super) fn stop_awaiting(&mut self, over: impl Fn(&Cid, u64) -> bool) {
        let over = self.awaited.extract_if(.., |cid, awaited| over(cid, awaited.until));
        let over: Vec<(Cid, Awaited)> = over.collect();
        for (cid, awaited) in over {
            for peer in awaited.peers {
                self.let_go(peer, &cid);
            }
        }
    }

    fn let_go(&mut self, peer: PeerId, cid: &Cid) {
        self.release(peer, WantType::Have);
        self.effects.push(FetchEffect::Send(peer, cid.clone(), WantUpdate::Cancel));
    }
}
