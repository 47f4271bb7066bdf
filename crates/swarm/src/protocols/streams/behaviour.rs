//! The part of the streams that sees connections come and go.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

use super::handler::Handler;
use super::registry::Registry;
use super::{Control, NewStream};
use crate::limits::STREAMS_OPENING_MAX;

/// Streams of our own protocols.
#[derive(Debug, Default)]
pub(crate) struct StreamsBehaviour {
    registry: Arc<Registry>,
    /// Connections that were let in here and may yet be refused elsewhere.
    starting: HashMap<ConnectionId, mpsc::Sender<NewStream>>,
}

impl StreamsBehaviour {
    pub(crate) fn new() -> StreamsBehaviour {
        StreamsBehaviour::default()
    }

    /// What opens and accepts streams.
    pub(crate) fn new_control(&self) -> Control {
        Control { registry: self.registry.clone() }
    }

    fn handler(&mut self, id: ConnectionId, peer: PeerId) -> Handler {
        let (sender, receiver) = mpsc::channel(STREAMS_OPENING_MAX);
        self.starting.insert(id, sender);
        Handler::new(peer, self.registry.clone(), receiver)
    }
}

impl NetworkBehaviour for StreamsBehaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(id, peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(id, peer))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            }) => {
                if let Some(sender) = self.starting.remove(&connection_id) {
                    let relayed = endpoint.is_relayed();
                    self.registry.on_connected(peer_id, connection_id, relayed, sender);
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.registry.on_closed(peer_id, connection_id);
            }
            FromSwarm::DialFailure(failure) => {
                self.starting.remove(&failure.connection_id);
            }
            FromSwarm::ListenFailure(failure) => {
                self.starting.remove(&failure.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
