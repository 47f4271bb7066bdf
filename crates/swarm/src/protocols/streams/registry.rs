//! Which protocols are accepted, and through which connection a peer is reached.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, Stream, StreamProtocol};
use tokio::sync::mpsc;

use super::NewStream;

/// What the handles, the behaviour and the handlers of all connections share.
#[derive(Debug, Default)]
pub(super) struct Registry {
    state: Mutex<Registrations>,
}

#[derive(Debug, Default)]
struct Registrations {
    accepted: HashMap<StreamProtocol, Accepted>,
    /// The connections of each peer, the direct ones first.
    connections: HashMap<PeerId, Vec<Opener>>,
}

#[derive(Debug)]
struct Accepted {
    sender: mpsc::Sender<(PeerId, Stream)>,
    listed: bool,
}

#[derive(Debug)]
struct Opener {
    id: ConnectionId,
    relayed: bool,
    handler: mpsc::Sender<NewStream>,
}

impl Registry {
    fn state(&self) -> MutexGuard<'_, Registrations> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False if the protocol has a server already.
    pub(super) fn register(
        &self,
        protocol: StreamProtocol,
        sender: mpsc::Sender<(PeerId, Stream)>,
        listed: bool,
    ) -> bool {
        let mut state = self.state();
        state.accepted.retain(|_, accepted| !accepted.sender.is_closed());
        if state.accepted.contains_key(&protocol) {
            return false;
        }
        state.accepted.insert(protocol, Accepted { sender, listed });
        true
    }

    /// The protocols that are accepted and told to peers, or those that are not told.
    pub(super) fn protocols(&self, listed: bool) -> Vec<StreamProtocol> {
        let state = self.state();
        let wanted = state
            .accepted
            .iter()
            .filter(|(_, accepted)| accepted.listed == listed && !accepted.sender.is_closed());
        wanted.map(|(protocol, _)| protocol.clone()).collect()
    }

    /// Hands a stream to its server. One that finds the queue full is dropped, which resets it.
    pub(super) fn hand_over(&self, peer: PeerId, protocol: &StreamProtocol, stream: Stream) {
        if let Some(accepted) = self.state().accepted.get(protocol)
            && accepted.sender.try_send((peer, stream)).is_err()
        {
            tracing::debug!(%peer, %protocol, "a stream found no place in the queue");
        }
    }

    pub(super) fn on_connected(
        &self,
        peer: PeerId,
        id: ConnectionId,
        relayed: bool,
        handler: mpsc::Sender<NewStream>,
    ) {
        let mut state = self.state();
        let connections = state.connections.entry(peer).or_default();
        connections.push(Opener { id, relayed, handler });
        connections.sort_by_key(|connection| connection.relayed);
    }

    pub(super) fn on_closed(&self, peer: PeerId, id: ConnectionId) {
        let mut state = self.state();
        if let Some(connections) = state.connections.get_mut(&peer) {
            connections.retain(|connection| connection.id != id);
            if connections.is_empty() {
                state.connections.remove(&peer);
            }
        }
    }

    pub(super) fn handler_of(&self, peer: &PeerId) -> Option<mpsc::Sender<NewStream>> {
        let state = self.state();
        let connections = state.connections.get(peer)?;
        let open = connections.iter().find(|connection| !connection.handler.is_closed())?;
        Some(open.handler.clone())
    }

    pub(super) fn handler_on(
        &self,
        peer: &PeerId,
        id: ConnectionId,
    ) -> Option<mpsc::Sender<NewStream>> {
        let state = self.state();
        let connection = state.connections.get(peer)?.iter().find(|one| one.id == id)?;
        Some(connection.handler.clone())
    }
}
