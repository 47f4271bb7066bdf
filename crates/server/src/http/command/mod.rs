//! `POST /command`: one endpoint, one envelope, a file per command.
//!
//! The way of a command: `body` reads the bytes, `envelope` parses them once, [`Command::run`] hands
//! the envelope to the command's own file. What a command may take is up to the node.

mod connect;
mod contri;
mod cruddelete;
mod crudget;
mod crudput;
mod crudupdate;
mod envelope;
mod get;
mod help;
mod later;
mod options;
mod post;
mod query;
mod sort;
mod sqldml;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use optimusdb_db::Node;
use serde_json::Value;
use tokio::time::timeout;

use super::Api;
use super::edge::CommandName;
use super::error::ApiError;
use super::limits::{PARSE_INLINE_BYTES_MAX, REQUEST_BUDGET_MAX, REQUEST_TIMEOUT};
use super::listen::client_of;
use envelope::Envelope;

/// The commands there are, in the order of `help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    CrudPut,
    CrudGet,
    CrudUpdate,
    CrudDelete,
    Query,
    Sql,
    Post,
    Get,
    Connect,
    Contributions,
    Benchmark,
    Help,
}

/// Each command with its name and its line in `help`.
const COMMANDS: [(Command, &str, &str); 12] = [
    (Command::CrudPut, "crudput", crudput::HELP),
    (Command::CrudGet, "crudget", crudget::HELP),
    (Command::CrudUpdate, "crudupdate", crudupdate::HELP),
    (Command::CrudDelete, "cruddelete", cruddelete::HELP),
    (Command::Query, "query", query::HELP),
    (Command::Sql, "sqldml", sqldml::HELP),
    (Command::Post, "post", post::HELP),
    (Command::Get, "get", get::HELP),
    (Command::Connect, "connect", connect::HELP),
    (Command::Contributions, "contri", contri::HELP),
    (Command::Benchmark, "benchmark", later::HELP_BENCHMARK),
    (Command::Help, "help", help::HELP),
];

/// The names of all commands.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(_, name, _)| *name)
}

impl Command {
    /// The command of a name, in any case.
    fn named(cmd: &str) -> Option<(Command, &'static str)> {
        let named = COMMANDS.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(cmd));
        named.map(|(command, name, _)| (*command, *name))
    }

    fn writes(self) -> bool {
        matches!(
            self,
            Command::CrudPut
                | Command::CrudUpdate
                | Command::CrudDelete
                | Command::Post
                | Command::Sql
        )
    }

    async fn run(self, node: &Node, envelope: Envelope) -> Result<Response, ApiError> {
        match self {
            Command::CrudPut => crudput::run(node, envelope).await,
            Command::CrudGet => crudget::run(node, &envelope).await,
            Command::CrudUpdate => crudupdate::run(node, envelope).await,
            Command::CrudDelete => cruddelete::run(node, &envelope).await,
            Command::Query => query::run(node, &envelope).await,
            Command::Connect => connect::run(node, &envelope).await,
            Command::Help => Ok(help::run()),
            Command::Post => post::run(node, envelope).await,
            Command::Get => get::run(node, &envelope).await,
            Command::Contributions => contri::run(node, &envelope).await,
            Command::Sql => sqldml::run(node, envelope).await,
            Command::Benchmark => Err(later::refusal(&envelope.cmd)),
        }
    }
}

/// `POST /command`.
pub(super) async fn command(State(api): State<Arc<Api>>, request: Request) -> Response {
    let mut name = "unknown";
    let outcome = carry_out(&api, request, &mut name).await;
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(CommandName(name));
    response
}

async fn carry_out(
    api: &Api,
    request: Request,
    name: &mut &'static str,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let received = api.bodies.read(&parts.headers, body).await?;
    // What is parsed from a large body is large as well: its room is held to the end.
    let _room = received.room;
    let _values = api.bodies.room_to_parse(&received.bytes).await?;
    let mut envelope = parse(received.bytes).await?;
    envelope.client = client_of(&parts.extensions);
    let (command, known_name) =
        Command::named(&envelope.cmd).ok_or_else(|| unknown(&envelope.cmd))?;
    *name = known_name;
    options::check_built(command, &envelope.options)?;
    let budget = budget(&envelope.options)?;
    let running = timeout(budget, command.run(&api.node, envelope)).await;
    running.unwrap_or_else(|_elapsed| Err(out_of_time(budget, command.writes())))
}

async fn parse(bytes: Bytes) -> Result<Envelope, ApiError> {
    if bytes.len() <= PARSE_INLINE_BYTES_MAX {
        return Envelope::parse(&bytes);
    }
    let parsing = tokio::task::spawn_blocking(move || Envelope::parse(&bytes));
    parsing.await.unwrap_or_else(|error| {
        Err(ApiError::internal(format!("the request was not parsed: {error}")))
    })
}

/// The time that the request gives itself, else the usual one.
fn budget(options: &Value) -> Result<Duration, ApiError> {
    match options.get("time_budget_ms") {
        None | Some(Value::Null) => Ok(REQUEST_TIMEOUT),
        Some(budget_ms) => match budget_ms.as_u64() {
            Some(budget_ms @ 1..) => Ok(Duration::from_millis(budget_ms).min(REQUEST_BUDGET_MAX)),
            _ => Err(ApiError::bad_request(
                "'options.time_budget_ms' must be a whole number of milliseconds, 1 or more.",
            )),
        },
    }
}

fn unknown(cmd: &str) -> ApiError {
    ApiError::bad_request(format!(
        "Unknown command '{}'. Use help for the list of available commands.",
        brief(cmd)
    ))
}

fn out_of_time(budget: Duration, writes: bool) -> ApiError {
    let warning = if writes { " It may still be: read before you repeat it." } else { "" };
    ApiError::timed_out(format!(
        "The command was not carried out within {} ms.{warning}",
        budget.as_millis()
    ))
}

/// As much of a client's text as a message should quote.
fn brief(text: &str) -> Cow<'_, str> {
    const QUOTED_CHARS_MAX: usize = 60;
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn commands_are_named_in_any_case() {
        assert_eq!(Command::named("CrudGet"), Some((Command::CrudGet, "crudget")));
        assert_eq!(Command::named("HELP"), Some((Command::Help, "help")));
        assert_eq!(Command::named("crud"), None);
        assert_eq!(Command::named(""), None);
    }

    #[test]
    fn unknown_commands_are_quoted_briefly() {
        assert_eq!(
            unknown("x").message(),
            "Unknown command 'x'. Use help for the list of available commands."
        );
        assert!(unknown(&"ü".repeat(10_000)).message().len() < 300);
    }

    #[test]
    fn budgets_are_whole_milliseconds() {
        assert_eq!(budget(&Value::Null).ok(), Some(REQUEST_TIMEOUT));
        assert_eq!(budget(&json!({"time_budget_ms": null})).ok(), Some(REQUEST_TIMEOUT));
        assert_eq!(budget(&json!({"time_budget_ms": 250})).ok(), Some(Duration::from_millis(250)));
        assert_eq!(budget(&json!({"time_budget_ms": u64::MAX})).ok(), Some(REQUEST_BUDGET_MAX));
        for refused in [json!(0), json!(-1), json!(1.5), json!("1"), json!([])] {
            assert!(budget(&json!({"time_budget_ms": refused})).is_err());
        }
    }
}
