//! The commands of the command line: the real binary asks a running node, as a user would.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::process::{Command, Output, Stdio};

use serde_json::json;
use support::Server;

/// Runs the binary with these words and this environment alone.
fn optimusdb(words: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_optimusdb"))
        .env_clear()
        .envs(variables.iter().copied())
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one line that it is refused with.
fn refusal(output: &Output, code: i32) -> String {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(output.stdout.is_empty() && error.lines().count() == 1, "{error}");
    error
}

#[test]
fn stores_access_and_peers_of_a_running_node() {
    let server = Server::start();
    let port = server.address.rsplit(':').next().unwrap();
    let at = |words: &[&str]| optimusdb(words, &[("OPTIMUSDB_API_PORT", port)]);
    server.put("dsswres", json!([{"_id": "a"}]));
    let listed = out(&at(&["stores"]));
    let line = listed.lines().find(|line| line.starts_with("dsswres ")).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells[..4], ["dsswres", "documents", "1", "1"]);
    assert_eq!(out(&optimusdb(&["stores", "-http-port", port], &[])), listed);
    assert_eq!(out(&at(&["peers"])), "no peers\n");

    let ada = "02".repeat(33);
    server.request("PUT", "/stores/plans", &[], br#"{"access":{"kind":"orbitdb"}}"#).json();
    let granted = out(&at(&["access", "plans", "grant", "write", &ada]));
    assert!(
        granted.contains("orbitdb") && granted.contains(&format!("write     {ada}\n")),
        "{granted}"
    );
    assert_eq!(out(&at(&["access", "plans"])), granted);
    let revoked = out(&at(&["access", "plans", "revoke", "write", &ada]));
    assert!(revoked.contains("write     nobody\n"), "{revoked}");

    let fixed = refusal(&at(&["access", "dsswres", "grant", "write", &ada]), 1);
    assert!(fixed.contains("never changes") && fixed.contains("(409)"), "{fixed}");
    assert!(refusal(&at(&["access", "nowhere"]), 1).contains("no store"));
    assert!(refusal(&at(&["access", "a/b c"]), 1).contains("no store \"a/b c\""));
    assert!(refusal(&at(&["access", "plans", "grant", "write", "x"]), 1).contains("no identity"));
    assert!(refusal(&at(&["access"]), 2).contains("wants a store"));
    assert!(refusal(&at(&["access", "plans", "grant", &ada]), 2).contains("grant write IDENTITY"));
    assert!(refusal(&at(&["stores", "-prot=1"]), 2).contains("unknown flag"));
}

#[test]
fn a_command_bears_the_token_and_finds_the_context() {
    let server = Server::start_with(&["-api-token=s3cret", "-swarmkb=kb"]);
    let port = server.address.rsplit(':').next().unwrap();
    let flags = ["stores", "-http-port", port, "-swarmkb=kb"];
    assert!(refusal(&optimusdb(&flags, &[]), 1).contains("(401)"));
    assert!(out(&optimusdb(&flags, &[("OPTIMUSDB_API_TOKEN", "s3cret")])).contains("dsswres"));
    let elsewhere = ["stores", "-http-port", port, "-api-token=s3cret"];
    assert!(refusal(&optimusdb(&elsewhere, &[]), 1).contains("(404)"));
}

#[test]
fn where_no_node_answers_is_said() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let silent = refusal(&optimusdb(&["stores", "-http-port", &port], &[]), 1);
    assert!(
        silent.contains(&format!("127.0.0.1:{port}")) && silent.contains("running"),
        "{silent}"
    );
    assert!(refusal(&optimusdb(&["stores", "-http-port=0"], &[]), 1).contains("which port?"));
    let help = out(&optimusdb(&["access", "-h"], &[]));
    for command in ["  stores\n", "  access STORE [grant|revoke write IDENTITY…]\n", "  peers\n"]
    {
        assert!(help.contains(command), "{command}");
    }
}
