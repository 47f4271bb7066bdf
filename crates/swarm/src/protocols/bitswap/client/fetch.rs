//! One fetch: who may have the block, who was asked, and what became of it.

use libp2p::PeerId;

use crate::protocols::bitswap::limits::{
    CANDIDATES_MAX, FETCH_LIFE_MS, FETCH_TIMEOUT_MS, SESSION_FETCH_MS,
};
use crate::protocols::bitswap::message::WantType;

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuestionState {
    Waiting,
    /// The peer says that it has the block.
    Has,
    /// The peer says that it does not.
    No,
    /// The peer did not answer in time, or could not be asked. It may still answer.
    Late,
}

/// What one peer was asked, and what came of it.
pub(super) struct Question {
    pub(super) peer: PeerId,
    pub(super) ask: WantType,
    pub(super) at: u64,
    pub(super) state: QuestionState,
}

/// A block that is fetched.
pub(super) struct Fetch {
    pub(super) candidates: Vec<PeerId>,
    pub(super) questions: Vec<Question>,
    pub(super) created: u64,
    pub(super) first_asked: Option<u64>,
    /// The peer in whose window the fetch waits for a place.
    pub(super) parked: Option<PeerId>,
    /// The session that the block belongs to.
    pub(super) session: Option<u64>,
    /// Whether only nodes of the own swarm are asked.
    pub(super) members_only: bool,
    /// Whether others are asked if they have the block although there are candidates.
    pub(super) looks: bool,
}

impl Fetch {
    pub(super) fn new(now: u64) -> Fetch {
        Fetch {
            candidates: Vec::new(),
            questions: Vec::new(),
            created: now,
            first_asked: None,
            parked: None,
            session: None,
            members_only: false,
            looks: false,
        }
    }

    /// Adds a candidate.
    pub(super) fn name(&mut self, peer: PeerId) {
        if self.candidates.len() < CANDIDATES_MAX && !self.candidates.contains(&peer) {
            self.candidates.push(peer);
        }
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self, now: u64) -> bool {
        match self.session {
            Some(_) => now >= self.created + SESSION_FETCH_MS,
            None => {
                let asked = self.first_asked.is_some_and(|asked| now >= asked + FETCH_TIMEOUT_MS);
                asked || now >= self.created + FETCH_LIFE_MS
            }
        }
    }

    /// Whether some peer has yet to answer, or has said that it has the block.
    pub(super) fn is_open(&self) -> bool {
        let open = |state| matches!(state, QuestionState::Waiting | QuestionState::Has);
        self.questions.iter().any(|question| open(question.state))
    }

    pub(super) fn question(&mut self, peer: &PeerId) -> Option<&mut Question> {
        self.questions.iter_mut().find(|question| question.peer == *peer)
    }

    pub(super) fn count(&self, ask: WantType, state: QuestionState) -> usize {
        self.questions.iter().filter(|q| q.ask == ask && q.state == state).count()
    }

    pub(super) fn was_asked(&self, peer: &PeerId) -> bool {
        self.questions.iter().any(|question| question.peer == *peer)
    }
}
