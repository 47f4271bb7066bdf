//! What peers did, in points that fade. Enough points, and a peer is banned for a while.

use std::collections::HashMap;
use std::time::Instant;

use libp2p::PeerId;
use optimusdb_dag::replicator::Offence;

use crate::peering::fading::Fading;
use crate::peering::limits::{BAN_POINTS, POINTS_HALF_LIFE, SCORED_PEERS_MAX};

/// How much an offence weighs. An honest peer may have much to say, or pass on what it could not judge;
/// a forger knows what it does.
fn points_of(offence: Offence) -> f64 {
    match offence {
        Offence::Flood => 0.25,
        Offence::Invalid => 5.0,
        Offence::Malformed => 20.0,
        Offence::Forged => 50.0,
    }
}

/// The points of peers.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    peers: HashMap<PeerId, Fading>,
}

impl Scores {
    /// Notes an offence. True if the peer is to be banned; its points are then forgotten.
    pub(crate) fn note(&mut self, now: Instant, peer: PeerId, offence: Offence) -> bool {
        if self.peers.len() >= SCORED_PEERS_MAX && !self.peers.contains_key(&peer) {
            self.peers.retain(|_, points| points.left(now) >= 1.0);
            let least = self
                .peers
                .iter()
                .min_by(|(_, a), (_, b)| a.left(now).total_cmp(&b.left(now)))
                .map(|(peer, _)| *peer);
            if let Some(least) = least.filter(|_| self.peers.len() >= SCORED_PEERS_MAX) {
                self.peers.remove(&least);
            }
        }
        let entry = self.peers.entry(peer).or_insert_with(|| Fading::new(now, POINTS_HALF_LIFE));
        let banned = entry.add(now, points_of(offence)) >= BAN_POINTS;
        if banned {
            self.peers.remove(&peer);
        }
        banned
    }

    /// The points of a peer; 0 for one that did nothing.
    pub(crate) fn points(&self, now: Instant, peer: &PeerId) -> f64 {
        self.peers.get(peer).map_or(0.0, |points| points.left(now))
    }

    /// Gives the peers with points, and forgets those that have hardly any left.
    pub(crate) fn fade(&mut self, now: Instant) -> Vec<(PeerId, f64)> {
        let mut all = Vec::with_capacity(self.peers.len());
        self.peers.retain(|peer, points| {
            let points = points.left(now);
            all.push((*peer, if points < 0.5 { 0.0 } else { points }));
            points >= 0.5
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offences_add_up_to_a_ban_and_fade() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let mut scores = Scores::default();
        assert!(!scores.note(start, peer, Offence::Forged));
        let later = start + POINTS_HALF_LIFE;
        assert!((scores.points(later, &peer) - 25.0).abs() < 0.001);
        assert!(!scores.note(later, peer, Offence::Forged));
        assert!(scores.note(later, peer, Offence::Forged));
        assert_eq!(scores.points(later, &peer), 0.0);
    }

    #[test]
    fn faded_points_are_forgotten() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let mut scores = Scores::default();
        scores.note(start, peer, Offence::Invalid);
        assert_eq!(scores.fade(start), vec![(peer, 5.0)]);
        assert_eq!(scores.fade(start + 4 * POINTS_HALF_LIFE), vec![(peer, 0.0)]);
        assert_eq!(scores.fade(start), vec![]);
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_the_worst() {
        let (now, worst) = (Instant::now(), PeerId::random());
        let mut scores = Scores::default();
        scores.note(now, worst, Offence::Forged);
        for _ in 0..SCORED_PEERS_MAX + 100 {
            scores.note(now, PeerId::random(), Offence::Invalid);
        }
        assert!(scores.peers.len() <= SCORED_PEERS_MAX);
        assert_eq!(scores.points(now, &worst), 50.0);
    }
}
