//! `crudget`: the documents of the local replica that match.

use axum::response::Response;
use optimusdb_db::Node;

use super::envelope::Envelope;
use crate::http::error::ApiError;
use crate::http::{answer, stream};

/// The line in `help`.
pub(super) const HELP: &str = "crudget: the documents of the store 'dstype' that match 'criteria', by 'options' limit, skip, sort and fields";

/// Streams what matches; an empty array when nothing does.
pub(super) async fn run(node: &Node, envelope: &Envelope) -> Result<Response, ApiError> {
    let documents = node.find(&envelope.store, envelope.query()?).await?;
    let found = stream::array(documents).await?;
    Ok(found.unwrap_or_else(|| answer::data::<[(); 0]>(&[])))
}
