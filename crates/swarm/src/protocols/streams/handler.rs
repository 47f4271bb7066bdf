//! The part of the streams that lives with one connection.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
};
use libp2p::{PeerId, Stream, StreamProtocol};
use tokio::sync::{mpsc, oneshot};

use super::registry::Registry;
use super::{NewStream, OpenStreamError};

/// Opens and accepts the streams of one connection.
pub(crate) struct Handler {
    peer: PeerId,
    registry: Arc<Registry>,
    requests: mpsc::Receiver<NewStream>,
    /// How often this was polled: see [`Offered`].
    polls: Arc<AtomicU64>,
}

impl Handler {
    pub(super) fn new(
        peer: PeerId,
        registry: Arc<Registry>,
        requests: mpsc::Receiver<NewStream>,
    ) -> Handler {
        Handler { peer, registry, requests, polls: Arc::default() }
    }
}

/// Who waits for an outgoing stream, and for which protocol.
pub(crate) type Waiting = (StreamProtocol, oneshot::Sender<Result<Stream, OpenStreamError>>);

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = Incoming;
    type OutboundProtocol = Outgoing;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Waiting;

    fn listen_protocol(&self) -> SubstreamProtocol<Incoming> {
        let incoming = Incoming { registry: self.registry.clone(), polls: self.polls.clone() };
        SubstreamProtocol::new(incoming, ())
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Outgoing, Waiting, Infallible>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        match self.requests.poll_recv(cx) {
            Poll::Ready(Some(NewStream { protocol, reply })) => {
                let waiting = (protocol.clone(), reply);
                let protocol = SubstreamProtocol::new(Outgoing { protocol }, waiting);
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Incoming, Outgoing, (), Waiting>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                ..
            }) => self.registry.hand_over(self.peer, &protocol, stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: (_, reply),
            }) => {
                let _ = reply.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError {
                error,
                info: (protocol, reply),
            }) => {
                let error = match error {
                    StreamUpgradeError::NegotiationFailed => {
                        OpenStreamError::UnsupportedProtocol(protocol)
                    }
                    StreamUpgradeError::Timeout => io::Error::from(io::ErrorKind::TimedOut).into(),
                    StreamUpgradeError::Io(error) => error.into(),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                let _ = reply.send(Err(error));
            }
            _ => {}
        }
    }
}

/// Accepts a stream of one of our protocols.
pub(crate) struct Incoming {
    registry: Arc<Registry>,
    polls: Arc<AtomicU64>,
}

/// The names that an incoming stream may ask for.
///
/// The names are asked for twice: after every poll of the connection, to tell the peer what has
/// changed, and when a stream agrees on its protocol. The first is done at once; the second later,
/// after the handler was polled again, and only it gets the names that peers are not told.
pub(crate) struct Offered {
    registry: Arc<Registry>,
    polls: Arc<AtomicU64>,
    made_at: u64,
    names: Option<std::vec::IntoIter<StreamProtocol>>,
}

impl Iterator for Offered {
    type Item = StreamProtocol;

    fn next(&mut self) -> Option<StreamProtocol> {
        let names = self.names.get_or_insert_with(|| {
            let mut names = self.registry.protocols(true);
            if self.polls.load(Ordering::Relaxed) != self.made_at {
                names.extend(self.registry.protocols(false));
            }
            names.into_iter()
        });
        names.next()
    }
}

impl UpgradeInfo for Incoming {
    type Info = StreamProtocol;
    type InfoIter = Offered;

    fn protocol_info(&self) -> Offered {
        Offered {
            registry: self.registry.clone(),
            polls: self.polls.clone(),
            made_at: self.polls.load(Ordering::Relaxed),
            names: None,
        }
    }
}

impl InboundUpgrade<Stream> for Incoming {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

/// Opens a stream of a protocol.
pub(crate) struct Outgoing {
    protocol: StreamProtocol,
}

impl UpgradeInfo for Outgoing {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(self.protocol.clone())
    }
}

impl OutboundUpgrade<Stream> for Outgoing {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
