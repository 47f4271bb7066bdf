//! Stores over HTTP: the ones there are, new ones, the node's own, and the derived metadata.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use serde_json::{Value, json};
use support::Server;

const BUILTIN: [&str; 13] = [
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
    "swarm_stores",
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

/// What is taken for nothing would be believed to have been heard.
#[test]
fn keys_that_are_misunderstood_are_refused_and_do_nothing() {
    let server = Server::start();
    let sent = |method: &str, path: &str, body: &str| {
        server.request(method, path, &[], body.as_bytes()).refusal(400)
    };
    for (body, near) in [
        (r#"{"write":["*"]}"#, "'access.write'"),
        (r#"{"acces":{"kind":"ipfs","write":[]}}"#, "'access'"),
        (r#"{"access":{"kind":"ipfs","wirte":[]}}"#, "'write'"),
        (r#"{"access":{"kind":"ipfs"},"Access":null}"#, "twice"),
        (r#"{"access":{"kind":"ipfs","write":[]},"access":null}"#, "'access' is there twice"),
        (r#"{"access":{"kind":"ipfs","write":[],"write":["*"]}}"#, "'write' is there twice"),
    ] {
        let message = sent("PUT", "/stores/mine", body);
        assert!(message.contains(near), "{body}: {message}");
    }
    let message = sent("PUT", "/stores/mine?type=events", "");
    assert!(message.contains("'type=events' in the query string"), "{message}");
    assert_eq!(store(&server, "mine"), Value::Null);
    for (path, body, near) in [
        ("/stores/dsswres/access", r#"{"grants":{"write":[]}}"#, "'grant'"),
        ("/stores/dsswres/access", r#"{"grant":{"writes":[]}}"#, "'write'"),
        ("/upload", r#"{"file":"YTogMQ==","targetStore":"kbdata"}"#, "'target_store'"),
        ("/command", r#"{"method":{"cmd":"crudget"},"options":{"offset":1}}"#, "'skip'"),
        ("/command", r#"{"method":{"cmd":"crudput"},"options":{"limitt":1}}"#, "'limit'"),
        ("/command", r#"{"method":{"cmd":"help"},"criteria":[],"CRITERIA":[]}"#, "twice"),
        ("/log?date=2001-01-31&hours=08", "", "'hour'"),
        ("/upload?target_store=kbdata", r#"{"file":"YTogMQ=="}"#, "in the query string"),
    ] {
        let message = sent("POST", path, body);
        assert!(message.contains(near), "{path} {body}: {message}");
    }
    assert_eq!(server.find("dsswres", json!([])), json!([]));

    // The same in another case is understood.
    let made =
        server.request("PUT", "/stores/mine", &[], br#"{"Access":{"Kind":"ipfs","WRITE":[]}}"#);
    assert_eq!(made.status, 200, "{}", made.text());
    let access = server.get("/stores/mine/access").json();
    assert_eq!(access["data"]["write"].as_array().unwrap().len(), 1, "{access}");
    assert_eq!(server.get("/log?DATE=2001-01-31&Hour=08").json(), json!([]));
    server.put("dsswres", json!([{"_id": "a"}, {"_id": "b"}]));
    let one = json!({"method": {"cmd": "crudget"}, "options": {"Limit": 1}, "limit": "padding"});
    assert_eq!(server.data(&one).as_array().unwrap().len(), 1);
    let later = json!({"method": {"cmd": "crudget"}, "options": {"count": true}});
    server.refusal(501, &later);
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
fn figures_follow_what_is_made_and_written() {
    let server = Server::start();
    let figure = |name: &str, store: &str| {
        let text = server.get("/metrics").text().to_owned();
        let line = format!("optimusdb_{name}{{store=\"{store}\"}} ");
        text.lines().find_map(|l| l.strip_prefix(&line).map(str::to_owned))
    };
    assert_eq!(figure("store_documents", "fresh"), None);
    server.request("PUT", "/stores/fresh", &[], b"").json();
    for name in ["store_documents", "store_entries"] {
        assert_eq!(figure(name, "fresh").as_deref(), Some("0"));
    }
    server.put("fresh", json!([{"_id": "a"}, {"_id": "b"}]));
    server.data(
        &json!({"method": {"cmd": "cruddelete"}, "dstype": "fresh", "criteria": [{"_id": "a"}]}),
    );
    assert_eq!(figure("store_documents", "fresh").as_deref(), Some("1"));
    assert_eq!(figure("store_entries", "fresh").as_deref(), Some("3"));
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
}

fn on(store: &str, cmd: &str, criteria: Value) -> Value {
    json!({"method": {"cmd": cmd}, "dstype": store, "criteria": criteria})
}

fn set(store: &str, criteria: Value, fields: Value) -> Value {
    json!({"method": {"cmd": "crudupdate"}, "dstype": store, "criteria": criteria, "UpdateData": fields})
}

#[test]
fn a_key_value_store_holds_any_json_under_a_key() {
    let server = Server::start();
    server.request("PUT", "/stores/pairs", &[], br#"{"type":"keyvalue"}"#).json();
    assert_eq!(store(&server, "pairs")["type"], "keyvalue");
    let pairs = json!([
        {"_id": "list", "value": [1, {"a": null}]}, {"_id": "null", "value": null},
        {"_id": "text", "value": "x"}, {"_id": "object", "value": {"_id": "not the key", "n": 2.5}}
    ]);
    server.put("pairs", pairs.clone());
    let all = |server: &Server| {
        let sorted = json!({"sort": [{"_id": 1}]});
        server.data(&json!({"method": {"cmd": "crudget"}, "dstype": "pairs", "options": sorted}))
    };
    assert_eq!(all(&server), json!([pairs[0], pairs[1], pairs[3], pairs[2]]));
    assert_eq!(server.find("pairs", json!([{"_id": "null"}])), json!([pairs[1]]));
    assert_eq!(server.find("pairs", json!([{"value.n": {"$gt": 2}}])), json!([pairs[3]]));
    let fields = json!({"fields": ["value.n"]});
    let trimmed = server.data(
        &json!({"method": {"cmd": "crudget"}, "dstype": "pairs", "criteria": [{"_id": "object"}], "options": fields}),
    );
    assert_eq!(trimmed, json!([{"_id": "object", "value": {"n": 2.5}}]));

    server.put("pairs", json!([{"_id": "text", "value": 1}, {"_id": "text", "value": 2}]));
    assert_eq!(server.find("pairs", json!([{"value": 2}])), json!([{"_id": "text", "value": 2}]));
    let update = set("pairs", json!([{"_id": ["x"]}, {"value": 2}]), json!({"value": {"b": 1}}));
    assert_eq!(server.data(&update), "SUCCESS! 1 document(s) updated");
    assert_eq!(server.find("pairs", json!([{"_id": "text"}]))[0]["value"], json!({"b": 1}));
    assert_eq!(
        server.data(&on("pairs", "cruddelete", json!([{"_id": "text"}]))),
        "SUCCESS! 1 document(s) deleted"
    );
    let used = store(&server, "pairs");
    assert_eq!((&used["documents"], &used["entries"]), (&json!(3), &json!(7)));

    for (wrong, says) in [
        (on("pairs", "crudput", json!([{"_id": "a"}])), "value is missing"),
        (on("pairs", "crudput", json!([{"value": 1}])), "_id is missing"),
        (on("pairs", "crudput", json!([{"_id": "a", "value": 1, "v": 2}])), "\"v\" has no place"),
        (on("pairs", "crudput", json!([{"_id": 7, "value": 1}])), "not a number"),
        (set("pairs", json!([{}]), json!({"n": 1})), "an update sets \"value\", and not \"n\""),
        (set("pairs", json!([{}]), json!({"_id": "b"})), "_id cannot be changed"),
    ] {
        let message = server.refusal(400, &wrong);
        assert!(message.contains(says), "{message}");
    }
    let upload = br#"{"file":"YTogMQ==","filename":"a.yaml","target_store":"pairs"}"#;
    server.request("POST", "/upload", &[], upload).refusal(400);
    assert_eq!(server.find("kbmetadata", json!([])), json!([]), "values are no resources");

    let before = all(&server);
    let again = Server::start_in(server.stop(), &["-reindex"]);
    assert_eq!(all(&again), before);
}

#[test]
fn an_event_log_only_grows() {
    let server = Server::start();
    server.request("PUT", "/stores/happened", &[], br#"{"type":"events"}"#).json();
    for n in 0..12 {
        server.put("happened", json!([{"value": {"n": n}}, {"value": "same"}]));
    }
    let all = server.find("happened", json!([]));
    let values: Vec<&Value> = all.as_array().unwrap().iter().map(|e| &e["value"]).collect();
    assert_eq!(values.len(), 24);
    for n in 0..12 {
        assert_eq!((values[2 * n], values[2 * n + 1]), (&json!({"n": n}), &json!("same")));
    }
    let id = &all[4]["_id"];
    assert!(id.as_str().unwrap().starts_with("zdpu"));
    assert_eq!(server.find("happened", json!([{"_id": id}])), json!([all[4]]));
    let late = server.find("happened", json!([{"value.n": {"$gte": 10}}]));
    assert_eq!(late, json!([all[20], all[22]]));
    let newest = json!({"sort": [{"value.n": -1}], "limit": 1});
    let newest = server.data(
        &json!({"method": {"cmd": "query"}, "dstype": "happened", "criteria": [{"value": {"$type": "object"}}], "options": newest}),
    );
    assert_eq!(newest, json!([all[22]]));

    for (wrong, says) in [
        (on("happened", "crudput", json!([{"_id": "a", "value": 1}])), "the hash of its entry"),
        (on("happened", "crudput", json!([{"value": 1}, {"n": 1}])), "document 1: \"n\""),
        (on("happened", "cruddelete", json!([{}])), "only grows"),
        (set("happened", json!([{}]), json!({"value": 1})), "only grows"),
    ] {
        let message = server.refusal(400, &wrong);
        assert!(message.contains(says), "{message}");
    }
    assert_eq!(store(&server, "happened")["documents"], 24);
    server.put("contributions", json!({"value": 1}));
    assert_eq!(server.find("contributions", json!([{"value": 1}]))[0]["value"], 1);

    let again = Server::start_in(server.kill(), &[]);
    assert_eq!(again.find("happened", json!([])), all);
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

fn make(server: &Server, name: &str, body: Value) -> Value {
    let answer =
        server.request("PUT", &format!("/stores/{name}"), &[], body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].take()
}

fn access(server: &Server, name: &str) -> Value {
    server.get(&format!("/stores/{name}/access")).json()["data"].take()
}

fn change(server: &Server, name: &str, body: Value) -> support::client::Answer {
    server.request("POST", &format!("/stores/{name}/access"), &[], body.to_string().as_bytes())
}

#[test]
fn who_may_write_is_fixed_or_changed_by_an_admin() {
    let server = Server::start();
    let me = server.get("/id").json()["data"]["identity"].clone();
    let (ada, bob) = ("02".repeat(33), "03".repeat(33));

    let open = access(&server, "dsswres");
    assert_eq!(
        (&open["kind"], &open["write"], &open["admin"]),
        (&json!("ipfs"), &json!(["*"]), &json!([]))
    );
    assert_eq!((&open["me"], &open["writable"]), (&me, &json!(true)));
    assert!(open["address"].as_str().unwrap().starts_with("/ipfs/zdpu"));

    make(&server, "few", json!({"access": {"kind": "ipfs", "write": [ada]}}));
    assert_eq!(access(&server, "few")["write"], json!([me, ada]));
    server.put("few", json!([{"_id": "a"}]));
    let fixed = change(&server, "few", json!({"grant": {"write": [bob]}})).refusal(409);
    assert!(fixed.contains("never changes") && fixed.contains("orbitdb"), "{fixed}");

    let made = make(&server, "ruled", json!({"access": {"kind": "orbitdb", "write": [ada]}}));
    let ruled = access(&server, "ruled");
    assert_eq!(
        (&ruled["kind"], &ruled["write"], &ruled["admin"]),
        (&json!("orbitdb"), &json!([ada]), &json!([me]))
    );
    let ruler = store(&server, "ruled/access");
    assert_eq!((&ruler["type"], &ruler["entries"]), (&json!("keyvalue"), &json!(1)));
    assert_eq!(ruler["address"], ruled["address"]);
    server.put("ruled", json!([{"_id": "a"}]));

    let both = change(
        &server,
        "ruled",
        json!({"grant": {"write": [bob, ada, bob]}, "revoke": {"write": [ada]}}),
    );
    assert_eq!(both.json()["data"]["write"], json!([bob]));
    assert_eq!(access(&server, "ruled")["write"], json!([bob]));
    assert_eq!(store(&server, "ruled/access")["entries"], 3);
    assert_eq!(change(&server, "ruled", json!({"revoke": {"write": [ada]}})).status, 200);
    assert_eq!(store(&server, "ruled/access")["entries"], 3, "nothing was left to revoke");
    let admin = change(&server, "ruled", json!({"revoke": {"write": [me]}})).refusal(409);
    assert!(admin.contains("is an admin"), "{admin}");

    for (body, says) in [
        (json!({}), "Nothing to grant"),
        (json!({"grant": {"write": ["x"]}}), "no identity"),
        (json!({"grant": {"write": "x"}}), "array of identities"),
        (json!({"grant": {"write": ["0A".repeat(33)]}}), "66 of 0-9 and a-f"),
        (json!({"grant": {"admin": [ada]}}), "fixed when a store is made"),
        (json!({"grant": {"read": [ada]}}), "Unknown key 'read'"),
        (json!({"give": {"write": [ada]}}), "Unknown key 'give'"),
    ] {
        let message = change(&server, "ruled", body).refusal(400);
        assert!(message.contains(says), "{message}");
    }
    change(&server, "nowhere", json!({"grant": {"write": [ada]}})).refusal(404);
    server.get("/stores/nowhere/access").refusal(404);
    let direct = on("ruled/access", "crudput", json!([{"_id": "write", "value": ["*"]}]));
    assert!(server.refusal(403, &direct).contains("granting"));
    assert_eq!(server.find("ruled/access", json!([{}])), json!([{"_id": "write", "value": [bob]}]));

    // The same again is the same; another access is another store.
    let again = make(&server, "ruled", json!({"access": {"kind": "orbitdb", "write": []}}));
    assert_eq!(again["address"], made["address"]);
    assert_eq!(make(&server, "ruled", json!({}))["address"], made["address"]);
    let body = json!({"access": {"kind": "ipfs"}}).to_string();
    server.request("PUT", "/stores/ruled", &[], body.as_bytes()).refusal(409);

    let again = Server::start_in(server.kill(), &[]);
    assert_eq!(access(&again, "ruled")["write"], json!([bob]));
}

/// A copy of the keys aside, nobody writes where its identity may not.
#[test]
fn a_node_that_may_not_write_is_told_so() {
    let server = Server::start();
    make(&server, "ruled", json!({"access": {"kind": "orbitdb"}}));
    make(&server, "few", json!({"access": {"kind": "ipfs"}, "type": "keyvalue"}));
    make(&server, "log", json!({"access": {"kind": "ipfs"}, "type": "events"}));
    server.put("ruled", json!([{"_id": "a"}]));
    let home = server.stop();
    let keys = home.path().join(".local/share/optimusdb/swarmkb/keys");
    for key in ["identity.key", "signing.key"] {
        std::fs::remove_file(keys.join(key)).unwrap();
    }
    let other = Server::start_in(home, &[]);
    for refused in [
        on("ruled", "crudput", json!([{"_id": "b"}])),
        on("ruled", "cruddelete", json!([{"_id": "a"}])),
        set("ruled", json!([{"_id": "a"}]), json!({"n": 1})),
        on("few", "crudput", json!([{"_id": "b", "value": 1}])),
        on("log", "crudput", json!([{"value": 1}])),
    ] {
        let message = other.refusal(403, &refused);
        assert!(message.contains("may not write to store"), "{message}");
    }
    let upload = br#"{"file":"YTogMQ==","filename":"a.yaml","target_store":"ruled"}"#;
    other.request("POST", "/upload", &[], upload).refusal(403);
    let ada = "02".repeat(33);
    let message = change(&other, "ruled", json!({"grant": {"write": [ada]}})).refusal(403);
    assert!(message.contains("no admin"), "{message}");
    assert_eq!(access(&other, "ruled")["writable"], false);
    assert_eq!(other.find("ruled", json!([{}])), json!([{"_id": "a"}]));
    other.put("dsswres", json!([{"_id": "b"}]));
}

#[test]
fn what_is_made_is_in_the_swarms_list() {
    let server = Server::start();
    let made = make(&server, "things", json!({"type": "keyvalue"}));
    make(&server, "things", json!({"type": "keyvalue"}));
    let listed = server.find("swarm_stores", json!([{}]));
    assert_eq!(
        listed,
        json!([{"_id": "things", "value": {"address": made["address"], "type": "keyvalue"}}])
    );
    assert_eq!(store(&server, "swarm_stores")["entries"], 1);
    let follower = Server::start_with(&["-coordinator=false"]);
    let refused = follower.request("PUT", "/stores/things", &[], b"").refusal(403);
    assert!(refused.contains("coordinator=false"), "{refused}");
    assert_eq!(
        store(&follower, "swarm_stores")["address"],
        store(&server, "swarm_stores")["address"]
    );
}

#[test]
fn a_store_is_taken_over_by_its_address_as_far_as_its_blocks_are_here() {
    let server = Server::start();
    let made = make(&server, "things", json!({}));
    let put = |name: &str, body: &Value| {
        server.request("PUT", &format!("/stores/{name}"), &[], body.to_string().as_bytes())
    };
    let here = json!({"address": made["address"]});
    assert_eq!(put("things", &here).json()["data"]["address"], made["address"]);
    let elsewhere = put("other", &here).refusal(409);
    assert!(elsewhere.contains("under the name things"), "{elsewhere}");
    let nowhere = "/orbitdb/zdpuAxHiuVHQqBj7rFTHuGwqMiVXWPkr9cvpGCXbBjmBpVJfM";
    let taken = put("things", &json!({"address": nowhere})).refusal(409);
    assert!(
        taken.contains(nowhere) && taken.contains(made["address"].as_str().unwrap()),
        "{taken}"
    );
    let missing = put("other", &json!({"address": nowhere})).refusal(503);
    assert!(missing.contains("zdpuAxHiuVHQqBj7rFTHuGwqMiVXWPkr9cvpGCXbBjmBpVJfM"), "{missing}");
    put("things", &json!({"address": made["address"], "type": "events"})).refusal(409);
    for wrong in [
        json!({"address": "things"}),
        json!({"address": "/orbitdb/"}),
        json!({"address": "/ipfs/zdpuAxHiuVHQqBj7rFTHuGwqMiVXWPkr9cvpGCXbBjmBpVJfM"}),
        json!({"address": 7}),
        json!({"address": nowhere, "access": {"kind": "ipfs"}}),
    ] {
        put("other", &wrong).refusal(400);
    }
}

#[test]
fn an_address_does_in_place_of_a_name() {
    let server = Server::start();
    let made = server.request("PUT", "/stores/plans", &[], br#"{"access":{"kind":"ipfs"}}"#);
    let address = made.json()["data"]["address"].as_str().unwrap().to_owned();
    let put = json!({"method": {"cmd": "crudput"}, "dstype": &address, "criteria": [{"_id": "a"}]});
    assert_eq!(server.command(&put).0, 200);
    assert_eq!(server.find(&address, json!([{}])), server.find("plans", json!([{}])));
    let path = format!("/stores/{}/access", address.replace('/', "%2F"));
    assert_eq!(server.get(&path).status, 200);
    let absent = "/orbitdb/zdpuAxHiuVHQqBj7rFTHuGwqMiVXWPkr9cvpGCXbBjmBpVJfM";
    let (status, body) = server.command(&json!({"method": {"cmd": "crudget"}, "dstype": absent}));
    assert!(status == 404 && body["message"].as_str().unwrap().contains("is not here"), "{body}");
}
