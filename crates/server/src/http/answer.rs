//! Answers in JSON: `{"status":200,"data":…}`, written once, straight into the body.
//!
//! Every answer ends with a newline, since terminals show them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;

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
    match line(value) {
        Ok(body) => json(body),
        Err(error) => {
            ApiError::internal(format!("the answer could not be written: {error}")).into_response()
        }
    }
}

/// A value as one line of JSON.
pub(super) fn line<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// An answer whose body is JSON already, its newline included.
pub(super) fn json(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
