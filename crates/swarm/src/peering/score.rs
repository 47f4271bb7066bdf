//! What peers did, in points that fade. Enough points, and a peer is banned for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use optimusdb_dag::replicator::Offence;

use crate::peering::fading::Fading;
use crate::peering::limits::{
    BAN_FIRST, BAN_LONGEST, BAN_POINTS, BANS_HALF_LIFE, POINTS_HALF_LIFE, REPEATED_BAN_POINTS,
    SCORED_PEERS_MAX,
};
use crate::source::{AccountHolder, Source};

/// How much an offence weighs. An honest peer may have much to say, or pass on what it could not judge;
/// a forger knows what it does.
fn points_of(offence: Offence) -> f64 {
    match offence {
        Offence::Flood => 0.25,
        Offence::Invalid => 5.0,
        Offence::Waste => 20.0,
        Offence::Malformed => 20.0,
        Offence::Forged => 50.0,
    }
}

/// The points of peers, and how often they and their networks were banned.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    peers: HashMap<PeerId, Fading>,
    bans: HashMap<AccountHolder, Fading>,
}

impl Scores {
    /// Notes an offence. If the peer is to be banned, says for how long; its points are then forgotten.
    ///
    /// Every ban of lately, also of others from its network, halves what is needed for the next one and doubles
    /// how long it lasts: so a new identity gains nothing. Who only has much to say is judged by itself.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        source: &Source,
        offence: Offence,
    ) -> Option<Duration> {
        make_room(&mut self.peers, &source.peer, now);
        let left = |holder| self.bans.get(&holder).map_or(0.0, |bans| bans.left(now));
        let bans = source.holders().map(left).fold(0.0, f64::max).exp2();
        let bound = if offence == Offence::Flood { BAN_POINTS } else { BAN_POINTS / bans };
        let points =
            self.peers.entry(source.peer).or_insert_with(|| Fading::new(now, POINTS_HALF_LIFE));
        if points.add(now, points_of(offence)) < bound.max(REPEATED_BAN_POINTS) {
            return None;
        }
        self.peers.remove(&source.peer);
        for holder in source.holders() {
            make_room(&mut self.bans, &holder, now);
            let bans = self.bans.entry(holder).or_insert_with(|| Fading::new(now, BANS_HALF_LIFE));
            bans.add(now, 1.0);
        }
        Some(BAN_FIRST.mul_f64(bans).min(BAN_LONGEST))
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

/// Makes room for a key: forgets what has hardly anything left, and the least in any case.
fn make_room<K: Hash + Eq + Copy>(amounts: &mut HashMap<K, Fading>, key: &K, now: Instant) {
    if amounts.len() < SCORED_PEERS_MAX || amounts.contains_key(key) {
        return;
    }
    amounts.retain(|_, amount| amount.left(now) >= 0.5);
    let least = amounts.iter().min_by(|(_, a), (_, b)| a.left(now).total_cmp(&b.left(now)));
    if let Some(least) = least.map(|(key, _)| *key)
        && amounts.len() >= SCORED_PEERS_MAX
    {
        amounts.remove(&least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(peer: PeerId) -> Source {
        Source { peer, network: None }
    }

    #[test]
    fn offences_add_up_to_a_ban_and_fade() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let mut scores = Scores::default();
        assert!(scores.note(start, &alone(peer), Offence::Forged).is_none());
        let later = start + POINTS_HALF_LIFE;
        assert!((scores.points(later, &peer) - 25.0).abs() < 0.001);
        assert!(scores.note(later, &alone(peer), Offence::Forged).is_none());
        assert_eq!(scores.note(later, &alone(peer), Offence::Forged), Some(BAN_FIRST));
        assert_eq!(scores.points(later, &peer), 0.0);
    }

    #[test]
    fn a_new_identity_of_the_same_network_is_banned_sooner_and_for_longer() {
        let (now, mut scores) = (Instant::now(), Scores::default());
        let network = Some([192, 0, 2, 0].into());
        let mut offences = Vec::new();
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            let source = Source { peer: PeerId::random(), network };
            let tries = (1..).find_map(|tries| {
                let pause = scores.note(now, &source, Offence::Waste)?;
                assert!(pause >= last && pause <= BAN_LONGEST, "{pause:?} after {last:?}");
                last = pause;
                Some(tries)
            });
            offences.extend(tries);
        }
        assert_eq!(offences[..4], [5, 3, 2, 1], "{offences:?}");
        assert_eq!((offences[11], last), (1, BAN_LONGEST));
        // Elsewhere, and for one who only has much to say, nothing is different.
        let known = alone(PeerId::random());
        assert!((0..4).all(|_| scores.note(now, &known, Offence::Waste).is_none()));
        let busy = Source { peer: PeerId::random(), network };
        assert!((0..300).all(|_| scores.note(now, &busy, Offence::Flood).is_none()));
    }

    #[test]
    fn faded_points_are_forgotten() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let mut scores = Scores::default();
        scores.note(start, &alone(peer), Offence::Invalid);
        assert_eq!(scores.fade(start), vec![(peer, 5.0)]);
        assert_eq!(scores.fade(start + 4 * POINTS_HALF_LIFE), vec![(peer, 0.0)]);
        assert_eq!(scores.fade(start), vec![]);
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_the_worst() {
        let (now, worst) = (Instant::now(), PeerId::random());
        let mut scores = Scores::default();
        scores.note(now, &alone(worst), Offence::Forged);
        for _ in 0..SCORED_PEERS_MAX + 100 {
            scores.note(now, &alone(PeerId::random()), Offence::Invalid);
        }
        assert!(scores.peers.len() <= SCORED_PEERS_MAX);
        assert_eq!(scores.points(now, &worst), 50.0);
    }
}
