//! A node on a host of the lab: what it is asked, and what it says.
//!
//! It is asked from its own host, since nothing else of the machine reaches it.

use std::process::Child;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::client::Api;

/// A node on a host of the lab. Killed when dropped.
pub(super) struct Node {
    pub(super) child: Child,
    pub(super) lines: Receiver<String>,
    pub(super) api: Api,
}

impl Node {
    /// Waits for a line of the node's log.
    ///
    /// # Errors
    /// When none comes in time.
    pub(super) fn line_with(&mut self, text: &str, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(line) => seen.push(line),
                Err(_) => bail!("no line with {text:?} within {patience:?}:\n{}", seen.join("\n")),
            }
        }
    }

    /// Puts one document.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub(super) fn put(&self, id: &str, value: &str) -> Result<()> {
        self.api.command("crudput", json!({"criteria": [{"_id": id, "value": value}]}))?;
        Ok(())
    }

    /// The `value` of a document, if the node has it.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub(super) fn get(&self, id: &str) -> Result<Option<String>> {
        let found = self.api.command("crudget", json!({"criteria": [{"_id": id}]}))?;
        Ok(found[0]["value"].as_str().map(str::to_owned))
    }

    /// Every document of the default store, as text that is equal where the documents are.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub(super) fn everything(&self) -> Result<String> {
        let all = json!({"criteria": [], "options": {"sort": [{"_id": 1}]}});
        Ok(self.api.command("crudget", all)?.to_string())
    }

    /// How many peers the node is connected to.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn peers(&self) -> Result<usize> {
        let (_, peers) = self.api.ask("GET", "peers", &Value::Null)?;
        Ok(peers.as_array().map_or(0, Vec::len))
    }

    /// Where a peer is connected from, or to, if it is.
    ///
    /// # Errors
    /// When the node does not answer.
    pub(super) fn way_to(&self, peer: &str) -> Result<Option<String>> {
        let (_, peers) = self.api.ask("GET", "peers", &Value::Null)?;
        let found = peers.as_array().into_iter().flatten().find(|it| it["ID"] == peer);
        Ok(found.and_then(|it| it["Addrs"][0].as_str()).map(str::to_owned))
    }

    /// Where the node says that it can be reached.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn addresses(&self) -> Result<Vec<String>> {
        let id = self.api.demand("GET", "id", &Value::Null)?;
        let addresses = id["addrs"].as_array().into_iter().flatten();
        Ok(addresses.filter_map(|it| it.as_str()).map(str::to_owned).collect())
    }

    /// The peer id of the node.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn id(&self) -> Result<String> {
        let id = self.api.demand("GET", "id", &Value::Null)?;
        Ok(id["peer_id"].as_str().context("no peer id")?.to_owned())
    }

    /// Ends the node where it stands.
    ///
    /// # Errors
    /// When it had ended before.
    pub(super) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
