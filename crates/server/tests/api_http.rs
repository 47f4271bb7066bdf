//! The API as HTTP: paths, methods, CORS, the token, and requests that are none.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use support::Server;
use support::client::Answer;

#[test]
fn paths_answer_within_their_context_with_or_without_a_slash() {
    let server = Server::start();
    for path in [
        "/id",
        "/id/",
        "/stores/",
        "/peers",
        "/ems/",
        "/healthz",
        "/readyz/",
        "/metrics",
        "/openapi.json",
    ] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(server.connect().request("GET", probe, &[], b"").status, 200);
    }
    for unknown in ["/swarmkb/x", "/id", "/swarmkb/id/x", "/swarmkb//id", "/metrics"] {
        let answer = server.connect().request("GET", unknown, &[], b"");
        assert!(answer.refusal(404).contains("/swarmkb/openapi.json"), "{unknown}");
    }
}

#[test]
fn whoever_comes_first_is_told_where_to_go() {
    let server = Server::start();
    let get =
        |path: &str, headers: &[(&str, &str)]| server.connect().request("GET", path, headers, b"");
    for (path, stores) in
        [("/", "swarmkb/stores"), ("/swarmkb", "swarmkb/stores"), ("/swarmkb/", "stores")]
    {
        let welcome = get(path, &[]).json()["data"].take();
        assert_eq!(
            (&welcome["name"], &welcome["context"]),
            (&json!("OptimusDB"), &json!("/swarmkb"))
        );
        assert_eq!(welcome["version"], server.get("/id").json()["data"]["version"]);
        assert_eq!(
            welcome["example"],
            r#"curl http://localhost/swarmkb/command -d '{"method":{"cmd":"help"}}'"#
        );
        let links = welcome["links"].as_array().unwrap();
        let link = links.iter().find(|link| link["path"] == stores).unwrap();
        assert_eq!((&link["method"], &link["does"]), (&json!("GET"), &json!("The stores")));

        let page = get(path, &[("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]);
        assert!(page.header("content-type").unwrap().starts_with("text/html"));
        assert!(page.text().contains(&format!("<a href=\"{stores}\">")), "{}", page.text());
    }
    // The same list as in the description, each path served.
    let description = server.get("/openapi.json").json();
    let paths = description["paths"].as_object().unwrap().len();
    let links = get("/swarmkb/", &[]).json()["data"]["links"].take();
    let listed: BTreeSet<&str> =
        links.as_array().unwrap().iter().map(|link| link["path"].as_str().unwrap()).collect();
    assert_eq!(listed.len(), paths);
    assert_eq!(server.request("PUT", "/pins/bafkqaaa", &[], b"").status, 200);
    for link in links.as_array().unwrap() {
        let (method, path) = (link["method"].as_str().unwrap(), link["path"].as_str().unwrap());
        let path = path.replace("{name}", "dsswres").replace("{cid}", "bafkqaaa");
        let status = get(&format!("/swarmkb/{}", path.replace("/{path}", "")), &[]).status;
        assert!(method != "GET" || [200, 400, 501].contains(&status), "{path}: {status}");
    }
}

#[test]
fn answers_end_with_a_newline() {
    let server = Server::start();
    for path in [
        "",
        "/",
        "/id",
        "/stores",
        "/peers",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/log",
        "/x",
    ] {
        let answer = server.get(path);
        assert!(answer.text().ends_with('\n') && !answer.text().ends_with("\n\n"), "{path}");
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
        // Figures differ from one moment to the next.
        if path != "/metrics" {
            let head = server.request("HEAD", path, &[], b"");
            assert_eq!(head.header("content-length"), answer.header("content-length"), "{path}");
        }
    }
    for command in [
        json!({"method": {"cmd": "crudput"}, "criteria": [{"_id": "a"}]}),
        json!({"method": {"cmd": "crudget"}}),
        json!({"method": {"cmd": "crudget"}, "criteria": [{"_id": "b"}]}),
        json!({"method": {"cmd": "query"}, "criteria": [{"_id": "b"}]}),
        json!({"method": {"cmd": "help"}}),
        json!({"method": {"cmd": "what"}}),
    ] {
        let answer = server.request("POST", "/command", &[], command.to_string().as_bytes());
        assert!(answer.text().ends_with("}\n"), "{command}: {}", answer.text());
    }
}

#[test]
fn another_context_may_be_chosen() {
    let server = Server::start_with(&["-swarmkb=other.ctx"]);
    let status = |path| server.connect().request("GET", path, &[], b"").status;
    assert_eq!(
        (status("/other.ctx/id"), status("/swarmkb/id"), status("/healthz")),
        (200, 404, 200)
    );
}

#[test]
fn wrong_methods_are_told_the_right_ones() {
    let server = Server::start();
    for (method, path, allowed) in [
        ("GET", "/command", "POST"),
        ("PUT", "/command/", "POST"),
        ("DELETE", "/upload", "POST"),
        ("POST", "/stores", "GET,HEAD"),
        ("GET", "/stores/x", "PUT"),
        ("PUT", "/log", "GET,HEAD,POST"),
        ("BREW", "/id", "GET,HEAD"),
    ] {
        let answer = server.request(method, path, &[], b"");
        assert!(answer.refusal(405).contains(method));
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
}

#[test]
fn the_description_has_the_methods_that_are_served() {
    let server = Server::start();
    let description = server.get("/openapi.json").json();
    for (path, operations) in description["paths"].as_object().unwrap() {
        let answer = server.request("TRACE", &path.replace("{name}", "some"), &[], b"");
        let served: BTreeSet<String> =
            answer.header("allow").unwrap().split(',').map(str::to_lowercase).collect();
        let mut described: BTreeSet<String> =
            operations.as_object().unwrap().keys().cloned().collect();
        described.remove("parameters");
        if described.contains("get") {
            described.insert("head".into());
        }
        assert_eq!(served, described, "{path}");
    }
}

/// What an answer says of who may read it.
fn readers(answer: &Answer) -> [Option<&str>; 2] {
    ["access-control-allow-origin", "vary"].map(|name| answer.header(name))
}

#[test]
fn pages_of_this_machine_may_ask_and_others_not() {
    let server = Server::start();
    let put = br#"{"method":{"cmd":"crudput"},"criteria":[{"_id":"a"}]}"#;
    let own = [("Origin", "http://localhost:3000"), ("Access-Control-Request-Method", "POST")];
    let asked = [
        server.request("OPTIONS", "/command", &own, b""),
        server.request("OPTIONS", "/nowhere", &own, b""),
        server.request("GET", "/id", &own, b""),
        server.request("GET", "/log", &own, b""),
        server.request("POST", "/command", &own, put),
    ];
    for answer in &asked {
        assert_eq!(readers(answer), [Some("http://localhost:3000"), Some("Origin")]);
        assert_eq!(answer.header("access-control-allow-methods"), Some("*"));
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert_eq!(headers, "Content-Type, Authorization, X-Causal-Token");
    }
    assert_eq!(asked.map(|answer| answer.status), [200, 200, 200, 400, 200]);
    assert_eq!(readers(&server.get("/id")), [None, Some("Origin")]);

    // What needs no preflight is refused, too, and changes nothing.
    let text = ("Content-Type", "text/plain");
    for headers in [
        &[("Origin", "http://page.test"), text][..],
        &[("Origin", "null"), text],
        &[("Sec-Fetch-Site", "cross-site"), text],
    ] {
        let delete = br#"{"method":{"cmd":"cruddelete"},"criteria":[{}]}"#;
        let refused = server.request("POST", "/command", headers, delete);
        assert!(refused.refusal(403).contains("-cors-origins"), "{headers:?}");
        assert_eq!(readers(&refused)[0], None);
    }
    let page = [("Origin", "http://page.test")];
    server.request("GET", "/command", &page, b"").refusal(403);
    server.request("OPTIONS", "/command", &page, b"").refusal(403);
    let get = br#"{"method":{"cmd":"crudget"},"criteria":[{"_id":"a"}]}"#;
    assert!(server.request("POST", "/command", &[], get).text().contains("\"_id\":\"a\""));
}

#[test]
fn names_that_lead_here_for_a_page_are_refused() {
    let asked = |server: &Server, host: &str, more: &str| {
        let mut client = server.connect();
        let head = format!("GET /swarmkb/stores HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
        client.send(head.as_bytes());
        client.answer(false).unwrap().status
    };
    let browser = "Sec-Fetch-Mode: navigate\r\n";
    let server = Server::start_with(&["-http-hosts=node.example"]);
    for (host, status) in [
        ("localhost:8089", 200),
        ("127.0.0.1", 200),
        ("node.example:80", 200),
        ("rebound.example", 421),
        ("node2", 421),
    ] {
        assert_eq!(asked(&server, host, ""), status, "{host}");
        assert_eq!(asked(&server, host, browser), status, "{host}");
    }
    let reached = Server::start_with(&["-http-host=0.0.0.0"]);
    assert_eq!(asked(&reached, "rebound.example", ""), 200);
    assert_eq!(asked(&reached, "rebound.example", browser), 421);
    assert_eq!(asked(&reached, "node2:8089", browser), 200);
    let token = Server::start_with(&["-api-token=s3cret"]);
    assert_eq!(asked(&token, "rebound.example", "Authorization: Bearer s3cret\r\n"), 200);
    let page = [("Origin", "http://page.test")];
    assert_eq!(readers(&token.request("GET", "/id", &page, b"")), [Some("*"), None]);
    let listed = Server::start_with(&["-cors-origins=http://page.test"]);
    assert_eq!(listed.request("GET", "/id", &page, b"").status, 200);
    listed.request("GET", "/id", &[("Origin", "http://localhost:3000")], b"").refusal(403);
}

#[test]
fn the_token_opens_all_and_probes_need_none() {
    let server = Server::start_with(&["-api-token=s3cret"]);
    let status = |path: &str, authorization: &str| {
        let headers: &[(&str, &str)] =
            if authorization.is_empty() { &[] } else { &[("Authorization", authorization)] };
        server.request("GET", path, headers, b"").status
    };
    for path in ["/id", "/stores", "/metrics", "/openapi.json", "/nowhere", "/command"] {
        let answer = server.get(path);
        assert!(answer.refusal(401).contains("Bearer"), "{path}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    assert_eq!((status("/healthz", ""), status("/readyz", "")), (200, 200));
    assert_eq!(server.request("OPTIONS", "/id", &[], b"").status, 200);
    assert_eq!((status("/id", "Bearer s3cret"), status("/id", "bearer s3cret")), (200, 200));
    assert_eq!(
        (status("/id", "Bearer s3cre"), status("/id", "Basic s3cret"), status("/id", "Bearer")),
        (401, 401, 401)
    );
    assert!(!server.get("/id").text().contains("s3cret"));
}

#[test]
fn content_types_do_not_matter_to_commands() {
    let server = Server::start();
    let body = br#"{"method":{"cmd":"help"}}"#;
    for headers in [
        &[][..],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[("Content-Type", "text/plain; charset=latin1")],
        &[("Content-Type", "multipart/form-data")],
    ] {
        assert_eq!(server.request("POST", "/command", headers, body).status, 200);
    }
}

#[test]
fn one_connection_carries_many_requests() {
    let server = Server::start();
    let mut client = server.connect();
    for round in 0..100 {
        let path = if round % 3 == 0 { "/swarmkb/nowhere" } else { "/swarmkb/healthz" };
        assert_eq!(
            client.request("GET", path, &[], b"").status,
            if round % 3 == 0 { 404 } else { 200 }
        );
    }
    let head = client.request("HEAD", "/swarmkb/id", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(client.request("GET", "/swarmkb/id", &[], b"").status, 200);
}

#[test]
fn what_is_no_request_ends_nothing_but_its_connection() {
    let server = Server::start();
    let mut bystander = server.connect();
    let long_line = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(100_000));
    let many_headers = format!("GET /swarmkb/id HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000));
    for nonsense in [
        "nonsense\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET /swarmkb/id HTTP/9.9\r\n\r\n",
        "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
        "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01",
        &long_line,
        &many_headers,
    ] {
        let mut client = server.connect();
        client.send(nonsense.as_bytes());
        client.send(b"\r\n\r\n");
        if let Some(answer) = client.answer(false) {
            assert!((400..500).contains(&answer.status), "{nonsense:.40}: {}", answer.status);
        }
        assert_eq!(bystander.request("GET", "/swarmkb/healthz", &[], b"").status, 200);
    }
}

#[test]
fn clients_that_hang_up_or_dawdle_hold_nobody_up() {
    let server = Server::start();
    let started = std::time::Instant::now();
    let mut dawdlers = Vec::new();
    for part in [
        "POST /swarmkb/com",
        "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\n",
        "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{\"method\":",
        "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"met",
    ] {
        for stays in 0..20 {
            let mut client = server.connect();
            client.send(part.as_bytes());
            if stays < 10 {
                dawdlers.push(client);
            }
        }
    }
    assert_eq!(server.data(&json!({"method": {"cmd": "help"}})).as_array().map(Vec::len), Some(12));
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(dawdlers);
    assert_eq!(server.get("/id").status, 200);
}

#[test]
fn figures_are_counted_by_command_and_status() {
    let server = Server::start();
    server.data(&json!({"method": {"cmd": "Help"}}));
    server.refusal(400, &json!({"method": {"cmd": "nothing"}}));
    let answer = server.request("GET", "/metrics", &[], b"");
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    for expected in [
        "optimusdb_http_requests_total{endpoint=\"command\",command=\"help\",status=\"2xx\"} 1",
        "optimusdb_http_requests_total{endpoint=\"command\",command=\"unknown\",status=\"4xx\"} 1",
        "optimusdb_http_request_duration_seconds_count{endpoint=\"command\",command=\"help\"} 1",
        "optimusdb_http_requests_in_flight 1",
        "process_resident_memory_bytes ",
        "process_uptime_seconds ",
    ] {
        assert!(answer.text().contains(expected), "{expected} in {}", answer.text());
    }
    let scraped =
        server.request("GET", "/metrics", &[("Accept", "application/openmetrics-text")], b"");
    assert!(scraped.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(scraped.text().ends_with("# EOF\n"));
}

#[test]
fn a_node_says_who_it_is_and_whom_it_knows() {
    let server = Server::start_with(&["-region=north"]);
    let id = server.get("/id").json()["data"].take();
    for name in ["peer_id", "identity", "swarm", "version"] {
        assert!(id[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {id}");
    }
    assert_eq!(id["region"], "north");
    let addresses = id["addrs"].as_array().unwrap();
    let own = format!("/p2p/{}", id["peer_id"].as_str().unwrap());
    assert!(addresses.iter().all(|address| address.as_str().unwrap().ends_with(&own)), "{id}");
    assert_eq!(addresses.len(), 2, "TCP and QUIC on loopback: {id}");
    assert_eq!((server.get("/peers").text(), server.get("/ems").text()), ("[]\n", "[]\n"));
    assert_eq!(server.get("/healthz").json(), json!({"status": 200, "data": "ok"}));
    assert_eq!(server.get("/readyz").json()["data"]["ready"], Value::Bool(true));
    server.get("/benchmarks").refusal(501);

    let home = server.stop();
    let again = Server::start_in(home, &[]);
    assert_eq!(again.get("/id").json()["data"]["peer_id"], id["peer_id"]);
    assert_eq!(again.get("/id").json()["data"]["identity"], id["identity"]);
}

#[test]
fn the_log_is_read_by_the_hour() {
    let server = Server::start();
    for (query, expected) in [
        ("", "'date' is missing"),
        ("?date=2025-09-30", "'hour' is missing"),
        ("?hour=7", "'date' is missing"),
        ("?date=2025-02-30&hour=7", "is not a day as YYYY-MM-DD"),
        ("?date=30.09.2025&hour=7", "is not a day as YYYY-MM-DD"),
        ("?date=2025-09-30&hour=24", "'hour' must"),
        ("?date=2025-09-30&hour=x", "'hour' must"),
    ] {
        for method in ["GET", "POST"] {
            let refusal = server.request(method, &format!("/log{query}"), &[], b"").refusal(400);
            assert!(refusal.contains(expected), "{query}: {refusal}");
        }
    }
    assert_eq!(server.get("/log?date=2001-01-01&hour=00").text(), "[]\n");

    // What the node said when it started, in this hour or in the one that has just begun.
    let lines = wait_for_log(&server);
    let times: Vec<&str> = lines.iter().map(|line| line["timestamp"].as_str().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "newest first: {times:?}");
    for line in &lines {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["level", "message", "source", "timestamp"]);
    }
}

fn wait_for_log(server: &Server) -> Vec<Value> {
    let deadline = std::time::Instant::now() + support::PATIENCE;
    loop {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        for hours in [now / 3600, now / 3600 - 1] {
            let path = format!("/log?date={}&hour={:02}", day(hours / 24), hours % 24);
            let answer = server.request("POST", &path, &[], b"");
            assert_eq!(answer.status, 200, "{}", answer.text());
            let Value::Array(lines) = answer.json() else { panic!("a bare array") };
            if lines.iter().any(|line| line["message"].as_str().unwrap().contains("API on http://"))
            {
                return lines;
            }
        }
        assert!(std::time::Instant::now() < deadline, "the start is not in the log");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A day counted from 1970-01-01 as `YYYY-MM-DD`, by counting.
fn day(days: u64) -> String {
    let (mut year, mut left) = (1970, days);
    let leap = |year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while left >= if leap(year) { 366 } else { 365 } {
        left -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let months = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in months {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", left + 1)
}
