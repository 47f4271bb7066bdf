//! Refusals: what the node's errors mean at a gateway.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use optimusdb_db::{Error, Kind, Reach};

use super::limits::{ABSENT_RETRY, TURN_RETRY};
use crate::http::error::ApiError;

/// Why content that was looked for is not answered. `asks` is whether there is a peer to ask.
pub(super) fn of(error: Error, reach: Reach, asks: bool) -> ApiError {
    match (error.kind(), reach) {
        (Kind::TimedOut, Reach::Here) => ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "It is not here, and 'only-if-cached' forbids to fetch it.",
        ),
        (Kind::TimedOut, Reach::Peers) if !asks => {
            ApiError::new(StatusCode::NOT_FOUND, format!("{error}; there is nobody to ask."))
        }
        (Kind::TimedOut, Reach::Peers) => {
            with_retry(ApiError::new(StatusCode::GATEWAY_TIMEOUT, error.to_string()), ABSENT_RETRY)
        }
        _ => error.into(),
    }
}

/// 429: too many others.
pub(super) fn too_many() -> ApiError {
    let why = "The gateway is answering as many requests as it can; try again.";
    with_retry(ApiError::new(StatusCode::TOO_MANY_REQUESTS, why), TURN_RETRY)
}

/// 406: the content is not of the format.
pub(super) fn not_acceptable(why: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::NOT_ACCEPTABLE, why.into())
}

fn with_retry(refusal: ApiError, after: Duration) -> ApiError {
    match HeaderValue::try_from(after.as_secs().to_string()) {
        Ok(seconds) => refusal.with_header(header::RETRY_AFTER, seconds),
        Err(_) => refusal,
    }
}
