//! One fetch: who may have the block, who was asked, and what became of it.

use libp2p::PeerId;

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
}

impl Fetch {
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
