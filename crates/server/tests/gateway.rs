//! The gateway as browsers and IPFS clients see it.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use sha2::{Digest, Sha256};
use support::client::Answer;
use support::{PATIENCE, Server};

const HELLO: &str = "bafkqabtimvwgy3yk";
/// Nobody has it.
const ABSENT: &str = "bafkreid5a6pp5f3okzxaysv6otxzuadtpflae2lgaovo6l5nkrr4llnjhu";

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8 ^ (n >> 10) as u8).collect()
}

/// Adds a tree, and answers its address.
fn add(server: &Server, files: &[(&str, &[u8])]) -> String {
    let mut body = Vec::new();
    for (name, bytes) in files {
        let head = format!(
            "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--X--\r\n");
    let form = [("Content-Type", "multipart/form-data; boundary=X")];
    let added = server.request("PUT", "/files", &form, &body).json();
    added["data"]["cid"].as_str().unwrap_or_else(|| panic!("{added}")).to_owned()
}

fn get(server: &Server, path: &str) -> Answer {
    server.at_gateway("GET", path, &[])
}

fn ipfs(server: &Server, path: &str) -> Answer {
    get(server, &format!("/ipfs/{path}"))
}

fn with(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    server.at_gateway("GET", &format!("/ipfs/{path}"), headers)
}

fn varint(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

/// The binary address of a block with this codec, by its hash.
fn cid(codec: u8, block: &[u8]) -> Vec<u8> {
    [&[1, codec, 0x12, 0x20], Sha256::digest(block).as_slice()].concat()
}

/// The address that is its block.
fn inline(codec: u8, block: &[u8]) -> Vec<u8> {
    [&[1, codec, 0], varint(block.len()).as_slice(), block].concat()
}

/// In hexadecimal, which is one of the forms of an address.
fn text(cid: &[u8]) -> String {
    let digits: String = cid.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("f{digits}")
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], varint(bytes.len()).as_slice(), bytes].concat()
}

/// A node of a file whose parts claim these sizes, or of a directory.
fn node(parts: &[(&[u8], &str, usize)], kind: u8) -> Vec<u8> {
    let (mut node, mut data) = (Vec::new(), vec![8, kind]);
    if kind == 2 {
        let size: usize = parts.iter().map(|(_, _, size)| size).sum();
        data = [data.as_slice(), &[0x18], &varint(size)].concat();
    }
    for (cid, name, size) in parts {
        let link = [field(1, cid), field(2, name.as_bytes())].concat();
        node.extend(field(2, &link));
        if kind == 2 {
            data = [data.as_slice(), &[0x20], &varint(*size)].concat();
        }
    }
    [node, field(1, &data)].concat()
}

