//! What is kept, over HTTP and between nodes: pins that fetch, contributions that every node keeps, and room that
//! is full.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{PATIENCE, Server};

/// Bytes of which no two chunks are the same, another for each seed.
fn bytes(length: usize, seed: u32) -> Vec<u8> {
    let mut x = seed;
    let next = |_| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    (0..length).map(next).collect()
}

fn add(server: &Server, bytes: &[u8]) -> String {
    let answer = server.request("PUT", "/files", &[], bytes).json();
    assert_eq!(answer["status"], 200, "{answer}");
    answer["data"]["cid"].as_str().unwrap().to_owned()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Where a node can be dialled: its TCP address.
fn multiaddr(node: &Server) -> String {
    let id = node.get("/id").json();
    let addresses = id["data"]["addrs"].as_array().unwrap();
    let tcp = addresses.iter().filter_map(Value::as_str).find(|addr| addr.contains("/tcp/"));
    tcp.unwrap_or_else(|| panic!("no TCP address in {id}")).to_owned()
}

fn pin(server: &Server, cid: &str) -> Value {
    let mut answer = server.request("PUT", &format!("/pins/{cid}"), &[], b"").json();
    assert_eq!(answer["status"], 200, "{answer}");
    answer["data"].take()
}

fn unpin(server: &Server, cid: &str) -> u16 {
    server.request("DELETE", &format!("/pins/{cid}"), &[], b"").status
}

fn pin_of(server: &Server, cid: &str) -> Value {
    let pins = server.get("/pins").json();
    let pins = pins["data"].as_array().unwrap();
    pins.iter().find(|pin| pin["cid"] == cid).cloned().unwrap_or(Value::Null)
}

fn segments(home: &Path) -> u64 {
    let blocks = home.join(".local/share/optimusdb/swarmkb/blocks");
    let entries = std::fs::read_dir(blocks).unwrap();
    entries.map(|entry| entry.unwrap().metadata().map_or(0, |metadata| metadata.len())).sum()
}

fn metric(server: &Server, name: &str) -> Option<f64> {
    let metrics = server.get("/metrics");
    let line = metrics.text().lines().find(|line| line.split(' ').next() == Some(name))?;
    line.split(' ').nth(1)?.parse().ok()
}

#[test]
fn a_pin_fetches_what_is_not_here_and_says_how_far_it_is() {
    let swarm = "-swarm=pins-test";
    let first = Server::start_with(&[swarm]);
    let (file, other) = (bytes(3_000_000, 1), bytes(700_000, 2));
    let cid = add(&first, &file);
    assert_eq!(pin(&first, &cid)["state"], "here");
    let second = Server::start_with(&[swarm, "-full-replica=false"]);
    // Nobody is there who has it.
    let answer = pin(&second, &cid);
    assert!(answer["state"] == "absent" || answer["state"] == "fetching", "{answer}");
    assert_eq!(answer["by"], "user");
    eventually("it says that it could not be had", || {
        let pin = pin_of(&second, &cid);
        pin["state"] == "absent" && pin["error"].as_str().unwrap_or_default().contains(&cid)
    });
    let waiting = second.get("/transfers").json()["data"].take();
    assert_eq!((&waiting[0]["cid"], &waiting[0]["why"]), (&json!(cid), &json!("pin")));
    assert!(waiting[0]["next_try_ms"].is_u64() || waiting[0]["state"] == "running", "{waiting}");
    // One comes: it is tried again without being told.
    let (status, answer) =
        second.command(&json!({"method": {"cmd": "connect"}, "args": [multiaddr(&first)]}));
    assert_eq!(status, 200, "{answer}");
    eventually("all of it is here", || pin_of(&second, &cid)["state"] == "here");
    assert_eq!(second.get("/transfers").json()["data"], json!([]));
    let received = metric(&second, "optimusdb_transfers_received_bytes_total").unwrap();
    assert!((3_000_000.0..3_010_000.0).contains(&received), "{received}");
    // What only the first contributed comes to nobody who is no full replica.
    let other = add(&first, &other);
    eventually("the second knows of it", || {
        let known = second.data(&json!({"method": {"cmd": "contri"}}));
        known.as_array().unwrap().len() == 2
    });
    assert_eq!(pin_of(&second, &other), Value::Null);
    first.kill();
    assert!(second.get(&format!("/files/{cid}")).body == file);
    // It stays over a restart; and a pin that cannot be brought goes away like any other.
    let second = Server::start_in(second.stop(), &[swarm, "-full-replica=false"]);
    assert_eq!(pin_of(&second, &cid)["state"], "here");
    pin(&second, &other);
    assert_eq!((unpin(&second, &other), unpin(&second, &other)), (200, 404));
    assert_eq!(second.get("/transfers").json()["data"], json!([]));
    assert_eq!(unpin(&second, &cid), 200);
    eventually("its blocks are gone", || segments(second.home.path()) == 0);
}

#[test]
fn every_contribution_comes_to_a_full_replica_and_what_it_unpins_stays_away() {
    let swarm = "-swarm=replica-test";
    let first = Server::start_with(&[swarm]);
    let (early, late) = (bytes(2_000_000, 3), bytes(300_000, 4));
    let early_cid = add(&first, &early);
    let second = Server::start_with(&[swarm, &format!("-bootstrap={}", multiaddr(&first))]);
    let late_cid = add(&first, &late);
    for cid in [&early_cid, &late_cid] {
        eventually("it is here", || pin_of(&second, cid)["state"] == "here");
        assert_eq!(pin_of(&second, cid)["by"], "replica");
    }
    assert_eq!(pin_of(&first, &early_cid)["by"], "user");
    let first = Server::start_in(first.stop(), &[swarm]);
    assert!(second.get(&format!("/files/{early_cid}")).body == early);
    assert_eq!(unpin(&second, &late_cid), 200);
    let bootstrap = format!("-bootstrap={}", multiaddr(&first));
    let second = Server::start_in(second.stop(), &[swarm, &bootstrap]);
    let newest = add(&first, &bytes(100_000, 5));
    eventually("what came later is here", || pin_of(&second, &newest)["state"] == "here");
    assert_eq!(pin_of(&second, &late_cid), Value::Null, "a user unpinned it");
    assert_eq!(pin_of(&second, &early_cid)["state"], "here");
    // A node of its own accord lets nothing go that a user pinned.
    assert_eq!(pin(&second, &newest)["by"], "user");
    // Without the flag what is here stays, and nothing comes.
    let second = Server::start_in(second.stop(), &[swarm, &bootstrap, "-full-replica=false"]);
    assert_eq!(pin_of(&second, &early_cid)["by"], "replica");
    let other = add(&first, &bytes(100_000, 6));
    eventually("it is known", || {
        let known = second.data(&json!({"method": {"cmd": "contri"}}));
        known.as_array().unwrap().len() == 4
    });
    assert_eq!(pin_of(&second, &other), Value::Null);
}

#[test]
fn what_nobody_has_keeps_no_contribution_waiting() {
    let swarm = "-swarm=absent-test";
    let first = Server::start_with(&[swarm]);
    let cid = add(&first, &bytes(300_000, 8));
    let absent: Vec<Value> = (0..31_u8)
        .map(|n| {
            let path = format!("/ipfs/f01551220{n:064x}");
            json!({"value": {"path": path, "name": "absent", "size": 1}})
        })
        .collect();
    let put = json!({"method": {"cmd": "crudput"}, "dstype": "contributions", "criteria": absent});
    assert_eq!(first.command(&put).0, 200);
    let second = Server::start_with(&[swarm, &format!("-bootstrap={}", multiaddr(&first))]);
    eventually("what somebody has is here", || pin_of(&second, &cid)["state"] == "here");
}

#[test]
fn files_take_no_more_room_than_they_may() {
    let swarm = "-swarm=room-test";
    let small = Server::start_with(&[swarm, "-storage-max=2MB"]);
    assert_eq!(metric(&small, "optimusdb_files_max_bytes"), Some(2_000_000.0));
    let first = add(&small, &bytes(1_500_000, 7));
    let used = metric(&small, "optimusdb_files_bytes").unwrap();
    assert!((1_500_000.0..1_510_000.0).contains(&used), "{used}");
    let refused = small.request("PUT", "/files", &[], &bytes(700_000, 8)).refusal(507);
    assert!(refused.contains("2000000") && refused.contains("-storage-max"), "{refused}");
    eventually("nothing of it is left", || metric(&small, "optimusdb_files_bytes") == Some(used));
    assert_eq!(small.get("/pins").json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(small.data(&json!({"method": {"cmd": "contri"}})).as_array().unwrap().len(), 1);
    // What the swarm contributes is skipped, and said.
    let large = Server::start_with(&[swarm, &format!("-bootstrap={}", multiaddr(&small))]);
    let contributed = add(&large, &bytes(900_000, 9));
    eventually("it is skipped", || pin_of(&small, &contributed)["state"] == "skipped");
    let shown = pin_of(&small, &contributed);
    assert!(shown["error"].as_str().unwrap().contains("-storage-max"), "{shown}");
    let skipped = "optimusdb_pins{by=\"replica\",state=\"skipped\"}";
    assert_eq!(metric(&small, skipped), Some(1.0));
    // What nobody wants makes room at once.
    assert_eq!(unpin(&small, &first), 200);
    add(&small, &bytes(1_900_000, 10));
    assert_eq!(pin_of(&large, &contributed)["state"], "here");
}

fn contributions(server: &Server, options: Value) -> Vec<Value> {
    let contri = json!({"method": {"cmd": "contri"}, "options": options});
    server.data(&contri).as_array().unwrap().clone()
}

fn validation(server: &Server, cid: &str) -> Value {
    let mut found = server.find("validations", json!([{"_id": cid}]));
    found.get_mut(0).map(Value::take).unwrap_or_default()
}

fn add_named(server: &Server, name: &str, content: &[u8]) -> String {
    let head = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
    );
    let body = [head.as_bytes(), content, b"\r\n--XX--\r\n"].concat();
    let form = [("Content-Type", "multipart/form-data; boundary=XX")];
    let answer = server.request("PUT", "/files", &form, &body).json();
    answer["data"]["cid"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn what_is_contributed_is_judged_and_why_is_said() {
    let server = Server::start();
    let good = add(&server, &bytes(700_000, 11));
    let tree = add_named(&server, "a/b.bin", &bytes(300_000, 12));
    let tosca =
        add_named(&server, "a.yaml", b"tosca_definitions_version: tosca_2_0\nnode_types: {}\n");
    let broken =
        add_named(&server, "b.yaml", b"# x\ntosca_definitions_version: tosca_2_0\na: [1, 2\n");
    // YAML that does not call itself TOSCA may be what it likes.
    let other = add_named(&server, "c.yaml", b"a: [1, 2\n");
    for (cid, valid) in
        [(&good, true), (&tree, true), (&tosca, true), (&broken, false), (&other, true)]
    {
        eventually("there is a verdict", || validation(&server, cid)["isValid"].is_boolean());
        let verdict = validation(&server, cid);
        assert_eq!(
            (&verdict["isValid"], &verdict["voteCnt"]),
            (&json!(valid), &json!(1)),
            "{verdict}"
        );
        assert_eq!(verdict["foundBy"], "self");
    }
    let shown = contributions(&server, json!({}));
    assert_eq!(
        (&shown[0]["isValid"], &shown[0]["voteCnt"], &shown[0]["reason"]),
        (&json!(true), &json!(1), &json!(""))
    );
    let reason = shown[3]["reason"].as_str().unwrap();
    assert!(shown[3]["isValid"] == false && reason.contains("line"), "{}", shown[3]);
    // Whoever contributes it, a file has the size that it has.
    let size = json!({"value": {"path": "/ipfs/bafkqabtimvwgy3yk", "size": 9}});
    server.put("contributions", size);
    eventually("it is judged", || validation(&server, "bafkqabtimvwgy3yk")["isValid"] == false);
    let reason = validation(&server, "bafkqabtimvwgy3yk")["reason"].take();
    assert!(reason.as_str().unwrap().contains("6 bytes"), "{reason}");
    // What contributes no file is shown as it is.
    server.put("contributions", json!({"value": {"by": "ada"}}));
    let last = contributions(&server, json!({})).pop().unwrap();
    assert!(last["value"]["by"] == "ada" && last.get("isValid").is_none(), "{last}");
}

#[test]
fn who_has_no_file_asks_those_who_have() {
    let swarm = "-swarm=votes-test";
    let first = Server::start_with(&[swarm]);
    let file = bytes(20_000_000, 13);
    let (good, bad) =
        (add(&first, &file), add_named(&first, "b.yaml", b"tosca_definitions_version: [\n"));
    for cid in [&good, &bad] {
        eventually("the first has a verdict", || validation(&first, cid)["voteCnt"] == 1);
    }
    let bootstrap = format!("-bootstrap={}", multiaddr(&first));
    let second = Server::start_with(&[swarm, &bootstrap, "-full-replica=false"]);
    for (cid, valid) in [(&good, true), (&bad, false)] {
        eventually("the second heard of it", || validation(&second, cid)["isValid"].is_boolean());
        let verdict = validation(&second, cid);
        assert_eq!(
            (&verdict["isValid"], &verdict["foundBy"]),
            (&json!(valid), &json!("swarm")),
            "{verdict}"
        );
        assert!(verdict.get("vote").is_none(), "it is no vote of the second");
    }
    assert_eq!(metric(&second, "optimusdb_files_bytes"), Some(0.0), "nothing was fetched for that");
    // What it has itself it judges itself.
    pin(&second, &bad);
    eventually("it looked", || validation(&second, &bad)["foundBy"] == "self");
    assert!(validation(&second, &bad)["reason"].as_str().unwrap().contains("YAML"));
}

#[test]
fn contributions_are_read_on_from_where_one_was() {
    let server = Server::start();
    let cids: Vec<String> = (0..4).map(|n| add(&server, &bytes(100, 20 + n))).collect();
    let all = contributions(&server, json!({}));
    let paths = |since: Value, limit: u64| -> Vec<String> {
        let found = contributions(&server, json!({"since": since, "limit": limit}));
        found.iter().map(|one| one["value"]["path"].as_str().unwrap()[6..].to_owned()).collect()
    };
    assert_eq!(paths(all[1]["hash"].clone(), 10), cids[2..]);
    assert_eq!(paths(all[0]["hash"].clone(), 2), cids[1..3]);
    assert!(paths(all[3]["hash"].clone(), 10).is_empty());
    assert_eq!(paths(all[0]["value"]["creationTS"].clone(), 10), cids);
    assert!(paths(json!("2999-01-01T00:00:00Z"), 10).is_empty());
    let refused = |status: u16, options: Value| {
        server.refusal(status, &json!({"method": {"cmd": "contri"}, "options": options}))
    };
    assert!(refused(400, json!({"since": "yesterday"})).contains("since"));
    refused(400, json!({"since": 7}));
    refused(400, json!({"since": all[0]["hash"], "sort": [{"value.size": 1}]}));
    let unknown = "zdpuAsv4nk9k2f1WrJT6bBVPzRDRAqBFGDTPkvQrEk8hDeQwC";
    refused(404, json!({"since": unknown}));
}
