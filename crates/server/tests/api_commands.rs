//! The commands over the real binary: what they do, and what each wrong request is told.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use serde_json::{Value, json};
use support::Server;

fn crud(cmd: &str, criteria: Value) -> Value {
    json!({"method": {"cmd": cmd}, "criteria": criteria})
}

fn update(criteria: Value, fields: Value) -> Value {
    json!({"method": {"cmd": "crudupdate"}, "criteria": criteria, "UpdateData": fields})
}

#[test]
fn a_document_lives_from_put_to_delete() {
    let server = Server::start();
    let put = server.data(&crud(
        "crudput",
        json!([{"_id": "a", "n": 1, "tags": ["x", "y"]}, {"_id": "b", "n": 2}]),
    ));
    assert_eq!(put, json!("OK: Successfully inserted records"));
    assert_eq!(
        server.data(&crud("crudput", json!({"_id": "c", "n": 3}))),
        json!("OK: Successfully inserted records")
    );

    let found = server.data(&crud("crudget", json!([{"_id": "a"}])));
    assert_eq!(found, json!([{"_id": "a", "n": 1, "tags": ["x", "y"]}]));
    assert_eq!(
        server.data(&crud("crudget", json!([{"n": {"$gte": 2}}]))).as_array().unwrap().len(),
        2
    );
    assert_eq!(server.data(&crud("crudget", json!([{"_id": "none"}]))), json!([]));
    assert_eq!(server.data(&crud("query", json!([{"_id": "none"}]))), json!("No records found"));
    assert_eq!(server.data(&crud("query", json!([{"_id": "b"}]))), json!([{"_id": "b", "n": 2}]));

    let updated = server
        .data(&update(json!([{"n": {"$lte": 2}}]), json!([{"n": 9, "s": "old"}, {"s": "new"}])));
    assert_eq!(updated, json!("SUCCESS! 2 document(s) updated"));
    assert_eq!(server.find("", json!([{"_id": "b"}])), json!([{"_id": "b", "n": 9, "s": "new"}]));
    assert_eq!(
        server.data(&update(json!([{"_id": "none"}]), json!({"n": 0}))),
        json!("SUCCESS! 0 document(s) updated")
    );

    assert_eq!(
        server.data(&crud("cruddelete", json!([{"n": 9}]))),
        json!("SUCCESS! 2 document(s) deleted")
    );
    assert_eq!(server.find("", json!([])), json!([{"_id": "c", "n": 3}]));
    assert_eq!(
        server.data(&crud("cruddelete", json!([{}]))),
        json!("SUCCESS! 1 document(s) deleted")
    );
    assert_eq!(server.find("", json!([{}])), json!([]));
}

