//! Nodes that are one database: real processes on loopback, found by address.
#![allow(clippy::unwrap_used, reason = "a test ends where its ground gives way")]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{PATIENCE, Server};

/// A node that keeps dialling `others`.
fn start(flags: &[&str], others: &[&Server]) -> Server {
    Server::start_with(&with_bootstrap(flags, others))
}

fn with_bootstrap<'f>(flags: &[&'f str], others: &[&Server]) -> Vec<&'f str> {
    let addresses: Vec<String> = others.iter().map(|other| multiaddr(other)).collect();
    let mut flags = flags.to_vec();
    if !addresses.is_empty() {
        flags.push(format!("-bootstrap={}", addresses.join(",")).leak());
    }
    flags
}

/// Where a node can be dialled: its TCP address.
fn multiaddr(node: &Server) -> String {
    let id = node.get("/id").json();
    let addresses = id["data"]["addrs"].as_array().unwrap();
    let tcp = addresses.iter().filter_map(Value::as_str).find(|addr| addr.contains("/tcp/"));
    tcp.unwrap_or_else(|| panic!("no TCP address in {id}")).to_owned()
}

fn peer_id(node: &Server) -> String {
    node.get("/id").json()["data"]["peer_id"].as_str().unwrap().to_owned()
}

fn peers(node: &Server) -> Vec<Value> {
    node.get("/peers").json().as_array().unwrap().clone()
}

fn connect(node: &Server, address: &str) -> (u16, Value) {
    node.command(&json!({"method": {"cmd": "connect"}, "args": [address]}))
}

/// Waits until it holds; says what it waited for when it does not come.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn everything(node: &Server, store: &str) -> Value {
    let options = json!({"sort": [{"_id": 1}]});
    node.data(
        &json!({"method": {"cmd": "crudget"}, "dstype": store, "criteria": [], "options": options}),
    )
}

fn equal(nodes: &[&Server], store: &str) {
    eventually(&format!("{store} equal everywhere"), || {
        let first = everything(nodes[0], store);
        nodes[1..].iter().all(|node| everything(node, store) == first)
    });
}

fn has(node: &Server, id: &str) -> bool {
    node.find("dsswres", json!([{"_id": id}])) != json!([])
}

#[test]
fn what_is_written_on_one_of_three_is_on_all() {
    let a = start(&[], &[]);
    let b = start(&[], &[&a]);
    // C knows B alone: what A writes reaches it through B.
    let c = start(&[], &[&b]);
    a.put("dsswres", json!([{"_id": "from-a", "n": 1}]));
    eventually("from-a on b and c", || has(&b, "from-a") && has(&c, "from-a"));
    c.put("dsswres", json!([{"_id": "from-c", "n": 2}]));
    b.put("kbdata", json!([{"_id": "from-b"}]));
    a.data(&json!({"method": {"cmd": "crudupdate"}, "criteria": [{"_id": "from-a"}], "UpdateData": [{"n": 3}]}));
    for store in ["dsswres", "kbdata", "kbmetadata"] {
        equal(&[&a, &b, &c], store);
    }
    eventually("the update everywhere", || {
        [&a, &b, &c].iter().all(|node| node.find("dsswres", json!([{"n": 3}])) != json!([]))
    });
    b.data(&json!({"method": {"cmd": "cruddelete"}, "criteria": [{"_id": "from-c"}]}));
    eventually("the deletion everywhere", || [&a, &b, &c].iter().all(|node| !has(node, "from-c")));
}

#[test]
fn a_node_that_was_away_catches_up() {
    let a = start(&[], &[]);
    let b = start(&[], &[&a]);
    a.put("dsswres", json!([{"_id": "before"}]));
    eventually("before on b", || has(&b, "before"));
    let home = b.kill();
    for n in 0..200 {
        a.put("dsswres", json!([{"_id": format!("k{n}"), "n": n}]));
    }
    eventually("b is gone from the peers", || peers(&a).is_empty());
    let b = Server::start_in(home, &with_bootstrap(&[], &[&a]));
    equal(&[&a, &b], "dsswres");
    assert!(has(&b, "k199"));
}

