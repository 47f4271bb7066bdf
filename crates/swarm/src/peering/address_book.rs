//! Peers that were heard of: on the local network, from other peers, or connected before.
//!
//! They are dialled while there are fewer connections than wanted. A peer that does not answer is
//! dialled less and less often, and in the end forgotten. That is for addresses at which it was; one that
//! somebody merely claims is tried once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::limits::{ADDRESSES_PER_PEER_MAX, KNOWN_PEERS_MAX, REDIAL_FIRST, REDIAL_LONGEST};

/// Dials that may fail before a peer is forgotten: half an hour.
const FAILURES_MAX: u32 = 36;

#[derive(Debug)]
struct Addresses {
    addresses: Vec<HeardAddress>,
    due: Instant,
    failures: u32,
}

#[derive(Debug)]
struct HeardAddress {
    address: Multiaddr,
    /// The peer was there.
    is_sure: bool,
    tried: bool,
}

impl Addresses {
    /// The addresses of the transport whose turn it is: TCP first, which costs less and notices at
    /// once when the other process has died, then QUIC, and so on.
    fn turn(&mut self) -> Vec<Multiaddr> {
        let is_quic =
            |heard: &&mut HeardAddress| heard.address.iter().any(|part| part == Protocol::QuicV1);
        let (quic, tcp): (Vec<_>, Vec<_>) = self.addresses.iter_mut().partition(is_quic);
        let quics_turn = self.failures % 2 == 1;
        let turn = if (quics_turn && !quic.is_empty()) || tcp.is_empty() { quic } else { tcp };
        let try_it = |heard: &mut HeardAddress| {
            heard.tried = true;
            heard.address.clone()
        };
        turn.into_iter().map(try_it).collect()
    }
}

/// Peers that may be dialled.
#[derive(Debug, Default)]
pub(crate) struct AddressBook {
    peers: HashMap<PeerId, Addresses>,
}

impl AddressBook {
    /// A peer may be at these addresses, `is_sure` says of which it is known that it was; it is dialled after
    /// `wait` at the earliest.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        peer: PeerId,
        addresses: impl IntoIterator<Item = Multiaddr>,
        is_sure: impl Fn(&Multiaddr) -> bool,
        wait: Duration,
    ) {
        if self.peers.len() >= KNOWN_PEERS_MAX && !self.peers.contains_key(&peer) {
            let worst = self.peers.iter().max_by_key(|(_, it)| it.failures).map(|(peer, _)| *peer);
            worst.map(|peer| self.peers.remove(&peer));
        }
        let entry = self.peers.entry(peer).or_insert_with(|| Addresses {
            addresses: Vec::new(),
            due: now + wait,
            failures: 0,
        });
        for address in addresses {
            // The newest address is the likeliest.
            let earlier = entry.addresses.iter().position(|heard| heard.address == address);
            let earlier = earlier.map(|at| entry.addresses.remove(at));
            let (was_sure, tried) = earlier.map_or((false, false), |it| (it.is_sure, it.tried));
            let is_sure = was_sure || is_sure(&address);
            entry.addresses.insert(0, HeardAddress { address, is_sure, tried });
        }
        entry.addresses.truncate(ADDRESSES_PER_PEER_MAX);
    }

    /// The peers to dial now, at most `count`.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        count: usize,
        connected: impl Fn(&PeerId) -> bool,
    ) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut due = Vec::new();
        for (peer, entry) in &mut self.peers {
            if due.len() >= count {
                break;
            }
            if entry.due <= now && !entry.addresses.is_empty() && !connected(peer) {
                let wait = REDIAL_FIRST.saturating_mul(1 << entry.failures.min(16));
                entry.due = now + wait.min(REDIAL_LONGEST);
                due.push((*peer, entry.turn()));
            }
        }
        due
    }

    /// A dial failed. What was tried and is not sure is forgotten.
    pub(crate) fn on_failed(&mut self, peer: &PeerId) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.failures += 1;
            entry.addresses.retain(|heard| heard.is_sure || !heard.tried);
            if entry.failures > FAILURES_MAX || entry.addresses.is_empty() {
                self.peers.remove(peer);
            }
        }
    }

    /// The peer is connected, and was dialled at `address` if there is one.
    pub(crate) fn on_connected(&mut self, peer: &PeerId, address: Option<&Multiaddr>) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.failures = 0;
            let same = entry.addresses.iter_mut().find(|heard| Some(&heard.address) == address);
            if let Some(heard) = same {
                heard.is_sure = true;
            }
        }
    }

    /// The peer is not to be dialled.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Multiaddr {
        format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn a_peer_is_dialled_less_and_less_and_then_forgotten() {
        let (mut now, peer) = (Instant::now(), PeerId::random());
        let mut known = AddressBook::default();
        known.hear(now, peer, [address(1), address(2)], |_| true, REDIAL_FIRST);
        assert_eq!(known.due(now, 9, |_| false), vec![]);
        now += REDIAL_FIRST;
        assert_eq!(known.due(now, 9, |_| true), vec![]);
        for _ in 0..=FAILURES_MAX {
            assert_eq!(known.due(now, 9, |_| false), vec![(peer, vec![address(2), address(1)])]);
            assert_eq!(known.due(now, 9, |_| false), vec![]);
            known.on_failed(&peer);
            now += REDIAL_LONGEST;
        }
        assert_eq!(known.due(now, 9, |_| false), vec![]);
    }

    #[test]
    fn what_is_only_claimed_is_tried_once() {
        let (mut now, peer) = (Instant::now(), PeerId::random());
        let mut known = AddressBook::default();
        let claims = || (1..=3).map(address);
        known.hear(now, peer, claims(), |claim| *claim == address(2), Duration::ZERO);
        assert_eq!(known.due(now, 9, |_| false)[0].1.len(), 3);
        known.on_connected(&peer, Some(&address(3)));
        known.on_failed(&peer);
        now += REDIAL_LONGEST;
        let left = vec![(peer, vec![address(3), address(2)])];
        assert_eq!(known.due(now, 9, |_| false), left);
        // One of whom nothing is left is forgotten.
        let other = PeerId::random();
        known.hear(now, other, [address(7)], |_| false, Duration::ZERO);
        assert_eq!(known.due(now, 9, |_| false), vec![(other, vec![address(7)])]);
        known.on_failed(&other);
        assert!(!known.peers.contains_key(&other));
    }

    #[test]
    fn the_transports_take_turns() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let quic: Multiaddr = "/ip4/192.0.2.1/udp/1/quic-v1".parse().unwrap();
        let mut known = AddressBook::default();
        known.hear(now, peer, [quic.clone(), address(1)], |_| true, Duration::ZERO);
        let turns = [address(1), quic.clone(), address(1), quic];
        for (number, turn) in turns.into_iter().enumerate() {
            let later = now + REDIAL_LONGEST * number as u32;
            assert_eq!(known.due(later, 9, |_| false), vec![(peer, vec![turn])]);
            known.on_failed(&peer);
        }
    }

    #[test]
    fn what_is_known_is_bounded() {
        let now = Instant::now();
        let mut known = AddressBook::default();
        for port in 0..=KNOWN_PEERS_MAX as u16 {
            known.hear(now, PeerId::random(), [address(port)], |_| true, Duration::ZERO);
        }
        assert_eq!(known.due(now, usize::MAX, |_| false).len(), KNOWN_PEERS_MAX);
        let peer = PeerId::random();
        known.hear(now, peer, (0..100).map(address), |_| true, Duration::ZERO);
        assert_eq!(known.peers[&peer].addresses.len(), ADDRESSES_PER_PEER_MAX);
    }
}
