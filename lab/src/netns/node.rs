//! A node on a host of the lab: what it is asked, and what it says.
//!
//! It is asked from its own host, by curl, since nothing else of the machine reaches it.

use std::process::{Child, Command};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// Longest that one request may take, in seconds, as curl is told.
const REQUEST_SECONDS: &str = "20";

/// A node on a host of the lab. Killed when dropped.
pub(super) struct Node {
    pub(super) child: Child,
    pub(super) lines: Receiver<String>,
    pub(super) port: String,
    pub(super) namespace: String,
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
        let document = json!([{"_id": id, "value": value}]);
        self.command(&json!({"method": {"cmd": "crudput"}, "criteria": document}))?;
        Ok(())
    }

    /// The `value` of a document, if the node has it.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub(super) fn get(&self, id: &str) -> Result<Option<String>> {
        let found =
            self.command(&json!({"method": {"cmd": "crudget"}, "criteria": [{"_id": id}]}))?;
        Ok(found[0]["value"].as_str().map(str::to_owned))
    }

    /// Every document of the default store, as text that is equal where the documents are.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub(super) fn everything(&self) -> Result<String> {
        let options = json!({"sort": [{"_id": 1}]});
        let all = json!({"method": {"cmd": "crudget"}, "criteria": [], "options": options});
        Ok(self.command(&all)?.to_string())
    }

    /// How many peers the node is connected to.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn peers(&self) -> Result<usize> {
        let peers = self.curl("peers", None)?;
        Ok(peers.as_array().map_or(0, Vec::len))
    }

    /// Where a peer is connected from, or to, if it is.
    ///
    /// # Errors
    /// When the node does not answer.
    pub(super) fn way_to(&self, peer: &str) -> Result<Option<String>> {
        let peers = self.curl("peers", None)?;
        let found = peers.as_array().into_iter().flatten().find(|it| it["ID"] == peer);
        Ok(found.and_then(|it| it["Addrs"][0].as_str()).map(str::to_owned))
    }

    /// Where the node says that it can be reached.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn addresses(&self) -> Result<Vec<String>> {
        let id = self.curl("id", None)?;
        let addresses = id["data"]["addrs"].as_array().into_iter().flatten();
        Ok(addresses.filter_map(|it| it.as_str()).map(str::to_owned).collect())
    }

    /// The peer id of the node.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn id(&self) -> Result<String> {
        let id = self.curl("id", None)?;
        Ok(id["data"]["peer_id"].as_str().context("no peer id")?.to_owned())
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

    fn command(&self, command: &Value) -> Result<Value> {
        let mut answer = self.curl("command", Some(&command.to_string()))?;
        ensure!(answer["status"] == 200, "{command} → {answer}");
        Ok(answer["data"].take())
    }

    fn curl(&self, path: &str, body: Option<&str>) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}/swarmkb/{path}", self.port);
        let mut curl = Command::new("ip");
        curl.args(["netns", "exec", &self.namespace, "curl", "-s", "-m", REQUEST_SECONDS, &url]);
        if let Some(body) = body {
            curl.args(["-d", body]);
        }
        let output = curl.output().context("cannot start curl")?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{url}: {:?}", String::from_utf8_lossy(&output.stdout)))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
