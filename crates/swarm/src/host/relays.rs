//! Learns from peers whether they reach this node, and asks others to relay to it; `peering/relays.rs`
//! says whom.

use std::time::Instant;

use libp2p::core::ConnectedPoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, autonat, relay};

use crate::host::Host;
use crate::limits::RELAYED_REST;
use crate::reason;

/// The protocol of those who relay.
const HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";

impl Host {
    /// Asks another peer to relay, if one is wanted and there is one. If none is wanted, ends those
    /// that there are.
    pub(crate) fn look_for_relays(&mut self, now: Instant) {
        self.relays.wake(now);
        if !self.relays.needed() {
            for listener in self.relays.listeners() {
                self.swarm.remove_listener(listener);
            }
            return;
        }
        if self.relays.is_full() {
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
                self.relays.on_asked(relay, listener);
            }
            Err(error) => {
                tracing::debug!(%relay, why = reason(&error), "no relay");
                self.relays.rest(now, relay);
            }
        }
    }

    pub(crate) fn on_autonat(&mut self, event: autonat::Event) {
        match event {
            autonat::Event::OutboundProbe(autonat::OutboundProbeEvent::Response {
                peer, ..
            }) => self.on_answer(peer, true),
            autonat::Event::OutboundProbe(autonat::OutboundProbeEvent::Error {
                peer: Some(peer),
                error: autonat::OutboundProbeError::Response(autonat::ResponseError::DialError),
                ..
            }) => self.on_answer(peer, false),
            _ => {}
        }
    }

    /// Only the answers of peers that were let in count. A peer that is sent away does not let this
    /// node in either, and that tells nothing about the network.
    fn on_answer(&mut self, peer: PeerId, reached: bool) {
        let peers = self.shared.peers();
        if !peers.is_up(&peer) || self.leaving.contains_key(&peer) {
            return;
        }
        self.relays.on_answer(peer, reached, |id| peers.is_connected(id));
    }

    /// An address of this node is known to be good.
    ///
    /// An address through a relay does not make this node a relay: two relays in a row do not work.
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
    /// Such a connection goes out from a port of its own and was not asked for by the dialler. If
    /// these stayed open, they would use up the connections that one peer may have. Then this node
    /// could answer no more, and the peer would believe that it is behind a NAT.
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
