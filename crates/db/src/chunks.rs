//! Text that is made on a blocking thread and read by a task, in chunks, as fast as the reader takes
//! them.
//!
//! The first chunk is made before the stream is handed out, so that an early error is an error and not
//! half an answer. The thread holds a connection: if the reader takes nothing for a while, the stream
//! is broken off.

use crate::error::Error;
use crate::limits::{CHUNK_BYTES, CHUNKS_MAX, STREAM_STALL_MS_MAX};
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

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

    /// Runs `write` on a thread that may wait, and waits for its first chunk.
    ///
    /// # Errors
    /// What `write` fails with before it has filled a chunk.
    pub(crate) async fn made(
        write: impl FnOnce(ChunkWriter) + Send + 'static,
    ) -> Result<Chunks, Error> {
        let (sender, mut receiver) = mpsc::channel(CHUNKS_MAX);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            write(ChunkWriter { sender, runtime, text: String::new(), stalled: false });
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
            "nothing was taken of the answer for {STREAM_STALL_MS_MAX} ms; it is not complete"
        )))
    })
}

/// The writing side.
pub(crate) struct ChunkWriter {
    sender: mpsc::Sender<SentChunk>,
    runtime: Handle,
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
        let wait = Duration::from_millis(STREAM_STALL_MS_MAX);
        let sent = self.runtime.block_on(tokio::time::timeout(wait, self.sender.send(chunk)));
        // The reader is gone or too slow: the channel closes without the mark of the end.
        self.stalled = !matches!(sent, Ok(Ok(())));
    }
}
