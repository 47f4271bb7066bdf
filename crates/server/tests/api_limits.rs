//! Limits and load: large bodies, deep ones, slow patterns, many clients, clients that vanish.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::Server;

const MIB: usize = 1024 * 1024;

fn put_of(text: &str) -> Vec<u8> {
    json!({"method": {"cmd": "crudput"}, "criteria": [{"_id": "large", "text": text}]})
        .to_string()
        .into_bytes()
}

#[test]
fn bodies_over_the_limit_are_refused_and_read_to_their_end() {
    let server = Server::start();
    let large = put_of(&"x".repeat(16 * MIB));
    let mut client = server.connect();
    let refusal = client.request("POST", "/swarmkb/command", &[], &large).refusal(413);
    assert!(refusal.contains("16 MiB"), "{refusal}");

    // The same without a declared length.
    let mut client = server.connect();
    client.send(
        b"POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for part in large.chunks(MIB) {
        client.send(format!("{:x}\r\n", part.len()).as_bytes());
        client.send(part);
        client.send(b"\r\n");
    }
    client.send(b"0\r\n\r\n");
    client.answer(false).unwrap().refusal(413);

    // Whoever asks first need not send.
    let mut client = server.connect();
    let head = "POST /swarmkb/upload HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n";
    client.send(head.as_bytes());
    client.answer(false).unwrap().refusal(413);
    assert_eq!(server.get("/id").status, 200);
}

#[test]
fn heads_are_taken_up_to_the_limit_and_no_byte_beyond() {
    const HEAD_BYTES_MAX: usize = 64 * 1024;
    let server = Server::start();
    let head = |bytes: usize| {
        let (start, end) = ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Filling: ", "\r\n\r\n");
        [start, &"x".repeat(bytes - start.len() - end.len()), end].concat()
    };
    for (bytes, status) in
        [(HEAD_BYTES_MAX, 200), (HEAD_BYTES_MAX + 1, 431), (70 * 1024, 431), (100 * 1024, 431)]
    {
        // At once, and in pieces.
        for piece in [bytes, 20_000] {
            let mut client = server.connect();
            for part in head(bytes).as_bytes().chunks(piece) {
                client.send(part);
            }
            assert_eq!(client.answer(false).unwrap().status, status, "{bytes} by {piece}");
        }
    }
}

