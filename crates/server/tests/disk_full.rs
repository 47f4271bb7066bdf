//! A disk that fills up: the node says so, refuses writes, serves reads, loses nothing.
//!
//! The disk is a small tmpfs in a mount namespace of the test's own, which the system may not allow;
//! the test then says so and skips. A limit of file size, which any system has, stands for a quota.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::client::Client;

/// Runs the node on one small disk three times, the last time after it has grown.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=6m none "$1" || exit 77
"$2" -http-port=0 -gateway-port=0 -ipfs-port=0 -ipfs-host=127.0.0.1 -mdns=false -repo="$1/repo" & echo "pid $!" >&2; wait $!; echo "ended $?" >&2
"$2" -http-port=0 -gateway-port=0 -ipfs-port=0 -ipfs-host=127.0.0.1 -mdns=false -repo="$1/repo" & echo "pid $!" >&2; wait $!; echo "ended $?" >&2
mount -o remount,size=64m "$1"
"$2" -http-port=0 -gateway-port=0 -ipfs-port=0 -ipfs-host=127.0.0.1 -mdns=false -repo="$1/repo" & echo "pid $!" >&2; wait $!; echo "ended $?" >&2
"#;

/// Runs the node three times under one limit of file size, the last time without.
const SMALL_FILES: &str = r#"
trap "" XFSZ
node() { "$2" -http-port=0 -gateway-port=0 -ipfs-port=0 -ipfs-host=127.0.0.1 -mdns=false -repo="$1/repo" & echo "pid $!" >&2; wait $!; echo "ended $?" >&2; }
(ulimit -f 12000; node "$@"; node "$@")
node "$@"
"#;

/// Runs the node on one small disk, twice.
const DISK_OF_FILES: &str = r#"
mount -t tmpfs -o size=32m none "$1" || exit 77
node() { "$2" -http-port=0 -ipfs-port=0 -ipfs-host=127.0.0.1 -mdns=false -repo="$1/repo" & echo "pid $!" >&2; wait $!; echo "ended $?" >&2; }
node "$@"
node "$@"
"#;

struct Disk {
    script: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
    running: Option<Pid>,
}

impl Disk {
    /// Starts the script with a shell behind `wrapper`.
    fn start(wrapper: &[&str], script: &str, dir: &Path) -> Disk {
        let mut script = Command::new(wrapper[0])
            .args(&wrapper[1..])
            .args(["-c", script, "sh"])
            .arg(dir)
            .arg(env!("CARGO_BIN_EXE_optimusdb"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", dir)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the script starts");
        let lines = BufReader::new(script.stderr.take().unwrap()).lines();
        Disk { script, lines, running: None }
    }

    /// Waits for a line that `find` makes something of; nothing when the output ends before.
    fn line<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.lines.by_ref().map_while(Result::ok).find_map(|line| find(&line))
    }

    /// The address of the script's next node.
    fn node(&mut self) -> Option<String> {
        let pid: i32 = self.line(|line| line.strip_prefix("pid ")?.parse().ok())?;
        self.running = Pid::from_raw(pid);
        let address = self.line(|line| {
            let (_, rest) = line.split_once("API on http://")?;
            Some(rest.split('/').next()?.to_owned())
        })?;
        Some(address)
    }

