//! Stores over HTTP: the ones there are, new ones, the node's own, and the derived metadata.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use serde_json::{Value, json};
use support::Server;

const BUILTIN: [&str; 12] = [
    "dsswres",
    "dsswresaloc",
    "kbdata",
    "kbmetadata",
    "whoiswho",
    "tosca_imported",
    "tosca_adt",
    "tosca_capacities",
    "tosca_deploymentplan",
    "tosca_eventhistory",
    "contributions",
    "validations",
];

fn stores(server: &Server) -> Vec<Value> {
    server.get("/stores").json()["data"].as_array().unwrap().clone()
}

fn store(server: &Server, name: &str) -> Value {
    stores(server).into_iter().find(|store| store["name"] == name).unwrap_or_default()
}

#[test]
fn every_store_is_listed_with_its_figures() {
    let server = Server::start();
    let names: Vec<Value> = stores(&server).iter().map(|store| store["name"].clone()).collect();
    for name in BUILTIN {
        assert!(names.contains(&json!(name)), "{name} in {names:?}");
    }
    let empty = store(&server, "whoiswho");
    assert_eq!(
        (&empty["type"], &empty["documents"], &empty["entries"]),
        (&json!("documents"), &json!(0), &json!(0))
    );
    assert_eq!(empty["heads"], json!([]));
    assert!(empty["address"].as_str().unwrap().starts_with("/orbitdb/zdpu"));
    assert_eq!(store(&server, "contributions")["type"], "events");

    server.put("whoiswho", json!([{"_id": "a"}, {"_id": "b"}]));
    server.data(
        &json!({"method": {"cmd": "cruddelete"}, "dstype": "whoiswho", "criteria": [{"_id": "a"}]}),
    );
    let used = store(&server, "whoiswho");
    assert_eq!((&used["documents"], &used["entries"]), (&json!(1), &json!(3)));
    assert!(used["heads"][0].as_str().unwrap().starts_with("zdpu"));
    assert_eq!(used["address"], empty["address"]);
}

#[test]
fn stores_are_made_once_and_kept() {
    let server = Server::start();
    let made = server.request("PUT", "/stores/my-store_1", &[], b"").json();
    assert_eq!((&made["status"], &made["data"]["name"]), (&json!(200), &json!("my-store_1")));
    let again =
        server.request("PUT", "/stores/my-store_1/", &[], br#"{"type":"documents"}"#).json();
    assert_eq!(again["data"]["address"], made["data"]["address"]);
    server.put("my-store_1", json!([{"_id": "a"}]));
    assert_eq!(server.find("dsswres", json!([])), json!([]), "stores are apart");

    for name in ["a", "-ab", "Ab", "a%20b", "%C3%A9t%C3%A9", "a.b", "a%2Fb", &"a".repeat(64)] {
        server.request("PUT", &format!("/stores/{name}"), &[], b"").refusal(400);
    }
    for body in ["[]", "{", r#"{"type":"graph"}"#, r#"{"type":1}"#] {
        server.request("PUT", "/stores/other", &[], body.as_bytes()).refusal(400);
    }
    server.request("PUT", "/stores/contributions", &[], br#"{"type":"documents"}"#).refusal(409);

    let again = Server::start_in(server.stop(), &[]);
    assert_eq!(store(&again, "my-store_1")["address"], made["data"]["address"]);
    assert_eq!(again.find("my-store_1", json!([])), json!([{"_id": "a"}]));
}

#[test]
fn unknown_stores_are_answered_with_the_known_ones() {
    let server = Server::start();
    for command in [
        json!({"method": {"cmd": "crudput"}, "dstype": "nowhere", "criteria": [{"_id": "a"}]}),
        json!({"method": {"cmd": "crudget"}, "dstype": "nowhere"}),
        json!({"method": {"cmd": "query"}, "dstype": "nowhere"}),
        json!({"method": {"cmd": "crudupdate"}, "dstype": "nowhere", "criteria": [{}], "UpdateData": [{"a": 1}]}),
        json!({"method": {"cmd": "cruddelete"}, "dstype": "nowhere", "criteria": [{}]}),
    ] {
        let message = server.refusal(404, &command);
        assert!(
            message.contains("nowhere") && BUILTIN.iter().all(|name| message.contains(name)),
            "{message}"
        );
    }
}

#[test]
fn the_nodes_own_store_is_read_but_not_written() {
    let server = Server::start();
    assert_eq!(server.find("validations", json!([{}])), json!([]));
    for command in [
        json!({"method": {"cmd": "crudput"}, "dstype": "validations", "criteria": [{"_id": "a"}]}),
        json!({"method": {"cmd": "crudupdate"}, "dstype": "validations", "criteria": [{}], "UpdateData": [{"a": 1}]}),
        json!({"method": {"cmd": "cruddelete"}, "dstype": "validations", "criteria": [{}]}),
    ] {
        assert!(server.refusal(403, &command).contains("validations"));
    }
    let events = json!({"method": {"cmd": "crudget"}, "dstype": "contributions"});
    assert!(server.refusal(400, &events).contains("contributions"));
}

#[test]
fn a_resource_has_its_metadata_as_long_as_it_lives() {
    let server = Server::start();
    server.put(
        "dsswres",
        json!([{
            "_id": "res-1", "resource_name": "edge-node-1", "resource_type": "compute", "resource_def": "vm",
            "resource_tags": ["edge", "gpu"], "status": "active", "capacity": {"cpu": 8}
        }]),
    );
    let found = server.find("kbmetadata", json!([{"associated_id": "res-1"}]));
    let metadata = &found[0];
    for (field, expected) in [
        ("_id", json!("res-1")),
        ("associated_id", json!("res-1")),
        ("name", json!("edge-node-1")),
        ("component", json!("compute-vm")),
        ("tags", json!(["edge", "gpu"])),
        ("status", json!("active")),
    ] {
        assert_eq!(metadata[field], expected, "{field} of {metadata}");
    }
    for time in ["created_at", "updated_at"] {
        let text = metadata[time].as_str().unwrap_or_else(|| panic!("no {time}: {metadata}"));
        assert!(text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z'), "{text}");
    }

    let update = json!([{"status": "retired"}]);
    server.data(&json!({"method": {"cmd": "crudupdate"}, "criteria": [{"_id": "res-1"}], "UpdateData": update}));
    let updated = server.find("kbmetadata", json!([{"_id": "res-1"}]));
    assert_eq!(
        (&updated[0]["status"], &updated[0]["created_at"]),
        (&json!("retired"), &metadata["created_at"])
    );

    server.data(&json!({"method": {"cmd": "cruddelete"}, "criteria": [{"_id": "res-1"}]}));
    assert_eq!(server.find("kbmetadata", json!([{"associated_id": "res-1"}])), json!([]));
}
