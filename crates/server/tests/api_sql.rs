//! SQL over HTTP: the shapes of answers, what replicates and what stays, and what is refused.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::Server;

/// How long two nodes may take to meet and to be level.
const PATIENCE: Duration = Duration::from_secs(60);

fn post(server: &Server, accept: &str, body: &Value) -> support::client::Answer {
    let headers = [("Content-Type", "application/json"), ("Accept", accept)];
    server.request("POST", "/sql", &headers, body.to_string().as_bytes())
}

/// The data of a statement's answer.
fn sql_with(server: &Server, sql: &str, params: Value) -> Value {
    let answer = post(server, "*/*", &json!({"sql": sql, "params": params}));
    let mut body = answer.json();
    assert_eq!(answer.status, 200, "{sql} → {body}");
    body["data"].take()
}

fn sql(server: &Server, statement: &str) -> Value {
    sql_with(server, statement, Value::Null)
}

fn refusal(server: &Server, statement: &str) -> String {
    post(server, "*/*", &json!({"sql": statement})).refusal(400)
}

fn sqldml(server: &Server, statement: &str) -> Value {
    server.data(&json!({"method": {"cmd": "sqldml"}, "sqldml": statement}))
}

#[test]
fn rows_come_in_the_shape_that_is_asked_for() {
    let server = Server::start();
    server.put("dsswres", json!([{"_id": "a", "cores": 4}, {"_id": "b", "cores": 16}]));
    let select = "SELECT _id, doc ->> '$.cores' AS cores FROM dsswres ORDER BY cores DESC;";
    assert_eq!(
        sql(&server, select),
        json!({
            "columns": [{"name": "_id", "type": "TEXT"}, {"name": "cores", "type": null}],
            "rows": [["b", 16], ["a", 4]],
            "affected": 0,
        })
    );
    assert_eq!(
        sqldml(&server, select),
        json!({"columns": ["_id", "cores"], "records": [{"_id": "b", "cores": 16}, {"_id": "a", "cores": 4}]})
    );
    assert_eq!(
        sqldml(&server, "SELECT 1 AS a, 2 AS a"),
        json!({"columns": ["a", "a:2"], "records": [{"a": 1, "a:2": 2}]})
    );
    assert_eq!(sqldml(&server, "SELECT 1 AS a WHERE 0"), json!({"columns": ["a"], "records": []}));

    let lines = post(&server, "application/x-ndjson", &json!({"sql": select}));
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(
        lines.text(),
        "{\"columns\":[{\"name\":\"_id\",\"type\":\"TEXT\"},{\"name\":\"cores\",\"type\":null}]}\n[\"b\",16]\n[\"a\",4]\n"
    );
    let csv = post(
        &server,
        "text/csv",
        &json!({"sql": "SELECT 1 AS a, NULL AS \"b,c\", '' AS d, 'x\"y' AS e"}),
    );
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(csv.text(), "a,\"b,c\",d,e\r\n1,,\"\",\"x\"\"y\"\r\n");

    let limited = post(&server, "*/*", &json!({"sql": select, "max_rows": 1})).json();
    assert_eq!(limited["data"]["rows"], json!([["b", 16]]));
    assert_eq!(limited["data"]["more"], json!(true));
}

