//! `post`: a file for the swarm, in base64.

use axum::response::Response;
use optimusdb_db::Node;

use super::envelope::Envelope;
use crate::http::answer;
use crate::http::error::ApiError;
use crate::http::upload::base64_text;

/// The line in `help`.
pub(super) const HELP: &str = "post: add the base64 'file' to the swarm's files";

/// Adds the file; it is on the disk and a contribution when this answers.
pub(super) async fn run(node: &Node, mut envelope: Envelope) -> Result<Response, ApiError> {
    let file = envelope.take_file()?;
    let bytes = tokio::task::spawn_blocking(move || base64_text::decode(&file))
        .await
        .map_err(|error| ApiError::internal(format!("the file was not decoded: {error}")))?
        .map_err(|why| ApiError::bad_request(format!("'file' must be standard base64: {why}.")))?;
    let added = node.post(bytes, "").await?;
    Ok(answer::data(&format!("File uploaded: /ipfs/{}", added.cid)))
}