/// Announcements come faster than they are taken; what is lost of them comes with a pull, and the
/// writer is nobody's enemy for it.
#[test]
fn a_writer_in_haste_is_followed_and_not_banned() {
    const CLIENTS: usize = 8;
    const PUTS: usize = 300;
    let a = start(&[], &[]);
    let b = start(&[], &[&a]);
    a.put("dsswres", json!([{"_id": "first"}]));
    eventually("first on b", || has(&b, "first"));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let a = &a;
            scope.spawn(move || {
                for n in 0..PUTS {
                    a.put("dsswres", json!([{"_id": format!("c{client}-{n}")}]));
                }
            });
        }
    });
    let all = 1 + CLIENTS * PUTS;
    eventually("all of them on b", || count(&b, "dsswres") == all);
    a.put("dsswres", json!([{"_id": "last"}]));
    eventually("last on b", || has(&b, "last"));
    let metrics = b.get("/metrics").text().to_owned();
    assert!(metrics.contains("peers_banned_total 0"), "{metrics}");
    assert!(metrics.contains("offences_total 0"), "{metrics}");
}

fn count(node: &Server, store: &str) -> usize {
    let stores = node.get("/stores").json();
    let stores = stores["data"].as_array().unwrap();
    let store = stores.iter().find(|it| it["name"] == store).unwrap();
    usize::try_from(store["documents"].as_u64().unwrap()).unwrap()
}

/// Each store asks for itself, and a peer serves only a few streams to one other at a time.
#[test]
fn many_stores_are_level_soon_after_a_node_has_come() {
    const STORES: usize = 40;
    let a = start(&[], &[]);
    let names: Vec<String> = (0..STORES).map(|n| format!("made-{n}")).collect();
    for name in &names {
        a.request("PUT", &format!("/stores/{name}"), &[], b"").json();
        a.put(name, json!([{"_id": "one"}, {"_id": "two"}]));
    }
    let b = start(&["-coordinator=false"], &[&a]);
    eventually("all stores on b", || {
        let stores = b.get("/stores").json();
        let full = |name: &&String| {
            let mut stores = stores["data"].as_array().unwrap().iter();
            stores.any(|store| store["name"] == **name && store["documents"] == 2)
        };
        names.iter().filter(full).count() == STORES
    });
}

#[test]
fn both_sides_of_a_cut_keep_what_they_wrote() {
    let (a, b) = (start(&[], &[]), start(&[], &[]));
    for n in 0..50 {
        a.put("dsswres", json!([{"_id": format!("a{n}")}, {"_id": "both", "from": "a", "n": n}]));
        b.put("dsswres", json!([{"_id": format!("b{n}")}, {"_id": "both", "from": "b", "n": n}]));
    }
    assert!(!has(&a, "b0") && !has(&b, "a0"));
    assert_eq!(
        connect(&a, &multiaddr(&b)),
        (200, json!({"status": 200, "data": "Peer id processed"}))
    );
    equal(&[&a, &b], "dsswres");
    assert_eq!(everything(&a, "dsswres").as_array().unwrap().len(), 101);
}

fn sql(node: &Server, sql: &str) -> Value {
    let body = json!({"sql": sql, "options": {"peers": false}}).to_string();
    let answer = node.request("POST", "/sql", &[], body.as_bytes());
    assert_eq!(answer.status, 200, "{sql}: {}", answer.text());
    answer.json()["data"].clone()
}

#[test]
fn rows_written_by_sql_on_both_sides_of_a_cut_are_the_same_when_they_meet() {
    let a = start(&[], &[]);
    let b = start(&[], &[]);
    for (node, side) in [(&a, "a"), (&b, "b")] {
        let written = sql(
            node,
            &format!(
                r#"INSERT INTO dsswres (_id, doc) VALUES
                   ('one', '{{"side":"{side}"}}'), ('only-{side}', '{{"n":1}}'), ('gone', '{{}}')"#
            ),
        );
        assert_eq!((&written["affected"], &written["replicated"]), (&json!(3), &json!(true)));
        sql(
            node,
            &format!("UPDATE dsswres SET doc = json_set(doc, '$.n', 2) WHERE _id = 'only-{side}'"),
        );
        sql(node, "DELETE FROM dsswres WHERE _id = 'gone'");
        sql(node, &format!("INSERT INTO datacatalog (_id, name) VALUES ('row', '{side}')"));
    }
    let (status, answer) = connect(&a, &multiaddr(&b));
    assert_eq!(status, 200, "{answer}");
    eventually("each other's row", || has(&a, "only-b") && has(&b, "only-a"));
    for store in ["dsswres", "kbmetadata"] {
        equal(&[&a, &b], store);
    }
    let all = "SELECT _id, doc, _entry, _writer FROM dsswres ORDER BY _id";
    let rows = sql(&a, all)["rows"].clone();
    assert_eq!(rows, sql(&b, all)["rows"]);
    // SQL and JSON have the same documents. Of the row that both wrote one side's is left, whole.
    let rows: Vec<Value> = rows.as_array().unwrap().iter().map(|row| parsed(&row[1])).collect();
    assert_eq!(json!(rows), everything(&a, "dsswres"));
    assert_eq!(rows.len(), 3, "{rows:?}");
    let side = &rows[0]["side"];
    assert_eq!(rows[0], json!({"_id": "one", "side": side}));
    assert!(side == "a" || side == "b", "{side}");
    assert_eq!(rows[1..], [json!({"_id": "only-a", "n": 2}), json!({"_id": "only-b", "n": 2})]);
    let catalog = "SELECT * FROM datacatalog ORDER BY _id";
    assert_eq!(sql(&a, catalog)["rows"], sql(&b, catalog)["rows"]);
}

