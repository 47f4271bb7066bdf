//! `/pins`: what is kept, by address and name. `/transfers`: what is being fetched whole.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde_json::Value;

use super::error::ApiError;
use super::files::cid;
use super::keys::{Keys, no_query};
use super::{Api, answer};

const KEYS: Keys = Keys { of: "the pin", known: &["name"], instead: &[] };
const LIST_KEYS: Keys = Keys { of: "the query string", known: &["after", "limit"], instead: &[] };

/// `GET /pins[?limit=N][&after=CID]`: pins, oldest first.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(parameters) = parameters.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let parameters = LIST_KEYS.open(parameters)?;
    let after = parameters.get("after").map(|after| cid(after)).transpose()?;
    let limit = match parameters.get("limit") {
        None => usize::MAX,
        Some(limit) => limit.parse().map_err(|_| {
            ApiError::bad_request("'limit' must be a number: how many pins are wanted.")
        })?,
    };
    Ok(answer::data(&api.node.pins(after, limit).await?))
}

/// `GET /pins/{cid}`: one pin.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(pinned): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    no_query(&uri)?;
    Ok(answer::data(&api.node.pin_of(cid(&pinned)?).await?))
}

/// `GET /transfers`: what is being fetched whole, and what waits to be.
pub(super) async fn transfers(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, ApiError> {
    no_query(&uri)?;
    Ok(answer::data(&api.node.transfers().await?))
}

/// `PUT /pins/{cid}` with `{"name":"…"}`, or without a body.
pub(super) async fn pin(
    State(api): State<Arc<Api>>,
    Path(pinned): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let pinned = cid(&pinned)?;
    let (parts, body) = request.into_parts();
    no_query(&parts.uri)?;
    let received = api.bodies.read(&parts.headers, body).await?;
    let name = match KEYS.open_body(&received.bytes, r#"{"name":"a name"}"#)?.remove("name") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(name)) => name,
        Some(_) => return Err(ApiError::bad_request("'name' must be a string.")),
    };
    Ok(answer::data(&api.node.pin(pinned, name).await?))
}

/// `DELETE /pins/{cid}`.
pub(super) async fn unpin(
    State(api): State<Arc<Api>>,
    Path(pinned): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    no_query(&uri)?;
    let pinned = cid(&pinned)?;
    api.node.unpin(pinned.clone()).await?;
    Ok(answer::data(&format!("unpinned {pinned}")))
}
