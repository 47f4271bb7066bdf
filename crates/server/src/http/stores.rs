//! `/stores`: what there is, and making new ones.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use optimusdb_db::StoreKind;
use serde_json::Value;

use super::error::ApiError;
use super::{Api, answer};

/// `GET /stores`: every store with its address and figures.
pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    Ok(answer::data(&api.node.stores().await?))
}

/// `PUT /stores/{name}`: makes a store, or finds it made.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let Path(name) =
        name.map_err(|error| ApiError::bad_request(format!("Not a store's name: {error}")))?;
    let (parts, body) = request.into_parts();
    let received = api.bodies.read(&parts.headers, body).await?;
    let _values = api.bodies.room_to_parse(&received.bytes).await?;
    let kind = kind_of(&received.bytes)?;
    Ok(answer::data(&api.node.create_store(&name, kind).await?))
}

/// The kind that the body asks for; without a body, documents.
fn kind_of(body: &[u8]) -> Result<StoreKind, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(StoreKind::Documents);
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        ApiError::bad_request(format!("The request body is not JSON: {error}."))
    })?;
    let Value::Object(body) = body else {
        return Err(ApiError::bad_request(
            r#"The request body must be an object such as {"type":"documents"}."#,
        ));
    };
    match body.get("type") {
        None | Some(Value::Null) => Ok(StoreKind::Documents),
        Some(kind) => {
            let known = kind.as_str().and_then(|kind| kind.parse().ok());
            known.ok_or_else(|| {
                ApiError::bad_request("'type' must be \"documents\", \"events\" or \"keyvalue\".")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_optional_and_one_of_three() {
        for body in ["", " \n", "{}", r#"{"type":null}"#, r#"{"type":"documents","more":1}"#] {
            assert_eq!(kind_of(body.as_bytes()).ok(), Some(StoreKind::Documents), "{body}");
        }
        assert_eq!(kind_of(br#"{"type":"events"}"#).ok(), Some(StoreKind::Events));
        assert_eq!(kind_of(br#"{"type":"keyvalue"}"#).ok(), Some(StoreKind::KeyValue));
        for body in ["[]", "{", r#"{"type":1}"#, r#"{"type":"graph"}"#] {
            assert!(kind_of(body.as_bytes()).is_err(), "{body}");
        }
    }
}
