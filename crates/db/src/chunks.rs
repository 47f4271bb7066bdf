//! Text that is made on a blocking thread and read by a task, in chunks, as fast as the reader takes
//! them.
//!
//! The first chunk is made before the stream is handed out, so that an early error is an error and not
//! half an answer. The thread holds a connection: if the reader takes nothing for a while, or the read has to
//! end, the stream is broken off.

use crate::error::Error;
use crate::limits::{CHUNK_BYTES, CHUNKS_MAX, PLACE_LOOK_MS, STREAM_STALL_MS_MAX};
use crate::places::Taking;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

pub(crate) type Chunk = Result<String, Error>;
/// What goes through the channel: chunks, then `Ok(None)` as the mark of the end, or an error. A
/// channel that closes without either was broken off.
type SentChunk = Result<Option<String>, Error>;

/// The reading side.
#[derive(Debug)]
pub(crate) struct Chunks {
    first: Option<Chunk>,
    rest: Option<mpsc::Receiver<SentChunk>>,
}

impl Chunks {
    /// A text that is there already; none of an empty one.
    pub(crate) fn at_hand(text: String) -> Chunks {
        Chunks { first: (!text.is_empty()).then_some(Ok(text)), rest: None }
    }

    /// Runs `write` on a thread that may wait, until the deadline at most, and waits for its first chunk.
    ///
    /// # Errors
    /// What `write` fails with before it has filled a chunk.
    pub(crate) async fn made(
        taking: Arc<Taking>,
        deadline: Instant,
        write: impl FnOnce(ChunkWriter) + Send + 'static,
    ) -> Result<Chunks, Error> {
        let (sender, mut receiver) = mpsc::channel(CHUNKS_MAX);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let text = String::new();
            write(ChunkWriter { sender, runtime, taking, deadline, text, stalled: false });
        });
        let first = received(&mut receiver).await?;
        let rest = first.is_some().then_some(receiver);
        Ok(Chunks { first: first.map(Ok), rest })
    }

    /// The next chunk, or None after the last one. An error is the last chunk.
    pub(crate) async fn next(&mut self) -> Option<Chunk> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let next = received(self.rest.as_mut()?).await;
        if !matches!(next, Ok(Some(_))) {
            self.rest = None;
        }
        next.transpose()
    }
}

async fn received(stream: &mut mpsc::Receiver<SentChunk>) -> SentChunk {
    stream.recv().await.unwrap_or_else(|| {
        Err(Error::TimedOut(format!(
            "the answer was not taken within {STREAM_STALL_MS_MAX} ms, or not while others waited; it is \
             not complete"
        )))
    })
}

/// The writing side.
pub(crate) struct ChunkWriter {
    sender: mpsc::Sender<SentChunk>,
    runtime: Handle,
    taking: Arc<Taking>,
    deadline: Instant,
    text: String,
    stalled: bool,
}

impl ChunkWriter {
    /// Lets `write` add to the text; answers whether there is still a reader.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut String)) -> ControlFlow<()> {
        write(&mut self.text);
        if self.text.len() >= CHUNK_BYTES {
            self.flush();
        }
        if self.stalled { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Asks whether the reader is gone; it can be kept and asked elsewhere.
    pub(crate) fn is_gone(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let sender = self.sender.clone();
        move || sender.is_closed()
    }

    /// The runtime, for what the thread has to wait for.
    pub(crate) fn runtime(&self) -> Handle {
        self.runtime.clone()
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.send(Ok(Some(text)));
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self) {
        self.flush();
        self.send(Ok(None));
    }

    /// What came is not all there is.
    pub(crate) fn fail(&mut self, error: Error) {
        self.text.clear();
        self.send(Err(error));
    }

    fn send(&mut self, chunk: SentChunk) {
        if self.stalled {
            return;
        }
        let sent = match self.sender.try_send(chunk) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(chunk)) => {
                self.taking.begin_wait();
                let sent = self.send_later(chunk);
                self.taking.end_wait();
                sent
            }
        };
        // The reader is gone or too slow: the channel closes without the mark of the end.
        self.stalled = !sent;
    }

    /// Waits until there is room for a chunk; answers whether it was sent.
    fn send_later(&self, chunk: SentChunk) -> bool {
        let look = Duration::from_millis(PLACE_LOOK_MS);
        let stall = Instant::now() + Duration::from_millis(STREAM_STALL_MS_MAX);
        let until = self.deadline.min(stall);
        loop {
            match self.runtime.block_on(tokio::time::timeout(look, self.sender.reserve())) {
                Ok(Ok(room)) => {
                    room.send(chunk);
                    return true;
                }
                Ok(Err(_)) => return false,
                Err(_) if self.taking.is_over() || Instant::now() >= until => return false,
                Err(_) => {}
            }
        }
    }
}