/// A text of JSON as what it says.
fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

/// Two nodes that do not see each other upload one name; whoever is later, one document stands.
#[test]
fn a_file_name_uploaded_on_two_nodes_at_once_leaves_one_document() {
    let upload = |node: &Server, file: &str, name: &str| {
        let body = json!({"file": file, "filename": name, "target_store": "tosca_imported"});
        let answer = node.request("POST", "/upload", &[], body.to_string().as_bytes());
        answer.json()["data"]["template_id"].as_str().unwrap().to_owned()
    };
    let (a, b) = (start(&[], &[]), start(&[], &[]));
    // Of "first" the second node is later by a write, of "second" the first.
    b.put("tosca_imported", json!([{"_id": "x"}]));
    upload(&a, "YTogMQ==", "first.yaml");
    let later = [upload(&b, "YTogMg==", "first.yaml")];
    upload(&b, "YTogMw==", "second.yaml");
    for n in 0..9 {
        a.put("tosca_imported", json!([{"_id": "x", "n": n}]));
    }
    let later = [later, [upload(&a, "YTogNA==", "second.yaml")]].concat();
    // Neither of these is later for sure; it is the same on both all the same.
    for n in 0..5 {
        upload(&a, "YTogMQ==", &format!("any{n}.yaml"));
        upload(&b, "YTogMg==", &format!("any{n}.yaml"));
    }
    assert_eq!(connect(&a, &multiaddr(&b)).0, 200);
    let documents = 1 + 2 + 5;
    eventually("one document for each name on both", || {
        [&a, &b]
            .iter()
            .all(|node| everything(node, "tosca_imported").as_array().unwrap().len() == documents)
    });
    equal(&[&a, &b], "tosca_imported");
    equal(&[&a, &b], "kbmetadata");
    for (node, id) in [(&a, &later[0]), (&b, &later[1])] {
        assert_ne!(node.find("tosca_imported", json!([{"_id": id}])), json!([]), "{id}");
    }
    assert_eq!((count(&a, "tosca_imported"), count(&b, "tosca_imported")), (documents, documents));
    // What was replaced does not come back when the other is deleted.
    let first = json!([{"_filename": "first.yaml"}]);
    a.data(
        &json!({"method": {"cmd": "cruddelete"}, "dstype": "tosca_imported", "criteria": first}),
    );
    eventually("no first.yaml on b", || b.find("tosca_imported", first.clone()) == json!([]));
    assert_eq!(a.find("tosca_imported", first.clone()), json!([]));
}

