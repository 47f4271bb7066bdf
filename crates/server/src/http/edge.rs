//! What every request passes through: the token, the deadline, the figures.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::Api;
use super::error::ApiError;
use super::limits::REQUEST_TIMEOUT;

/// One endpoint's passage.
#[derive(Clone)]
pub(super) struct Edge {
    /// What the handlers share.
    pub(super) api: Arc<Api>,
    /// The endpoint's name in metrics.
    pub(super) endpoint: &'static str,
    /// Whether it answers without the token.
    pub(super) open: bool,
    /// Whether its handler keeps the deadline itself.
    pub(super) keeps_deadline: bool,
}

/// The command that a response answers, for the metrics; an extension of the response.
#[derive(Clone, Copy)]
pub(super) struct CommandName(pub(super) &'static str);

/// Passes a request to its handler and completes the answer.
pub(super) async fn pass(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let in_flight = edge.api.metrics.begin();
    let response = answer(&edge, request, next).await;
    let command = response.extensions().get().map_or("", |CommandName(name)| name);
    in_flight.end(edge.endpoint, command, response.status(), started.elapsed());
    response
}

async fn answer(edge: &Edge, request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return Response::new(Body::empty());
    }
    if let Some(token) = &edge.api.token
        && !edge.open
        && !token.is_borne_by(request.headers())
    {
        return ApiError::unauthorized().into_response();
    }
    if edge.keeps_deadline {
        return next.run(request).await;
    }
    match timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => out_of_time().into_response(),
    }
}

fn out_of_time() -> ApiError {
    ApiError::timed_out(format!(
        "The node did not carry this out within {} s.",
        REQUEST_TIMEOUT.as_secs()
    ))
}
