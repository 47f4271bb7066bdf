//! What the node says of itself: who it is, whether it is well, whom it knows.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use optimusdb_db::NodeId;
use serde::Serialize;

use super::error::ApiError;
use super::{Api, answer};

/// `GET /id`: the names of this node.
pub(super) async fn id(State(api): State<Arc<Api>>) -> Response {
    #[derive(Serialize)]
    struct IdAnswer {
        #[serde(flatten)]
        id: NodeId,
        /// Where peers can dial it.
        addrs: Vec<String>,
    }
    answer::data(&IdAnswer { id: api.node.id(), addrs: api.node.addrs() })
}

/// `GET /peers` and `GET /ems`: the peers connected now.
pub(super) async fn peers(State(api): State<Arc<Api>>) -> Response {
    answer::bare(&api.node.peers())
}

/// `GET /benchmarks`: not in this version.
pub(super) async fn benchmarks() -> ApiError {
    ApiError::not_built("This version takes no benchmarks.")
}

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> Response {
    answer::data("ok")
}

/// `GET /readyz`: the node takes requests; 503 with the reason when it does not.
pub(super) async fn readyz(State(api): State<Arc<Api>>) -> Response {
    let readiness = api.node.ready();
    if readiness.ready {
        return answer::data(&readiness);
    }
    answer::not_ready(readiness.reason.as_deref().unwrap_or("not ready"), &readiness)
}
