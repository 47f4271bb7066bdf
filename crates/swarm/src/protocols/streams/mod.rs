//! Streams of our own protocols: which are accepted, and how one is opened.
//!
//! It does what the general implementation of libp2p does not. Streams that arrive in a burst wait for
//! their server instead of being dropped; several can be opened to one peer at the same time; a
//! connection that closes leaves nothing behind; no peer is dialled for a stream. And a protocol can
//! be accepted without being told to peers: there is one for each store, and the list of protocols
//! that hosts exchange has room for a few dozen names.

mod behaviour;
mod handler;
mod registry;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::futures;
use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, Stream, StreamProtocol};
use tokio::sync::{mpsc, oneshot};

pub(crate) use behaviour::StreamsBehaviour;
use registry::Registry;

use crate::Error;
use crate::limits::{DOUBT_TIMEOUT, STREAM_OPEN_TIMEOUT, STREAMS_WAITING_MAX};

/// Opens and accepts streams. Clones do the same.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    registry: Arc<Registry>,
}

/// A stream that a handler is asked to open.
#[derive(Debug)]
struct NewStream {
    protocol: StreamProtocol,
    reply: oneshot::Sender<Result<Stream, OpenStreamError>>,
}

/// The protocol has a server already.
#[derive(Debug, thiserror::Error)]
#[error("the protocol is already accepted")]
pub(crate) struct AlreadyRegistered;

/// Why a stream could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenStreamError {
    /// The peer does not speak the protocol.
    #[error("the peer does not speak {0}")]
    UnsupportedProtocol(StreamProtocol),
    /// The connection broke, or there is none.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The streams that peers open for one protocol. It is accepted until this is dropped.
#[derive(Debug)]
pub(crate) struct IncomingStreams {
    receiver: mpsc::Receiver<(PeerId, Stream)>,
}

impl futures::Stream for IncomingStreams {
    type Item = (PeerId, Stream);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(cx)
    }
}

impl Control {
    /// Accepts streams of a protocol, and tells peers so.
    pub(crate) fn accept(
        &mut self,
        protocol: StreamProtocol,
    ) -> Result<IncomingStreams, AlreadyRegistered> {
        self.register(protocol, true)
    }

    /// Accepts streams of a protocol that peers know of without being told.
    pub(crate) fn accept_unlisted(
        &mut self,
        protocol: StreamProtocol,
    ) -> Result<IncomingStreams, AlreadyRegistered> {
        self.register(protocol, false)
    }

    fn register(
        &self,
        protocol: StreamProtocol,
        listed: bool,
    ) -> Result<IncomingStreams, AlreadyRegistered> {
        let (sender, receiver) = mpsc::channel(STREAMS_WAITING_MAX);
        if self.registry.register(protocol, sender, listed) {
            Ok(IncomingStreams { receiver })
        } else {
            Err(AlreadyRegistered)
        }
    }

    /// Opens a stream to a connected peer.
    pub(crate) async fn open_stream(
        &mut self,
        peer: PeerId,
        protocol: StreamProtocol,
    ) -> Result<Stream, OpenStreamError> {
        open_on(self.registry.handler_of(&peer), protocol).await
    }

    /// Whether the peer answers on this very connection, within a time.
    ///
    /// It is asked for a protocol that nobody speaks: saying so is an answer, and costs it nothing.
    pub(crate) async fn answers(&self, peer: PeerId, connection: ConnectionId) -> bool {
        let opening = open_on(self.registry.handler_on(&peer, connection), NOBODYS);
        let opened = tokio::time::timeout(DOUBT_TIMEOUT, opening).await;
        matches!(opened, Ok(Ok(_) | Err(OpenStreamError::UnsupportedProtocol(_))))
    }
}

/// A protocol that nobody speaks.
const NOBODYS: StreamProtocol = StreamProtocol::new("/optimusdb/nobodys");

/// Opens a stream on the connection of a handler.
async fn open_on(
    handler: Option<mpsc::Sender<NewStream>>,
    protocol: StreamProtocol,
) -> Result<Stream, OpenStreamError> {
    let broken = || OpenStreamError::Io(io::ErrorKind::ConnectionReset.into());
    let handler = handler.ok_or_else(|| {
        OpenStreamError::Io(io::Error::new(io::ErrorKind::NotConnected, "not connected"))
    })?;
    let (reply, opened) = oneshot::channel();
    handler.send(NewStream { protocol, reply }).await.map_err(|_| broken())?;
    opened.await.map_err(|_| broken())?
}

/// Opens a stream to a connected peer, within a time.
pub(crate) async fn open(
    control: &mut Control,
    peer: PeerId,
    protocol: StreamProtocol,
) -> Result<Stream, Error> {
    let opening = control.open_stream(peer, protocol.clone());
    match tokio::time::timeout(STREAM_OPEN_TIMEOUT, opening).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(OpenStreamError::UnsupportedProtocol(_))) => {
            Err(Error::Unsupported { peer, protocol: protocol.to_string() })
        }
        Ok(Err(error)) => Err(Error::stream(peer, error)),
        Err(_) => Err(Error::Deadline("opening a stream")),
    }
}
