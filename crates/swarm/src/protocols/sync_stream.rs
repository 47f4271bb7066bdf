//! Fast sync on the wire: `/optimusdb/sync/1`.
//!
//! A stream carries requests and answers in turn, each an unsigned varint of its length and so many
//! bytes. The swarm does not look into them. The side that opened the stream asks; it may ask as often
//! as it likes, one request at a time.

use std::io;
use std::sync::Arc;

use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use optimusdb_dag::replicator::Offence;

use crate::limits::{SYNC_FRAME_BYTES_MAX, SYNC_IDLE_TIMEOUT, SYNC_REQUEST_TIMEOUT};
use crate::protocols::serving::Serving;
use crate::protocols::streams::IncomingStreams;
use crate::{Error, reason};

/// The protocol. A peer that speaks it is a native one.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/optimusdb/sync/1");

/// Bytes of a varint that can say a length within the limit.
const LENGTH_BYTES_MAX: usize = 4;

/// Bytes that are set aside for a frame before it arrives.
const READ_BYTES: usize = 64 * 1024;

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
        if request.len() > SYNC_FRAME_BYTES_MAX {
            let (what, bytes, bytes_max) = ("a sync request", request.len(), SYNC_FRAME_BYTES_MAX);
            return Err(Error::TooLarge { what, bytes, bytes_max });
        }
        let peer = self.peer;
        let mut stream =
            self.stream.take().ok_or_else(|| Error::stream(peer, "it broke before"))?;
        let turn = async {
            write_frame(&mut stream, &request).await?;
            let answer = read_frame(&mut stream).await?;
            answer.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
        };
        match tokio::time::timeout(SYNC_REQUEST_TIMEOUT, turn).await {
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
        let request =
            tokio::time::timeout(SYNC_IDLE_TIMEOUT, read_frame(&mut stream)).await.map_err(late)?;
        let Some(request) = request? else {
            return stream.close().await;
        };
        let answer = serving.local.sync(peer, request).await;
        if answer.len() > SYNC_FRAME_BYTES_MAX {
            return Err(io::Error::other("the answer is larger than a frame"));
        }
        let written = write_frame(&mut stream, &answer);
        tokio::time::timeout(SYNC_REQUEST_TIMEOUT, written).await.map_err(late)??;
    }
}

async fn write_frame(to: &mut (impl AsyncWrite + Unpin), body: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(LENGTH_BYTES_MAX + body.len());
    let mut length = body.len();
    while length >= 0x80 {
        frame.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    frame.push(length as u8);
    frame.extend_from_slice(body);
    to.write_all(&frame).await?;
    to.flush().await
}

/// The next frame; `None` where the stream ends between two. Memory grows with what arrives, not
/// with what is promised.
pub(crate) async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let invalid = |why: &'static str| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut length = 0_usize;
    for place in 0..=LENGTH_BYTES_MAX {
        let mut byte = [0];
        if from.read(&mut byte).await? == 0 {
            return if place == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        if place == LENGTH_BYTES_MAX || (place > 0 && byte[0] == 0) {
            return Err(invalid("a length that is none"));
        }
        length |= usize::from(byte[0] & 0x7f) << (7 * place);
        if byte[0] < 0x80 {
            break;
        }
    }
    if length > SYNC_FRAME_BYTES_MAX {
        return Err(invalid("a frame over the limit"));
    }
    let mut body = Vec::with_capacity(length.min(READ_BYTES));
    from.take(length as u64).read_to_end(&mut body).await?;
    if body.len() == length { Ok(Some(body)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use libp2p::futures::io::Cursor;

    use super::*;

    #[tokio::test]
    async fn frames_come_back() {
        for size in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let mut bytes = Vec::new();
            write_frame(&mut Cursor::new(&mut bytes), &vec![7; size]).await.unwrap();
            let mut from = Cursor::new(bytes);
            assert_eq!(read_frame(&mut from).await.unwrap(), Some(vec![7; size]));
            assert_eq!(read_frame(&mut from).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn other_bytes_are_errors() {
        let over = SYNC_FRAME_BYTES_MAX + 1;
        let over =
            [over & 0x7f | 0x80, over >> 7 & 0x7f | 0x80, over >> 14 & 0x7f | 0x80, over >> 21];
        for (bytes, kind) in [
            (over.map(|byte| byte as u8).to_vec(), io::ErrorKind::InvalidData),
            (vec![0xff; 9], io::ErrorKind::InvalidData),
            (vec![0x80, 0], io::ErrorKind::InvalidData),
            (vec![0x80], io::ErrorKind::UnexpectedEof),
            (vec![5, 1, 2], io::ErrorKind::UnexpectedEof),
        ] {
            let error = read_frame(&mut Cursor::new(&bytes)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{bytes:?}");
        }
    }
}
