//! Through which peers this node is reachable behind a NAT.
//!
//! A peer that is asked dials back, and says whether that worked. Each answer counts for itself:
//! a neighbour behind the same NAT reaches this node, one outside does not, and both are right.
//! A peer that cannot reach this node is on the other side of the NAT, and we reach it; so it is the
//! one to relay.
//!
//! A machine without IO: it remembers what peers found and says whom to ask.

use std::collections::HashMap;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::core::transport::ListenerId;

use crate::limits::{KNOWN_PEERS_MAX, RELAY_REST, RELAYS_USED_MAX};

/// The peers that relay to this node, and those that may be asked to.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    /// Whether peers reach this node, as they found out. It is kept when they leave, because they are
    /// not asked again as soon as they are back.
    reached_by: HashMap<PeerId, bool>,
    used: HashMap<ListenerId, PeerId>,
    /// Peers that did not relay, or have stopped to, and when they may be asked again.
    resting: HashMap<PeerId, Instant>,
}

impl Relays {
    /// A peer found whether it reaches this node.
    pub(crate) fn on_answer(
        &mut self,
        peer: PeerId,
        reached: bool,
        connected: impl Fn(&PeerId) -> bool,
    ) {
        if self.reached_by.len() >= KNOWN_PEERS_MAX {
            self.reached_by.retain(|id, _| connected(id));
        }
        if self.reached_by.insert(peer, reached) != Some(reached) {
            if reached {
                tracing::debug!(%peer, "a peer reaches this node");
            } else {
                tracing::info!(%peer, "a peer that connected back could not reach this node");
            }
        }
    }

    /// Whether as many peers relay to this node as may.
    pub(crate) fn is_full(&self) -> bool {
        self.used.len() >= RELAYS_USED_MAX
    }

    /// The listeners through relays.
    pub(crate) fn listeners(&self) -> Vec<ListenerId> {
        self.used.keys().copied().collect()
    }

    /// A peer is asked to relay, on this listener.
    pub(crate) fn on_asked(&mut self, relay: PeerId, listener: ListenerId) {
        self.used.insert(listener, relay);
    }

    /// A peer could not be asked, or has stopped to relay: it is left alone for a while.
    pub(crate) fn rest(&mut self, now: Instant, relay: PeerId) {
        self.resting.insert(relay, now + RELAY_REST);
    }

    /// Peers whose rest is over may be asked again.
    pub(crate) fn wake(&mut self, now: Instant) {
        self.resting.retain(|_, until| *until > now);
    }

    /// A listener closed. True if it was one through a relay.
    pub(crate) fn on_closed(&mut self, now: Instant, listener: ListenerId) -> bool {
        let Some(relay) = self.used.remove(&listener) else {
            return false;
        };
        self.rest(now, relay);
        true
    }

    /// Whether `peer` is to be asked.
    pub(crate) fn wants(&self, peer: &PeerId) -> bool {
        self.reached_by.get(peer) == Some(&false)
            && !self.resting.contains_key(peer)
            && !self.used.values().any(|used| used == peer)
    }

    /// Whether there is a peer that does not reach this node.
    pub(crate) fn needed(&self) -> bool {
        self.reached_by.values().any(|reached| !reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_cannot_reach_this_node_is_asked_and_rests_after_it_gave_up() {
        let now = Instant::now();
        let (neighbour, outside) = (PeerId::random(), PeerId::random());
        let mut relays = Relays::default();
        assert!(!relays.needed());
        let all = |_: &PeerId| true;
        relays.on_answer(neighbour, true, all);
        assert!(!relays.needed());
        relays.on_answer(outside, false, all);
        assert!(relays.needed());
        assert!(relays.wants(&outside) && !relays.wants(&neighbour));
        let listener = ListenerId::next();
        relays.used.insert(listener, outside);
        assert!(!relays.wants(&outside));
        assert!(relays.on_closed(now, listener));
        assert!(!relays.on_closed(now, listener));
        assert!(!relays.wants(&outside));
        relays.resting.clear();
        assert!(relays.wants(&outside));
        relays.on_answer(outside, true, all);
        assert!(!relays.needed() && !relays.wants(&outside));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (first, mut relays) = (PeerId::random(), Relays::default());
        relays.on_answer(first, false, |_| true);
        for _ in 0..KNOWN_PEERS_MAX * 2 {
            relays.on_answer(PeerId::random(), true, |id| *id == first);
            assert!(relays.reached_by.len() <= KNOWN_PEERS_MAX);
        }
        assert!(relays.wants(&first));
    }
}
