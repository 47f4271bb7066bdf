//! An OrbitDB node in JavaScript as a child process: installed, started, driven, ended.
//!
//! It is `interop/node.mjs`: one command a line in, one answer a line out, both JSON. Commands may be
//! under way at the same time; each is finished by the number that beginning it gave.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::process::Tail;

/// Longest wait for an answer to a command that does not set a time itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest that a node may take to end after it was asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two looks at a node that is ending.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Answers that wait to be taken.
const ANSWERS_MAX: usize = 64;

/// Where the JavaScript of the project is, and the Node.js that runs it.
pub(crate) struct JavaScript {
    runtime: PathBuf,
    directory: PathBuf,
}

impl JavaScript {
    /// Installs what `interop/` asks for, unless it is there already.
    ///
    /// # Errors
    /// When npm is missing or fails.
    pub(crate) fn install() -> Result<JavaScript> {
        let directory = crate::workspace_root().join("interop");
        let output = Command::new(directory.join("install"))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start interop/install")?;
        ensure!(output.status.success(), "interop/install failed");
        let runtime = PathBuf::from(String::from_utf8(output.stdout)?.trim());
        ensure!(runtime.is_file(), "interop/install named no Node.js");
        Ok(JavaScript { runtime, directory })
    }

    /// Starts a node whose data is in `repo`; `id` names its identity. It is up when
    /// [`JsNode::up`] returns.
    ///
    /// # Errors
    /// When the process does not start.
    pub(crate) fn start(&self, id: &str, repo: &Path) -> Result<JsNode> {
        self.start_with(json!({ "dir": repo, "id": id }))
    }

    /// As [`JavaScript::start`], in the private network whose key is in that file.
    ///
    /// # Errors
    /// As [`JavaScript::start`].
    pub(crate) fn start_private(&self, id: &str, repo: &Path, swarm_key: &Path) -> Result<JsNode> {
        self.start_with(json!({ "dir": repo, "id": id, "swarmKey": swarm_key }))
    }

    fn start_with(&self, settings: Value) -> Result<JsNode> {
        let mut child = Command::new(&self.runtime)
            .args(["--expose-gc", "--no-warnings"])
            .arg(self.directory.join("node.mjs"))
            // Loading the modules takes longer than all else in a start.
            .env("NODE_COMPILE_CACHE", self.directory.join("node_modules/.cache/compiled"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.runtime.display()))?;
        let stdin = child.stdin.take().expect("invariant: stdin is piped");
        let stdout = child.stdout.take().expect("invariant: stdout is piped");
        let stderr = child.stderr.take().expect("invariant: stderr is piped");
        let tail = Tail::default();
        keep_tail(stderr, tail.clone());
        let (sender, answers) = sync_channel(ANSWERS_MAX);
        read_answers(stdout, sender);
        let mut node = JsNode {
            child,
            stdin,
            answers,
            early: BTreeMap::new(),
            commands: 0,
            starting: None,
            started: Started::default(),
            tail,
        };
        node.starting = Some(node.begin("start", settings)?);
        Ok(node)
    }
}

/// What a node says of itself when it is up.
#[derive(Default)]
struct Started {
    address: String,
    identity: String,
}

/// A command that was begun and is not finished yet.
#[must_use = "a command is finished by taking its answer"]
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingCommand(u64);

/// A running node. Killed when dropped.
pub(crate) struct JsNode {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<Value>,
    /// Answers to commands that nobody has finished yet.
    early: BTreeMap<u64, Value>,
    commands: u64,
    starting: Option<PendingCommand>,
    started: Started,
    tail: Tail,
}

impl JsNode {
    /// Waits until the node is up.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn up(&mut self) -> Result<()> {
        let Some(starting) = self.starting.take() else {
            return Ok(());
        };
        let answer = self.finish(starting)?;
        self.started = Started {
            address: text(&answer["addrs"][0])?.to_owned(),
            identity: text(&answer["identity"])?.to_owned(),
        };
        Ok(())
    }

    /// Where others dial the node: a multiaddress with its peer id.
    pub(crate) fn address(&self) -> &str {
        &self.started.address
    }

    /// The id of its identity, as write lists name it.
    pub(crate) fn identity(&self) -> &str {
        &self.started.identity
    }

    /// What the node said last.
    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// When the node refuses, fails or is gone.
    pub(crate) fn call(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let pending = self.begin(command, arguments)?;
        self.finish(pending).with_context(|| format!("JavaScript node: {command}"))
    }

    /// Sends a command.
    ///
    /// # Errors
    /// When the node is gone.
    pub(crate) fn begin(&mut self, command: &str, arguments: Value) -> Result<PendingCommand> {
        self.commands += 1;
        let mut line =
            json!({ "id": self.commands, "cmd": command, "args": arguments }).to_string();
        line.push('\n');
        self.stdin.write_all(line.as_bytes()).context("the JavaScript node is gone")?;
        Ok(PendingCommand(self.commands))
    }

    /// Waits for the answer to a command.
    ///
    /// # Errors
    /// When the node refuses, fails or is gone, or says nothing for two minutes.
    pub(crate) fn finish(&mut self, pending: PendingCommand) -> Result<Value> {
        self.finish_within(pending, ANSWER_TIMEOUT)
    }

    /// As [`JsNode::finish`], with a longest wait of its own.
    ///
    /// # Errors
    /// As [`JsNode::finish`].
    pub(crate) fn finish_within(
        &mut self,
        PendingCommand(id): PendingCommand,
        timeout: Duration,
    ) -> Result<Value> {
        let mut answer = loop {
            if let Some(answer) = self.early.remove(&id) {
                break answer;
            }
            let answer = match self.answers.recv_timeout(timeout) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => bail!("no answer from the JavaScript node"),
                Err(RecvTimeoutError::Disconnected) => bail!("the JavaScript node is gone"),
            };
            let number = answer["id"].as_u64().context("an answer without a number")?;
            self.early.insert(number, answer);
        };
        if let Some(error) = answer["error"].as_str() {
            bail!("{error}");
        }
        Ok(answer["ok"].take())
    }

    /// Ends the node: its databases are closed first.
    ///
    /// # Errors
    /// When it does not end in time.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.call("stop", Value::Null)?;
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(asked.elapsed() < STOP_TIMEOUT, "the JavaScript node does not end");
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

impl Drop for JsNode {
    fn drop(&mut self) {
        // Both fail when the node has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Debug for JsNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsNode").field("address", &self.started.address).finish_non_exhaustive()
    }
}

fn keep_tail(stderr: ChildStderr, tail: Tail) {
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            tail.push(line);
        }
    });
}

fn read_answers(stdout: ChildStdout, sender: SyncSender<Value>) {
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let answer = serde_json::from_str(&line).unwrap_or_else(
                |error| json!({ "id": 0, "error": format!("no JSON: {error}: {line}") }),
            );
            if sender.send(answer).is_err() {
                break;
            }
        }
    });
}

/// The text in an answer.
pub(crate) fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("a text is missing in the answer: {value}"))
}
