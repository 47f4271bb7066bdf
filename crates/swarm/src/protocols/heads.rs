//! The exchange of heads, as OrbitDB 4 does it: a protocol for each store,
//! `/orbitdb/heads<address>`, on which both sides send the blocks of their heads one after the
//! other, end their half of the stream, and read until the other side has ended its.
//!
//! There is no framing. Every head goes out in one write, with a pause to the next one if the
//! reader may need it; what comes in is cut where one CBOR item ends and the next begins.

use std::sync::Arc;
use std::time::Duration;

use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWriteExt, StreamExt, future};
use libp2p::{PeerId, Stream, StreamProtocol};
use optimusdb_dag::Address;
use optimusdb_dag::replicator::Offence;
use tokio::time::{Instant, timeout_at};

use crate::event::Event;
use crate::limits::{HEADS_BYTES_MAX, HEADS_GAP, HEADS_MAX, HEADS_READ_TIMEOUT, HEADS_TIMEOUT};
use crate::protocols::heads_room::HeadsLease;
use crate::protocols::items::Items;
use crate::protocols::serving::Serving;
use crate::protocols::streams::{self, IncomingStreams};
use crate::{Error, reason};

const READ_BYTES: usize = 16 * 1024;

/// The protocol of a store's heads.
pub(crate) fn protocol(log: &Address) -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("/orbitdb/heads{log}"))
        .expect("invariant: an address begins with a slash")
}

/// How an exchange failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadsError {
    /// The peer sent what cannot be heads.
    #[error("{0}")]
    Malformed(String),
    /// The stream broke or took too long.
    #[error("{0}")]
    Broken(String),
}

/// Sends our heads, reads theirs.
async fn exchange(
    stream: Stream,
    ours: &[Vec<u8>],
    gap: Duration,
    room: HeadsLease,
) -> Result<Vec<Vec<u8>>, HeadsError> {
    let (mut reader, mut writer) = stream.split();
    let send = async {
        let mut bytes = 0;
        for (number, head) in ours.iter().take(HEADS_MAX).enumerate() {
            bytes += head.len();
            if bytes > HEADS_BYTES_MAX {
                break;
            }
            if number > 0 && !gap.is_zero() {
                tokio::time::sleep(gap).await;
            }
            writer.write_all(head).await?;
            writer.flush().await?;
        }
        writer.close().await
    };
    // What the peer sent is good even if ours did not arrive.
    let both = future::join(send, read(&mut reader, room));
    let (sent, theirs) = tokio::time::timeout(HEADS_TIMEOUT, both)
        .await
        .map_err(|_| HeadsError::Broken("it took too long".to_owned()))?;
    if let Err(error) = sent {
        tracing::debug!(why = reason(&error), "heads were not sent to the end");
    }
    theirs
}

/// Reads heads, unless they come too slowly or others need the room more.
async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    mut room: HeadsLease,
) -> Result<Vec<Vec<u8>>, HeadsError> {
    let broken = |why: &str| HeadsError::Broken(why.to_owned());
    let (began, mut reading) = (Instant::now(), Reading::default());
    let mut piece = vec![0; READ_BYTES];
    loop {
        // What comes steadily may take its time.
        let for_bytes = HEADS_READ_TIMEOUT.mul_f64(reading.bytes as f64 / HEADS_BYTES_MAX as f64);
        let count = tokio::select! {
            read = timeout_at(began + HEADS_READ_TIMEOUT + for_bytes, reader.read(&mut piece)) => {
                read.map_err(|_| broken("its heads come too slowly"))?
            }
            () = room.evicted() => return Err(broken("others need the room of its heads")),
        };
        let count = count.map_err(|e| HeadsError::Broken(reason(&e)))?;
        if count == 0 {
            return reading.end();
        }
        if !room.grow(count.div_ceil(1024)) {
            return Err(broken("it sends more heads than there is room for"));
        }
        reading.take(&piece[..count])?;
    }
}

/// The heads that came so far.
struct Reading {
    items: Items,
    heads: Vec<Vec<u8>>,
    bytes: usize,
}

impl Default for Reading {
    fn default() -> Reading {
        Reading { items: Items::new(HEADS_BYTES_MAX), heads: Vec::new(), bytes: 0 }
    }
}

impl Reading {
    fn take(&mut self, piece: &[u8]) -> Result<(), HeadsError> {
        let malformed = |why: &dyn std::fmt::Display| HeadsError::Malformed(why.to_string());
        self.bytes += piece.len();
        if self.bytes > HEADS_BYTES_MAX {
            return Err(malformed(&"more bytes of heads than allowed"));
        }
        self.items.feed(piece);
        while let Some(head) = self.items.next().map_err(|error| malformed(&error))? {
            if self.heads.len() >= HEADS_MAX {
                return Err(malformed(&"more heads than allowed"));
            }
            self.heads.push(head);
        }
        Ok(())
    }

    fn end(self) -> Result<Vec<Vec<u8>>, HeadsError> {
        match self.items.is_between() {
            true => Ok(self.heads),
            false => Err(HeadsError::Malformed("the last head does not end".to_owned())),
        }
    }
}

/// The pause between two heads for this peer: our own program needs none.
pub(crate) fn gap(native: bool) -> Duration {
    if native { Duration::ZERO } else { HEADS_GAP }
}

/// Answers peers that want to exchange heads of a store.
pub(crate) async fn serve(log: Address, mut incoming: IncomingStreams, serving: Arc<Serving>) {
    while let Some((peer, stream)) = incoming.next().await {
        let Some(lease) = serving.heads_pool.lease(peer) else {
            tracing::debug!(%peer, %log, "too many heads streams; one was dropped");
            continue;
        };
        let serving = serving.clone();
        tokio::spawn(async move {
            serve_one(peer, log, stream, &serving).await;
            drop(lease);
        });
    }
}

async fn serve_one(peer: PeerId, log: Address, stream: Stream, serving: &Serving) {
    let source = serving.source(peer);
    let place = serving.places.take(source).await;
    let ours = serving.local.heads(peer, log).await;
    drop(place);
    let gap = gap(serving.is_native(&peer));
    match exchange(stream, &ours, gap, serving.heads_room.lease(source)).await {
        Ok(blocks) if blocks.is_empty() => {}
        Ok(blocks) => {
            let bytes = blocks.iter().map(Vec::len).sum();
            serving.events.send(Event::Heads { peer, log, blocks }, bytes).await;
        }
        Err(HeadsError::Malformed(why)) => {
            tracing::info!(%peer, %log, why, "a peer sent something else than heads");
            serving.report(peer, Offence::Malformed);
        }
        Err(HeadsError::Broken(why)) => tracing::debug!(%peer, %log, why, "heads stream"),
    }
}

/// Opens the exchange: sends our heads, returns theirs.
pub(crate) async fn ask(
    mut control: streams::Control,
    peer: PeerId,
    log: Address,
    serving: &Serving,
) -> Result<Vec<Vec<u8>>, (Error, Option<Offence>)> {
    let ours = serving.local.heads(peer, log).await;
    let stream =
        streams::open(&mut control, peer, protocol(&log)).await.map_err(|error| (error, None))?;
    let gap = gap(serving.is_native(&peer));
    let room = serving.heads_room.lease(serving.source(peer));
    exchange(stream, &ours, gap, room).await.map_err(|error| {
        let offence = matches!(error, HeadsError::Malformed(_)).then_some(Offence::Malformed);
        (Error::stream(peer, error), offence)
    })
}
