//! Statements that peers ask about: `/optimusdb/sql/1`.
//!
//! The swarm does not look into them. The answer is empty where who is asked has no rows to show. Bytes in
//! `docs/format-sql.md`.

use std::io;
use std::sync::Arc;

use libp2p::{PeerId, StreamProtocol};

use crate::limits::{SQL_QUESTION_BYTES_MAX, SQL_REPLY_BYTES_MAX, SQL_TIMEOUT};
use crate::protocols::question::Questions;
use crate::protocols::serving::Serving;

/// The protocol.
pub(crate) static STATEMENTS: Questions = Questions {
    protocol: StreamProtocol::new("/optimusdb/sql/1"),
    what: "rows",
    question_bytes_max: SQL_QUESTION_BYTES_MAX,
    answer_bytes_max: SQL_REPLY_BYTES_MAX,
    timeout: SQL_TIMEOUT,
};

/// What this node shows the peer of it.
pub(crate) async fn answer(
    serving: Arc<Serving>,
    peer: PeerId,
    question: Vec<u8>,
) -> io::Result<Vec<u8>> {
    // Plain IPFS nodes exchange blocks of files and get nothing else.
    if !serving.is_native(&peer) {
        return Ok(Vec::new());
    }
    let _place = serving.places.take(serving.source(peer)).await;
    Ok(serving.local.sql(peer, question).await)
}
