//! Answers to requests that were carried out: `{"status":200,"data":…}`, written once, straight into
//! the body.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;
use super::json;

/// What a successful answer starts with; the data and a closing brace follow.
pub(super) const DATA_PREFIX: &str = r#"{"status":200,"data":"#;

#[derive(Serialize)]
struct Success<'a, T: ?Sized> {
    status: u16,
    data: &'a T,
}

/// An answer with `data`.
pub(super) fn data<T: Serialize + ?Sized>(data: &T) -> Response {
    bare(&Success { status: 200, data })
}

/// An answer that the node is not ready: the refusal that others are, with `data` beside its message.
pub(super) fn not_ready<T: Serialize + ?Sized>(reason: &str, data: &T) -> Response {
    #[derive(Serialize)]
    struct NotReady<'a, T: ?Sized> {
        status: u16,
        message: &'a str,
        data: &'a T,
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut response = bare(&NotReady { status: status.as_u16(), message: reason, data });
    *response.status_mut() = status;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// An answer whose body is `value` itself, for the endpoints whose clients expect a bare array.
pub(super) fn bare<T: Serialize + ?Sized>(value: &T) -> Response {
    match json::line(value) {
        Ok(body) => json::answer(body),
        Err(error) => {
            ApiError::internal(format!("the answer could not be written: {error}")).into_response()
        }
    }
}
