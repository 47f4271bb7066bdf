//! `crudput`: insert or replace documents, all or none.

use axum::response::Response;
use optimusdb_db::Node;

use super::envelope::{Envelope, objects};
use crate::http::answer;
use crate::http::error::ApiError;

/// The line in `help`.
pub(super) const HELP: &str = "crudput: insert or replace the documents in 'criteria', each with a string '_id', in the store 'dstype'; all or none; a keyvalue store takes '_id' and 'value', an event log 'value' alone";

/// Puts the documents, which travel in `criteria`.
pub(super) async fn run(node: &Node, envelope: Envelope) -> Result<Response, ApiError> {
    let documents = objects(envelope.criteria, "criteria")?;
    if documents.is_empty() {
        return Err(ApiError::bad_request(
            r#"crudput got no documents: put them in 'criteria', such as [{"_id":"a","name":"first"}]."#,
        ));
    }
    node.put(&envelope.store, documents).await?;
    Ok(answer::data("OK: Successfully inserted records"))
}