#[test]
fn values_and_parameters_are_well_defined() {
    let server = Server::start();
    let data = sql_with(
        &server,
        "SELECT ?1, ?2, ?3, ?4, ?5, ?6, typeof(?6), 9e999, CAST(x'ff' AS TEXT)",
        json!([null, true, i64::MAX, 0.1, "é", {"base64": "AP8="}]),
    );
    assert_eq!(
        data["rows"],
        json!([[null, 1, i64::MAX, 0.1, "é", "AP8=", "blob", "Infinity", "\u{fffd}"]])
    );
    let named = sql_with(&server, "SELECT :a || @b", json!({"a": "x", "@b": {"k": 1}}));
    assert_eq!(named["rows"], json!([[r#"x{"k":1}"#]]));
    for (body, why) in [
        (json!({"sql": "SELECT ?", "params": []}), "1 parameters, and 0 were given"),
        (json!({"sql": "SELECT :a", "params": {"b": 1}}), "no parameter \"b\""),
        (json!({"sql": "SELECT ?", "params": [u64::MAX]}), "no integer of 64 bits"),
        (json!({"sql": "SELECT ?", "params": "x"}), "'params' must be an array"),
        (json!({"sql": ["SELECT 1"]}), "'sql' must be a text"),
        (json!({"sql": "SELECT 1", "max_rows": 0}), "'max_rows' must be"),
        (json!({"sql": "SELECT 1", "parameters": []}), "did you mean 'params'?"),
        (json!({}), "'sql' must be a text"),
    ] {
        let message = post(&server, "*/*", &body).refusal(400);
        assert!(message.contains(why), "{body} → {message}");
    }
}

#[test]
fn what_is_written_to_a_store_is_what_json_reads() {
    let server = Server::start();
    let inserted = sql_with(
        &server,
        "INSERT INTO dsswres (_id, doc) VALUES ('a', ?), ('b', ?) RETURNING _id",
        json!([{"cores": 4}, {"cores": 16, "tags": ["x"]}]),
    );
    assert_eq!(inserted["rows"], json!([["a"], ["b"]]));
    assert_eq!((&inserted["affected"], &inserted["replicated"]), (&json!(2), &json!(true)));
    assert_eq!(
        server.find("dsswres", json!([{"tags": "x"}])),
        json!([{"_id": "b", "cores": 16, "tags": ["x"]}])
    );
    assert!(
        refusal(&server, "INSERT INTO dsswres (_id, doc) VALUES ('c', '{}'), ('a', '{}')")
            .contains("UNIQUE")
    );
    assert_eq!(server.find("dsswres", json!([{"_id": "c"}])), json!([]), "all or none");
    let updated =
        sqldml(&server, "UPDATE dsswres SET doc = json_set(doc, '$.cores', doc ->> '$.cores' * 2)");
    assert_eq!(updated, json!("OK: SQL statement executed successfully"));
    assert_eq!(server.find("dsswres", json!([{"cores": 32}]))[0]["_id"], json!("b"));
    assert_eq!(sql(&server, "DELETE FROM dsswres WHERE _id = 'b'")["affected"], json!(1));
    assert_eq!(sql(&server, "SELECT _id FROM dsswres")["rows"], json!([["a"]]));
    assert!(
        refusal(
            &server,
            "INSERT INTO dsswres (_id, doc) VALUES ('a', '{}') ON CONFLICT DO NOTHING"
        )
        .contains("INSERT OR")
    );

    sql(&server, "INSERT INTO datacatalog (_id, name, tags) VALUES ('cat', 'By hand', '[\"x\"]')");
    assert_eq!(
        server.find("kbmetadata", json!([{"tags": "x"}])),
        json!([{"_id": "cat", "name": "By hand", "tags": ["x"]}])
    );
    sql(&server, "UPDATE datacatalog SET name = 'Written' WHERE _id = 'a'");
    assert_eq!(
        sql(&server, "SELECT name, associated_id FROM datacatalog WHERE _id = 'a'")["rows"],
        json!([["Written", "a"]])
    );
    sql(&server, "DELETE FROM datacatalog WHERE _id = 'a'");
    assert_eq!(
        sql(&server, "SELECT name FROM datacatalog WHERE _id = 'a'")["rows"],
        json!([[null]]),
        "derived again"
    );
    let derived = post(&server, "*/*", &json!({"sql": "DELETE FROM datacatalog WHERE _id = 'a'"}))
        .refusal(409);
    assert!(derived.contains("derived"), "{derived}");
}

#[test]
fn writers_of_one_document_lose_nothing() {
    let server = Server::start();
    sql(&server, "INSERT INTO kbdata (_id, doc) VALUES ('n', '{\"n\":0}')");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    sql(&server, "UPDATE kbdata SET doc = json_set(doc, '$.n', doc ->> '$.n' + 1)");
                }
            });
        }
    });
    assert_eq!(server.find("kbdata", json!([{}])), json!([{"_id": "n", "n": 40}]));
}

