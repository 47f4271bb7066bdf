//! Answers that come before the body was read, and requests that are refused before their path is looked at.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use support::Server;
use support::client::{Answer, Client};

const MB: usize = 1_000_000;
const TOKEN: (&str, &str) = ("Authorization", "Bearer s3cret");

fn alive(client: &mut Client) {
    assert_eq!(client.request("GET", "/healthz", &[], b"").status, 200);
}

fn closes(answer: &Answer) -> bool {
    answer.header("connection") == Some("close")
}

#[test]
fn whoever_sends_all_first_gets_the_answer_and_keeps_the_connection() {
    let server = Server::start_with(&["-api-token=s3cret"]);
    let mut client = server.connect();
    for length in [1, 1000, 5 * MB] {
        let body = vec![b'x'; length];
        for (method, path, headers, status) in [
            ("POST", "/swarmkb/nowhere", &[TOKEN][..], 404),
            ("POST", "/nowhere", &[TOKEN], 404),
            ("PUT", "/swarmkb/command", &[TOKEN], 405),
            ("BREW", "/swarmkb/command", &[TOKEN], 405),
            ("POST", "/swarmkb/command", &[], 401),
            ("POST", "/swarmkb/upload", &[("Authorization", "Bearer wrong")], 401),
            ("POST", "/swarmkb/log?date=never&hour=1", &[TOKEN], 400),
            ("POST", "/swarmkb/%zz", &[TOKEN], 400),
            ("GET", "/swarmkb/stores", &[TOKEN], 200),
            ("OPTIONS", "/swarmkb/command", &[], 200),
            ("POST", "/swarmkb/healthz", &[("Expect", "nothing")], 405),
        ] {
            for _ in 0..10 {
                let answer = client.request(method, path, headers, &body);
                assert_eq!(answer.status, status, "{method} {path} {length}");
                assert!(!closes(&answer), "{method} {path} {length}");
            }
        }
    }
    alive(&mut client);
}

#[test]
fn chunks_that_nobody_reads_are_taken() {
    let server = Server::start();
    let mut client = server.connect();
    for _ in 0..10 {
        client.send(
            b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        for _ in 0..5 {
            client.send(format!("{MB:x}\r\n").as_bytes());
            client.send(&vec![b'x'; MB]);
            client.send(b"\r\n");
        }
        client.send(b"0\r\n\r\n");
        let answer = client.answer(false).unwrap();
        answer.refusal(404);
        assert!(!closes(&answer));
        alive(&mut client);
    }
}

#[test]
fn what_is_too_long_to_be_taken_ends_the_connection_after_its_answer() {
    let server = Server::start();
    let body = vec![b'x'; 100 * MB];
    for path in ["/swarmkb/command", "/swarmkb/nowhere"] {
        let mut client = server.connect();
        let answer = client.request("POST", path, &[], &body);
        answer.refusal(if path.ends_with("command") { 413 } else { 404 });
        assert!(closes(&answer) && client.answer(false).is_none());
    }
    // Below that, the connection stays after a 413, too.
    let mut client = server.connect();
    let answer = client.request("POST", "/swarmkb/command", &[], &body[..20 * MB]);
    answer.refusal(413);
    assert!(!closes(&answer));
    alive(&mut client);

    // The same for a head that never ends.
    for _ in 0..10 {
        let mut client = server.connect();
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n");
        client.send(&b"X: yyyyyyyyyyyy\r\n".repeat(MB / 4));
        assert_eq!(client.answer(false).unwrap().status, 431);
    }
}

#[test]
fn whoever_waits_is_not_waited_for() {
    let server = Server::start();
    // For leave to send:
    let mut client = server.connect();
    client.send(
        b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    );
    let answer = client.answer(false).unwrap();
    answer.refusal(404);
    assert!(closes(&answer));
    let mut client = server.connect();
    client.send(b"POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 25\r\n\r\n");
    assert_eq!(client.answer(false).unwrap().status, 100);
    client.send(br#"{"method":{"cmd":"help"}}"#);
    assert_eq!(client.answer(false).unwrap().status, 200);
    alive(&mut client);

    // For the answer, in the middle of the body:
    let mut client = server.connect();
    client.send(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf");
    let answer = client.answer(false).unwrap();
    answer.refusal(404);
    assert!(closes(&answer));
    client.send(b"-rest");
    assert!(client.answer(false).is_none());
}

#[test]
fn a_request_names_one_host() {
    let server = Server::start();
    for (hosts, version, status) in [
        ("", "1.1", 400),
        ("Host: a\r\nHost: a\r\n", "1.1", 400),
        ("Host: a\r\nHost: b\r\n", "1.0", 400),
        ("Host: a/b\r\n", "1.1", 400),
        ("", "1.0", 200),
        ("Host: localhost\r\n", "1.0", 200),
        ("Host: [::1]:80\r\n", "1.1", 200),
        ("Host:\r\n", "1.1", 200),
    ] {
        let mut client = server.connect();
        client.send(format!("GET /healthz HTTP/{version}\r\n{hosts}\r\n").as_bytes());
        let answer = client.answer(false).unwrap();
        assert_eq!(answer.status, status, "{hosts:?} {version}");
        if status == 400 {
            assert!(answer.refusal(400).contains("Host header"), "{}", answer.text());
        }
    }
}

#[test]
fn escapes_that_nothing_needs_mean_nothing() {
    let server = Server::start();
    for path in ["/%73tores", "/%73%74%6f%72%65%73/", "/he%61lthz", "/openapi%2ejson"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    assert_eq!(server.connect().request("GET", "/%73warmkb/id", &[], b"").status, 200);
    let put = |name: &str| server.request("PUT", &format!("/stores/{name}"), &[], b"");
    assert_eq!(put("%70lans").json()["data"]["name"], "plans");
    assert_eq!(server.get("/stores/pl%61ns/%61ccess").status, 200);
    // An escaped slash parts no segments, and what is escaped twice is read once.
    assert!(put("plans%2Faccess").refusal(400).contains("plans/access"));
    assert!(put("%2570lans").refusal(400).contains("%70lans"));
    server.get("/%2573tores").refusal(404);
    for path in ["/stores/%ff", "/%ff", "/stores/%", "/stores/%4", "/stores/%zz/access"] {
        assert!(server.get(path).refusal(400).contains("path"), "{path}");
    }
}
