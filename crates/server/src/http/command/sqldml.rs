//! `sqldml`: one statement of SQL.

use axum::response::Response;
use optimusdb_db::{Node, SqlParams, SqlRequest};

use super::envelope::Envelope;
use crate::http::error::ApiError;
use crate::http::sql;

/// The line in `help`.
pub(super) const HELP: &str = "sqldml: the SQL statement in 'sqldml', over the catalog, the stores and tables of your own; what it writes to the catalog and to stores reaches every node, your own tables stay on this one";

/// Carries it out.
pub(super) async fn run(node: &Node, envelope: Envelope) -> Result<Response, ApiError> {
    let time_budget_ms = envelope.options.get("time_budget_ms").and_then(serde_json::Value::as_u64);
    let Some(sql) = envelope.sqldml.filter(|sql| !sql.trim().is_empty()) else {
        return Err(ApiError::bad_request(
            r#"sqldml got no statement: put it in 'sqldml', such as "SELECT _id FROM dsswres"."#,
        ));
    };
    let params = SqlParams::Positional(Vec::new());
    let ask_peers = sql::asks_peers(envelope.options.get("peers"))?;
    let client = envelope.client;
    let request = SqlRequest { sql, params, time_budget_ms, rows_max: None, client, ask_peers };
    sql::records(node, request).await
}
