//! A disk that loses bytes: the node says so, goes on around what is lost, and has it back from its peers.
#![allow(clippy::unwrap_used, reason = "a test ends where its ground gives way")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};
use support::{PATIENCE, Server};
use tempfile::TempDir;

const DOCUMENTS: usize = 2_000;
const FLAGS: [&str; 2] = ["-repo=./node", "-swarm=damaged"];

fn id(n: usize) -> String {
    format!("doc-{n:04}")
}

/// A node with so many documents in the default store, and maybe one beside it.
fn grown() -> Server {
    let node = Server::start_with(&FLAGS);
    let documents: Vec<Value> = (0..DOCUMENTS)
        .map(|n| json!({"_id": id(n), "n": n, "text": "as it was written"}))
        .collect();
    for some in documents.chunks(500) {
        node.put("dsswres", json!(some));
    }
    node
}

fn database(home: &TempDir) -> PathBuf {
    home.path().join("node/optimusdb.sqlite")
}

/// Changes bytes in the database of a node that is stopped.
fn spoil(path: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    let at: Vec<usize> =
        (0..=bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!at.is_empty(), "{from:?} is nowhere");
    at.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to));
    fs::write(path, bytes).unwrap();
}

/// Makes the document of that id in the index one that is no JSON.
fn spoil_document(home: &TempDir, n: usize) {
    let text = [b"\x37_id\x87", id(n).as_bytes()].concat();
    let wrong = [b"\xf7_id\x87", id(n).as_bytes()].concat();
    spoil(&database(home), &text, &wrong);
}

