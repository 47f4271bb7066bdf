//! A node on a host of the lab: what it is asked, and what it says.
//!
//! It is asked from its own host, since nothing else of the machine reaches it.

use std::process::{Child, Command};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::client::NodeApi;

/// Where documents go when no store is named.
const DEFAULT_STORE: &str = "dsswres";

/// A node on a host of the lab. Killed when dropped.
pub(super) struct HostedNode {
    pub(super) child: Child,
    pub(super) lines: Receiver<String>,
    pub(super) api: NodeApi,
}

impl HostedNode {
    /// Waits for a line of the node's journal.
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

    /// Puts one document into the default store.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub(super) fn put(&self, id: &str, value: &str) -> Result<()> {
        self.put_into(DEFAULT_STORE, id, value)
    }

    /// Puts one document into a store.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub(super) fn put_into(&self, store: &str, id: &str, value: &str) -> Result<()> {
        let documents = json!([{"_id": id, "value": value}]);
        self.api.command("crudput", json!({"dstype": store, "criteria": documents}))?;
        Ok(())
    }

    /// Makes a store for documents.
    ///
    /// # Errors
    /// When the node does not make it.
    pub(super) fn make_store(&self, name: &str) -> Result<()> {
        self.api.demand("PUT", &format!("stores/{name}"), &json!({}))?;
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
        self.everything_in(DEFAULT_STORE)
    }

    /// Every document of a store, as text that is equal where the documents are.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub(super) fn everything_in(&self, store: &str) -> Result<String> {
        let sorted = json!({"sort": [{"_id": 1}]});
        let all = json!({"dstype": store, "criteria": [], "options": sorted});
        Ok(self.api.command("crudget", all)?.to_string())
    }

    /// Stops the node's process where it stands, or lets it go on.
    ///
    /// # Errors
    /// When there is no such process.
    pub(super) fn freeze(&self, frozen: bool) -> Result<()> {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "kill {signal} failed");
        Ok(())
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

impl Drop for HostedNode {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
