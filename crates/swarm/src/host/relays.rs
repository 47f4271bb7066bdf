//! Behind a NAT: learns that peers cannot reach this node, and asks them to relay to it.
//!
//! A peer that is asked dials back, and says whether that worked. Each verdict counts for itself:
//! a neighbour behind the same NAT reaches this node, one outside does not, and both are right.
//! Whoever cannot reach this node is on the other side of the NAT, and we reach it; so it is the
//! one to relay.

use std::collections::HashMap;
use std::time::Instant;

use libp2p::core::ConnectedPoint;
use libp2p::core::transport::{ListenerId, PortUse};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, autonat, relay};

use crate::host::Host;
use crate::limits::{KNOWN_PEERS_MAX, RELAY_REST, RELAYED_REST, RELAYS_USED_MAX};
use crate::reason;

/// The protocol of those who relay.
const HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";

/// Through whom this node is reachable.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    /// What peers found: whether they reach this node. It holds when they come back, too, and they
    /// would not be asked again at once.
    reached_by: HashMap<PeerId, bool>,
    used: HashMap<ListenerId, PeerId>,
    /// Peers that did not relay, or stopped to, and are not asked before this.
    resting: HashMap<PeerId, Instant>,
}

impl Relays {
    /// A peer found whether it reaches this node.
    fn on_verdict(&mut self, peer: PeerId, reached: bool, connected: impl Fn(&PeerId) -> bool) {
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

    /// A listener closed. True if it was one through a relay.
    pub(crate) fn on_closed(&mut self, now: Instant, listener: ListenerId) -> bool {
        let Some(relay) = self.used.remove(&listener) else {
            return false;
        };
        self.resting.insert(relay, now + RELAY_REST);
        true
    }

    /// Whether `peer` is to be asked.
    fn wants(&self, peer: &PeerId) -> bool {
        self.reached_by.get(peer) == Some(&false)
            && !self.resting.contains_key(peer)
            && !self.used.values().any(|used| used == peer)
    }

    /// Whether there is a peer that does not reach this node.
    fn needed(&self) -> bool {
        self.reached_by.values().any(|reached| !reached)
    }
}

impl Host {
    /// Asks another relay, if one is wanted and there is one; lets go of those that are not.
    pub(crate) fn look_for_relays(&mut self, now: Instant) {
        self.relays.resting.retain(|_, until| *until > now);
        if !self.relays.needed() {
            let listeners: Vec<ListenerId> = self.relays.used.keys().copied().collect();
            for listener in listeners {
                self.swarm.remove_listener(listener);
            }
            return;
        }
        if self.relays.used.len() >= RELAYS_USED_MAX {
            return;
        }
        let candidate = self.shared.peers().reachable_with(HOP, |peer| self.relays.wants(peer));
        let Some((relay, address)) = candidate else {
            return;
        };
        let address = address.with(Protocol::P2pCircuit);
        match self.swarm.listen_on(address) {
            Ok(listener) => {
                tracing::info!(%relay, "asking a peer to relay to this node");
                self.relays.used.insert(listener, relay);
            }
            Err(error) => {
                tracing::debug!(%relay, why = reason(&error), "no relay");
                self.relays.resting.insert(relay, now + RELAY_REST);
            }
        }
    }

    pub(crate) fn on_autonat(&mut self, event: autonat::Event) {
        match event {
            autonat::Event::OutboundProbe(autonat::OutboundProbeEvent::Response {
                peer, ..
            }) => self.on_verdict(peer, true),
            autonat::Event::OutboundProbe(autonat::OutboundProbeEvent::Error {
                peer: Some(peer),
                error: autonat::OutboundProbeError::Response(autonat::ResponseError::DialError),
                ..
            }) => self.on_verdict(peer, false),
            _ => {}
        }
    }

    /// Only the word of peers that were let in counts: one that is sent away lets this node in as
    /// little as this node lets in it, and no network has to do with that.
    fn on_verdict(&mut self, peer: PeerId, reached: bool) {
        let peers = self.shared.peers();
        if !peers.is_up(&peer) || self.leaving.contains_key(&peer) {
            return;
        }
        self.relays.on_verdict(peer, reached, |id| peers.is_connected(id));
    }

    /// An address of this node is known to be good.
    ///
    /// One through a relay does not make this node a relay: nobody would reach it through two.
    pub(crate) fn on_own_address(&mut self, address: &Multiaddr) {
        tracing::debug!(%address, "peers reach this node");
        if is_relayed(address) {
            return;
        }
        if !self.relaying {
            self.relaying = true;
            self.swarm.behaviour_mut().relay.set_status(Some(relay::Status::Enable));
        }
    }

    /// Whether a connection is only the answer to a peer that asked whether it can be reached.
    ///
    /// Those are the ones that go out from a port of their own without the dialler's having asked.
    /// Left open, they would use up what one peer may have of connections; then no answer could
    /// be given any more, and the peer would take itself to be behind a NAT.
    pub(crate) fn is_dial_back(
        &self,
        peer: &PeerId,
        connection: ConnectionId,
        end: &ConnectedPoint,
    ) -> bool {
        let own_port = matches!(end, ConnectedPoint::Dialer { port_use: PortUse::New, .. });
        own_port
            && !self.waiters.contains_key(&connection)
            && self.shared.peers().has_other(peer, connection)
    }

    /// Closes relayed connections to peers that are connected directly: they cost the relay.
    pub(crate) fn leave_relayed(&mut self, now: Instant) {
        let superseded = self.shared.peers().superseded(now, RELAYED_REST);
        for connection in superseded {
            self.swarm.close_connection(connection);
        }
    }
}

/// Whether an address leads through a relay.
pub(crate) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
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
        relays.on_verdict(neighbour, true, all);
        assert!(!relays.needed());
        relays.on_verdict(outside, false, all);
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
        relays.on_verdict(outside, true, all);
        assert!(!relays.needed() && !relays.wants(&outside));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (first, mut relays) = (PeerId::random(), Relays::default());
        relays.on_verdict(first, false, |_| true);
        for _ in 0..KNOWN_PEERS_MAX * 2 {
            relays.on_verdict(PeerId::random(), true, |id| *id == first);
            assert!(relays.reached_by.len() <= KNOWN_PEERS_MAX);
        }
        assert!(relays.wants(&first));
    }
}