#[test]
fn users_tables_stay_here_and_survive_a_restart() {
    let server = Server::start();
    sql(&server, "CREATE TABLE prices (cores INTEGER PRIMARY KEY, euro REAL)");
    let written = sql(&server, "INSERT INTO prices VALUES (4, 0.5), (16, 1.5)");
    assert_eq!((&written["affected"], &written["replicated"]), (&json!(2), &json!(false)));
    sql(
        &server,
        "CREATE VIEW priced AS SELECT d._id, euro FROM dsswres d JOIN prices ON cores = d.doc ->> '$.cores'",
    );
    server.put("dsswres", json!([{"_id": "a", "cores": 4}]));
    let server = Server::start_in(server.stop(), &[]);
    assert_eq!(sql(&server, "SELECT * FROM priced")["rows"], json!([["a", 0.5]]));
    let tables = server.get("/sql/schema").json();
    let table = |name: &str| {
        tables["data"].as_array().unwrap().iter().find(|t| t["name"] == name).unwrap().clone()
    };
    assert_eq!(
        table("prices"),
        json!({"name": "prices", "kind": "local", "writable": true, "replicated": false, "columns": [
            {"name": "cores", "type": "INTEGER"}, {"name": "euro", "type": "REAL"}]})
    );
    assert_eq!(table("priced")["kind"], "view");
    assert_eq!(table("dsswres")["kind"], "store");
    assert_eq!(table("datacatalog")["columns"].as_array().unwrap().len(), 20);
    assert_eq!(table("validations")["replicated"], false);
}

#[test]
fn what_is_wrong_or_not_allowed_is_a_400_and_the_next_is_answered() {
    let server = Server::start();
    assert_eq!(refusal(&server, "SELEC 1"), "near \"SELEC\": syntax error (at offset 0)");
    for (statement, why) in [
        ("SELECT * FROM entries", "no such table"),
        ("SELECT * FROM sqlite_master", "no such table"),
        ("PRAGMA user_version", "PRAGMA"),
        ("ATTACH '/tmp/x' AS x", "ATTACH"),
        ("VACUUM INTO '/tmp/x'", "VACUUM"),
        ("SELECT load_extension('x')", "load_extension"),
        ("SELECT 1; SELECT 2", "more than one"),
        ("SELECT zeroblob(1000000000)", "too big"),
        ("CREATE TABLE dsswres (a)", "already"),
        ("DELETE FROM contributions", "because it is a view"),
        ("", "no statement"),
    ] {
        let message = refusal(&server, statement);
        assert!(message.contains(why), "{statement} → {message}");
    }
    let endless =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
    post(&server, "*/*", &json!({"sql": endless, "time_budget_ms": 100})).refusal(504);
    assert_eq!(sql(&server, "SELECT 1")["rows"], json!([[1]]));
    let message = server.refusal(400, &json!({"method": {"cmd": "sqldml"}}));
    assert!(message.contains("sqldml got no statement"), "{message}");
}

#[test]
fn many_rows_are_streamed() {
    let server = Server::start();
    let rows = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 200000) SELECT x, 'row ' || x FROM c";
    let data = sql(&server, rows);
    assert_eq!(data["rows"].as_array().unwrap().len(), 200_000);
    assert_eq!(data["rows"][199_999], json!([200_000, "row 200000"]));
    assert_eq!(post(&server, "text/csv", &json!({"sql": rows})).text().lines().count(), 200_001);
}

