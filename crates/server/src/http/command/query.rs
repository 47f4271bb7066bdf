//! `query`: like `crudget`, for clients that ask the swarm. This version answers from its replica.
//!
//! A node by itself is the whole swarm and honours most of what a client may ask of it. What only
//! peers could answer is refused rather than pretended.

use axum::response::Response;
use optimusdb_db::{Node, Query, Strategy};

use super::envelope::Envelope;
use crate::http::error::ApiError;
use crate::http::{answer, stream};

/// The line in `help`.
pub(super) const HELP: &str = "query: like crudget, across the swarm by 'options' strategy and consistency; this version answers from its own replica";

/// Streams what matches, or says that nothing does.
pub(super) async fn run(node: &Node, envelope: &Envelope) -> Result<Response, ApiError> {
    let query = envelope.query()?;
    check(&query)?;
    let documents = node.find(&envelope.store, query).await?;
    let found = stream::array(documents).await?;
    Ok(found.unwrap_or_else(|| answer::data("No records found")))
}

fn check(query: &Query) -> Result<(), ApiError> {
    if query.strategy == Strategy::RemoteOnly {
        return Err(ApiError::not_built(
            "The strategy REMOTE_ONLY needs peers, which this version does not ask.",
        ));
    }
    if query.quorum_n.is_some_and(|nodes| nodes > 1) {
        return Err(ApiError::not_built(
            "A quorum of several nodes needs peers, which this version does not ask.",
        ));
    }
    if query.annotate_source {
        return Err(ApiError::not_built(
            "The option annotate_source needs peers, which this version does not ask.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use serde_json::{Value, json};

    fn checked(options: &Value) -> Result<(), ApiError> {
        check(&Query::from_json(&json!([{}]), options).unwrap())
    }

    #[test]
    fn what_one_node_can_honour_passes() {
        for options in [
            json!(null),
            json!({}),
            json!({"strategy": "local_only", "consistency": "Strong", "quorum_n": 1}),
            json!({"strategy": "PARALLEL_MERGE", "max_peers": 3, "min_rows": 1, "annotate_source": false}),
        ] {
            assert!(checked(&options).is_ok(), "{options}");
        }
    }

    #[test]
    fn what_needs_peers_is_refused() {
        for options in [
            json!({"strategy": "remote_only"}),
            json!({"quorum_n": 3}),
            json!({"annotate_source": true}),
        ] {
            assert_eq!(checked(&options).unwrap_err().into_response().status(), 501, "{options}");
        }
    }
}
