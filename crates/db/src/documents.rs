//! The answer to a read, as a stream: a million documents never sit in memory.
//!
//! A blocking task reads and fills chunks, as fast as the reader takes them. The first chunk is made
//! before the stream is handed out, so that an early error is an error and not half an answer. The
//! task holds a connection: if the reader takes nothing for a while, the stream is broken off.

use crate::error::Error;
use crate::limits::{CHUNK_BYTES, CHUNKS_MAX, SCAN_READERS_MAX, STREAM_STALL_MS_MAX};
use crate::query::Query;
use crate::reading;
use optimusdb_storage::{Place, Readers, StoreRef};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

type Chunk = Result<String, Error>;
/// What goes through the channel: chunks, then `Ok(None)` as the mark of the end, or an error. A
/// channel that closes without either was broken off.
type SentChunk = Result<Option<String>, Error>;

/// Documents as JSON text, in chunks of comma-joined documents.
#[derive(Debug)]
pub struct Documents {
    first: Option<Chunk>,
    rest: Option<mpsc::Receiver<SentChunk>>,
}

impl Documents {
    /// The next chunk, or None after the last one. An error is the last chunk.
    pub async fn next(&mut self) -> Option<Chunk> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        match received(self.rest.as_mut()?).await {
            // Between two chunks stands a comma, like between two documents.
            Ok(Some(text)) => Some(Ok(format!(",{text}"))),
            Ok(None) => {
                self.rest = None;
                None
            }
            Err(error) => {
                self.rest = None;
                Some(Err(error))
            }
        }
    }

    /// Documents of one look-up, which is done already.
    pub(crate) fn at_hand(text: String) -> Documents {
        Documents { first: (!text.is_empty()).then_some(Ok(text)), rest: None }
    }

    /// Starts a scan and waits for its first chunk.
    pub(crate) async fn scan(
        scans: &Scans,
        store: StoreRef,
        query: Query,
        deadline: Instant,
    ) -> Result<Documents, Error> {
        let lease = scans.lease(deadline).await?;
        let readers = Arc::clone(&scans.readers);
        let (sender, mut receiver) = mpsc::channel(CHUNKS_MAX);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let _lease = lease;
            let mut chunks = ChunkWriter { sender, runtime, text: String::new(), stalled: false };
            // There are as many leases as connections, so this does not wait.
            let read = readers.read(Duration::ZERO, |view| {
                Ok(reading::documents(view, &store, &query, deadline, |json| chunks.add(json)))
            });
            match read.map_err(Error::from) {
                Ok(Ok(())) => chunks.end(),
                Err(error) | Ok(Err(error)) => chunks.fail(error),
            }
        });
        let first = received(&mut receiver).await?;
        let rest = first.is_some().then_some(receiver);
        Ok(Documents { first: first.map(Ok), rest })
    }
}

async fn received(stream: &mut mpsc::Receiver<SentChunk>) -> SentChunk {
    stream.recv().await.unwrap_or_else(|| {
        Err(Error::TimedOut(format!(
            "nothing was taken of the answer for {STREAM_STALL_MS_MAX} ms; it is not complete"
        )))
    })
}

/// The connections for scans, and the leases of them. Waiting for a lease takes no thread, so that
/// long scans never hold up what is short.
#[derive(Debug)]
pub(crate) struct Scans {
    readers: Arc<Readers>,
    leases: Arc<Semaphore>,
}

impl Scans {
    pub(crate) fn new(place: Place) -> Scans {
        Scans {
            readers: Arc::new(Readers::new(place, SCAN_READERS_MAX)),
            leases: Arc::new(Semaphore::new(SCAN_READERS_MAX)),
        }
    }

    async fn lease(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Error> {
        let waiting = Arc::clone(&self.leases).acquire_owned();
        match tokio::time::timeout_at(deadline.into(), waiting).await {
            Ok(Ok(lease)) => Ok(lease),
            _ => Err(Error::Unavailable(format!(
                "{SCAN_READERS_MAX} long reads are running already; try again"
            ))),
        }
    }
}

/// The sending side of a stream.
struct ChunkWriter {
    sender: mpsc::Sender<SentChunk>,
    runtime: Handle,
    text: String,
    stalled: bool,
}

impl ChunkWriter {
    fn add(&mut self, json: &str) -> ControlFlow<()> {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        self.text.push_str(json);
        if self.text.len() >= CHUNK_BYTES {
            self.flush();
        }
        if self.stalled { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.send(Ok(Some(text)));
        }
    }

    fn end(&mut self) {
        self.flush();
        self.send(Ok(None));
    }

    fn fail(&mut self, error: Error) {
        self.text.clear();
        self.send(Err(error));
    }

    fn send(&mut self, chunk: SentChunk) {
        if self.stalled {
            return;
        }
        let wait = Duration::from_millis(STREAM_STALL_MS_MAX);
        let sent = self.runtime.block_on(tokio::time::timeout(wait, self.sender.send(chunk)));
        // The reader is gone or too slow: the channel closes without the mark of the end.
        self.stalled = !matches!(sent, Ok(Ok(())));
    }
}
