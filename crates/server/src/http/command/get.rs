//! `get`: fetch a file and save it for the user.

use axum::response::Response;
use optimusdb_db::Node;

use super::envelope::Envelope;
use crate::http::error::ApiError;
use crate::http::limits::SAVED_TIMEOUT;
use crate::http::{answer, files};

/// The line in `help`.
pub(super) const HELP: &str = "get: fetch and save the file args[0] = /ipfs/<cid>[/path]";

/// Saves the file under the download directory, and answers where.
pub(super) async fn run(node: &Node, envelope: &Envelope) -> Result<Response, ApiError> {
    let wanted = "the path of a file, such as /ipfs/<cid>,";
    let asked = envelope.first_arg(wanted)?;
    let path = asked.strip_prefix("/ipfs/").unwrap_or(asked);
    let (cid, path) = path.split_once('/').unwrap_or((path, ""));
    let cid = files::cid(cid)?;
    let saved = node.save_file(cid.clone(), path, SAVED_TIMEOUT).await?;
    Ok(answer::data(&format!("stored /ipfs/{cid} successfully under {}", saved.display())))
}