#[test]
fn what_one_node_inserts_another_selects() {
    let first = Server::start();
    let id = first.get("/id").json();
    let second =
        Server::start_with(&[&format!("-bootstrap={}", id["data"]["addrs"][0].as_str().unwrap())]);
    let seen = |server: &Server, statement: &str, rows: Value| {
        let begun = Instant::now();
        while sql(server, statement)["rows"] != rows {
            assert!(begun.elapsed() < PATIENCE, "{}", sql(server, statement));
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    seen(&first, "SELECT count(*) FROM peers", json!([[1]]));
    sql(&first, "INSERT INTO dsswres (_id, doc) VALUES ('a', '{\"n\":1}'), ('b', '{\"n\":2}')");
    sql(&second, "INSERT INTO datacatalog (_id, name) VALUES ('c', 'by hand')");
    seen(
        &second,
        "SELECT _id, doc ->> '$.n' FROM dsswres ORDER BY _id",
        json!([["a", 1], ["b", 2]]),
    );
    seen(&first, "SELECT name FROM datacatalog WHERE _id = 'c'", json!([["by hand"]]));
    sql(&second, "UPDATE dsswres SET doc = json_set(doc, '$.n', 7) WHERE _id = 'a'");
    sql(&first, "DELETE FROM dsswres WHERE _id = 'b'");
    for server in [&first, &second] {
        seen(server, "SELECT _id, doc ->> '$.n' FROM dsswres", json!([["a", 7]]));
    }
}

/// What has no row here is asked of a peer, unless it is about what is this node's own or is to stay here.
#[test]
fn what_is_not_here_is_asked_of_a_peer() {
    let first = Server::start();
    let id = first.get("/id").json();
    // Both make a store of one name while they do not know each other: these are two stores.
    sql(&first, "CREATE TABLE mine (a)");
    sql(&first, "INSERT INTO mine VALUES (1)");
    let make = |server: &Server, kind: &str| {
        let body = json!({ "type": kind }).to_string();
        let made = server.request("PUT", "/stores/notes", &[], body.as_bytes());
        assert_eq!(made.status, 200, "{}", made.json());
    };
    make(&first, "documents");
    sql(&first, "INSERT INTO notes (_id, doc) VALUES ('a', '{\"n\":1}'), ('b', '{\"n\":null}')");
    let second = Server::start();
    make(&second, "keyvalue");
    sql(&second, "CREATE TABLE mine (a)");
    let address = &id["data"]["addrs"][0];
    second.data(&json!({"method": {"cmd": "connect"}, "args": [address]}));
    let select = "SELECT _id, doc ->> '$.n' AS n FROM notes WHERE _id <> ?1 ORDER BY _id DESC";
    let ask = |options: Value| {
        post(&second, "*/*", &json!({"sql": select, "params": ["x"], "options": options})).json()
    };
    let begun = Instant::now();
    let mut answer = ask(json!({"peers": true}));
    while answer["source"] == Value::Null {
        assert!(begun.elapsed() < PATIENCE, "{answer}");
        std::thread::sleep(Duration::from_millis(50));
        answer = ask(json!({"peers": true}));
    }
    assert_eq!(answer["source"], id["data"]["peer_id"]);
    assert_eq!(answer["data"]["rows"], json!([["b", null], ["a", 1]]));
    let peer = id["data"]["peer_id"].as_str().unwrap();
    let lines = post(
        &second,
        "application/x-ndjson",
        &json!({"sql": "SELECT _id FROM notes", "max_rows": 1, "options": {"peers": true}}),
    );
    let last = format!("[\"a\"]\n{{\"more\":true,\"source\":\"{peer}\"}}\n");
    assert!(lines.text().ends_with(&last), "{}", lines.text());
    let command = json!({"method": {"cmd": "sqldml"}, "sqldml": "SELECT _id FROM notes LIMIT 1",
        "options": {"peers": true}});
    let (_, records) = second.command(&command);
    assert_eq!(records["data"]["records"], json!([{"_id": "a"}]));
    assert_eq!(records["source"], peer);

    let nobody = |answer: Value| {
        assert_eq!((&answer["data"]["rows"], &answer["source"]), (&json!([]), &Value::Null));
    };
    nobody(ask(json!({"peers": false})));
    for statement in [
        "SELECT a FROM mine",
        "SELECT type FROM stores WHERE name = 'no'",
        "SELECT 1 FROM notes, mine",
    ] {
        let asked = json!({"sql": statement, "options": {"peers": true}});
        nobody(post(&second, "*/*", &asked).json());
    }
    // A node that lacks nothing that it knows of answers by itself, and so sees what it deleted itself.
    nobody(ask(json!({})));
    // Nothing of it is kept, and nothing is written there.
    nobody(ask(json!({"peers": false})));
    assert_eq!(sql(&second, "DELETE FROM notes RETURNING _id")["affected"], 0);
    assert_eq!(sql(&first, "SELECT count(*) FROM notes")["rows"], json!([[2]]));
    for (options, why) in [
        (json!({"peer": 1}), "did you mean 'peers'?"),
        (json!({"peers": 1}), "true or false"),
        (json!([]), "an object"),
    ] {
        let refused =
            post(&second, "*/*", &json!({"sql": "SELECT 1", "options": options})).refusal(400);
        assert!(refused.contains(why), "{refused}");
    }
}
