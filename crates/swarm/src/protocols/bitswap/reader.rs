//! Reads the messages of one stream that a peer opened.
//!
//! Each message is a varint with its length, then its bytes. Whatever breaks the format, is over a
//! limit or takes too long ends the stream. Larger messages wait for a lease of memory from a bounded
//! pool.

use std::sync::Arc;
use std::time::Duration;

use libp2p::futures::{AsyncRead, AsyncReadExt};
use optimusdb_dag::{Cid, Prefix};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::MessageError;
use super::limits::{
    MESSAGE_BYTES_MAX, PEER_READING_KIB_MAX, PEER_STREAMS_MAX, READING_KIB_MAX, RECEIVE_TIMEOUT_MS,
    RECEIVED_BYTES_PER_MS_MIN, SMALL_MESSAGE_BYTES_MAX,
};
use super::message::Message;
use super::server::Want;
use super::wire::read_varint;

/// Bytes of the longest length that is within [`MESSAGE_BYTES_MAX`].
const LENGTH_BYTES: usize = 4;

/// What a message says, checked: blocks stand under the address of their bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ReceivedMessage {
    pub(super) full: bool,
    /// A want, or the end of one if `None`.
    pub(super) wants: Vec<(Cid, Option<Want>)>,
    pub(super) blocks: Vec<(Cid, Vec<u8>)>,
    pub(super) presences: Vec<(Cid, bool)>,
    /// Wanted addresses that this node could not check a block with, and so has no block for, if the
    /// peer wants an answer.
    pub(super) foreign_wants: Vec<Vec<u8>>,
    /// Blocks under a hash that cannot be computed here, or under none.
    pub(super) foreign_blocks: u64,
}

impl ReceivedMessage {
    pub(super) fn decode(bytes: &[u8]) -> Result<ReceivedMessage, MessageError> {
        let message = Message::decode(bytes)?;
        let mut received = ReceivedMessage { full: message.full, ..ReceivedMessage::default() };
        for entry in &message.entries {
            let want = Want { ask: entry.ask, send_dont_have: entry.send_dont_have };
            match Cid::from_bytes(entry.cid) {
                Ok(cid) => received.wants.push((cid, (!entry.cancel).then_some(want))),
                Err(_) if entry.send_dont_have && !entry.cancel => {
                    received.foreign_wants.push(entry.cid.to_vec());
                }
                Err(_) => {}
            }
        }
        for block in &message.blocks {
            match Prefix::from_bytes(block.prefix).and_then(|prefix| prefix.address(block.data)) {
                Ok(cid) => received.blocks.push((cid, block.data.to_vec())),
                Err(_) => received.foreign_blocks += 1,
            }
        }
        for presence in &message.presences {
            if let Ok(cid) = Cid::from_bytes(presence.cid) {
                received.presences.push((cid, presence.have));
            }
        }
        Ok(received)
    }
}

/// Why a stream ended before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{0}")]
    Message(#[from] MessageError),
    #[error("a message took too long")]
    TooSlow,
    #[error("the stream failed: {}", crate::reason(.0))]
    Stream(#[from] std::io::Error),
}

/// The memory and the streams that reading may take. What is leased comes back when its lease is dropped.
#[derive(Clone)]
pub(super) struct ReadPool {
    all_kib: Arc<Semaphore>,
    peer_kib: Arc<Semaphore>,
    peer_streams: Arc<Semaphore>,
}

/// A lease of memory for one message; none for a small one.
pub(super) type MemoryLease = Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>;

impl ReadPool {
    pub(super) fn all() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(READING_KIB_MAX))
    }

    pub(super) fn of_peer(all_kib: Arc<Semaphore>) -> ReadPool {
        ReadPool {
            all_kib,
            peer_kib: Arc::new(Semaphore::new(PEER_READING_KIB_MAX)),
            peer_streams: Arc::new(Semaphore::new(PEER_STREAMS_MAX)),
        }
    }

    /// The right to read one more stream.
    pub(super) fn stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.peer_streams).try_acquire_owned().ok()
    }

    /// First of the peer's memory, then of all: a peer that fills its own waits for itself.
    async fn lease(&self, bytes: usize) -> MemoryLease {
        if bytes <= SMALL_MESSAGE_BYTES_MAX {
            return None;
        }
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let peer = Arc::clone(&self.peer_kib).acquire_many_owned(kib).await.ok()?;
        let all = Arc::clone(&self.all_kib).acquire_many_owned(kib).await.ok()?;
        Some((peer, all))
    }
}

/// The next message of the stream and its lease of memory; `None` at the end of the stream.
pub(super) async fn next_message(
    stream: &mut (impl AsyncRead + Unpin),
    pool: &ReadPool,
) -> Result<Option<(ReceivedMessage, MemoryLease)>, ReadError> {
    let patience = Duration::from_millis(RECEIVE_TIMEOUT_MS);
    // A stream may rest between two messages for as long as it likes: Kubo keeps one for all of its
    // messages, and what it writes to one that was ended here is lost without its noticing.
    let mut first = [0];
    if stream.read(&mut first).await? == 0 {
        return Ok(None);
    }
    let length = timeout(patience, read_length(stream, first[0])).await;
    let length = length.unwrap_or(Err(ReadError::TooSlow))?;
    let reading = async {
        let lease = pool.lease(length).await;
        let mut bytes = Vec::with_capacity(length.min(SMALL_MESSAGE_BYTES_MAX));
        // Grows with what has come, not with what was announced.
        stream.take(length as u64).read_to_end(&mut bytes).await?;
        if bytes.len() < length {
            return Err(MessageError::Truncated.into());
        }
        Ok(Some((ReceivedMessage::decode(&bytes)?, lease)))
    };
    let patience = patience + Duration::from_millis(length as u64 / RECEIVED_BYTES_PER_MS_MIN);
    timeout(patience, reading).await.unwrap_or(Err(ReadError::TooSlow))
}

/// The length that begins with this byte.
async fn read_length(stream: &mut (impl AsyncRead + Unpin), first: u8) -> Result<usize, ReadError> {
    let mut bytes = [first, 0, 0, 0];
    for end in 1..=LENGTH_BYTES {
        if end > 1 && stream.read(&mut bytes[end - 1..end]).await? == 0 {
            return Err(MessageError::Truncated.into());
        }
        if let Some((length, _)) = read_varint(&bytes[..end])? {
            return match usize::try_from(length) {
                Ok(length) if length <= MESSAGE_BYTES_MAX => Ok(length),
                _ => Err(MessageError::TooLarge.into()),
            };
        }
    }
    Err(MessageError::TooLarge.into())
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
