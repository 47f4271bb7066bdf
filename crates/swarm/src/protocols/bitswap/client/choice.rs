//! Whom a fetch asks next.

use libp2p::PeerId;

use super::Client;
use super::fetch::{Fetch, QuestionState};
use crate::protocols::bitswap::limits::{FETCH_PEERS_MAX, QUESTION_AGE_MS};
use crate::protocols::bitswap::message::WantType;

impl Client {
    /// Whether some candidate may still have the block.
    pub(super) fn has_candidate(&self, fetch: &Fetch) -> bool {
        fetch.candidates.iter().any(|peer| {
            let asked = fetch.questions.iter().find(|question| question.peer == *peer);
            match asked {
                Some(question) => {
                    matches!(question.state, QuestionState::Waiting | QuestionState::Has)
                }
                None => {
                    let window = self.peers.get(peer);
                    window.is_some_and(|window| window.takes_part(fetch.members_only))
                }
            }
        })
    }

    /// For how long the peers that should send the block have been silent.
    pub(super) fn longest_silence(&self, now: u64, fetch: &Fetch) -> u64 {
        fetch
            .questions
            .iter()
            .filter(|question| question.ask == WantType::Block)
            .map(|question| match (question.state, self.peers.get(&question.peer)) {
                // Who sends other blocks and not this one is silent as well, after a time.
                (QuestionState::Waiting, Some(_)) if now >= question.at + QUESTION_AGE_MS => {
                    u64::MAX
                }
                (QuestionState::Waiting, Some(window)) => window.silence(now, question.at),
                (QuestionState::Late, _) => u64::MAX,
                _ => 0,
            })
            .max()
            .unwrap_or(0)
    }

    /// The peer to ask for the block next: one that has it, or else the best one not asked yet.
    pub(super) fn best(&self, now: u64, fetch: &Fetch) -> Option<PeerId> {
        fetch
            .questions
            .iter()
            .filter(|question| question.state == QuestionState::Has)
            .filter_map(|question| Some((self.peers.get(&question.peer)?.rank(now), question.peer)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, peer)| peer)
            .or_else(|| self.best_unasked(now, fetch))
    }

    /// Candidates before strangers, peers that failed lately behind both; then the least busy.
    pub(super) fn best_unasked(&self, now: u64, fetch: &Fetch) -> Option<PeerId> {
        if fetch.questions.len() >= FETCH_PEERS_MAX {
            return None;
        }
        let candidate = fetch
            .candidates
            .iter()
            .filter(|peer| !fetch.was_asked(peer))
            .filter_map(|peer| Some((peer, self.peers.get(peer)?)))
            .filter(|(_, window)| window.takes_part(fetch.members_only))
            .min_by_key(|(_, window)| window.rank(now));
        if let Some((peer, window)) = candidate
            && !window.is_resting(now)
        {
            return Some(*peer);
        }
        let stranger = self
            .peers
            .iter()
            .filter(|(_, window)| window.takes_part(fetch.members_only))
            .filter(|(peer, _)| !fetch.was_asked(peer))
            .min_by_key(|(_, window)| window.rank(now));
        match (candidate, stranger) {
            (Some((peer, _)), Some((_, window))) if window.is_resting(now) => Some(*peer),
            (_, Some((peer, _))) => Some(*peer),
            (candidate, None) => candidate.map(|(peer, _)| *peer),
        }
    }
}