/// Hands blocks over in a CAR.
fn put(server: &Server, blocks: &[(Vec<u8>, Vec<u8>)]) {
    let root = &blocks[0].0;
    let mut header = b"\xa2eroots\x81\xd8\x2a\x58".to_vec();
    header.push(root.len() as u8 + 1);
    header.push(0);
    header.extend(root);
    header.extend(b"gversion\x01");
    let mut car = [varint(header.len()), header].concat();
    for (cid, block) in blocks {
        car.extend(varint(cid.len() + block.len()));
        car.extend(cid);
        car.extend(block);
    }
    let answer = server.request("PUT", "/car", &[], &car);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_file_is_shown_as_what_it_is_and_kept_for_good() {
    let server = Server::start();
    let large = bytes(600_000);
    let root = add(&server, &[("a/page.html", b"<p>hi"), ("a/large", &large), ("b.json", b"{}")]);
    let page = ipfs(&server, &format!("{root}/a/page.html"));
    assert_eq!((page.status, page.text()), (200, "<p>hi"));
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "public, max-age=29030400, immutable"),
        ("accept-ranges", "bytes"),
        ("content-length", "5"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    assert_eq!(page.header("x-ipfs-path").unwrap(), format!("/ipfs/{root}/a/page.html"));
    let roots: Vec<&str> = page.header("x-ipfs-roots").unwrap().split(',').collect();
    assert_eq!((roots.len(), roots[0]), (3, root.as_str()));
    let tag = page.header("etag").unwrap();
    assert_eq!(tag, format!("\"{}\"", roots[2]));
    let known = with(&server, &format!("{root}/a/page.html"), &[("If-None-Match", tag)]);
    assert_eq!((known.status, known.body.len()), (304, 0));
    let path = format!("{root}/a/large");
    let whole = ipfs(&server, &path);
    assert_eq!(whole.header("content-type"), Some("application/octet-stream"));
    assert!(whole.whole && whole.body == large);
    let head = server.at_gateway("HEAD", &format!("/ipfs/{path}"), &[]);
    assert_eq!((head.status, head.header("content-length")), (200, Some("600000")));
    for (range, expected, told) in [
        ("bytes=300000-300009", 300_000..300_010, "bytes 300000-300009/600000"),
        ("bytes=-5", 599_995..600_000, "bytes 599995-599999/600000"),
        ("bytes=599999-700000", 599_999..600_000, "bytes 599999-599999/600000"),
        ("bytes=5-2,7-9,1-3", 7..10, "bytes 7-9/600000"),
    ] {
        let part = with(&server, &path, &[("Range", range)]);
        assert_eq!((part.status, part.header("content-range")), (206, Some(told)));
        assert!(part.body == large[expected], "{range}");
    }
    for range in ["bytes=600000-", "bytes=9-1", "bytes=-0", "bytes=a-b"] {
        let refused = with(&server, &path, &[("Range", range)]);
        assert_eq!(refused.header("content-range"), Some("bytes */600000"), "{range}");
        refused.refusal(416);
    }
    let named = ipfs(&server, &format!("{path}?filename=gr%C3%BCn.png&download=true"));
    assert_eq!(named.header("content-type"), Some("image/png"));
    let disposition = "attachment; filename=\"gr_n.png\"; filename*=UTF-8''gr%C3%BCn.png";
    assert_eq!(named.header("content-disposition"), Some(disposition));
    // Without a name its bytes tell.
    assert_eq!(ipfs(&server, HELLO).header("content-type"), Some("text/plain; charset=utf-8"));
    let json = ipfs(&server, &format!("{root}/b.json?format=json"));
    assert_eq!((json.status, json.text()), (200, "{}"));
    ipfs(&server, &format!("{root}/a/page.html?format=json")).refusal(406);
    // Who takes anything else as well is not refused.
    let liked = [("Accept", "application/json, */*")];
    assert_eq!(with(&server, &format!("{root}/a/page.html"), &liked).status, 200);
}

#[test]
fn a_directory_is_its_page_or_a_list() {
    let server = Server::start();
    let hostile = "<b onclick='x'>&.txt";
    let root = add(&server, &[("list/ü b", b"1"), ("list/z", b"2"), ("page/index.html", b"<p>")]);
    let moved = ipfs(&server, &format!("{root}/list?x=1"));
    assert_eq!(moved.status, 301);
    assert_eq!(moved.header("location").unwrap(), format!("/ipfs/{root}/list/?x=1"));
    let list = ipfs(&server, &format!("{root}/list/"));
    assert_eq!(list.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = list.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("script"), "{policy}");
    let row = format!("<a href=\"/ipfs/{root}/list/%C3%BC%20b\">ü b</a>");
    assert!(list.text().contains(&row), "{}", list.text());
    assert!(list.text().contains(&format!("<a href=\"/ipfs/{root}/list/..\">..</a>")));
    let tag = list.header("etag").unwrap();
    assert!(
        tag.starts_with("\"DirIndex-")
            && !list.header("cache-control").unwrap().contains("immutable")
    );
    assert_eq!(with(&server, &format!("{root}/list/"), &[("If-None-Match", tag)]).status, 304);
    let page = ipfs(&server, &format!("{root}/page/"));
    assert_eq!(
        (page.text(), page.header("content-type")),
        ("<p>", Some("text/html; charset=utf-8"))
    );
    // A path beyond ASCII is not told in a header.
    let named = ipfs(&server, &format!("{root}/list/%C3%BC%20b"));
    assert_eq!((named.text(), named.header("x-ipfs-path")), ("1", None));
    ipfs(&server, &format!("{root}/list/nothing")).refusal(404);
    ipfs(&server, &format!("{root}/list/z/below")).refusal(404);
    let block = node(&[(&inline(0x55, b"1"), hostile, 1)], 1);
    let directory = inline(0x70, &block);
    let list = ipfs(&server, &format!("{}/", text(&directory)));
    assert!(list.text().contains("&lt;b onclick=&#39;x&#39;&gt;&amp;.txt</a>"), "{}", list.text());
    assert!(!list.text().contains("<b "), "{}", list.text());
}

#[test]
fn blocks_and_cars_can_be_checked_by_who_gets_them() {
    let server = Server::start();
    let large = bytes(600_000);
    let root = add(&server, &[("a/large", &large), ("b", b"b")]);
    let raw = ipfs(&server, &format!("{root}?format=raw"));
    let address: Vec<u8> = cid(0x70, &raw.body);
    assert_eq!(ipfs(&server, &format!("{}/b", text(&address))).text(), "b");
    for (name, value) in [
        ("content-type", "application/vnd.ipld.raw"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "public, max-age=29030400, immutable"),
    ] {
        assert_eq!(raw.header(name), Some(value), "{name}");
    }
    let part = with(&server, &format!("{root}?format=raw"), &[("Range", "bytes=1-3")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &raw.body[1..4]));
    let accept = [("Accept", "application/vnd.ipld.raw")];
    let by_header = with(&server, &root, &accept);
    assert_eq!(by_header.body, raw.body);
    assert_eq!(by_header.header("content-location").unwrap(), format!("/ipfs/{root}?format=raw"));
    assert_eq!(raw.header("content-location"), None);

    let car = |query: &str| ipfs(&server, &format!("{root}/a/large?format=car{query}"));
    let whole = car("");
    let content_type = "application/vnd.ipld.car; version=1; order=dfs; dups=n";
    assert_eq!(whole.header("content-type"), Some(content_type));
    assert_eq!(whole.header("accept-ranges"), Some("none"));
    assert!(whole.whole && whole.body.len() > large.len());
    // Another node has the file from it, and the way to it.
    let other = Server::start();
    assert_eq!(other.request("PUT", "/car", &[], &whole.body).json()["data"]["blocks"], 6);
    assert!(ipfs(&other, &format!("{root}/a/large")).body == large);
    let part = car("&entity-bytes=0:9");
    assert_eq!(other.request("PUT", "/car", &[], &part.body).json()["data"]["blocks"], 4);
    let block = car("&dag-scope=block");
    assert_eq!(other.request("PUT", "/car", &[], &block.body).json()["data"]["blocks"], 3);
    let tag = whole.header("etag").unwrap();
    assert_ne!(block.header("etag").unwrap(), tag);
    assert_eq!(
        with(&server, &format!("{root}/a/large?format=car"), &[("If-None-Match", tag)]).status,
        304
    );
    for wrong in ["&car-version=2", "&dag-scope=x", "&entity-bytes=9:1", "&entity-bytes=600000:*"] {
        car(wrong).refusal(400);
    }
    let probe = ipfs(&server, "bafkqaaa?format=raw");
    assert_eq!((probe.status, probe.body.len()), (200, 0));
    assert_eq!(server.at_gateway("HEAD", "/ipfs/bafkqaaa?format=car", &[]).status, 200);
}

#[test]
fn a_tar_holds_what_is_below_a_path() {
    let server = Server::start();
    let long = format!("{}.txt", "n".repeat(200));
    let root = add(&server, &[("d/a", b"one"), (&format!("d/{long}"), b"two")]);
    let tar = ipfs(&server, &format!("{root}/d?format=tar"));
    assert_eq!(tar.header("content-type"), Some("application/x-tar"));
    assert!(tar.header("etag").unwrap().starts_with("W/\""));
    let mut names = Vec::new();
    for entry in tar::Archive::new(tar.body.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        names.push((entry.path().unwrap().to_str().unwrap().to_owned(), content));
    }
    let expected = [("d/".to_owned(), ""), ("d/a".into(), "one"), (format!("d/{long}"), "two")];
    assert_eq!(names, expected.map(|(name, content)| (name, content.to_owned())));
    // A name that leads elsewhere, and what is no UnixFS.
    let out = inline(0x70, &node(&[(&inline(0x55, b"1"), "../out", 1)], 1));
    ipfs(&server, &format!("{}?format=tar", text(&out))).refusal(400);
    // An entry that leads through the link beside it, or takes its place.
    let link = [&[8, 4][..], &field(2, b"/elsewhere")].concat();
    let (link, file) = (inline(0x70, &field(1, &link)), inline(0x55, b"1"));
    for name in ["a/passwd", "a"] {
        let block = node(&[(&link, "a", 1), (&file, name, 1)], 1);
        let root = cid(0x70, &block);
        put(&server, &[(root.clone(), block)]);
        ipfs(&server, &format!("{}?format=tar", text(&root))).refusal(400);
    }
    ipfs(&server, &format!("{}?format=tar", text(&inline(0x71, b"\xa0")))).refusal(406);
    ipfs(&server, &format!("{}?format=tar", text(&inline(0x70, b"\x0a\x00")))).refusal(406);
}

#[test]
fn a_block_of_values_is_of_its_own_format_alone() {
    let server = Server::start();
    let link = inline(0x55, b"end");
    let mut value = b"\xa1\x61a\xd8\x2a".to_vec();
    value.extend([0x40 | (link.len() as u8 + 1), 0]);
    value.extend(&link);
    let value = text(&inline(0x71, &value));
    let plain = ipfs(&server, &value);
    assert_eq!(plain.header("content-type"), Some("application/vnd.ipld.dag-cbor"));
    assert_eq!(ipfs(&server, &format!("{value}?format=cbor")).status, 200);
    for format in ["dag-json", "json"] {
        let refused = ipfs(&server, &format!("{value}?format={format}")).refusal(406);
        assert!(refused.contains("format=raw"), "{refused}");
    }
    assert_eq!(ipfs(&server, &format!("{value}/a")).text(), "end");
    ipfs(&server, &format!("{value}/b")).refusal(404);
    let inside = text(&inline(0x71, b"\xa1\x61a\x01"));
    ipfs(&server, &format!("{inside}/a")).refusal(501);
    let page = with(&server, &value, &[("Accept", "text/html")]);
    assert!(page.text().contains("</html>") && page.header("etag").unwrap().contains("DagIndex-"));
    // Codecs that nobody reads here.
    let strange = text(&inline(0x72, b"x"));
    ipfs(&server, &strange).refusal(400);
    assert_eq!(ipfs(&server, &format!("{strange}?format=raw")).text(), "x");
}

#[test]
fn what_cannot_be_had_says_why() {
    let server = Server::start();
    let absent = ipfs(&server, ABSENT).refusal(404);
    assert!(absent.contains(ABSENT), "{absent}");
    with(&server, ABSENT, &[("Cache-Control", "only-if-cached")]).refusal(412);
    let here = [("Cache-Control", "no-transform, only-if-cached")];
    assert_eq!(with(&server, HELLO, &here).status, 200);
    for nonsense in ["nonsense", "", "bafkqaaA", &format!("f0155008101{}", "41".repeat(129))] {
        ipfs(&server, nonsense).refusal(400);
    }
    let deep = format!("{HELLO}/{}", "a/".repeat(200));
    ipfs(&server, &deep).refusal(413);
    get(&server, "/elsewhere").refusal(404);
    get(&server, "/ipns/example").refusal(501);
    with(&server, HELLO, &[("Service-Worker", "script")]).refusal(400);
    assert_eq!(with(&server, &format!("{HELLO}/"), &[("Service-Worker", "script")]).status, 200);
    ipfs(&server, &format!("{HELLO}?format=ipns-record")).refusal(400);
    ipfs(&server, &format!("{HELLO}?format=x")).refusal(400);
    for method in ["POST", "PUT", "DELETE"] {
        let refused = server.at_gateway(method, &format!("/ipfs/{HELLO}"), &[]);
        assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
        refused.refusal(405);
    }
    assert!(server.at_gateway("OPTIONS", "/ipfs/", &[]).status < 300);
    assert_eq!(get(&server, "/").header("content-type"), Some("text/html; charset=utf-8"));
    let metrics = server.get("/metrics");
    let counted = "optimusdb_gateway_requests_total{format=\"default\",status=\"2xx\"}";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

/// Two nodes of a swarm, once they have met.
fn pair(swarm: &str) -> (Server, Server) {
    let swarm = format!("-swarm={swarm}");
    let first = Server::start_with(&[&swarm]);
    let id = first.get("/id").json();
    let bootstrap = format!("-bootstrap={}", id["data"]["addrs"][0].as_str().unwrap());
    let second = Server::start_with(&[&swarm, &bootstrap]);
    let deadline = Instant::now() + PATIENCE;
    while second.get("/peers").json() == json!([]) {
        assert!(Instant::now() < deadline, "no peer");
        std::thread::sleep(Duration::from_millis(20));
    }
    (first, second)
}

#[test]
fn a_peer_that_has_nothing_is_asked_before_it_is_given_up() {
    let (first, second) = pair("gateway-test");
    let absent = ipfs(&second, ABSENT);
    assert!(absent.header("retry-after").is_some(), "{absent:?}");
    absent.refusal(504);
    // What the peer has comes from there.
    let root = add(&first, &[("a", &bytes(300_000))]);
    assert!(ipfs(&second, &root).body == bytes(300_000));
}

#[test]
fn a_file_that_lies_about_its_size_is_never_a_short_answer() {
    let server = Server::start();
    let part = inline(0x55, b"12345");
    let lying = inline(0x70, &node(&[(&part, "", 1_000)], 2));
    ipfs(&server, &text(&lying)).refusal(400);
    let late = inline(0x70, &node(&[(&part, "", 5), (&part, "", 6)], 2));
    ipfs(&server, &text(&late)).refusal(400);
    let missing = inline(0x70, &node(&[(&part, "", 5), (&cid(0x55, b"missing"), "", 7)], 2));
    ipfs(&server, &text(&missing)).refusal(404);
    // Where the first part is large the answer has begun.
    let large = bytes(300_000);
    put(&server, &[(cid(0x55, &large), large.clone())]);
    for (second, size) in [(&part, 6), (&cid(0x55, b"missing"), 7)] {
        let parts = [(cid(0x55, &large), 300_000), (second.clone(), size)];
        let parts = parts.each_ref().map(|(cid, size)| (cid.as_slice(), "", *size));
        let broken = ipfs(&server, &text(&inline(0x70, &node(&parts, 2))));
        let told = broken.header("content-length").unwrap();
        assert_eq!((broken.status, told), (200, (300_000 + size).to_string().as_str()));
        assert!(!broken.whole && large.starts_with(&broken.body), "{}", broken.body.len());
    }
    // What is asked for is there.
    let there = with(&server, &text(&missing), &[("Range", "bytes=1-2")]);
    assert_eq!((there.status, there.text()), (206, "23"));
    let car = ipfs(&server, &format!("{}?format=car&entity-bytes=0:4", text(&missing)));
    assert!(car.whole && car.status == 200);
    ipfs(&server, &format!("{}?format=car", text(&missing))).refusal(404);
}

#[test]
fn depth_is_bounded_where_it_has_to_be() {
    let server = Server::start();
    let mut blocks = vec![(cid(0x55, b"end"), b"end".to_vec())];
    for _ in 0..10_000 {
        let (below, _) = blocks.last().unwrap();
        let block = node(&[(below, "a", 0)], 1);
        blocks.push((cid(0x70, &block), block));
    }
    blocks.reverse();
    put(&server, &blocks);
    let root = text(&blocks[0].0);
    assert_eq!(ipfs(&server, &format!("{root}/{}", "a/".repeat(128))).status, 200);
    ipfs(&server, &format!("{root}/{}", "a/".repeat(129))).refusal(413);
    let tar = ipfs(&server, &format!("{root}?format=tar"));
    assert!(tar.status == 413 || !tar.whole, "{}", tar.status);
    let car = ipfs(&server, &format!("{root}?format=car"));
    let other = Server::start();
    let taken = other.request("PUT", "/car", &[], &car.body).json();
    assert_eq!(taken["data"]["blocks"], 10_001);
    // Parts of a file as deep as that are refused, not followed.
    let mut part = cid(0x55, b"end");
    let mut blocks = vec![(part.clone(), b"end".to_vec())];
    for _ in 0..40 {
        let block = node(&[(&part, "", 3)], 2);
        part = cid(0x70, &block);
        blocks.push((part.clone(), block));
    }
    blocks.reverse();
    put(&server, &blocks);
    ipfs(&server, &text(&part)).refusal(400);
}

#[test]
fn who_hangs_up_or_does_not_read_holds_up_nobody() {
    let server = Server::start();
    let large = bytes(4_000_000);
    let root = add(&server, &[("a", &large)]);
    let request = format!("GET /ipfs/{root} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut client = TcpStream::connect(&server.gateway).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        let mut some = [0; 1_000];
        client.read_exact(&mut some).unwrap();
        slow.push(client);
    }
    assert!(ipfs(&server, &root).body == large);
    // More than are answered at a time come and go.
    for _ in 0..100 {
        let mut client = TcpStream::connect(&server.gateway).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        let mut some = [0; 1_000];
        client.read_exact(&mut some).unwrap();
    }
    assert!(ipfs(&server, &root).body == large);
    drop(slow);
    server.stop();
}

#[test]
fn too_many_at_once_are_told_to_come_back() {
    let server = Server::start();
    let root = add(&server, &[("a", &bytes(16_000_000))]);
    let request = format!("GET /ipfs/{root} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut busy = Vec::new();
    for _ in 0..48 {
        let mut client = TcpStream::connect(&server.gateway).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        client.read_exact(&mut [0; 1_000]).unwrap();
        busy.push(client);
    }
    let refused = ipfs(&server, &root);
    assert!(refused.header("retry-after").is_some(), "{}", refused.status);
    refused.refusal(429);
    // The API has turns of its own.
    assert_eq!(server.get("/files/bafkqaaa").status, 200);
    drop(busy);
    let deadline = Instant::now() + PATIENCE;
    while ipfs(&server, HELLO).status != 200 {
        assert!(Instant::now() < deadline, "still busy");
    }
}

#[test]
fn waiting_for_what_nobody_has_takes_no_turn_from_what_is_here() {
    let (_first, second) = pair("gateway-turns");
    let here = add(&second, &[("a", &b"here"[..])]);
    let absent: Vec<TcpStream> = (0..80_u32)
        .map(|n| {
            let root = text(&cid(0x55, &n.to_be_bytes()));
            let mut stream = TcpStream::connect(&second.gateway).unwrap();
            let request = format!("GET /ipfs/{root} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(ipfs(&second, &here).status, 200);
    assert_eq!(second.get(&format!("/files/{here}")).status, 200);
    drop(absent);
}