#[test]
fn peers_are_shown_while_they_are_connected() {
    let a = start(&["-region=eu"], &[]);
    assert_eq!(peers(&a), Vec::<Value>::new());
    let b = start(&["-region=us"], &[&a]);
    eventually("one peer each", || peers(&a).len() == 1 && peers(&b).len() == 1);
    eventually("what b says of itself", || peers(&a)[0]["region"] == "us");
    let shown = &peers(&a)[0];
    assert_eq!(shown["ID"], json!(peer_id(&b)));
    let addresses = shown["Addrs"].as_array().unwrap();
    assert!(addresses[0].as_str().unwrap().starts_with("/ip4/127.0.0.1/"), "{shown}");
    assert_eq!(shown["direction"], "inbound");
    assert_eq!(peers(&b)[0]["direction"], "outbound");
    assert!(shown["agent"].as_str().unwrap().starts_with("optimusdb/"), "{shown}");
    let answer = a.get("/peers");
    let text = answer.text();
    assert!(text.starts_with(r#"[{"ID":"12D3KooW"#) && text.contains(r#"","Addrs":["#), "{text}");
    assert_eq!(a.get("/ems").json()[0]["ID"], json!(peer_id(&b)));
    drop(b);
    eventually("b is gone", || peers(&a).is_empty());
}

#[test]
fn connect_says_what_is_wrong() {
    let a = start(&[], &[]);
    for (address, status, said) in [
        ("/not/an/address", 400, "address"),
        ("/ip4/127.0.0.1", 400, ""),
        ("/ip4/127.0.0.1/tcp/1", 503, "127.0.0.1"),
        (multiaddr(&a).as_str(), 400, "own"),
    ] {
        let started = Instant::now();
        let (answered, body) = connect(&a, address);
        let message = body["message"].as_str().unwrap_or_default();
        assert!(answered == status && message.contains(said), "{address} → {body}");
        assert!(started.elapsed() < PATIENCE);
    }
    let refusal = a.refusal(400, &json!({"method": {"cmd": "connect"}, "args": []}));
    assert!(refusal.contains("'args'"), "{refusal}");
    // A port where something else listens looks like one where nothing does.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let accepted = std::thread::spawn(move || drop(other.accept()));
    let said = [1, port].map(|port| {
        let (status, body) = connect(&a, &format!("/ip4/127.0.0.1/tcp/{port}"));
        (status, body.to_string().replace(&format!("tcp/{port}"), ""))
    });
    accepted.join().unwrap();
    assert_eq!(said[0], said[1]);
}

#[test]
fn swarms_of_other_names_or_keys_never_mix() {
    let ours = start(&[], &[]);
    let theirs = start(&["-swarm=other"], &[]);
    let (status, body) = connect(&theirs, &multiaddr(&ours));
    assert_ne!(status, 200, "{body}");
    assert!(body["message"].as_str().unwrap().contains("swarm"), "{body}");

    let key = |byte: u8| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text =
            format!("/key/swarm/psk/1.0.0/\n/base16/\n{}\n", format!("{byte:02x}").repeat(32));
        std::fs::write(file.path(), text).unwrap();
        let flag = format!("-swarm-key={}", file.path().display());
        (file, flag)
    };
    let ((_one, one), (_two, two)) = (key(1), key(2));
    let (closed, locked) = (start(&[&one], &[]), start(&[&two], &[]));
    assert_ne!(connect(&closed, &multiaddr(&locked)).0, 200);
    assert_ne!(connect(&ours, &multiaddr(&closed)).0, 200);
    let member = start(&[&one], &[&closed]);
    closed.put("dsswres", json!([{"_id": "for members"}]));
    eventually("members share", || has(&member, "for members"));
    ours.put("dsswres", json!([{"_id": "ours"}]));
    assert!(!has(&theirs, "ours") && !has(&closed, "ours") && peers(&locked).is_empty());
}

/// Whether a node has logged this, in the database of its log or beside it.
fn has_logged(node: &Server, text: &str) -> bool {
    let repo = node.home.path().join(".local/share/optimusdb/swarmkb");
    let files = ["logs.sqlite", "logs.sqlite-wal"].map(|name| std::fs::read(repo.join(name)));
    let logs: Vec<u8> = files.into_iter().flatten().flatten().collect();
    logs.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A directory that was copied runs beside its original: all is level, and both say what is wrong.
#[test]
fn a_copied_directory_is_noticed_and_nothing_diverges() {
    let first = start(&[], &[]);
    first.put("dsswres", json!([{"_id": "before"}]));
    let id = peer_id(&first);
    let home = first.stop();
    let copy = tempfile::tempdir().unwrap();
    let copying = std::process::Command::new("cp")
        .args([std::ffi::OsStr::new("-a"), home.path().join(".").as_ref(), copy.path().as_ref()])
        .status();
    assert!(copying.unwrap().success());

    let third = start(&[], &[]);
    let first = Server::start_in(home, &with_bootstrap(&[], &[&third]));
    let second = Server::start_in(copy, &with_bootstrap(&[], &[&third]));
    assert_eq!(peer_id(&first), id);
    assert_ne!(peer_id(&second), id);
    for n in 0..20 {
        for (name, node) in [("first", &first), ("second", &second), ("third", &third)] {
            node.put("dsswres", json!([{"_id": format!("{name}-{n}")}, {"_id": "all", "n": name}]));
        }
    }
    let all = [&first, &second, &third];
    eventually("all of all", || all.iter().all(|node| count(node, "dsswres") == 62));
    equal(&all, "dsswres");
    eventually("the copy says so", || has_logged(&second, "is a copy of a data directory"));
    assert!(!has_logged(&first, "is a copy of a data directory"));
    for node in [&first, &second] {
        eventually("both say so", || has_logged(node, "signed with this node's key"));
    }
}
