//! `cruddelete`: delete all documents that match.

use axum::response::Response;
use optimusdb_db::{Criteria, Node};

use super::envelope::Envelope;
use crate::http::answer;
use crate::http::error::ApiError;

/// The line in `help`.
pub(super) const HELP: &str =
    "cruddelete: delete the documents of the store 'dstype' that match 'criteria'; [{}] is all";

/// Deletes what matches, in one step against other writers. That nothing said of which documents is
/// refused is the node's doing.
pub(super) async fn run(node: &Node, envelope: &Envelope) -> Result<Response, ApiError> {
    let criteria = Criteria::parse(&envelope.criteria)?;
    let deleted = node.delete(&envelope.store, criteria).await?;
    Ok(answer::data(&format!("SUCCESS! {deleted} document(s) deleted")))
}
