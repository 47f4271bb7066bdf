//! Files over HTTP: added, read, posted, kept, removed, and fetched from other nodes.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::Answer;
use support::{PATIENCE, Server};

/// Bytes whose addresses Kubo's library gave.
fn bytes(length: usize) -> Vec<u8> {
    let mut x = 12_345_u32;
    let next = |_| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    (0..length).map(next).collect()
}

const THREE_MB: &str = "bafybeidj23urklcgbycyhftgv7hemr3g4aestpkmghopywt3rvkoxjofm4";
const ELEVEN: &str = "bafkreid5a6pp5f3okzxaysv6otxzuadtpflae2lgaovo6l5nkrr4llnjhu";

fn add(server: &Server, query: &str, bytes: &[u8]) -> Value {
    let mut answer = server.request("PUT", &format!("/files{query}"), &[], bytes).json();
    assert_eq!(answer["status"], 200, "{answer}");
    answer["data"].take()
}

fn add_form(server: &Server, parts: &[(&str, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (name, content) in parts {
        let head = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    let form = [("Content-Type", "multipart/form-data; boundary=XX")];
    server.request("PUT", "/files", &form, &body)
}

/// Bytes of the segments on the disk of a node.
fn segments(home: &Path) -> u64 {
    let blocks = home.join(".local/share/optimusdb/swarmkb/blocks");
    let entries = std::fs::read_dir(blocks).unwrap();
    entries.map(|entry| entry.unwrap().metadata().map_or(0, |metadata| metadata.len())).sum()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_file_is_read_as_it_was_added_also_after_a_crash() {
    let mut server = Server::start();
    let file = bytes(3_000_000);
    let path = format!("/ipfs/{THREE_MB}");
    assert_eq!(add(&server, "", &file), json!({"cid": THREE_MB, "path": path, "size": 3_000_000}));
    for round in 0..2 {
        let whole = server.get(&format!("/files/{THREE_MB}"));
        assert_eq!((whole.status, whole.whole), (200, true));
        assert!(whole.body == file, "round {round}");
        assert_eq!(whole.header("content-length"), Some("3000000"));
        assert_eq!(whole.header("content-security-policy"), Some("sandbox"));
        server = Server::start_in(server.kill(), &[]);
    }
    let path = format!("/files/{THREE_MB}/");
    let tag = format!("\"{THREE_MB}\"");
    let ask = |headers: &[(&str, &str)]| server.request("GET", &path, headers, b"");
    let part = ask(&[("Range", "bytes=262140-600000")]);
    assert_eq!(
        (part.status, part.header("content-range")),
        (206, Some("bytes 262140-600000/3000000"))
    );
    assert!(part.body == file[262_140..=600_000]);
    let last = ask(&[("Range", "bytes=-5"), ("If-Range", &tag)]);
    assert_eq!((last.status, last.body.as_slice()), (206, &file[2_999_995..]));
    let beyond = ask(&[("Range", "bytes=3000000-")]);
    assert_eq!(beyond.header("content-range"), Some("bytes */3000000"));
    assert!(beyond.refusal(416).contains("3000000 bytes"));
    let known = ask(&[("If-None-Match", &tag)]);
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(&*tag)));
    let head = server.request("HEAD", &path, &[], b"");
    assert_eq!((head.status, head.header("content-length")), (200, Some("3000000")));
    // Of several parts the first that is there.
    let first = ask(&[("Range", "bytes=9-1,5-6,0-1")]);
    assert_eq!((first.status, first.body.as_slice()), (206, &file[5..7]));
}

#[test]
fn profiles_decide_about_addresses() {
    let server = Server::start();
    let file = bytes(3_000_000);
    for (query, cid) in [
        ("?profile=kubo", THREE_MB),
        ("?profile=unixfs-v1-2025", "bafybeiabx5aofjd3aon7mz4rcaqy4y3snu5vnb3m2spuupnbbeqp2dghgm"),
        ("?profile=unixfs-v0-2015", "QmNn4BepMPe7pXE132zmeW98wKhusaFfd12GEXdMDGMAD7"),
    ] {
        assert_eq!(add(&server, query, &file)["cid"], cid);
        assert!(server.get(&format!("/files/{cid}")).body == file);
    }
    assert_eq!(add(&server, "", b"")["size"], 0);
    let refused = server.request("PUT", "/files?profile=x", &[], b"").refusal(400);
    assert!(refused.contains("unixfs-v1-2025"), "{refused}");
    let refused = server.request("PUT", "/files?profil=kubo", &[], b"").refusal(400);
    assert!(refused.contains("did you mean 'profile'"), "{refused}");
    server.request("PUT", "/files", &[("Content-Encoding", "gzip")], b"x").refusal(415);
}

#[test]
fn a_form_is_a_file_or_a_directory() {
    let server = Server::start();
    let one = add_form(&server, &[("a.txt", &bytes(11))]).json()["data"].take();
    assert_eq!(one["cid"], ELEVEN);
    assert_eq!(one["files"], json!([{"name": "a.txt", "cid": ELEVEN, "size": 11}]));
    let large = bytes(300_000);
    let tree = [("top.html", b"<p>".as_slice()), ("one/two/a.bin", &large), ("one/b", b"")];
    let tree = add_form(&server, &tree).json()["data"].take();
    assert_eq!((&tree["size"], tree["files"].as_array().unwrap().len()), (&json!(300_003), 3));
    let root = tree["cid"].as_str().unwrap();
    let listed = server.get(&format!("/files/{root}")).json()["data"].take();
    let names: Vec<&str> =
        listed["entries"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!((names, listed["cid"].as_str()), (vec!["one", "top.html"], Some(root)));
    assert!(server.get(&format!("/files/{root}/one/two/a.bin")).body == large);
    let page = server.get(&format!("/files/{root}/%74op.html"));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let missing = server.get(&format!("/files/{root}/one/c")).refusal(404);
    assert!(missing.contains("\"c\""), "{missing}");
    server.get(&format!("/files/{root}/top.html/x")).refusal(404);
    for name in ["/etc/passwd", "../a", "a/../b", "a//b", "a/"] {
        add_form(&server, &[("fine", b"1"), (name, b"2")]).refusal(400);
    }
    add_form(&server, &[("a", b"1"), ("a", b"2")]).refusal(400);
    add_form(&server, &[("a", b"1"), ("a/b", b"2")]).refusal(400);
    add_form(&server, &[]).refusal(400);
}

#[test]
fn what_cannot_be_read_says_why() {
    let server = Server::start();
    server.get("/files/nonsense").refusal(400);
    let started = Instant::now();
    let absent = server.get(&format!("/files/{ELEVEN}")).refusal(504);
    assert!(absent.contains(ELEVEN) && started.elapsed() < PATIENCE, "{absent}");
    let deep = format!("/files/{ELEVEN}/{}", "a/".repeat(200));
    server.get(&deep).refusal(413);
    // The empty block and what is in its address need not be added.
    assert_eq!(server.get("/files/bafkqaaa").status, 200);
    assert_eq!(server.get("/files/bafkqabtimvwgy3yk").text(), "hello\n");
}

fn section(cid: &[u8], block: &[u8]) -> Vec<u8> {
    let mut length = cid.len() + block.len();
    let mut out = Vec::new();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    [out.as_slice(), cid, block].concat()
}

#[test]
fn a_car_is_taken_whole_or_not_at_all() {
    let server = Server::start();
    // "hello world" under sha2-256, raw, and the empty map of dag-cbor.
    let digest = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
    let digest: Vec<u8> =
        (0..32).map(|n| u8::from_str_radix(&digest[2 * n..2 * n + 2], 16).unwrap()).collect();
    let cid = [&[1, 0x55, 0x12, 0x20], digest.as_slice()].concat();
    let text = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    let mut header = b"\xa2eroots\x81\xd8\x2a\x58\x25\x00".to_vec();
    header.extend(&cid);
    header.extend(b"gversion\x01");
    let header = section(&[], &header);
    let whole = [header.clone(), section(&cid, b"hello world")].concat();
    let put = |body: &[u8]| server.request("PUT", "/car", &[], body);
    put(&whole[..whole.len() - 1]).refusal(400);
    put(&[header.clone(), section(&cid, b"hello worle")].concat()).refusal(400);
    put(b"").refusal(400);
    put(b"<html>").refusal(400);
    server.get(&format!("/files/{text}")).refusal(504);
    // An incomplete one is accepted: of its root there is no block.
    let data = put(&header).json()["data"].take();
    assert_eq!(data, json!({"roots": [text], "blocks": 0, "bytes": 0}));
    let data = put(&whole).json()["data"].take();
    assert_eq!(data, json!({"roots": [text], "blocks": 1, "bytes": 11}));
    assert_eq!(server.get(&format!("/files/{text}")).text(), "hello world");
}

#[test]
fn what_is_unpinned_is_gone_and_what_is_pinned_stays() {
    let server = Server::start();
    let (kept, gone) = (bytes(600_000), bytes(3_000_000)[1_000_000..].to_vec());
    let kept_cid = add(&server, "", &kept)["cid"].as_str().unwrap().to_owned();
    let gone_cid = add(&server, "?name=gone.bin", &gone)["cid"].as_str().unwrap().to_owned();
    let name = json!({"name": "a name"}).to_string();
    let pin = server.request("PUT", &format!("/pins/{kept_cid}"), &[], name.as_bytes());
    assert_eq!(pin.status, 200);
    let pins = server.get("/pins").json()["data"].take();
    let shown: Vec<_> =
        pins.as_array().unwrap().iter().map(|pin| (&pin["cid"], &pin["name"])).collect();
    assert_eq!(
        shown,
        [(&json!(kept_cid), &json!("a name")), (&json!(gone_cid), &json!("gone.bin"))]
    );
    assert_eq!(server.get("/pins?limit=1").json()["data"], json!([pins[0]]));
    assert_eq!(server.get(&format!("/pins?after={kept_cid}")).json()["data"], json!([pins[1]]));
    assert_eq!(server.get(&format!("/pins/{gone_cid}")).json()["data"], pins[1]);
    server.get("/pins?limit=x").refusal(400);
    let contributed = server.data(&json!({"method": {"cmd": "contri"}}));
    assert_eq!(contributed[1]["value"]["name"], "gone.bin");
    let unpin = || server.request("DELETE", &format!("/pins/{gone_cid}"), &[], b"");
    assert_eq!(unpin().status, 200);
    unpin().refusal(404);
    server.get(&format!("/pins/{gone_cid}")).refusal(404);
    server.get(&format!("/pins?after={gone_cid}")).refusal(404);
    eventually("its blocks are gone", || segments(server.home.path()) == 600_000);
    server.get(&format!("/files/{gone_cid}")).refusal(504);
    assert!(server.get(&format!("/files/{kept_cid}")).body == kept);
    server.request("PUT", "/pins/x", &[], b"").refusal(400);
    server.request("PUT", &format!("/pins/{kept_cid}"), &[], b"{\"nam\":1}").refusal(400);
}

#[test]
fn who_hangs_up_in_the_middle_leaves_nothing() {
    let server = Server::start();
    let mut client = TcpStream::connect(&server.address).unwrap();
    let head = "PUT /swarmkb/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000000\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(&bytes(3_000_000)).unwrap();
    eventually("some of it is on the disk", || segments(server.home.path()) > 0);
    drop(client);
    eventually("it is gone again", || segments(server.home.path()) == 0);
    assert_eq!(server.get("/pins").json()["data"], json!([]));
    assert_eq!(server.data(&json!({"method": {"cmd": "contri"}})), json!([]));
}

#[test]
fn what_is_posted_is_a_contribution_and_can_be_saved() {
    let server = Server::start_with(&["-download-dir=saved"]);
    let post = json!({"method": {"cmd": "post"}, "file": "aGVsbG8gd29ybGQ="});
    let cid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    assert_eq!(server.data(&post), format!("File uploaded: /ipfs/{cid}"));
    let tree = add_form(&server, &[("d/e.txt", b"e"), ("f", b"f")]).json()["data"].take();
    let tree = tree["cid"].as_str().unwrap().to_owned();

    let contributions = server.data(&json!({"method": {"cmd": "contri"}}));
    let paths: Vec<_> =
        contributions.as_array().unwrap().iter().map(|c| c["value"]["path"].clone()).collect();
    assert_eq!(paths, [format!("/ipfs/{cid}"), format!("/ipfs/{tree}")]);
    let first = &contributions[0];
    assert_eq!((&first["op"], first["hash"].as_str().unwrap().len()), (&json!("ADD"), 49));
    for key in ["agentname", "contributor", "creationTS", "localip", "nodeip"] {
        assert!(first["value"][key].is_string(), "{key} of {first}");
    }
    assert!(first["value"]["remoteIPs"].is_array());
    let id = server.get("/id").json();
    assert_eq!(first["value"]["contributor"], id["data"]["peer_id"]);
    let one = json!({"method": {"cmd": "contri"}, "options": {"limit": 1, "skip": 1}});
    assert_eq!(server.data(&one)[0]["value"]["path"], format!("/ipfs/{tree}"));

    let get = |path: &str| server.command(&json!({"method": {"cmd": "get"}, "args": [path]}));
    let (status, answer) = get(&format!("/ipfs/{cid}"));
    assert_eq!(status, 200, "{answer}");
    assert!(
        answer["data"]
            .as_str()
            .unwrap()
            .starts_with(&format!("stored /ipfs/{cid} successfully under "))
    );
    let saved = server.home.path().join("saved");
    assert_eq!(std::fs::read(saved.join(cid)).unwrap(), b"hello world");
    assert_eq!(get(&format!("/ipfs/{tree}/d/e.txt")).0, 200);
    assert_eq!(std::fs::read(saved.join("e.txt")).unwrap(), b"e");
    assert_eq!(get(&tree).0, 200);
    assert_eq!(std::fs::read(saved.join(&tree).join("d/e.txt")).unwrap(), b"e");
    let parts = add_form(&server, &[("d/a", b"1"), ("d/a.part", b"2")]).json()["data"].take();
    assert_eq!(get(&format!("/ipfs/{}/d", parts["cid"].as_str().unwrap())).0, 200);
    let files = ["a", "a.part"].map(|name| std::fs::read(saved.join("d").join(name)).unwrap());
    assert_eq!(files, [b"1", b"2"]);
    assert_eq!(std::fs::read_dir(saved.join("d")).unwrap().count(), 2);
    // A link that somebody put there is replaced, and not followed.
    let outside = server.home.path().join("outside");
    std::fs::write(&outside, "untouched").unwrap();
    std::fs::remove_file(saved.join("e.txt")).unwrap();
    std::os::unix::fs::symlink(&outside, saved.join("e.txt")).unwrap();
    assert_eq!(get(&format!("/ipfs/{tree}/d/e.txt")).0, 200);
    assert_eq!(std::fs::read(&outside).unwrap(), b"untouched");
    assert_eq!(std::fs::read(saved.join("e.txt")).unwrap(), b"e");

    let absent = "bafkreid5a6pp5f3okzxaysv6otxzuadtpflae2lgaovo6l5nkrr4llnjhu";
    assert_eq!(get(absent).0, 504);
    assert_eq!(get("/ipfs/nonsense").0, 400);
    assert_eq!(get(&format!("/ipfs/{tree}/..")).0, 400);
    for (file, status) in [(json!("!"), 400), (json!(7), 400), (Value::Null, 400)] {
        let post = json!({"method": {"cmd": "post"}, "file": file});
        assert_eq!(server.command(&post).0, status);
    }
}

/// Where a node can be dialled: its TCP address.
fn multiaddr(node: &Server) -> String {
    let id = node.get("/id").json();
    let addresses = id["data"]["addrs"].as_array().unwrap();
    let tcp = addresses.iter().filter_map(Value::as_str).find(|addr| addr.contains("/tcp/"));
    tcp.unwrap_or_else(|| panic!("no TCP address in {id}")).to_owned()
}

#[test]
fn a_file_is_fetched_from_whoever_has_it() {
    let swarm = "-swarm=files-test";
    let first = Server::start_with(&[swarm]);
    let file = bytes(3_000_000);
    add(&first, "", &file);
    let bootstrap = format!("-bootstrap={}", multiaddr(&first));
    let second = Server::start_with(&[swarm, &bootstrap]);
    let third =
        Server::start_with(&[swarm, &bootstrap, &format!("-bootstrap={}", multiaddr(&second))]);
    eventually("the second knows of it", || {
        let known = second.data(&json!({"method": {"cmd": "contri"}}));
        known[0]["value"]["path"] == format!("/ipfs/{THREE_MB}")
    });
    let part = second.request(
        "GET",
        &format!("/files/{THREE_MB}"),
        &[("Range", "bytes=300000-300009")],
        b"",
    );
    assert_eq!((part.status, part.body.as_slice()), (206, &file[300_000..300_010]));
    let whole = second.get(&format!("/files/{THREE_MB}"));
    assert!(whole.whole && whole.body == file);
    first.kill();
    // What was fetched is kept, and handed on.
    eventually("the third gets it from the second", || {
        let whole = third.get(&format!("/files/{THREE_MB}"));
        whole.status == 200 && whole.whole && whole.body == file
    });
}