/// A request that says two things, or says one where it is not heard, deletes nothing.
#[test]
fn what_is_to_be_spared_is_never_deleted_by_accident() {
    let server = Server::start();
    server.put("", json!([{"_id": "a", "n": 1}, {"_id": "b", "n": 2}]));
    for (rest, why) in [
        (r#""criteria":[{}],"limit":1"#, "'limit' stands beside 'options'"),
        (r#""criteria":[{}],"Sort":{"n":1}"#, "'sort' stands beside 'options'"),
        (r#""criteria":[{}],"option":{"limit":1}"#, "did you mean 'options'?"),
        (r#""criteria":[{}],"options":{"limit":0,"limit":9}"#, "'limit' is there twice"),
        (r#""criteria":[{"n":{"$gt":5},"n":{"$gt":0}}]"#, "'n' is there twice"),
        (r#""criteria":[{"n":{"$gt":5,"$gt":0}}]"#, "'$gt' is there twice"),
    ] {
        let body = format!(r#"{{"method":{{"cmd":"cruddelete"}},{rest}}}"#);
        let message = server.request("POST", "/command", &[], body.as_bytes()).refusal(400);
        assert!(message.contains(why), "{rest}: {message}");
    }
    assert_eq!(server.find("", json!([])).as_array().unwrap().len(), 2);
    // In a document the last counts.
    let put = br#"{"method":{"cmd":"crudput"},"criteria":[{"_id":"c","n":1,"n":2}]}"#;
    assert_eq!(server.request("POST", "/command", &[], put).status, 200);
    assert_eq!(server.find("", json!([{"_id": "c"}])), json!([{"_id": "c", "n": 2}]));
    // A name as long as a request may be does not come back whole.
    let long = json!({"method": {"cmd": "crudget"}, "dstype": "k".repeat(1_000_000)});
    assert!(server.refusal(404, &long).len() < 10_000);
}

#[test]
fn options_shape_what_is_read() {
    let server = Server::start();
    server.put("", json!([{"_id": "a", "n": 3, "m": 0}, {"_id": "b", "n": 1, "m": 0}, {"_id": "c", "n": 2, "m": 0}]));
    let read = |options: Value| {
        let found = server
            .data(&json!({"method": {"cmd": "crudget"}, "criteria": [{}], "options": options}));
        found.as_array().unwrap().clone()
    };
    let sorted = read(json!({"sort": [{"n": -1}], "fields": ["n"]}));
    assert_eq!(
        Value::from(sorted),
        json!([{"_id": "a", "n": 3}, {"_id": "c", "n": 2}, {"_id": "b", "n": 1}])
    );
    assert_eq!(read(json!({"sort": [{"n": 1}], "skip": 1, "limit": 1}))[0]["_id"], "c");
    assert_eq!(read(json!({"limit": 0})).len(), 0);
    for wrong in [
        json!({"limit": -1}),
        json!({"sort": "n"}),
        json!({"fields": "n"}),
        json!({"time_budget_ms": 0}),
    ] {
        server.refusal(400, &json!({"method": {"cmd": "crudget"}, "options": wrong}));
    }
}

#[test]
fn sort_counts_as_it_stands() {
    let server = Server::start();
    server.put(
        "",
        json!([
            {"_id": "a", "status": "up", "cpu": 1},
            {"_id": "b", "status": "down", "cpu": 2},
            {"_id": "c", "status": "up", "cpu": 3},
        ]),
    );
    let order = |sort: &str| {
        let body = format!(
            r#"{{"method":{{"cmd":"crudget"}},"criteria":[{{}}],"options":{{"sort":{sort}}}}}"#
        );
        let found = server.request("POST", "/command", &[], body.as_bytes()).json();
        let found = found["data"].as_array().unwrap().clone();
        found.iter().map(|document| document["_id"].as_str().unwrap()).collect::<String>()
    };
    for sort in
        [r#"{"status":1,"cpu":-1}"#, r#"[{"status":1,"cpu":-1}]"#, r#"[{"status":1},{"cpu":-1}]"#]
    {
        assert_eq!(order(sort), "bca", "{sort}");
    }
    assert_eq!(order(r#"{"cpu":-1,"status":1}"#), "cba");
    assert_eq!(order("{}"), "abc");
}

#[test]
fn operators_are_never_data_by_accident() {
    let server = Server::start();
    let tosca = json!({"_id": "t", "$get_input": "x", "p": {"size": {"$get_input": "size"}}});
    server.put("", json!([tosca, {"_id": "u", "n": 1}]));
    for (fields, key) in [
        (json!({"$set": {"n": 9}}), "'$set'"),
        (json!([{"n": 2}, {"$unknown": 1}]), "'$unknown'"),
        (json!({"n": {"$inc": 1}}), "'$inc'"),
    ] {
        let message = server.refusal(400, &update(json!([{}]), fields));
        assert!(message.contains(key) && message.contains("set directly"), "{message}");
    }
    let message = server.refusal(400, &crud("crudput", json!([{"_id": "u", "$set": {"n": 9}}])));
    assert!(message.contains("document 0: '$set'"), "{message}");
    for cmd in ["crudget", "cruddelete", "query"] {
        for criteria in [
            json!([{"n": {"$nin": [{"$regex": "^1"}]}}]),
            json!([{"n": {"$ne": {"$gt": 1}}}]),
            json!([{"p": {"size": {"$gt": 1}}}]),
            json!([{"$set": {"n": 1}}]),
        ] {
            server.refusal(400, &crud(cmd, criteria));
        }
    }
    assert!(server.refusal(501, &crud("crudget", json!([{"$text": {}}]))).contains("$text"));
    // Nothing was changed, and what holds such keys is found, replaced and removed.
    assert_eq!(server.find("", json!([{"p.size.$get_input": "size"}])), json!([tosca]));
    assert_eq!(
        server.find("", json!([{"p": {"$eq": {"size": {"$get_input": "size"}}}}])),
        json!([tosca])
    );
    let deep = json!({"p": {"size": {"unit": {"$get_input": "unit"}}}});
    assert_eq!(
        server.data(&update(json!([{"_id": "t"}]), deep)),
        json!("SUCCESS! 1 document(s) updated")
    );
    server.put("", json!([tosca]));
    assert_eq!(
        server.data(&crud("cruddelete", json!([{"_id": "t"}]))),
        json!("SUCCESS! 1 document(s) deleted")
    );
    assert_eq!(server.find("", json!([])), json!([{"_id": "u", "n": 1}]));
}

#[test]
fn all_is_said_in_words_that_clients_know() {
    let server = Server::start();
    let fill = || server.put("", json!([{"_id": "a", "n": 1}, {"_id": "b", "n": 2}]));
    fill();
    for criteria in [json!({"_id": {"$gt": null}}), json!([{"_id": {"$gte": null}}])] {
        assert_eq!(server.find("", criteria).as_array().unwrap().len(), 2);
    }
    assert_eq!(server.find("", json!([{"n": {"$gt": null}}])), json!([]));
    for nothing in [json!(null), json!([])] {
        for request in
            [crud("cruddelete", nothing.clone()), update(nothing.clone(), json!({"n": 0}))]
        {
            let message = server.refusal(400, &request);
            assert!(message.contains("(absent, null or [])"), "{message}");
        }
    }
    for all in [json!({}), json!([{}]), json!({"_id": {"$gt": null}})] {
        fill();
        assert_eq!(
            server.data(&update(all.clone(), json!({"n": 0}))),
            json!("SUCCESS! 2 document(s) updated")
        );
        let mut part = crud("cruddelete", all.clone());
        part["options"] = json!({"limit": 1, "fields": ["n"]});
        assert_eq!(server.data(&part), json!("SUCCESS! 1 document(s) deleted"));
        assert_eq!(server.find("", json!([])), json!([{"_id": "b", "n": 0}]));
        assert_eq!(server.data(&crud("cruddelete", all)), json!("SUCCESS! 1 document(s) deleted"));
    }
}

#[test]
fn the_envelope_is_read_as_clients_send_it() {
    let server = Server::start();
    let padded = r#"{"Method":{"argcnt":2,"CMD":"CrudPut"},"args":["dummy1","dummy2"],"file":"","dsType":"",
        "criteria":[{"_id":"p"}],"UpdateData":[{}],"graph_traversal":[{}],"sqlselect":"dummy","options":null}"#;
    assert_eq!(server.request("POST", "/command", &[], padded.as_bytes()).status, 200);
    let found = server.request(
        "POST",
        "/command/",
        &[],
        br#"{"method":{"cmd":"CRUDGET"},"Criteria":{"_id":"p"}}"#,
    );
    assert_eq!(found.json(), json!({"status": 200, "data": [{"_id": "p"}]}));
    let help = server.data(&json!({"method": {"cmd": "help"}}));
    for command in [
        "crudput",
        "crudget",
        "crudupdate",
        "cruddelete",
        "query",
        "sqldml",
        "post",
        "get",
        "connect",
        "contri",
        "benchmark",
        "help",
    ] {
        assert!(
            help.as_array()
                .unwrap()
                .iter()
                .any(|line| line.as_str().unwrap().starts_with(&format!("{command}: ")))
        );
    }
}

#[test]
fn each_wrong_envelope_is_told_what_is_wrong() {
    let server = Server::start();
    let refused = |body: &[u8]| server.request("POST", "/command", &[], body).refusal(400);
    for (body, expected) in [
        (&b""[..], "has no body"),
        (b"   ", "has no body"),
        (b"cmd=crudget", "not JSON: expected value at line 1 column 1"),
        (b"{\n  \"method\": {\"cmd\": crudget}}", "line 2 column 21"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[1,2]", "must be a JSON object"),
        (b"\"help\"", "must be a JSON object"),
        (
            b"{}",
            "'method' is missing. Send a JSON object such as {\"method\":{\"cmd\":\"crudget\"}",
        ),
        (br#"{"cmd":"crudget"}"#, "'method' is missing"),
        (br#"{"method":"crudget"}"#, "'method' must be an object"),
        (br#"{"method":{}}"#, "names no command"),
        (br#"{"method":{"cmd":["crudget"]}}"#, "'method.cmd' must be a string"),
        (
            br#"{"method":{"cmd":"crudget"},"dstype":{"name":"kbdata"}}"#,
            "'dstype' must be a string",
        ),
        (br#"{"method":{"cmd":"crudget"},"criteria":"all"}"#, "criteria"),
        (br#"{"method":{"cmd":"crudget"},"criteria":[1]}"#, "criteria"),
        (br#"{"method":{"cmd":"crudget"},"options":7}"#, "options"),
        (br#"{"method":{"cmd":"crudput"}}"#, "no documents"),
        (br#"{"method":{"cmd":"crudput"},"criteria":[]}"#, "no documents"),
        (
            br#"{"method":{"cmd":"crudput"},"criteria":"x"}"#,
            "must be an array of objects or one object",
        ),
        (
            br#"{"method":{"cmd":"crudupdate"},"criteria":[{}],"UpdateData":"x"}"#,
            "must be an array of objects or one object",
        ),
        (
            br#"{"method":{"cmd":"crudupdate"},"criteria":[{}],"UpdateData":[1]}"#,
            "'UpdateData[0]' must be an object",
        ),
        (br#"{"method":{"cmd":"crudupdate"},"criteria":[{}]}"#, "UpdateData"),
        (br#"{"method":{"cmd":"crudupdate"},"criteria":[{}],"UpdateData":[{}]}"#, "UpdateData"),
    ] {
        let message = refused(body);
        assert!(message.contains(expected), "{}: {message}", String::from_utf8_lossy(body));
    }
    let unknown = refused(br#"{"method":{"cmd":"x"}}"#);
    assert_eq!(unknown, "Unknown command 'x'. Use help for the list of available commands.");
}

#[test]
fn commands_that_are_not_built_say_so() {
    let server = Server::start();
    let command = "Benchmark";
    let message = server.refusal(501, &json!({"method": {"cmd": command}, "args": [], "file": ""}));
    assert!(message.contains(command), "{message}");
    for options in [json!({"strategy": "REMOTE_ONLY"}), json!({"quorum_n": 2})] {
        server.refusal(
            501,
            &json!({"method": {"cmd": "query"}, "criteria": [{}], "options": options}),
        );
    }
    let strategy =
        json!({"method": {"cmd": "query"}, "criteria": [{}], "options": {"strategy": "NOWHERE"}});
    assert!(server.refusal(400, &strategy).contains("LOCAL_ONLY"));
}

#[test]
fn a_document_needs_a_proper_id() {
    let server = Server::start();
    for (document, expected) in [
        (json!({"name": "x"}), "_id is missing"),
        (json!({"_id": 7}), "_id must be a string, not a number"),
        (json!({"_id": null}), "_id must be a string, not null"),
        (json!({"_id": ""}), "_id is empty"),
        (json!({"_id": "x".repeat(10 * 1024)}), "_id has 10240 bytes"),
        (json!({"_id": "a\0b"}), "NUL"),
        (json!("text"), "not a string"),
        (json!(["nested"]), "not an array"),
    ] {
        let message = server.refusal(400, &crud("crudput", json!([{"_id": "good"}, document])));
        assert!(message.contains(expected) && message.contains("document 1"), "{message}");
    }
    assert_eq!(server.find("", json!([])), json!([]), "all or none");
}

#[test]
fn of_one_id_twice_the_last_wins_and_ids_can_come_back() {
    let server = Server::start();
    server.put("", json!([{"_id": "a", "n": 1}, {"_id": "b"}, {"_id": "a", "n": 2}]));
    assert_eq!(server.find("", json!([{"_id": "a"}])), json!([{"_id": "a", "n": 2}]));
    server.put("", json!([{"_id": "a", "other": true}]));
    assert_eq!(
        server.find("", json!([{"_id": "a"}])),
        json!([{"_id": "a", "other": true}]),
        "replaced, not merged"
    );
    for round in 0..3 {
        server.data(&crud("cruddelete", json!([{"_id": "a"}])));
        assert_eq!(server.find("", json!([{"_id": "a"}])), json!([]));
        server.put("", json!([{"_id": "a", "round": round}]));
        assert_eq!(server.find("", json!([{"_id": "a"}])), json!([{"_id": "a", "round": round}]));
    }
}

#[test]
fn all_is_meant_only_when_it_is_said() {
    let server = Server::start();
    server.put("", json!([{"_id": "a"}, {"_id": "b"}]));
    for nothing in [json!([]), json!(null)] {
        let message = server.refusal(400, &crud("cruddelete", nothing.clone()));
        assert!(message.contains("[{}]"), "{message}");
        let message = server.refusal(400, &update(nothing, json!([{"x": 1}])));
        assert!(message.contains("[{}]"), "{message}");
    }
    assert!(server.refusal(400, &json!({"method": {"cmd": "cruddelete"}})).contains("[{}]"));
    assert_eq!(server.find("", json!([])).as_array().unwrap().len(), 2);
    assert_eq!(
        server.data(&update(json!([{}]), json!([{"x": 1}]))),
        json!("SUCCESS! 2 document(s) updated")
    );
    assert_eq!(
        server.data(&crud("cruddelete", json!({}))),
        json!("SUCCESS! 2 document(s) deleted")
    );
}

#[test]
fn an_id_cannot_be_changed() {
    let server = Server::start();
    server.put("", json!([{"_id": "a"}]));
    assert!(
        server
            .refusal(400, &update(json!([{"_id": "a"}]), json!([{"_id": "b", "n": 1}])))
            .contains("_id")
    );
    assert_eq!(server.find("", json!([])), json!([{"_id": "a"}]));
}

#[test]
fn values_come_back_as_they_went_in() {
    let server = Server::start();
    let document = json!({
        "_id": "values", "max": u64::MAX, "min": i64::MIN, "beyond": 9_007_199_254_740_993_i64, "third": 0.333_333_333_333_333_3,
        "tiny": 5e-324, "huge": 1.797_693_134_862_315_7e308, "negative": -0.5, "yes": true, "nothing": null,
        "empty": {"": "", "list": [], "map": {}}, "text": "\u{0} \" \\ / \u{8}\u{c}\n\r\t \u{7f} ü 日本 🦀 \u{2028}\u{feff}",
        "deep": [[[[{"a": [{"b": [1, "2", null]}]}]]]], "dotted.key": {"$ref": "kept"},
    });
    server.put("", json!([document]));
    let found = server.find("", json!([{"_id": "values"}]));
    assert_eq!(found[0]["empty"], document["empty"]);
    assert_eq!(found, json!([document]));

    let body = br#"{"method":{"cmd":"crudput"},"criteria":[{"_id":"f","a":1.0,"b":-0.0,"c":1e2,"d":"\ud83e\udd80"}]}"#;
    assert_eq!(server.request("POST", "/command", &[], body).status, 200);
    let text = server.request(
        "POST",
        "/command",
        &[],
        br#"{"method":{"cmd":"crudget"},"criteria":{"_id":"f"}}"#,
    );
    let found = text.json()["data"][0].take();
    assert_eq!(
        found,
        json!({"_id": "f", "a": 1, "b": 0, "c": 100, "d": "🦀"}),
        "integral floats become integers"
    );
}

#[test]
fn values_that_no_replica_could_hold_are_refused() {
    let server = Server::start();
    let put = |document: &str| {
        let body = format!(r#"{{"method":{{"cmd":"crudput"}},"criteria":[{document}]}}"#);
        server.request("POST", "/command", &[], body.as_bytes()).refusal(400)
    };
    assert!(put(r#"{"_id":"a","__proto__":{"x":1}}"#).contains("__proto__"));
    assert!(put(r#"{"_id":"a","in":[{"__proto__":1}]}"#).contains("__proto__"));
    for no_json in [
        r#"{"_id":"a","n":NaN}"#,
        r#"{"_id":"a","n":Infinity}"#,
        r#"{"_id":"a","n":01}"#,
        r#"{"_id":"a",}"#,
    ] {
        assert!(put(no_json).contains("not JSON"), "{no_json}");
    }
    assert!(put(r#"{"_id":"a","n":1e999}"#).contains("number out of range"));
    assert!(put(r#"{"_id":"a","s":"\ud800"}"#).contains("not JSON"), "a lone surrogate");
    assert!(put("{\"_id\":\"a\",\"s\":\"\0\"}").contains("control character"), "a bare NUL");
    // Its text is a text like any other.
    server.put("", json!([{"_id": "a", "n": "NaN", "s": "__proto__"}]));
    assert_eq!(server.find("", json!([])).as_array().unwrap().len(), 1);
}

#[test]
fn criteria_are_checked_by_name() {
    let server = Server::start();
    server.put(
        "",
        json!([{"_id": "a", "list": [1, 2], "map": {"x": 1, "y": {"z": 2}}, "s": "Server-1"}]),
    );
    for (criteria, found) in [
        (json!([{"list": [1, 2]}]), 1),
        (json!([{"list": [2, 1]}]), 0),
        (json!([{"list": 2}]), 1),
        (json!([{"map": {"y": {"z": 2}, "x": 1}}]), 1),
        (json!([{"map": {"x": 1}}]), 0),
        (json!([{"map.y.z": 2}]), 1),
        (json!([{"s": {"$regex": "^server-\\d$"}}]), 0),
        (json!([{"s": {"$regex": "(?i)^server-\\d$"}}]), 1),
        (json!([{"none": 1}, {"list.0": 1}]), 1),
    ] {
        assert_eq!(
            server.find("", criteria.clone()).as_array().unwrap().len(),
            found,
            "{criteria}"
        );
    }
    for (criteria, expected) in [
        (json!([{"s": {"$near": 1}}]), "$near"),
        (json!([{"$where": "1"}]), "$where"),
        (json!([{"s": {"$regex": 7}}]), "$regex"),
        (json!([{"s": {"$regex": "a("}}]), "$regex"),
        (json!([{"s": {"$regex": "(?=a)"}}]), "$regex"),
        (json!([{"s": {"$in": 1}}]), "$in"),
        (json!([{"s": {"$between": [1]}}]), "$between"),
        (json!([{"s": {"$gt": 1, "plain": 2}}]), "plain"),
    ] {
        for cmd in ["crudget", "query", "cruddelete"] {
            let message = server.refusal(400, &crud(cmd, criteria.clone()));
            assert!(message.contains(expected), "{criteria}: {message}");
        }
        server.refusal(400, &update(criteria, json!([{"x": 1}])));
    }
    assert_eq!(server.find("", json!([])).as_array().unwrap().len(), 1);
}
