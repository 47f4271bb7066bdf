//! Behind a NAT: asks connected peers to be reachable through them.

use std::collections::HashMap;

use libp2p::PeerId;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;

use crate::host::Host;
use crate::limits::RELAYS_USED_MAX;

/// The protocol of those who relay.
const HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";

/// Through whom this node is reachable.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    behind_nat: bool,
    used: HashMap<ListenerId, PeerId>,
}

impl Relays {
    /// Whether others reach this node is known anew.
    pub(crate) fn on_nat(&mut self, behind_nat: bool) {
        self.behind_nat = behind_nat;
    }

    /// A listener closed. True if it was one through a relay.
    pub(crate) fn on_closed(&mut self, listener: ListenerId) -> bool {
        self.used.remove(&listener).is_some()
    }
}

impl Host {
    /// Asks another relay, if one is wanted and there is one.
    pub(crate) fn look_for_relays(&mut self) {
        if !self.relays.behind_nat || self.relays.used.len() >= RELAYS_USED_MAX {
            return;
        }
        let candidate = self
            .shared
            .peers()
            .reachable_with(HOP, |peer| !self.relays.used.values().any(|used| used == peer));
        let Some((relay, address)) = candidate else {
            return;
        };
        let address = address.with(Protocol::P2pCircuit);
        match self.swarm.listen_on(address) {
            Ok(listener) => {
                tracing::info!(%relay, "asking a peer to relay to this node");
                self.relays.used.insert(listener, relay);
            }
            Err(error) => tracing::debug!(%relay, %error, "no relay"),
        }
    }
}
