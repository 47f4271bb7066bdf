//! Hosts of a network of their own: network namespaces on one switch, apart from the machine's.
//!
//! The switch is a bridge in a namespace of its own, so nothing here touches, or is seen by, the
//! interfaces of the machine. A host is a namespace with one cable to the switch. Cables can be
//! pulled, made slow, or made to lose packets. Everything is taken away again when the lab is
//! dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// Longest that a node may take to become ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest that one request may take, in seconds, as curl is told.
const REQUEST_SECONDS: &str = "20";
/// Lines of a node's log that wait to be looked at.
const LINES_MAX: usize = 10_000;

/// The namespaces and the switch.
pub(super) struct Lab {
    prefix: String,
    hosts: Vec<String>,
}

impl Lab {
    /// Makes the switch. Needs the rights of root and the program `ip`.
    ///
    /// # Errors
    /// When a namespace cannot be made.
    pub(super) fn new() -> Result<Lab> {
        let lab = Lab { prefix: format!("odb{}", std::process::id()), hosts: Vec::new() };
        ip(&["netns", "add", &lab.switch()])?;
        ip(&["-n", &lab.switch(), "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"])?;
        ip(&["-n", &lab.switch(), "link", "set", "br0", "up"])?;
        Ok(lab)
    }

    /// Adds a host and plugs it in. Its address is `10.99.0.N`, N counting from 1.
    ///
    /// # Errors
    /// When `ip` refuses a step.
    pub(super) fn add_host(&mut self) -> Result<usize> {
        let number = self.hosts.len() + 1;
        let (host, switch) = (format!("{}h{number}", self.prefix), self.switch());
        let (cable, port) = (format!("c{number}"), format!("p{number}"));
        ip(&["netns", "add", &host])?;
        self.hosts.push(host.clone());
        ip(&["-n", &switch, "link", "add", &port, "type", "veth", "peer", "name", &cable])?;
        ip(&["-n", &switch, "link", "set", &cable, "netns", &host])?;
        ip(&["-n", &switch, "link", "set", &port, "master", "br0", "up"])?;
        ip(&["-n", &host, "addr", "add", &format!("10.99.0.{number}/24"), "dev", &cable])?;
        ip(&["-n", &host, "link", "set", "lo", "up"])?;
        ip(&["-n", &host, "link", "set", &cable, "up"])?;
        // Multicast needs a route.
        ip(&["-n", &host, "route", "add", "default", "dev", &cable])?;
        Ok(number - 1)
    }

    /// Pulls the cable of a host, or plugs it in again.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub(super) fn plug(&self, host: usize, plugged: bool) -> Result<()> {
        let state = if plugged { "up" } else { "down" };
        ip(&["-n", &self.switch(), "link", "set", &format!("p{}", host + 1), state])
    }

    /// Makes the cable of a host a bad one, in the words of `tc qdisc`; no words make it good again.
    ///
    /// # Errors
    /// When `tc` refuses.
    pub(super) fn trouble(&self, host: usize, how: &[&str]) -> Result<()> {
        let (name, cable) = (&self.hosts[host], format!("c{}", host + 1));
        let mut arguments = vec!["netns", "exec", name, "tc", "qdisc"];
        if how.is_empty() {
            arguments.extend(["del", "dev", &cable, "root"]);
        } else {
            arguments.extend(["replace", "dev", &cable, "root"]);
            arguments.extend(how);
        }
        ip(&arguments)
    }

    /// Starts a node on a host, with ports of its own and no other flag than `flags`.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(super) fn start(
        &self,
        host: usize,
        binary: &Path,
        repo: PathBuf,
        flags: &[&str],
    ) -> Result<Node> {
        let namespace = self.hosts[host].clone();
        let mut child = Command::new("ip")
            .args(["netns", "exec", &namespace])
            .arg(binary)
            .arg(format!("-repo={}", repo.display()))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start a node")?;
        let stderr = child.stderr.take().expect("invariant: stderr is piped");
        let (sender, lines) = sync_channel(LINES_MAX);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Lines that nobody looks at are let go.
                drop(sender.try_send(line));
            }
        });
        let mut node = Node { child, lines, port: String::new(), namespace };
        let ready = node.line_with("API on http://", START_TIMEOUT)?;
        let (_, authority) = ready.split_once("API on http://").context("no address")?;
        let authority = authority.split('/').next().unwrap_or_default();
        node.port = authority.rsplit(':').next().unwrap_or_default().to_owned();
        Ok(node)
    }

    fn switch(&self) -> String {
        format!("{}s", self.prefix)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in self.hosts.iter().cloned().chain([self.switch()]) {
            if let Err(error) = ip(&["netns", "del", &namespace]) {
                eprintln!("{error:#}");
            }
        }
    }
}

/// A node on a host of the lab. Killed when dropped.
pub(super) struct Node {
    child: Child,
    lines: Receiver<String>,
    port: String,
    namespace: String,
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

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("cannot start ip")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), said.trim());
    Ok(())
}
