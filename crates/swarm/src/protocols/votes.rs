//! Votes on the wire: `/optimusdb/votes/1`.
//!
//! A question is the bytes of an address; the answer is empty where who is asked has no verdict. The swarm does
//! not look into a vote. Bytes in `docs/format-files.md`.

use std::io;
use std::sync::Arc;

use libp2p::{PeerId, StreamProtocol};
use optimusdb_dag::Cid;

use crate::limits::{VOTE_BYTES_MAX, VOTE_QUESTION_BYTES_MAX, VOTE_TIMEOUT};
use crate::protocols::question::Questions;
use crate::protocols::serving::Serving;

/// The protocol.
pub(crate) static VOTES: Questions = Questions {
    protocol: StreamProtocol::new("/optimusdb/votes/1"),
    what: "votes",
    question_bytes_max: VOTE_QUESTION_BYTES_MAX,
    answer_bytes_max: VOTE_BYTES_MAX,
    timeout: VOTE_TIMEOUT,
};

/// What this node found.
pub(crate) async fn answer(
    serving: Arc<Serving>,
    peer: PeerId,
    question: Vec<u8>,
) -> io::Result<Vec<u8>> {
    let cid = Cid::from_bytes(&question)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    // Plain IPFS nodes exchange blocks of files and get nothing else.
    let vote = if serving.is_native(&peer) {
        let _place = serving.places.take(serving.source(peer)).await;
        serving.local.vote(peer, cid).await
    } else {
        None
    };
    Ok(vote.unwrap_or_default())
}
