//! Fast sync on the wire: `/optimusdb/sync/1`.
//!
//! A stream carries requests and answers in turn, each in a frame. The swarm does not look into them. The side
//! that opened the stream asks; it may ask as often as it likes, one request at a time.
//!
//! A stream that rests costs nearly nothing. A frame that was begun has seconds to be whole, and only a whole
//! one waits for a place among those that are answered.

use std::io;
use std::sync::Arc;

use libp2p::futures::{AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use optimusdb_dag::replicator::Offence;
use tokio::time::timeout;

use crate::limits::{
    FRAME_TIMEOUT, SYNC_FRAME_BYTES_MAX, SYNC_IDLE_TIMEOUT, SYNC_REQUEST_BYTES_MAX,
    SYNC_REQUEST_TIMEOUT,
};
use crate::protocols::frames::{begin_frame, end_frame, read_frame, write_frame};
use crate::protocols::serving::Serving;
use crate::protocols::streams::IncomingStreams;
use crate::{Error, reason};

/// The protocol. A peer that speaks it is a native one.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/optimusdb/sync/1");

/// A stream on which this node asks.
#[derive(Debug)]
pub struct SyncStream {
    peer: PeerId,
    /// None after a failure: what comes next on the stream is then not known.
    stream: Option<Stream>,
}

impl SyncStream {
    pub(crate) fn new(peer: PeerId, stream: Stream) -> SyncStream {
        SyncStream { peer, stream: Some(stream) }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a request over the limit. After any other error the stream cannot be used
    /// again: [`Error::Stream`] when it broke, [`Error::Deadline`] when the answer did not come in time.
    pub async fn request(&mut self, request: Vec<u8>) -> Result<Vec<u8>, Error> {
        if request.len() > SYNC_REQUEST_BYTES_MAX {
            let (what, bytes, bytes_max) =
                ("a sync request", request.len(), SYNC_REQUEST_BYTES_MAX);
            return Err(Error::TooLarge { what, bytes, bytes_max });
        }
        let peer = self.peer;
        let mut stream =
            self.stream.take().ok_or_else(|| Error::stream(peer, "it broke before"))?;
        let turn = async {
            write_frame(&mut stream, &request).await?;
            let answer = read_frame(&mut stream, SYNC_FRAME_BYTES_MAX).await?;
            answer.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
        };
        match timeout(SYNC_REQUEST_TIMEOUT, turn).await {
            Ok(Ok(answer)) => {
                self.stream = Some(stream);
                Ok(answer)
            }
            Ok(Err(error)) => Err(Error::stream(peer, error)),
            Err(_) => Err(Error::Deadline("a sync request")),
        }
    }
}

/// Answers peers that pull from this node.
pub(crate) async fn serve(mut incoming: IncomingStreams, serving: Arc<Serving>) {
    while let Some((peer, stream)) = incoming.next().await {
        let Some(lease) = serving.sync_pool.lease(peer) else {
            tracing::debug!(%peer, "too many sync streams; one was dropped");
            continue;
        };
        let serving = serving.clone();
        tokio::spawn(async move {
            match serve_one(peer, stream, &serving).await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    let why = reason(&error);
                    tracing::info!(%peer, why, "a peer sent something else than sync requests");
                    serving.report(peer, Offence::Malformed);
                }
                Err(error) => tracing::debug!(%peer, why = reason(&error), "sync stream"),
            }
            drop(lease);
        });
    }
}

async fn serve_one(peer: PeerId, mut stream: Stream, serving: &Serving) -> io::Result<()> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    loop {
        let first = timeout(SYNC_IDLE_TIMEOUT, begin_frame(&mut stream)).await.map_err(late)??;
        let Some(first) = first else {
            return stream.close().await;
        };
        let whole = end_frame(&mut stream, first, SYNC_REQUEST_BYTES_MAX);
        let request = timeout(FRAME_TIMEOUT, whole).await.map_err(late)??;
        let place = serving.places.take(serving.source(peer)).await;
        let answer = serving.local.sync(peer, request).await;
        if answer.len() > SYNC_FRAME_BYTES_MAX {
            return Err(io::Error::other("the answer is larger than a frame"));
        }
        tokio::select! {
            written = timeout(SYNC_REQUEST_TIMEOUT, write_frame(&mut stream, &answer)) => {
                written.map_err(late)??;
            }
            () = place.lost() => return Err(io::Error::other("it was slow to take an answer")),
        }
    }
}
