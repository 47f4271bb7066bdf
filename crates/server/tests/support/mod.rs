//! A node for tests: the real binary on a free port, in a directory of its own.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "this is a test")]

pub mod client;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use client::{Answer, Client};

/// Time for what should happen at once, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of the log that wait to be looked at.
const LINES_MAX: usize = 10_000;

/// Keeps a node to itself: a free port on loopback, and nobody is looked for.
pub const ALONE: [(&str, &str); 4] = [
    ("OPTIMUSDB_P2P_PORT", "0"),
    ("OPTIMUSDB_P2P_HOST", "127.0.0.1"),
    ("OPTIMUSDB_GATEWAY_PORT", "0"),
    ("OPTIMUSDB_MDNS", "false"),
];

/// A running node. Killed, and its directory removed, when the test lets go of it.
pub struct Server {
    child: Child,
    /// `host:port` of the API.
    pub address: String,
    /// `host:port` of the gateway.
    pub gateway: String,
    pub home: TempDir,
}

impl Server {
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    pub fn start_with(flags: &[&str]) -> Server {
        Server::start_in(tempfile::tempdir().unwrap(), flags)
    }

    /// Starts one that may have so many files open.
    pub fn start_with_files(files: usize) -> Server {
        let limited = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &limited, env!("CARGO_BIN_EXE_optimusdb")]);
        Server::start_as(shell, tempfile::tempdir().unwrap(), &[])
    }

    /// Starts on what an earlier node left in `home`.
    pub fn start_in(home: TempDir, flags: &[&str]) -> Server {
        Server::start_as(Command::new(env!("CARGO_BIN_EXE_optimusdb")), home, flags)
    }

    fn start_as(program: Command, home: TempDir, flags: &[&str]) -> Server {
        let child = spawn(program, home.path(), flags);
        let (address, gateway) = (String::new(), String::new());
        let mut server = Server { child, address, gateway, home };
        (server.address, server.gateway) = where_it_is(&mut server.child);
        server
    }

    /// Stops as an orchestrator does, and hands back the directory.
    pub fn stop(mut self) -> TempDir {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0));
                return std::mem::replace(&mut self.home, tempfile::tempdir().unwrap());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the node did not stop within {PATIENCE:?}");
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Ends the process at once, as a crash does, and hands back the directory.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.home, tempfile::tempdir().unwrap())
    }

    pub fn connect(&self) -> Client {
        Client::connect(&self.address)
    }

    /// One request on a connection of its own; `path` is within the context.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.connect().request(method, &format!("/swarmkb{path}"), headers, body)
    }

    /// One request at the gateway, on a connection of its own.
    pub fn at_gateway(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        Client::connect(&self.gateway).request(method, path, headers, b"")
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    /// A command's answer: the status and the whole body.
    pub fn command(&self, command: &Value) -> (u16, Value) {
        let answer = self.request("POST", "/command", &[], command.to_string().as_bytes());
        (answer.status, answer.json())
    }

    /// What a command answers as `data`; it has to succeed.
    pub fn data(&self, command: &Value) -> Value {
        let (status, mut answer) = self.command(command);
        assert_eq!((status, &answer["status"]), (200, &json!(200)), "{command} → {answer}");
        answer["data"].take()
    }

    /// The message that a command is refused with.
    pub fn refusal(&self, status: u16, command: &Value) -> String {
        let answer = self.request("POST", "/command", &[], command.to_string().as_bytes());
        answer.refusal(status)
    }

    pub fn put(&self, store: &str, documents: Value) -> Value {
        self.data(&json!({"method": {"cmd": "crudput"}, "dstype": store, "criteria": documents}))
    }

    pub fn find(&self, store: &str, criteria: Value) -> Value {
        self.data(&json!({"method": {"cmd": "crudget"}, "dstype": store, "criteria": criteria}))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Starts the binary with nothing of this process's environment.
fn spawn(mut program: Command, home: &Path, flags: &[&str]) -> Child {
    program
        .env_clear()
        .env("HOME", home)
        .envs(ALONE)
        .current_dir(home)
        .arg("-http-port=0")
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the node logs where its API and its gateway are.
fn where_it_is(child: &mut Child) -> (String, String) {
    let log = BufReader::new(child.stderr.take().unwrap());
    let (sender, lines) = sync_channel(LINES_MAX);
    // Reads to the end whether or not anybody listens: a full pipe would stop the node.
    std::thread::spawn(move || {
        log.lines().map_while(Result::ok).for_each(|line| drop(sender.try_send(line)));
    });
    let mut seen = Vec::new();
    loop {
        let line = lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("no API ({error}): {seen:#?}"));
        let after = |text: &str| {
            let (_, url) = line.split_once(text)?;
            url.split('/').next().map(str::to_owned)
        };
        if let Some(api) = after("API on http://") {
            return (api, after("gateway on http://").unwrap());
        }
        seen.push(line);
    }
}
