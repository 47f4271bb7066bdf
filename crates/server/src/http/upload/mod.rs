//! `POST /upload`: a TOSCA file, as base64 in JSON or as a multipart form.
//!
//! Here the file is taken out of its wrapping; what it says is the node's to read. As with commands,
//! a body that is no form is taken as JSON, whatever its content type says.

pub(super) mod base64_text;
pub(super) mod disposition;
pub(super) mod form;
mod json;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use optimusdb_db::ToscaUpload;

use super::error::ApiError;
use super::keys::{Keys, no_query};
use super::limits::PARSE_INLINE_BYTES_MAX;
use super::{Api, answer};

/// What an upload says, as keys in JSON and as parts in a form.
const KEYS: Keys = Keys {
    of: "the upload",
    known: &["file", "filename", "store_full_structure", "target_store"],
    instead: &[("name", "filename"), ("store", "target_store"), ("dstype", "target_store")],
};

/// `POST /upload`.
pub(super) async fn upload(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    no_query(&parts.uri)?;
    let received = api.bodies.read(&parts.headers, body).await?;
    // The file is as large as the body: its room is held to the end.
    let (bytes, _room) = (received.bytes, received.room);
    if form::is_form(&parts.headers) {
        return store(&api, form::read(parts, bytes).await?).await;
    }
    let _values = api.bodies.room_to_parse(&bytes).await?;
    let upload = if bytes.len() <= PARSE_INLINE_BYTES_MAX {
        json::read(&bytes)?
    } else {
        let reading = tokio::task::spawn_blocking(move || json::read(&bytes));
        reading.await.unwrap_or_else(|error| {
            Err(ApiError::internal(format!("the upload was not read: {error}")))
        })?
    };
    store(&api, upload).await
}

/// Answers with the receipt of the file; of several files with an array, in their order.
async fn store(api: &Api, upload: ToscaUpload) -> Result<Response, ApiError> {
    let receipts = api.node.upload(upload).await?;
    Ok(match receipts.as_slice() {
        [receipt] => answer::data(receipt),
        several => answer::data(several),
    })
}
