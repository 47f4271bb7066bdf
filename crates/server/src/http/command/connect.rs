//! `connect`: dial a peer.

use axum::response::Response;
use optimusdb_db::Node;

use super::envelope::Envelope;
use crate::http::answer;
use crate::http::error::ApiError;

/// The line in `help`.
pub(super) const HELP: &str =
    "connect: dial the peer at the multiaddr args[0], such as /ip4/192.0.2.1/tcp/4001";

/// Dials the address and answers once the peer is known, or says why it is not.
pub(super) async fn run(node: &Node, envelope: &Envelope) -> Result<Response, ApiError> {
    let wanted = "the multiaddr of a peer, such as /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…,";
    node.connect(envelope.first_arg(wanted)?).await?;
    Ok(answer::data("Peer id processed"))
}
