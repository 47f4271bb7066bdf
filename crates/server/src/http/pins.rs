//! `/pins`: what is kept, by address and name.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;

use super::error::ApiError;
use super::files::cid;
use super::keys::Keys;
use super::{Api, answer};

const KEYS: Keys = Keys { of: "the pin", known: &["name"], instead: &[] };

/// A pin as it is shown.
#[derive(Serialize)]
struct ShownPin {
    cid: String,
    name: String,
    created_ms: u64,
}

/// `GET /pins`: all pins, oldest first.
pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let shown = |pin: optimusdb_db::Pin| ShownPin {
        cid: pin.cid.to_string(),
        name: pin.name,
        created_ms: pin.created_ms,
    };
    let pins: Vec<ShownPin> = api.node.pins().await?.into_iter().map(shown).collect();
    Ok(answer::data(&pins))
}

/// `PUT /pins/{cid}` with `{"name":"…"}`, or without a body.
pub(super) async fn pin(
    State(api): State<Arc<Api>>,
    Path(pinned): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let pinned = cid(&pinned)?;
    let (parts, body) = request.into_parts();
    super::keys::no_query(&parts.uri)?;
    let received = api.bodies.read(&parts.headers, body).await?;
    let name = match KEYS.open_body(&received.bytes, r#"{"name":"a name"}"#)?.remove("name") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(name)) => name,
        Some(_) => return Err(ApiError::bad_request("'name' must be a string.")),
    };
    api.node.pin(pinned.clone(), name).await?;
    Ok(answer::data(&format!("pinned {pinned}")))
}

/// `DELETE /pins/{cid}`.
pub(super) async fn unpin(
    State(api): State<Arc<Api>>,
    Path(pinned): Path<String>,
) -> Result<Response, ApiError> {
    let pinned = cid(&pinned)?;
    api.node.unpin(pinned.clone()).await?;
    Ok(answer::data(&format!("unpinned {pinned}")))
}
