//! `contri`: what the nodes of the swarm contributed, oldest first.

use axum::response::Response;
use optimusdb_db::{Documents, Error, Node, VerdictShown};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::envelope::Envelope;
use crate::http::answer;
use crate::http::error::ApiError;
use crate::http::stream::{ChunkSource, array};

/// The line in `help`.
pub(super) const HELP: &str = "contri: the contributions, oldest first";

/// Answers with an array in the order of their log. `criteria`, `limit` and `skip` narrow it as in
/// `crudget` on the store `contributions`; `since` leaves out what came before an entry or a time.
pub(super) async fn run(node: &Node, envelope: &Envelope) -> Result<Response, ApiError> {
    let since = match envelope.options.get("since") {
        None | Some(Value::Null) => None,
        Some(Value::String(since)) => Some(since.as_str()),
        Some(_) => {
            return Err(ApiError::bad_request(
                "'options.since' must be a string: the hash of a contribution, or a time.",
            ));
        }
    };
    let documents = node.contributions(envelope.query()?, since).await?;
    let found = array(Contributions { documents, node: node.clone() }).await?;
    Ok(found.unwrap_or_else(|| answer::data::<[(); 0]>(&[])))
}

/// Events as they are kept, told in the form that clients of `contri` know.
struct Contributions {
    documents: Documents,
    node: Node,
}

/// An event as the store shows it.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "_id", borrow)]
    hash: &'a RawValue,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Serialize)]
struct ShownContribution<'a> {
    op: &'static str,
    hash: &'a RawValue,
    value: &'a RawValue,
    /// What this node knows of the file; absent while it has no verdict.
    #[serde(flatten)]
    verdict: Option<&'a VerdictShown>,
}

impl ChunkSource for Contributions {
    async fn next(&mut self) -> Option<Result<String, Error>> {
        let chunk = self.documents.next().await?;
        Some(match chunk {
            Ok(chunk) => with_verdicts(&self.node, &chunk).await,
            Err(error) => Err(error),
        })
    }
}

async fn with_verdicts(node: &Node, chunk: &str) -> Result<String, Error> {
    let bare = chunk.strip_prefix(',');
    let list = format!("[{}]", bare.unwrap_or(chunk));
    let unreadable = |e| Error::Corrupt(format!("a contribution cannot be shown: {e}"));
    let events: Vec<Event<'_>> = serde_json::from_str(&list).map_err(unreadable)?;
    let paths: Vec<Option<String>> = events.iter().map(|event| path_of(event.value)).collect();
    let verdicts = node.verdicts(paths.iter().flatten().cloned().collect()).await?;
    let mut text = String::with_capacity(chunk.len() + events.len() * 64);
    for (event, path) in events.into_iter().zip(paths) {
        if !text.is_empty() || bare.is_some() {
            text.push(',');
        }
        let verdict = path.and_then(|path| verdicts.get(&path));
        let shown = ShownContribution { op: "ADD", hash: event.hash, value: event.value, verdict };
        text.push_str(&serde_json::to_string(&shown).map_err(unreadable)?);
    }
    Ok(text)
}

/// The path of the file that an event is about; clients may add other events to the log.
fn path_of(value: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Contribution {
        path: String,
    }
    serde_json::from_str::<Contribution>(value.get()).ok().map(|value| value.path)
}
