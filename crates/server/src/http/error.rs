//! Refusals: what a client gets when its request cannot be answered.
//!
//! [`ApiError`] is a status code and one line of text, sent as `{"status":…,"message":…}`. The one
//! table from the node's error kinds to status codes is [`status_of`]. Errors that are the node's
//! fault are logged here, where they end; the others are the client's to read.

use std::borrow::Cow;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use optimusdb_db::Kind;
use serde::Serialize;

use super::json;
use super::limits::MESSAGE_BYTES_MAX;

/// A refusal with its status code.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: Cow<'static, str>,
    header: Option<(HeaderName, HeaderValue)>,
}

/// The one table from the node's kinds of errors to HTTP status codes.
pub(super) fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Corrupt | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::NotBuilt => StatusCode::NOT_IMPLEMENTED,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
        Kind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
    }
}

impl ApiError {
    /// A refusal with any status.
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        ApiError { status, message: message.into(), header: None }
    }

    /// 400: the request is wrong as it stands.
    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401, with the challenge that the standard asks for.
    pub(super) fn unauthorized() -> Self {
        ApiError {
            status: StatusCode::UNAUTHORIZED,
            message: "This node wants 'Authorization: Bearer <token>' with its API token.".into(),
            header: Some((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"optimusdb\""),
            )),
        }
    }

    /// 413: over a limit of size.
    pub(super) fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// 408: the client did not send its request in time.
    pub(super) fn client_timed_out(message: impl Into<Cow<'static, str>>) -> Self {
        ApiError::new(StatusCode::REQUEST_TIMEOUT, message)
    }

    /// 504: the node did not carry it out in time.
    pub(super) fn timed_out(message: impl Into<Cow<'static, str>>) -> Self {
        ApiError::new(StatusCode::GATEWAY_TIMEOUT, message)
    }

    /// The same with a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// 501: known, but not in this version.
    pub(super) fn not_built(message: impl Into<Cow<'static, str>>) -> Self {
        ApiError::new(StatusCode::NOT_IMPLEMENTED, message)
    }

    /// 500: a defect of ours.
    pub(super) fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The text that the client gets.
    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl From<optimusdb_db::Error> for ApiError {
    fn from(error: optimusdb_db::Error) -> Self {
        let mut refusal = ApiError::new(status_of(error.kind()), error.to_string());
        if error.kind() == Kind::Unavailable {
            refusal.header = Some((header::RETRY_AFTER, HeaderValue::from_static("1")));
        }
        refusal
    }
}

#[derive(Serialize)]
struct RefusalBody<'a> {
    status: u16,
    message: &'a str,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(message = %self.message, "a request failed through no fault of its client");
        }
        let message = bounded(one_line(&self.message));
        let refusal = RefusalBody { status: self.status.as_u16(), message: &message };
        let mut response = json::answer(json::line(&refusal).unwrap_or_default());
        *response.status_mut() = self.status;
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// What a message may quote of a request is cut off, however long it is.
fn bounded(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= MESSAGE_BYTES_MAX {
        return text;
    }
    let end = text.floor_char_boundary(MESSAGE_BYTES_MAX);
    Cow::Owned(format!("{}…", &text[..end]))
}

/// The interface promises one line; what a client sent may be quoted in it with its line breaks.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) {
        let lines: Vec<&str> =
            text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
        Cow::Owned(lines.join(" "))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_an_end() {
        let whole = "é".repeat(MESSAGE_BYTES_MAX / 2);
        assert_eq!(bounded(Cow::Borrowed(&whole)), whole);
        let longer = format!("{whole}é");
        assert_eq!(bounded(Cow::Borrowed(&longer)), format!("{whole}…"));
    }

    #[test]
    fn messages_are_one_line() {
        assert_eq!(one_line("as it is"), "as it is");
        assert_eq!(one_line("a\n   b\r\n\r\nc\n"), "a b c");
    }

    #[test]
    fn a_busy_node_says_when_to_come_back() {
        let refusal =
            ApiError::from(optimusdb_db::Error::Unavailable("full".into())).into_response();
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refusal.headers()[header::RETRY_AFTER], "1");
    }
}
