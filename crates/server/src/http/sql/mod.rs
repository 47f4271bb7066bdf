//! `/sql`: one statement of SQL, and what statements see.
//!
//! What a statement may do is the node's to say. Here its parameters are read and its answer is given
//! the shape that the client asks for: JSON, one JSON array a line, or CSV.

mod cells;
mod lines;
mod params;
mod records;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use optimusdb_db::{Node, SqlRender, SqlRequest, SqlTableKind};
use serde::Serialize;
use serde_json::Value;

use super::body::ReceivedBody;
use super::error::ApiError;
use super::keys::{Keys, Opened, no_query};
use super::listen::client_of;
use super::{Api, answer, stream};
use lines::{CsvLines, JsonLines};
use records::{Records, Rows};

const EXAMPLE: &str =
    r#"{"sql":"SELECT _id FROM dsswres WHERE doc ->> '$.cores' > ?","params":[4]}"#;

const KEYS: Keys = Keys {
    of: "the request body",
    known: &["sql", "params", "time_budget_ms", "max_rows", "options"],
    instead: &[
        ("query", "sql"),
        ("statement", "sql"),
        ("sqldml", "sql"),
        ("parameters", "params"),
        ("args", "params"),
        ("limit", "max_rows"),
        ("timeout", "time_budget_ms"),
    ],
};

const OPTIONS: Keys = Keys { of: "'options'", known: &["peers"], instead: &[] };

/// `POST /sql`.
pub(super) async fn run(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    no_query(&parts.uri)?;
    let ReceivedBody { bytes, room: _room } = api.bodies.read(&parts.headers, body).await?;
    let _values = api.bodies.room_to_parse(&bytes).await?;
    let mut statement = parse(KEYS.open_body(&bytes, EXAMPLE)?)?;
    statement.client = client_of(&parts.extensions);
    let (render, content_type): (Box<dyn SqlRender>, _) = match Shape::of(&parts.headers) {
        Shape::Json => (Box::new(Rows::default()), "application/json"),
        Shape::JsonLines => (Box::new(JsonLines), "application/x-ndjson"),
        Shape::Csv => (Box::new(CsvLines), "text/csv; charset=utf-8"),
    };
    let answer = api.node.sql(statement, render).await?;
    stream::text(answer, content_type).await
}

/// What a statement answers as the data of a command.
pub(super) async fn records(node: &Node, request: SqlRequest) -> Result<Response, ApiError> {
    let answer = node.sql(request, Box::new(Records::default())).await?;
    stream::text(answer, "application/json").await
}

/// `GET /sql/schema`: the tables that statements see.
pub(super) async fn schema(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Table {
        name: String,
        kind: &'static str,
        writable: bool,
        replicated: bool,
        columns: Vec<Column>,
    }
    #[derive(Serialize)]
    struct Column {
        name: String,
        #[serde(rename = "type")]
        declared: Option<String>,
    }
    let tables = api.node.sql_tables().await?.into_iter().map(|table| Table {
        kind: match table.kind {
            SqlTableKind::Store => "store",
            SqlTableKind::Catalog => "catalog",
            SqlTableKind::Local => "local",
            SqlTableKind::Node | SqlTableKind::View => "view",
        },
        name: table.name,
        writable: table.writable,
        replicated: table.replicated,
        columns: table
            .columns
            .into_iter()
            .map(|column| Column { name: column.name, declared: column.declared })
            .collect(),
    });
    Ok(answer::data(&tables.collect::<Vec<_>>()))
}

/// The shapes of an answer.
enum Shape {
    Json,
    JsonLines,
    Csv,
}

impl Shape {
    fn of(headers: &HeaderMap) -> Shape {
        let accept =
            headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        if accept.contains("application/x-ndjson") {
            Shape::JsonLines
        } else if accept.contains("text/csv") {
            Shape::Csv
        } else {
            Shape::Json
        }
    }
}

fn parse(mut body: Opened<Value>) -> Result<SqlRequest, ApiError> {
    let Some(Value::String(sql)) = body.remove("sql") else {
        return Err(ApiError::bad_request(format!(
            "'sql' must be a text: one statement. Send an object such as {EXAMPLE}."
        )));
    };
    let mut whole = |name: &'static str, unit: &str| match body.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(number) => match number.as_u64() {
            Some(number @ 1..) => Ok(Some(number)),
            _ => Err(ApiError::bad_request(format!(
                "'{name}' must be a whole number of {unit}, 1 or more."
            ))),
        },
    };
    let time_budget_ms = whole("time_budget_ms", "milliseconds")?;
    let rows_max = whole("max_rows", "rows")?;
    let params = params::params(body.remove("params").unwrap_or_default())?;
    let mut options = match body.remove("options") {
        None | Some(Value::Null) => Opened::new(),
        Some(Value::Object(options)) => OPTIONS.open(options)?,
        Some(_) => {
            return Err(ApiError::bad_request(
                r#"'options' must be an object such as {"peers":false}."#,
            ));
        }
    };
    let ask_peers = asks_peers(options.remove("peers").as_ref())?;
    Ok(SqlRequest { sql, params, time_budget_ms, rows_max, client: None, ask_peers })
}

/// What the option `peers` says, if it says something: whether they are asked where this node has no row.
pub(super) fn asks_peers(option: Option<&Value>) -> Result<Option<bool>, ApiError> {
    match option {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(asks)) => Ok(Some(*asks)),
        Some(_) => Err(ApiError::bad_request("'peers' must be true or false.")),
    }
}
