//! Files between nodes: real processes on loopback that have, want, freeze and leave.
#![allow(clippy::unwrap_used, reason = "a test ends where its ground gives way")]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{PATIENCE, Server, Signal};

const SWARM: &str = "-swarm=file-exchange";

fn bytes(length: usize) -> Vec<u8> {
    let mut x = 99_u32;
    let next = |_| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    (0..length).map(next).collect()
}

fn add(server: &Server, bytes: &[u8]) -> String {
    let answer = server.request("PUT", "/files", &[], bytes).json();
    answer["data"]["cid"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn id(node: &Server) -> Value {
    node.get("/id").json()["data"].take()
}

fn peer_id(node: &Server) -> String {
    id(node)["peer_id"].as_str().unwrap().to_owned()
}

fn multiaddr(node: &Server) -> String {
    let id = id(node);
    let addresses = id["addrs"].as_array().unwrap();
    let tcp = addresses.iter().filter_map(Value::as_str).find(|addr| addr.contains("/tcp/"));
    tcp.unwrap_or_else(|| panic!("no TCP address in {id}")).to_owned()
}

/// A node that dials `others`, and finds nobody else by itself.
fn start(flags: &[&str], others: &[&Server]) -> Server {
    let addresses: Vec<String> = others.iter().map(|other| multiaddr(other)).collect();
    let bootstrap = format!("-bootstrap={}", addresses.join(","));
    let own = [SWARM, "-dht=false"];
    let all: Vec<&str> = own.into_iter().chain(flags.iter().copied()).collect();
    match others {
        [] => Server::start_with(&all),
        _ => Server::start_with(&[all.as_slice(), &[bootstrap.as_str()]].concat()),
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn knows(node: &Server, cid: &str) -> bool {
    let known = node.data(&json!({"method": {"cmd": "contri"}}));
    let path = format!("/ipfs/{cid}");
    known.as_array().unwrap().iter().any(|line| line["value"]["path"] == path)
}

fn is_peer(node: &Server, id: &str) -> bool {
    node.get("/peers").json().as_array().unwrap().iter().any(|peer| peer["ID"] == id)
}

fn metric(node: &Server, name: &str) -> u64 {
    let page = node.get("/metrics");
    let line = page.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).trim().parse().unwrap()
}

#[test]
fn the_contributor_is_dialled_when_nobody_nearby_has_the_file() {
    // What its neighbours have contributed they do not fetch by themselves.
    let small = ["-full-replica=false"];
    let contributor = start(&small, &[]);
    let middle = start(&small, &[&contributor]);
    let reader = start(&small, &[&middle]);
    let file = bytes(2_000_000);
    let cid = add(&contributor, &file);
    eventually("the reader knows of it", || knows(&reader, &cid));
    assert!(!is_peer(&reader, &peer_id(&contributor)));
    let read = reader.get(&format!("/files/{cid}"));
    assert_eq!(read.status, 200, "{}", String::from_utf8_lossy(&read.body));
    assert!(read.whole && read.body == file);
    assert!(is_peer(&reader, &peer_id(&contributor)));
    assert!(metric(&reader, "optimusdb_blocks_received_bytes_total") >= 2_000_000);
    assert!(metric(&contributor, "optimusdb_blocks_sent_bytes_total") >= 2_000_000);
    assert!(metric(&reader, "optimusdb_file_sessions_total") >= 1);
}

#[test]
fn a_node_that_freezes_or_dies_in_the_middle_is_replaced_by_another() {
    let small = ["-full-replica=false"];
    let first = start(&small, &[]);
    let file = bytes(24_000_000);
    let cid = add(&first, &file);
    let path = format!("/files/{cid}");
    let second = start(&small, &[&first]);
    eventually("the second has it", || {
        let read = second.get(&path);
        read.whole && read.body == file
    });
    for end in [Signal::STOP, Signal::KILL] {
        let reader = start(&small, &[&first, &second]);
        eventually("the reader is connected to both", || {
            is_peer(&reader, &peer_id(&first)) && is_peer(&reader, &peer_id(&second))
        });
        let mut client = reader.connect();
        client.send(format!("GET /swarmkb{path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        eventually("some of it has come", || {
            metric(&reader, "optimusdb_blocks_received_bytes_total") > 1_000_000
        });
        first.signal(end);
        let read = client.answer(false).unwrap();
        assert_eq!(read.status, 200);
        assert!(read.whole && read.body == file, "after {end:?}");
        if end == Signal::STOP {
            first.signal(Signal::CONT);
        }
    }
}

#[test]
fn what_is_added_while_somebody_waits_for_it_is_sent() {
    let small = ["-full-replica=false"];
    let holder = start(&small, &[]);
    let reader = start(&small, &[&holder]);
    eventually("they are connected", || is_peer(&reader, &peer_id(&holder)));
    // The address of this is known before it is there.
    let file = bytes(11);
    let known = {
        let elsewhere = Server::start_with(&["-swarm=elsewhere"]);
        add(&elsewhere, &file)
    };
    let mut client = reader.connect();
    client
        .send(format!("GET /swarmkb/files/{known} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(add(&holder, &file), known);
    let read = client.answer(false).unwrap();
    assert_eq!((read.status, read.body), (200, file));
}

#[test]
fn nodes_that_want_no_strangers_exchange_files_all_the_same() {
    let closed = ["-full-replica=false", "-file-peers=swarm"];
    let holder = start(&closed, &[]);
    let reader = start(&closed, &[&holder]);
    eventually("they are connected", || is_peer(&reader, &peer_id(&holder)));
    let file = bytes(600_000);
    let cid = add(&holder, &file);
    let read = reader.get(&format!("/files/{cid}"));
    assert_eq!((read.status, read.body == file), (200, true));
}

#[test]
fn what_nobody_has_is_said_to_be_absent_and_holds_up_nobody() {
    let small = ["-full-replica=false"];
    let other = start(&small, &[]);
    let node = start(&small, &[&other]);
    eventually("they are connected", || is_peer(&node, &peer_id(&other)));
    let absent = "bafkreid5a6pp5f3okzxaysv6otxzuadtpflae2lgaovo6l5nkrr4llnjhu";
    let ask = || {
        let mut client = node.connect();
        let request = format!("GET /swarmkb/files/{absent} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.send(request.as_bytes());
        client
    };
    let waiting: Vec<_> = (0..20).map(|_| ask()).collect();
    let file = bytes(50_000);
    let cid = add(&node, &file);
    assert_eq!(node.get(&format!("/files/{cid}")).body, file);
    node.get(&format!("/files/{absent}")).refusal(504);
    drop(waiting);
    // A node alone need not wait for anybody.
    let alone = start(&small, &[]);
    alone.get(&format!("/files/{absent}")).refusal(504);
}