#[test]
fn small_text_of_many_values_is_refused_before_it_is_made() {
    let server = Server::start();
    let values = r#"{"":0},"#.repeat(2_000_000);
    for body in [
        format!(r#"{{"method":{{"cmd":"crudput"}},"criteria":[{{"_id":"a","z":[{values}0]}}]}}"#),
        format!(r#"{{"method":{{"cmd":"crudget"}},"criteria":{{"z":{{"$in":[{values}0]}}}}}}"#),
    ] {
        let refused = server.request("POST", "/command", &[], body.as_bytes()).refusal(413);
        assert!(refused.contains("MiB of memory"), "{refused}");
    }
    assert_eq!(server.find("", json!([])), json!([]));
}

#[test]
fn documents_over_the_limit_are_refused() {
    let server = Server::start();
    let refused =
        |length: usize| server.request("POST", "/command", &[], &put_of(&"x".repeat(length)));
    let message = refused(MIB).refusal(413);
    assert!(message.contains("1048576"), "{message}");
    assert_eq!(server.find("", json!([])), json!([]));
    let fits = "ü".repeat(MIB / 2 - 100);
    assert_eq!(server.request("POST", "/command", &[], &put_of(&fits)).status, 200);
    assert_eq!(server.find("", json!([{"_id": "large"}]))[0]["text"], json!(fits));
}

#[test]
fn a_large_answer_streams_and_is_whole() {
    let server = Server::start();
    let text = "x".repeat(1000);
    for batch in 0..4 {
        let documents: Vec<Value> = (0..1000)
            .map(|n| json!({"_id": format!("{batch}-{n:04}"), "n": n, "text": text}))
            .collect();
        server.put("", documents.into());
    }
    let body = json!({"method": {"cmd": "crudget"}, "criteria": [{}]}).to_string();
    let answer = server.request("POST", "/command", &[], body.as_bytes());
    assert!(answer.whole && answer.header("content-length").is_none());
    assert!(answer.text().ends_with("]}\n"));
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 4000);
    let one = server.request(
        "POST",
        "/command",
        &[],
        br#"{"method":{"cmd":"crudget"},"criteria":{"_id":"1-0001"}}"#,
    );
    assert_eq!(one.header("content-length"), Some(one.body.len().to_string().as_str()));
    // A client that takes a little and leaves holds nothing.
    for _ in 0..20 {
        let mut client = server.connect();
        let head = format!(
            "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        client.send(head.as_bytes());
        client.send(body.as_bytes());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.request("POST", "/command", &[], body.as_bytes()).status, 200);
}

#[test]
fn clients_that_read_no_answer_hold_up_nobody() {
    const STALLED: usize = 48;
    let server = Server::start();
    // More than the buffers of a connection take.
    for half in 0..2 {
        let texts =
            (0..9).map(|n| json!({"_id": format!("{half}-{n}"), "t": "x".repeat(MIB - 99)}));
        server.put("", texts.collect());
    }
    let scan = json!({"method": {"cmd": "crudget"}, "criteria": [{"t": {"$exists": true}}]});
    let head = |body: &str| {
        format!(
            "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut stalled: Vec<_> = (0..STALLED)
        .map(|_| {
            let mut client = server.connect();
            client.send(head(&scan.to_string()).as_bytes());
            client
        })
        .collect();
    let statement = json!({"sql": "SELECT _id, doc FROM dsswres"}).to_string();
    let mut statements: Vec<_> = (0..STALLED / 4)
        .map(|_| {
            let mut client = server.connect();
            client.send(head(&statement).replace("/command", "/sql").as_bytes());
            client
        })
        .collect();
    std::thread::sleep(Duration::from_secs(1));
    let one = json!([{"t": {"$exists": true}, "_id": {"$gte": "1-8"}}]);
    assert_eq!(server.find("", one).as_array().unwrap().len(), 1);
    let counted = json!({"sql": "SELECT count(*) FROM dsswres"}).to_string();
    let counted = server.request("POST", "/sql", &[], counted.as_bytes());
    assert_eq!(counted.json()["data"]["rows"], json!([[18]]), "{}", counted.text());
    // What was ended is seen to be no whole answer.
    for client in [&mut stalled, &mut statements] {
        assert!(client.iter_mut().any(|client| !client.answer(false).unwrap().whole));
    }
}

#[test]
fn hard_patterns_of_updates_hold_up_no_writer() {
    const MIBS: usize = 6;
    let server = Server::start();
    let text = "ab".repeat(MIB / 2 - 99);
    server.put("", (0..MIBS).map(|n| json!({"_id": n.to_string(), "t": text})).collect());
    let hard: Vec<Value> = (0..32)
        .map(|n| json!({"t": {"$regex": format!("\\w{{4}}\\W\\w{{4}}[a-z]{{{}}}", n + 1)}}))
        .collect();
    let update = json!({"method": {"cmd": "crudupdate"}, "criteria": hard, "UpdateData": {"x": 1}});
    std::thread::scope(|scope| {
        let updates: Vec<_> = (0..4).map(|_| scope.spawn(|| server.command(&update))).collect();
        let mut beside = 0;
        while updates.iter().all(|update| !update.is_finished()) {
            server.put("", json!([{"_id": "beside", "n": beside}]));
            beside += 1;
        }
        assert!(beside > 3, "{beside} puts while the updates looked at {MIBS} MiB");
        for update in updates {
            let (status, answer) = update.join().unwrap();
            assert_eq!(status, 200, "{answer}");
        }
    });
}

#[test]
fn connections_without_a_request_make_room() {
    // More than there is room for with so many files.
    const SILENT: usize = 150;
    let server = Server::start_with_files(512);
    let mut silent: Vec<_> = (0..SILENT)
        .map(|_| {
            let mut client = server.connect();
            client.send(b"GET /swarmkb/id HTTP/1.1\r\nHost: loc");
            client
        })
        .collect();
    for path in ["/healthz", "/id"] {
        assert_eq!(server.get(path).status, 200);
    }
    // The first ones have gone for it, and the last is answered.
    assert!(silent[0].answer(false).is_none());
    silent[SILENT - 1].send(b"alhost\r\n\r\n");
    assert_eq!(silent[SILENT - 1].answer(false).unwrap().status, 200);
}

#[test]
fn depth_is_accepted_to_a_hundred_and_refused_in_words_beyond() {
    let server = Server::start();
    let nested = |levels: usize| {
        format!(
            r#"{{"method":{{"cmd":"crudput"}},"criteria":[{{"_id":"deep","v":{}{}}}]}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    let accepted = server.request("POST", "/command", &[], nested(100).as_bytes());
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    let mut level = server.find("", json!([{"_id": "deep"}]))[0]["v"].take();
    for _ in 1..100 {
        level = level[0].take();
    }
    assert_eq!(level, json!([]));
    for levels in [130, 10_000, 1_000_000] {
        let refusal =
            server.request("POST", "/command", &[], nested(levels).as_bytes()).refusal(400);
        assert!(refusal.contains("nested too deeply"), "{levels}: {refusal}");
    }
    let mut criteria = json!({"n": 1});
    for _ in 0..60 {
        criteria = json!({"$and": [criteria]});
    }
    server.refusal(400, &json!({"method": {"cmd": "crudget"}, "criteria": [criteria]}));
}

#[test]
fn patterns_take_linear_time() {
    let server = Server::start();
    let text = "a".repeat(100_000) + "!";
    server.put("", json!([{"_id": "a", "text": text}]));
    let started = Instant::now();
    for pattern in ["(a+)+$", "(a|aa)+$", "(.*a){20}$", "^(a?){50}a{50}$"] {
        assert_eq!(server.find("", json!([{"text": {"$regex": pattern}}])), json!([]), "{pattern}");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    for pattern in ["a{1000}{1000}{1000}".to_owned(), "(".repeat(10_000), "x".repeat(100_000)] {
        let criteria = json!([{"text": {"$regex": pattern}}]);
        server.refusal(400, &json!({"method": {"cmd": "crudget"}, "criteria": criteria}));
    }
}

#[test]
fn each_of_many_clients_gets_its_own_answer() {
    const CLIENTS: usize = 200;
    let server = Server::start();
    let together = Barrier::new(CLIENTS);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, together) = (&server, &together);
            std::thread::Builder::new()
                .stack_size(256 * 1024)
                .spawn_scoped(scope, move || {
                    let mut connection = server.connect();
                    let mut ask = |command: Value| {
                        let body = command.to_string();
                        let answer =
                            connection.request("POST", "/swarmkb/command", &[], body.as_bytes());
                        (answer.status, answer.json())
                    };
                    together.wait();
                    for round in 0..5 {
                        let id = format!("{client}-{round}");
                        let document = json!({"_id": id, "client": client, "round": round});
                        let put =
                            ask(json!({"method": {"cmd": "crudput"}, "criteria": [document]}));
                        assert_eq!(put.0, 200, "{}", put.1);
                        let read =
                            ask(json!({"method": {"cmd": "crudget"}, "criteria": [{"_id": id}]}));
                        assert_eq!(read, (200, json!({"status": 200, "data": [document]})));
                        let own = ask(json!({"method": {"cmd": format!("mine-{id}")}}));
                        assert!(
                            own.1["message"].as_str().unwrap().contains(&format!("'mine-{id}'"))
                        );
                    }
                })
                .unwrap();
        }
    });
    assert_eq!(server.find("", json!([])).as_array().unwrap().len(), CLIENTS * 5);
}

#[test]
fn a_client_that_vanishes_leaves_nothing_half_done() {
    let server = Server::start();
    let documents: Vec<Value> =
        (0..500).map(|n| json!({"_id": n.to_string(), "text": "x".repeat(500)})).collect();
    let body = json!({"method": {"cmd": "crudput"}, "criteria": documents}).to_string();
    let head = format!(
        "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    for sent in [1, body.len() / 2, body.len() - 1] {
        let mut client = server.connect();
        client.send(head.as_bytes());
        client.send(&body.as_bytes()[..sent]);
    }
    assert_eq!(server.find("", json!([])), json!([]), "a request that never ended was carried out");
    let mut client = server.connect();
    client.send(head.as_bytes());
    client.send(body.as_bytes());
    drop(client);
    // Sent to its end, it may be carried out or not; never in part.
    for _ in 0..20 {
        let found = server.find("", json!([])).as_array().unwrap().len();
        assert!(found == 0 || found == 500, "{found}");
        std::thread::sleep(Duration::from_millis(10));
    }
    server.put("", json!([{"_id": "after"}]));
}

#[test]
fn a_budget_bounds_a_command() {
    let server = Server::start();
    let documents: Vec<Value> =
        (0..5000).map(|n| json!({"_id": n.to_string(), "t": "ab".repeat(200)})).collect();
    server.put("", documents.into());
    let command = |budget_ms: u64| {
        json!({"method": {"cmd": "crudget"}, "criteria": [{"t": {"$regex": "(a|b)*c"}}],
               "options": {"time_budget_ms": budget_ms}})
    };
    assert!(server.refusal(504, &command(1)).contains("within"));
    assert_eq!(server.data(&command(60_000)), json!([]));
}
