//! Protocols of one question and one answer, a frame each. Who asks opens a stream, sends the question and ends
//! its half; who is asked answers, and the stream ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use libp2p::futures::{AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use optimusdb_dag::replicator::Offence;

use crate::protocols::frames::{read_frame, write_frame};
use crate::protocols::serving::Serving;
use crate::protocols::stream_pool::StreamPool;
use crate::protocols::streams::{self, IncomingStreams};
use crate::{Error, reason};

/// A protocol, with its limits.
#[derive(Debug)]
pub(crate) struct Questions {
    pub(crate) protocol: StreamProtocol,
    /// What is asked for, in words.
    pub(crate) what: &'static str,
    pub(crate) question_bytes_max: usize,
    pub(crate) answer_bytes_max: usize,
    /// From a question to its answer.
    pub(crate) timeout: Duration,
}

impl Questions {
    /// Answers peers that ask, a bounded number at a time. `answer` fails with
    /// [`io::ErrorKind::InvalidData`] for what is no question.
    pub(crate) async fn serve<F>(
        &'static self,
        mut incoming: IncomingStreams,
        pool: StreamPool,
        serving: Arc<Serving>,
        answer: fn(Arc<Serving>, PeerId, Vec<u8>) -> F,
    ) where
        F: Future<Output = io::Result<Vec<u8>>> + Send + 'static,
    {
        while let Some((peer, stream)) = incoming.next().await {
            let Some(lease) = pool.lease(peer) else {
                tracing::debug!(%peer, "too many questions for {}; one was dropped", self.what);
                continue;
            };
            let serving = Arc::clone(&serving);
            tokio::spawn(async move {
                let turn = self.serve_one(peer, stream, Arc::clone(&serving), answer);
                let served = tokio::time::timeout(self.timeout, turn);
                match served.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        let why = reason(&error);
                        tracing::info!(%peer, why, "a peer sent no question for {}", self.what);
                        serving.report(peer, Offence::Malformed);
                    }
                    Err(error) => {
                        tracing::debug!(%peer, why = reason(&error), "a stream of {}", self.protocol);
                    }
                }
                drop(lease);
            });
        }
    }

    async fn serve_one<F: Future<Output = io::Result<Vec<u8>>>>(
        &self,
        peer: PeerId,
        mut stream: Stream,
        serving: Arc<Serving>,
        answer: fn(Arc<Serving>, PeerId, Vec<u8>) -> F,
    ) -> io::Result<()> {
        if let Some(question) = read_frame(&mut stream, self.question_bytes_max).await? {
            let answer = answer(serving, peer, question).await?;
            if answer.len() > self.answer_bytes_max {
                return Err(io::Error::other("the answer is larger than a frame"));
            }
            write_frame(&mut stream, &answer).await?;
        }
        stream.close().await
    }

    /// Asks a peer.
    pub(crate) async fn ask(
        &self,
        mut control: streams::Control,
        peer: PeerId,
        question: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let (bytes, bytes_max) = (question.len(), self.question_bytes_max);
        if bytes > bytes_max {
            return Err(Error::TooLarge { what: "a question", bytes, bytes_max });
        }
        let asking = async {
            let mut stream = streams::open(&mut control, peer, self.protocol.clone()).await?;
            let turn = async {
                write_frame(&mut stream, question).await?;
                stream.close().await?;
                let answer = read_frame(&mut stream, self.answer_bytes_max).await?;
                answer.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
            };
            turn.await.map_err(|error| Error::stream(peer, error))
        };
        let answer = tokio::time::timeout(self.timeout, asking).await;
        answer.map_err(|_| Error::Deadline("a question for a peer"))?
    }
}