/// Changes what the entry says that put that id.
fn spoil_entry(home: &TempDir, n: usize) {
    let text = [b"\x63_id\x68", id(n).as_bytes()].concat();
    let wrong = [b"\x63_ix\x68", id(n).as_bytes()].concat();
    spoil(&database(home), &text, &wrong);
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn ready(node: &Server) -> Value {
    node.get("/readyz").json()["data"].take()
}

fn degraded(node: &Server) -> Vec<String> {
    let ready = ready(node);
    assert_eq!((&ready["ready"], &ready["writable"]), (&json!(true), &json!(true)), "{ready}");
    let said = ready["degraded"].as_array().unwrap();
    said.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

fn everything(node: &Server) -> Vec<Value> {
    let get = json!({"method": {"cmd": "crudget"}, "dstype": "dsswres", "criteria": []});
    node.data(&get).as_array().unwrap().clone()
}

fn whole(node: &Server) -> bool {
    let documents = everything(node);
    let right =
        |n: usize| documents[n]["_id"] == id(n) && documents[n]["text"] == "as it was written";
    documents.len() == DOCUMENTS && (0..DOCUMENTS).all(right)
}

fn store(node: &Server) -> Value {
    let stores = node.get("/stores").json();
    let stores = stores["data"].as_array().unwrap();
    stores.iter().find(|store| store["name"] == "dsswres").unwrap().clone()
}

fn figure(node: &Server, name: &str) -> u64 {
    let figures = node.get("/metrics");
    let line = figures.text().lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    line.map_or(0, |value| value.trim().parse().unwrap())
}

fn address(node: &Server) -> String {
    let id = node.get("/id").json();
    let addresses = id["data"]["addrs"].as_array().unwrap();
    let tcp = addresses.iter().filter_map(Value::as_str).find(|addr| addr.contains("/tcp/"));
    tcp.unwrap().to_owned()
}

fn connect(node: &Server, other: &Server) {
    node.data(&json!({"method": {"cmd": "connect"}, "args": [address(other)]}));
}

/// A node beside `other`, level with it.
fn beside(other: &Server) -> Server {
    let node = Server::start_with(&FLAGS);
    connect(&node, other);
    eventually("the second node is level", || store(&node)["entries"] == store(other)["entries"]);
    node
}

#[test]
fn a_document_of_the_index_that_cannot_be_read_is_made_again() {
    let home = grown().stop();
    spoil_document(&home, 700);
    spoil_document(&home, 1_500);
    let node = Server::start_in(home, &FLAGS);
    assert!(whole(&node), "the first read has all of it");
    eventually("it is mended", || figure(&node, "optimusdb_damaged_documents_mended_total ") == 2);
    assert!(degraded(&node).is_empty());
    let home = node.stop();

    // Nobody has read it yet: a write of that very document.
    spoil_document(&home, 700);
    let node = Server::start_in(home, &FLAGS);
    node.put("dsswres", json!([{"_id": id(700), "n": 700, "text": "as it was written"}]));
    assert!(whole(&node));
    let home = node.stop();

    spoil_document(&home, 9);
    let node = Server::start_in(home, &[FLAGS[0], FLAGS[1], "-reindex"]);
    assert!(whole(&node));
}

#[test]
fn a_damaged_entry_is_left_out_and_comes_back_from_a_peer() {
    let node = grown();
    let healthy = beside(&node);
    let before = store(&node);
    let home = node.stop();
    spoil_entry(&home, 1_000);
    let node = Server::start_in(home, &FLAGS);
    assert!(whole(&node), "reads of the index do not need the entry");
    assert_eq!(store(&node)["heads"], before["heads"]);

    // A newcomer that knows this node alone gets what comes before it, and the node sees what it lacks.
    let newcomer = Server::start_with(&FLAGS);
    connect(&newcomer, &node);
    eventually("the damage is said", || {
        let said = degraded(&node);
        said.len() == 1 && said[0].contains("1 entries of dsswres are damaged")
    });
    assert_eq!(figure(&node, "optimusdb_damaged_entries{store=\"dsswres\"} "), 1);
    eventually("the newcomer has what comes before", || {
        store(&newcomer)["entries"].as_u64() >= Some(1_000)
    });
    // Writes go on meanwhile, of what is damaged, too.
    node.put("dsswres", json!([{"_id": "written meanwhile", "n": 1}]));
    let update = json!({"method": {"cmd": "crudupdate"}, "dstype": "dsswres",
        "criteria": [{"_id": id(1_000)}], "UpdateData": [{"n": 5}]});
    let refused = node.refusal(500, &update);
    assert!(refused.contains("damaged"), "{refused}");

    connect(&node, &healthy);
    eventually("the entry is back", || {
        degraded(&node).is_empty()
            && figure(&node, "optimusdb_damaged_entries_put_back_total ") == 1
    });
    node.data(&update);
    eventually("all are level", || {
        let heads = store(&node)["heads"].clone();
        [&healthy, &newcomer].iter().all(|other| store(other)["heads"] == heads)
    });
    let home = node.stop();

    // And it stays.
    let node = Server::start_in(home, &FLAGS);
    let fresh = beside(&node);
    assert_eq!(everything(&fresh), everything(&node));
    assert!(degraded(&node).is_empty());
}

#[test]
fn writes_go_on_beside_a_damaged_head() {
    let node = grown();
    let healthy = beside(&node);
    let home = node.stop();
    // The newest entry is a head; the document that it put is the last one.
    spoil_entry(&home, DOCUMENTS - 1);
    let node = Server::start_in(home, &FLAGS);
    node.put("dsswres", json!([{"_id": "beside", "n": 1}]));
    eventually("the damage is said", || degraded(&node).len() == 1);
    let home = node.stop();
    let node = Server::start_in(home, &FLAGS);
    assert_eq!(degraded(&node).len(), 1, "what is set aside is so after a restart");
    node.put("dsswres", json!([{"_id": "beside", "n": 2}]));
    connect(&node, &healthy);
    eventually("the head is back", || degraded(&node).is_empty());
    eventually("both are level", || store(&node)["heads"] == store(&healthy)["heads"]);
    assert_eq!(everything(&node), everything(&healthy));
    assert_eq!(everything(&node).len(), DOCUMENTS + 1);
}

#[test]
fn the_index_is_made_again_around_a_damaged_entry() {
    let home = grown().stop();
    spoil_entry(&home, 1_234);
    spoil_document(&home, 77);
    let node = Server::start_in(home, &[FLAGS[0], FLAGS[1], "-reindex"]);
    let ids: Vec<Value> =
        everything(&node).iter().map(|document| document["_id"].clone()).collect();
    let expected: Vec<String> = (0..DOCUMENTS).filter(|n| *n != 1_234).map(id).collect();
    assert_eq!(json!(ids), json!(expected));
    assert!(degraded(&node)[0].contains("1 entries of dsswres are damaged"));
    node.put("dsswres", json!([{"_id": id(1_234), "n": 1_234, "text": "as it was written"}]));
    assert!(whole(&node));
}

/// Pages that SQLite itself cannot read.
#[test]
fn a_page_that_cannot_be_read_fails_its_requests_and_no_others() {
    let node = grown();
    node.put("kbdata", json!([{"_id": "elsewhere"}]));
    let home = node.stop();
    let path = database(&home);
    let mut bytes = fs::read(&path).unwrap();
    // The page of the table that holds the document in the middle of the index.
    let text = [b"\x37_id\x87", id(1_000).as_bytes()].concat();
    let at = (0..bytes.len()).find(|at| bytes[*at..].starts_with(&text)).unwrap();
    let page = at / 4_096 * 4_096;
    bytes[page] = 0x77;
    fs::write(&path, bytes).unwrap();

    let node = Server::start_in(home, &FLAGS);
    let get = |node: &Server, store: &str, criteria: Value| {
        node.command(&json!({"method": {"cmd": "crudget"}, "dstype": store, "criteria": criteria}))
    };
    let put = |node: &Server, store: &str, id: &str| {
        let documents = json!([{"_id": id, "n": 1}]);
        node.command(&json!({"method": {"cmd": "crudput"}, "dstype": store, "criteria": documents}))
    };
    let (status, answer) = get(&node, "dsswres", json!([{"_id": id(1_000)}]));
    assert_eq!(status, 500, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("-reindex"), "{answer}");
    assert_eq!(put(&node, "dsswres", &id(1_000)).0, 500);
    // Everything else is as ever, this store's other documents included.
    assert_eq!(get(&node, "kbdata", json!([])).1["data"][0]["_id"], "elsewhere");
    assert_eq!(put(&node, "kbdata", "another").0, 200);
    assert_eq!(get(&node, "dsswres", json!([{"_id": id(3)}])).1["data"][0]["n"], 3);
    assert_eq!(put(&node, "dsswres", "new").0, 200);
    assert!(degraded(&node)[0].contains("could not be read"), "{:?}", degraded(&node));
    let home = node.stop();

    // What is derived is made again in new tables, for good.
    let node = Server::start_in(home, &[FLAGS[0], FLAGS[1], "-reindex"]);
    let documents = everything(&node);
    assert_eq!(documents.len(), DOCUMENTS + 1);
    let home = node.stop();
    let node = Server::start_in(home, &FLAGS);
    assert_eq!(everything(&node), documents);
    assert_eq!(put(&node, "dsswres", &id(1_000)).0, 200);
    assert!(degraded(&node).is_empty());
}

#[test]
fn commits_that_the_write_ahead_log_lost_come_back_before_anything_is_written() {
    let healthy = Server::start_with(&FLAGS);
    let node = beside(&healthy);
    for n in 0..200 {
        node.put("dsswres", json!([{"_id": id(n), "n": n}]));
    }
    eventually("the healthy one has all", || {
        store(&healthy)["heads"] == store(&node)["heads"] && everything(&healthy).len() == 200
    });
    let before = everything(&node);
    let home = node.kill();
    let log = home.path().join("node/optimusdb.sqlite-wal");
    let bytes = fs::read(&log).unwrap();
    // A wrong byte in a frame; SQLite reads nothing from there on, and says nothing.
    let mut wrong = bytes.clone();
    wrong[bytes.len() / 3] ^= 1;
    fs::write(&log, wrong).unwrap();

    let node = Server::start_in(home, &FLAGS);
    assert!(everything(&node).len() < 200, "commits are lost");
    let put = json!({"method": {"cmd": "crudput"}, "dstype": "dsswres",
        "criteria": [{"_id": id(199), "n": "newer"}]});
    let refused = node.refusal(503, &put);
    assert!(refused.contains("lost") && refused.contains("write-ahead log"), "{refused}");
    for cmd in ["crudupdate", "cruddelete"] {
        node.refusal(
            503,
            &json!({"method": {"cmd": cmd}, "criteria": [{"n": {"$gte": 0}}],
            "UpdateData": [{"n": 0}]}),
        );
    }
    let ready = ready(&node);
    assert_eq!((&ready["ready"], &ready["writable"]), (&json!(true), &json!(false)), "{ready}");
    assert!(ready["degraded"][0].as_str().unwrap().contains("gone from the disk"), "{ready}");
    assert!(figure(&node, "optimusdb_lost_entries ") > 0);

    connect(&node, &healthy);
    eventually("writes are taken", || node.command(&put).0 == 200);
    // Nothing is missing, and the write that came after what was lost wins over it.
    assert_eq!(node.find("dsswres", json!([{"_id": id(199)}]))[0]["n"], "newer");
    assert_eq!(everything(&node).len(), before.len());
    eventually("both are level", || everything(&node) == everything(&healthy));
    let home = node.stop();
    let node = Server::start_in(home, &FLAGS);
    assert!(degraded(&node).is_empty());
}

#[test]
fn below_the_floor_of_free_disk_peers_wait_and_clients_do_not() {
    let other = Server::start_with(&FLAGS);
    other.put("dsswres", json!([{"_id": "from elsewhere", "n": 1}]));
    // No disk has so much.
    let node = Server::start_with(&[FLAGS[0], FLAGS[1], "-disk-reserve=16777215TiB"]);
    connect(&node, &other);
    eventually("it is known what waits", || ready(&node)["behind"]["dsswres"].as_u64() > Some(0));
    let said = degraded(&node);
    assert!(said.len() == 1 && said[0].contains("-disk-reserve"), "{said:?}");
    node.put("dsswres", json!([{"_id": "from here", "n": 1}]));
    eventually("what is written here is there", || everything(&other).len() == 2);
    assert_eq!(everything(&node).len(), 1);
    assert!(figure(&node, "optimusdb_disk_free_bytes ") > 0);
    // What a client wants pinned waits as well, and so does nothing of what a client brings.
    let file = other.request("PUT", "/files", &[], b"a file of the other node").json();
    let cid = file["data"]["cid"].as_str().unwrap().to_owned();
    node.request("PUT", &format!("/pins/{cid}"), &[], b"");
    let pinned = |node: &Server| {
        let pins = node.get("/pins").json();
        let pins = pins["data"].as_array().unwrap();
        pins.iter().find(|pin| pin["cid"] == *cid).map(|pin| pin["state"].clone())
    };
    assert!(pinned(&node).is_some_and(|state| state != "here"), "{:?}", pinned(&node));
    assert_eq!(node.request("PUT", "/files", &[], b"a file of its own").status, 200);
    let home = node.stop();

    let node = Server::start_in(home, &FLAGS);
    connect(&node, &other);
    eventually("the pin is here", || pinned(&node) == Some(json!("here")));
    eventually("with room both are level", || everything(&node) == everything(&other));
    assert!(degraded(&node).is_empty());
}

#[test]
fn the_index_is_made_again_around_a_page_of_the_log_that_cannot_be_read() {
    let home = grown().stop();
    let path = database(&home);
    let mut bytes = fs::read(&path).unwrap();
    let text = [b"\x63_id\x68", id(1_000).as_bytes()].concat();
    let at = (0..bytes.len()).find(|at| bytes[*at..].starts_with(&text)).unwrap();
    bytes[at / 4_096 * 4_096] = 0x77;
    fs::write(&path, bytes).unwrap();

    let node = Server::start_in(home, &FLAGS);
    let update = json!({"method": {"cmd": "crudupdate"}, "dstype": "dsswres",
        "criteria": [{"_id": id(1_000)}], "UpdateData": [{"n": 5}]});
    assert!(node.refusal(500, &update).contains("OPERATIONS.md"));
    node.put("dsswres", json!([{"_id": "new"}]));
    assert!(degraded(&node)[0].contains("could not be read"));
    let home = node.stop();

    let node = Server::start_in(home, &[FLAGS[0], FLAGS[1], "-reindex"]);
    let documents = everything(&node);
    // Without those of the page, and those whose links lead into it.
    assert!((DOCUMENTS - 60..DOCUMENTS + 1).contains(&documents.len()), "{}", documents.len());
    node.put("dsswres", json!([{"_id": "newer"}]));
    let home = node.stop();
    let node = Server::start_in(home, &FLAGS);
    assert_eq!(everything(&node).len(), documents.len() + 1);
}