    fn stop(&mut self) {
        kill_process(self.running.take().unwrap(), Signal::TERM).unwrap();
        let code: Option<i32> = self.line(|line| line.strip_prefix("ended ")?.parse().ok());
        assert_eq!(code, Some(0), "a full disk is no reason to end badly");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(node) = self.running {
            let _ = kill_process(node, Signal::KILL);
        }
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

fn command(address: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let answer = Client::connect(address).request("POST", "/swarmkb/command", &[], body.as_bytes());
    (answer.status, answer.json())
}

fn put(address: &str, documents: Value) -> (u16, Value) {
    command(address, &json!({"method": {"cmd": "crudput"}, "criteria": documents}))
}

fn ids(address: &str) -> Vec<String> {
    let all = json!({"method": {"cmd": "crudget"}, "criteria": [], "options": {"fields": ["_id"]}});
    let (status, answer) = command(address, &all);
    assert_eq!(status, 200);
    let documents = answer["data"].as_array().unwrap();
    documents.iter().map(|d| d["_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let dir = tempfile::tempdir().unwrap();
    let wrapper = ["unshare", "--map-root-user", "--mount", "sh"];
    if !survives(Disk::start(&wrapper, SMALL_DISK, dir.path())) {
        eprintln!("SKIPPED: this system lets no test mount a small disk (unshare, tmpfs)");
    }
}

#[test]
fn a_refused_write_of_the_system_is_said_and_survived() {
    let dir = tempfile::tempdir().unwrap();
    assert!(survives(Disk::start(&["sh"], SMALL_FILES, dir.path())), "the node starts");
}

/// Whether the disk could be made; that it is survived is asserted.
fn survives(mut disk: Disk) -> bool {
    let Some(address) = disk.node() else {
        return false;
    };
    let mut acknowledged = Vec::new();
    let refusal = loop {
        let batch: Vec<String> =
            (0..50).map(|n| format!("d{:05}", acknowledged.len() + n)).collect();
        let documents = batch.iter().map(|id| json!({"_id": id, "text": "x".repeat(800)}));
        match put(&address, documents.collect()) {
            (200, _) => acknowledged.extend(batch),
            refused => break refused,
        }
        assert!(acknowledged.len() < 50_000, "the disk never filled up");
    };
    assert_eq!(refusal.0, 503);
    let message = refusal.1["message"].as_str().unwrap();
    assert!(message.contains("disk"), "{message}");
    // A write that is refused for its own size says nothing about the disk.
    let grown = json!({"method": {"cmd": "crudupdate"}, "criteria": [{"_id": acknowledged[0]}],
        "UpdateData": [{"text": "x".repeat(1_100_000)}]});
    assert_eq!(command(&address, &grown).0, 413);
    let ready = Client::connect(&address).request("GET", "/readyz", &[], b"").json();
    assert_eq!(
        (&ready["data"]["ready"], &ready["data"]["writable"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(ids(&address), acknowledged, "reads go on");
    disk.stop();

    // Started again on the full disk, it still has everything.
    let address = disk.node().expect("a node starts on a full disk");
    assert_eq!(ids(&address), acknowledged);
    disk.stop();

    // With room again, writes are taken again.
    let address = disk.node().expect("a node starts on a larger disk");
    assert_eq!(put(&address, json!([{"_id": "z"}])).0, 200);
    acknowledged.push("z".into());
    assert_eq!(ids(&address), acknowledged);
    disk.stop();
    true
}

#[test]
fn a_file_that_fills_the_disk_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let wrapper = ["unshare", "--map-root-user", "--mount", "sh"];
    let mut disk = Disk::start(&wrapper, DISK_OF_FILES, dir.path());
    let Some(mut address) = disk.node() else {
        eprintln!("SKIPPED: this system lets no test mount a small disk (unshare, tmpfs)");
        return;
    };
    let add = |address: &str, length: usize, seed: u32| {
        let mut x = seed;
        let next = |_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 24) as u8
        };
        let bytes: Vec<u8> = (0..length).map(next).collect();
        Client::connect(address).request("PUT", "/swarmkb/files", &[], &bytes)
    };
    let pins = |address: &str| {
        let mut pins = Client::connect(address).request("GET", "/swarmkb/pins", &[], b"").json();
        pins["data"].as_array_mut().map(std::mem::take).unwrap()
    };
    let kept = add(&address, 3_000_000, 1).json();
    assert_eq!(kept["status"], 200, "{kept}");
    for round in 0..3 {
        let message = add(&address, 60_000_000, 2).refusal(503);
        assert!(message.contains("disk") || message.contains("space"), "{message}");
        assert_eq!(pins(&address).len(), 1 + round, "nothing of it is pinned");
        // The space that it took is there for the next one.
        let next = add(&address, 4_000_000, 10 + round as u32).json();
        assert_eq!(next["status"], 200, "round {round}: {next}");
    }
    disk.stop();
    address = disk.node().expect("a node starts");
    assert_eq!(pins(&address).len(), 4);
    let path = format!("/swarmkb/files/{}", kept["data"]["cid"].as_str().unwrap());
    let read = Client::connect(&address).request("GET", &path, &[], b"");
    assert_eq!((read.status, read.body.len()), (200, 3_000_000));
    disk.stop();
}
