//! Killed under load, again and again: what was answered is there afterwards.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;
use support::Server;

const ROUNDS: usize = 4;
const WRITERS: usize = 8;

/// Puts on one connection until it breaks; answers what was acknowledged, `_id` to document.
fn write_until_killed(address: &str, name: &str) -> BTreeMap<String, Value> {
    let mut acknowledged = BTreeMap::new();
    let mut stream = TcpStream::connect(address).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    for n in 0.. {
        // Every other request replaces a document, and every fifth is a batch.
        let documents: Vec<Value> = (0..if n % 5 == 0 { 20 } else { 1 })
            .map(|i| json!({"_id": format!("{name}-{}-{i}", n / 2), "n": n, "text": "x".repeat(200)}))
            .collect();
        let body = json!({"method": {"cmd": "crudput"}, "criteria": documents}).to_string();
        let request = format!(
            "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(request.as_bytes()).is_err() || !is_answered(&mut answers) {
            break;
        }
        acknowledged
            .extend(documents.into_iter().map(|d| (d["_id"].as_str().unwrap().to_owned(), d)));
    }
    acknowledged
}

/// Reads one answer to its end; false when the connection broke before.
fn is_answered(answers: &mut impl BufRead) -> bool {
    let (mut ok, mut length, mut line) = (false, 0, String::new());
    loop {
        line.clear();
        if !matches!(answers.read_line(&mut line), Ok(1..)) {
            return false;
        }
        ok |= line.starts_with("HTTP/1.1 200");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            return answers.read_exact(&mut vec![0; length]).is_ok() && ok;
        }
    }
}

#[test]
fn what_was_answered_survives_every_kill() {
    let mut home = tempfile::tempdir().unwrap();
    let mut expected: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..ROUNDS {
        let server = Server::start_in(home, &["-repo=./repo"]);
        let address = server.address.clone();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (address, name) = (address.clone(), format!("r{round}w{writer}"));
                std::thread::spawn(move || write_until_killed(&address, &name))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(150 + 130 * round as u64));
        home = server.kill();
        for writer in writers {
            expected.extend(writer.join().unwrap());
        }
        let server = Server::start_in(home, &["-repo=./repo"]);
        let found = server.find("", json!([]));
        let found: BTreeMap<&str, &Value> =
            found.as_array().unwrap().iter().map(|d| (d["_id"].as_str().unwrap(), d)).collect();
        for (id, document) in &expected {
            let now = found.get(id.as_str()).unwrap_or_else(|| panic!("{id} is lost"));
            // The last request may have been stored without its answer getting through.
            let newer = now["n"].as_u64() > document["n"].as_u64();
            assert!(newer || *now == document, "{id}: {document} became {now}");
        }
        home = server.kill();
    }
    assert!(expected.len() > 100, "the test wrote too little to say anything");
}
