//! `cruddelete`: delete the documents that match.

use axum::response::Response;
use optimusdb_db::Node;

use super::envelope::Envelope;
use crate::http::answer;
use crate::http::error::ApiError;

/// The line in `help`.
pub(super) const HELP: &str = "cruddelete: delete the documents of the store 'dstype' that match 'criteria'; [{}] is all; 'options' limit, skip and sort say which of them";

/// Deletes what matches, in one step against other writers. The node refuses a request that names no
/// documents.
pub(super) async fn run(node: &Node, envelope: &Envelope) -> Result<Response, ApiError> {
    let deleted = node.delete(&envelope.store, envelope.changed()?).await?;
    Ok(answer::data(&format!("SUCCESS! {deleted} document(s) deleted")))
}
