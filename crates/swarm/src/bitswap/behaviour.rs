//! Where the streams of bitswap come from: a libp2p behaviour that accepts and opens them.
//!
//! The generic behaviour of `libp2p-stream` hands accepted streams over one at a time and drops
//! those that come while one waits. Other implementations open a stream for every message, dozens
//! at once, and never repeat a want: a dropped stream is a block that they wait for in vain. Here
//! [`ACCEPTED_STREAMS_MAX`] streams may wait.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, NotifyHandler, Stream, StreamProtocol, StreamUpgradeError, SubstreamProtocol,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p_identity::PeerId;
use tokio::sync::{mpsc, oneshot};

use super::limits::{ACCEPTED_STREAMS_MAX, OPENING_STREAMS_MAX};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");

/// Why a stream could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenError {
    /// The peer does not speak bitswap.
    Unsupported,
    /// There is no connection, or it failed.
    Failed,
}

/// Who waits for a stream.
#[derive(Debug)]
pub struct Opened(oneshot::Sender<Result<Stream, OpenError>>);

/// The part of bitswap that the libp2p swarm drives.
pub struct Behaviour {
    accepted: mpsc::Sender<(PeerId, Stream)>,
    open: mpsc::Receiver<(PeerId, Opened)>,
}

/// The streams of a [`Behaviour`], for [`Bitswap::start`](super::Bitswap::start).
pub struct Streams {
    pub(super) accepted: mpsc::Receiver<(PeerId, Stream)>,
    pub(super) opener: Opener,
}

/// Opens streams.
#[derive(Clone)]
pub(super) struct Opener(mpsc::Sender<(PeerId, Opened)>);

impl Opener {
    /// A new stream to a connected peer. Never dials.
    pub(super) async fn open(&self, peer: PeerId) -> Result<Stream, OpenError> {
        let (opened, answer) = oneshot::channel();
        self.0.send((peer, Opened(opened))).await.map_err(|_| OpenError::Failed)?;
        answer.await.map_err(|_| OpenError::Failed)?
    }
}

impl Behaviour {
    /// A behaviour and the other end of its streams.
    pub fn new() -> (Behaviour, Streams) {
        let (accepted_sender, accepted) = mpsc::channel(ACCEPTED_STREAMS_MAX);
        let (open_sender, open) = mpsc::channel(OPENING_STREAMS_MAX);
        let behaviour = Behaviour { accepted: accepted_sender, open };
        (behaviour, Streams { accepted, opener: Opener(open_sender) })
    }

    fn handler(&self, peer: PeerId) -> Handler {
        Handler { peer, accepted: self.accepted.clone(), opening: VecDeque::new(), waker: None }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = std::convert::Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.open.poll_recv(context) {
            // Without a connection the swarm drops the event, and the asker hears of it by that.
            Poll::Ready(Some((peer_id, opened))) => Poll::Ready(ToSwarm::NotifyHandler {
                peer_id,
                handler: NotifyHandler::Any,
                event: opened,
            }),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// The part of bitswap in one connection.
pub struct Handler {
    peer: PeerId,
    accepted: mpsc::Sender<(PeerId, Stream)>,
    opening: VecDeque<Opened>,
    waker: Option<Waker>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Opened;
    type ToBehaviour = std::convert::Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opened;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Opened, Self::ToBehaviour>> {
        // Bounded by what the behaviour hands on: one per stream that somebody waits for.
        if let Some(opened) = self.opening.pop_front() {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), opened);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, opened: Opened) {
        self.opening.push_back(opened);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol, (), Opened>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => {
                let peer = self.peer;
                let handed_on = self.accepted.try_send((peer, stream));
                handed_on
                    .unwrap_or_else(|_| tracing::debug!(%peer, "bitswap: a stream is dropped"));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: opened,
            }) => {
                // Whoever waited for it may have given up: then the stream is dropped.
                let _ = opened.0.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: opened, error }) => {
                let error = match error {
                    StreamUpgradeError::NegotiationFailed => OpenError::Unsupported,
                    _ => OpenError::Failed,
                };
                let _ = opened.0.send(Err(error));
            }
            _ => {}
        }
    }
}
