//! What is answered while the node is being opened: that it lives, that it is not ready, and how far it is.

use axum::body::Body;
use axum::http::{Method, Request};
use axum::response::{IntoResponse, Response};
use optimusdb_db::{Error, NodeOpening};
use serde::Serialize;

use super::answer;
use super::error::ApiError;

/// What `/readyz` says of a node that is being opened.
#[derive(Serialize)]
struct Unready<'a> {
    ready: bool,
    writable: bool,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<EntriesDone>,
}

/// How much of the work that is being done is behind, where that can be counted.
#[derive(Serialize)]
struct EntriesDone {
    done: u64,
    of: u64,
}

/// Answers a request under `prefix`, or one of a probe outside of it.
pub(super) fn answer(request: &Request<Body>, prefix: &str, opening: &NodeOpening) -> Response {
    if request.method() == Method::OPTIONS {
        return Response::new(Body::empty());
    }
    let path = request.uri().path().trim_end_matches('/');
    let within = path.strip_prefix(prefix).unwrap_or(path);
    match within {
        "/healthz" => answer::data("ok"),
        "/readyz" => {
            let step = opening.step();
            let progress = step.entries.map(|(done, of)| EntriesDone { done, of });
            let reason = step.to_string();
            let unready = Unready { ready: false, writable: false, reason: &reason, progress };
            answer::not_ready(&reason, &unready)
        }
        _ => {
            let why = format!("the node is not ready: {}", opening.step());
            ApiError::from(Error::Unavailable(why)).into_response()
        }
    }
}
