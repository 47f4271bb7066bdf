//! `contri`: what the nodes of the swarm contributed, oldest first.

use axum::response::Response;
use optimusdb_db::{Documents, Error, Node};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::envelope::Envelope;
use crate::http::answer;
use crate::http::error::ApiError;
use crate::http::stream::{ChunkSource, array};

/// The line in `help`.
pub(super) const HELP: &str = "contri: the contributions, oldest first";

/// Answers with an array in the order of their log. `criteria`, `limit` and `skip` narrow it as in
/// `crudget` on the store `contributions`.
pub(super) async fn run(node: &Node, envelope: &Envelope) -> Result<Response, ApiError> {
    let documents = node.contributions(envelope.query()?).await?;
    let found = array(Contributions(documents)).await?;
    Ok(found.unwrap_or_else(|| answer::data::<[(); 0]>(&[])))
}

/// Events as they are kept, told in the form that clients of `contri` know.
struct Contributions(Documents);

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
}

impl ChunkSource for Contributions {
    async fn next(&mut self) -> Option<Result<String, Error>> {
        let chunk = self.0.next().await?;
        Some(chunk.and_then(|chunk| shown(&chunk)))
    }
}

fn shown(chunk: &str) -> Result<String, Error> {
    let bare = chunk.strip_prefix(',');
    let unreadable = |e| Error::Corrupt(format!("a contribution cannot be shown: {e}"));
    let list = format!("[{}]", bare.unwrap_or(chunk));
    let events: Vec<Event<'_>> = serde_json::from_str(&list).map_err(unreadable)?;
    let mut text = String::with_capacity(chunk.len() + events.len() * 16);
    for event in events {
        if !text.is_empty() || bare.is_some() {
            text.push(',');
        }
        let shown = ShownContribution { op: "ADD", hash: event.hash, value: event.value };
        text.push_str(&serde_json::to_string(&shown).map_err(unreadable)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_keep_their_commas() {
        let event = r#"{"_id":"z1","value":{"path":"/ipfs/x","n":1.50}}"#;
        let expected = r#"{"op":"ADD","hash":"z1","value":{"path":"/ipfs/x","n":1.50}}"#;
        assert_eq!(shown(event).unwrap(), expected);
        let two = format!(",{event},{event}");
        assert_eq!(shown(&two).unwrap(), format!(",{expected},{expected}"));
        assert!(shown("{}").is_err());
    }
}
