//! Votes on the wire: `/optimusdb/votes/1`.
//!
//! Who asks opens a stream and sends one frame with the bytes of an address; who is asked answers with one frame,
//! which is empty where it has no verdict, and the stream ends. The swarm does not look into a vote. Bytes in
//! `docs/format-files.md`.

use std::io;
use std::sync::Arc;

use libp2p::futures::{AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use optimusdb_dag::Cid;
use optimusdb_dag::replicator::Offence;

use crate::limits::{VOTE_BYTES_MAX, VOTE_QUESTION_BYTES_MAX, VOTE_TIMEOUT};
use crate::protocols::frames::{read_frame, write_frame};
use crate::protocols::serving::Serving;
use crate::protocols::streams::{self, IncomingStreams};
use crate::{Error, reason};

/// The protocol.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/optimusdb/votes/1");

/// Answers peers that ask what this node found.
pub(crate) async fn serve(mut incoming: IncomingStreams, serving: Arc<Serving>) {
    while let Some((peer, stream)) = incoming.next().await {
        let Some(lease) = serving.votes_pool.lease(peer) else {
            tracing::debug!(%peer, "too many questions for votes; one was dropped");
            continue;
        };
        let serving = serving.clone();
        tokio::spawn(async move {
            let served = tokio::time::timeout(VOTE_TIMEOUT, serve_one(peer, stream, &serving));
            match served.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    let why = reason(&error);
                    tracing::info!(%peer, why, "a peer sent something else than a question");
                    serving.report(peer, Offence::Malformed);
                }
                Err(error) => tracing::debug!(%peer, why = reason(&error), "votes stream"),
            }
            drop(lease);
        });
    }
}

async fn serve_one(peer: PeerId, mut stream: Stream, serving: &Serving) -> io::Result<()> {
    let question = read_frame(&mut stream, VOTE_QUESTION_BYTES_MAX).await?;
    let Some(question) = question else { return stream.close().await };
    let cid = Cid::from_bytes(&question)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    // Plain IPFS nodes exchange blocks of files and get nothing else.
    let vote = if serving.is_native(&peer) {
        let _place = serving.places.take(serving.source(peer)).await;
        serving.local.vote(peer, cid).await
    } else {
        None
    };
    let vote = vote.unwrap_or_default();
    write_frame(&mut stream, &vote).await?;
    stream.close().await
}

/// Asks a peer; nothing where it has no verdict.
pub(crate) async fn ask(
    mut control: streams::Control,
    peer: PeerId,
    cid: &Cid,
) -> Result<Option<Vec<u8>>, Error> {
    let asking = async {
        let mut stream = streams::open(&mut control, peer, PROTOCOL).await?;
        let turn = async {
            write_frame(&mut stream, &cid.to_bytes()).await?;
            stream.close().await?;
            let vote = read_frame(&mut stream, VOTE_BYTES_MAX).await?;
            vote.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
        };
        turn.await.map_err(|error| Error::stream(peer, error))
    };
    let vote = tokio::time::timeout(VOTE_TIMEOUT, asking).await;
    let vote = vote.map_err(|_| Error::Deadline("a question for a vote"))??;
    Ok(Some(vote).filter(|vote| !vote.is_empty()))
}
