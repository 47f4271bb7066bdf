//! TOSCA files over HTTP: wrapped as JSON or as a form, found again, replaced, refused.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::Server;
use support::client::Answer;

const HELLO: &str = "tosca_definitions_version: tosca_2_0\nservice_template:\n  node_templates:\n    server:\n      type: Compute\n";

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .enumerate()
            .fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for digit in 0..4 {
            let place = (bits >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= group.len() { DIGITS[place].into() } else { '=' });
        }
    }
    text
}

fn upload(server: &Server, body: &Value) -> Answer {
    server.request(
        "POST",
        "/upload",
        &[("Content-Type", "application/json")],
        body.to_string().as_bytes(),
    )
}

fn upload_form(server: &Server, parts: &[(&str, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (disposition, content) in parts {
        body.extend_from_slice(
            format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    server.request(
        "POST",
        "/upload",
        &[("Content-Type", "multipart/form-data; boundary=XX")],
        &body,
    )
}

#[test]
fn an_upload_becomes_a_document_that_can_be_asked_for() {
    let server = Server::start();
    let answer =
        upload(&server, &json!({"file": base64(HELLO.as_bytes()), "filename": "hello.yaml"}));
    let receipt = answer.json()["data"].take();
    for (key, expected) in [
        ("message", json!("TOSCA uploaded successfully")),
        ("filename", json!("hello.yaml")),
        ("filesize", json!(HELLO.len())),
        ("node_count", json!(1)),
        ("queryable", json!(true)),
        ("storage_location", json!("dsswres")),
        ("target_store", json!("dsswres")),
    ] {
        assert_eq!(receipt[key], expected, "{key} of {receipt}");
    }
    assert_eq!(receipt["sha256"].as_str().unwrap().len(), 64);
    // The file itself is a contribution.
    let cid = receipt["cid"].as_str().unwrap();
    assert_eq!(server.get(&format!("/files/{cid}")).text(), HELLO);
    let contributions = server.data(&json!({"method": {"cmd": "contri"}}));
    assert_eq!(contributions[0]["value"]["path"], format!("/ipfs/{cid}"));
    assert_eq!(contributions[0]["value"]["name"], "hello.yaml");

    let found =
        server.find("dsswres", json!([{"service_template.node_templates.server.type": "Compute"}]));
    assert_eq!(found[0]["_id"], receipt["template_id"]);
    assert_eq!(
        (&found[0]["_filename"], &found[0]["_original_yaml"]),
        (&json!("hello.yaml"), &json!(HELLO))
    );
    assert!(found[0]["_imported_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_form_is_the_same_as_json() {
    let server = Server::start();
    let by_json =
        upload(&server, &json!({"file": base64(HELLO.as_bytes()), "filename": "a.yaml"})).json();
    let by_form =
        upload_form(&server, &[(r#"name="file"; filename="a.yaml""#, HELLO.as_bytes())]).json();
    assert_eq!(by_form["data"]["template_id"], by_json["data"]["template_id"]);
    let named = upload_form(
        &server,
        &[
            (r#"name="target_store""#, b"tosca_imported"),
            (r#"name="filename""#, b"b.yaml"),
            (r#"name="store_full_structure""#, b"false"),
            (r#"name="file"; filename="a.yaml""#, HELLO.as_bytes()),
        ],
    )
    .json();
    assert_eq!(
        (&named["data"]["filename"], &named["data"]["queryable"]),
        (&json!("b.yaml"), &json!(false))
    );
    let found = server.find("tosca_imported", json!([{"_filename": "b.yaml"}]));
    assert_eq!(
        (&found[0]["service_template"], &found[0]["_original_yaml"]),
        (&Value::Null, &json!(HELLO))
    );
}

#[test]
fn several_files_are_stored_together_or_not_at_all() {
    let server = Server::start();
    let a = (r#"name="file"; filename="a.yaml""#, HELLO.as_bytes());
    let b = (r#"name="file"; filename*=utf-8''%C3%BC.yaml"#, b"b: 2".as_slice());
    let broken = (r#"name="file"; filename="c.yaml""#, b"c: [1".as_slice());
    let refusal = upload_form(&server, &[a, b, broken]).refusal(400);
    assert!(refusal.contains("\"c.yaml\": invalid YAML at line"), "{refusal}");
    assert!(upload_form(&server, &[a, b, a]).refusal(400).contains("\"a.yaml\" is there twice"));
    assert_eq!(server.find("dsswres", json!([])), json!([]));

    let receipts = upload_form(&server, &[a, b]).json()["data"].take();
    assert_eq!(
        (&receipts[0]["filename"], &receipts[1]["filename"]),
        (&json!("a.yaml"), &json!("ü.yaml"))
    );
    for receipt in receipts.as_array().unwrap() {
        let found = server.find("dsswres", json!([{"_id": receipt["template_id"]}]));
        assert_eq!(found[0]["_filename"], receipt["filename"]);
    }
    assert_eq!(server.find("dsswres", json!([])).as_array().unwrap().len(), 2);
}

/// `{"method":{"cmd":"crudput"},"criteria":[{"_id":"gz"}]}`, by gzip and by zstd.
const PUT_GZIP: &str = "1f8b0800000000000203ab56ca4d2dc9c84f51b2aa564ace05524ac945a52905a5254ab53a406666496a5166a2925574b5527c264836bd4aa936b616009af683e936000000";
const PUT_ZSTD: &str = "28b52ffd0458b101007b226d6574686f64223a7b22636d64223a2263727564707574227d2c226372697465726961223a5b7b225f6964223a22677a227d5d7dfa9eed07";

#[test]
fn compressed_bodies_are_taken() {
    let server = Server::start();
    let bytes = |hex: &str| -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    };
    for (coding, body) in [("gzip", PUT_GZIP), ("zstd", PUT_ZSTD)] {
        let sent =
            server.request("POST", "/command", &[("Content-Encoding", coding)], &bytes(body));
        assert_eq!(sent.status, 200, "{coding}: {}", sent.text());
        let found = server.find("dsswres", json!([]));
        assert_eq!(found, json!([{"_id": "gz"}]));
        server.data(&json!({"method": {"cmd": "cruddelete"}, "criteria": [{}]}));
    }
    let br = server.request("POST", "/upload", &[("Content-Encoding", "br")], b"{}");
    assert_eq!(br.header("accept-encoding"), Some("gzip, zstd, deflate"));
    assert!(br.refusal(415).contains("Content-Encoding"));
    let marked = b"\xef\xbb\xbf{\"file\":\"77u/YTogMQ==\",\"filename\":\"bom.yaml\"}";
    assert_eq!(server.request("POST", "/upload", &[], marked).status, 200);
    assert_eq!(server.find("dsswres", json!([{"a": 1}]))[0]["_filename"], "bom.yaml");
}

#[test]
fn a_name_uploaded_again_replaces_its_document() {
    let server = Server::start();
    for text in
        [HELLO.to_owned(), HELLO.replace("Compute", "Storage"), HELLO.replace("Compute", "Storage")]
    {
        assert_eq!(
            upload(&server, &json!({"file": base64(text.as_bytes()), "filename": "a.yaml"})).status,
            200
        );
    }
    upload(&server, &json!({"file": base64(HELLO.as_bytes()), "filename": "other.yaml"}));
    let found = server.find("dsswres", json!([{"_filename": "a.yaml"}]));
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["service_template"]["node_templates"]["server"]["type"], "Storage");
    assert_eq!(server.find("dsswres", json!([])).as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_read_is_refused_and_leaves_nothing() {
    let server = Server::start();
    let file = |text: &str| json!({"file": base64(text.as_bytes()), "filename": "a.yaml"});
    let store = |name: &str| json!({"file": base64(HELLO.as_bytes()), "target_store": name});
    for (body, status, expected) in [
        (json!({}), 400, "'file' is missing"),
        (json!([]), 400, "must be a JSON object"),
        (json!({"file": 1}), 400, "'file' must be a string"),
        (json!({"file": "dG9zY2E!"}), 400, "character '!' at position 8"),
        (json!({"file": "dG9zY2E="}), 400, ""),
        (json!({"file": "A"}), 400, "cut off or wrongly padded"),
        (file("a: [1, 2\nb: 3\n"), 400, "line 2"),
        (file("a: \"\n"), 400, "line"),
        (file(&"x".repeat(1024 * 1024 + 1)), 413, "1048576"),
        (store("nowhere"), 404, "nowhere"),
        (store("validations"), 403, "validations"),
    ] {
        if expected.is_empty() {
            // A plain text is valid YAML.
            assert_eq!(upload(&server, &body).status, 200);
            server.data(&json!({"method": {"cmd": "cruddelete"}, "criteria": [{}]}));
            continue;
        }
        let message = upload(&server, &body).refusal(status);
        assert!(message.contains(expected), "{message}");
    }
    assert!(server.request("POST", "/upload", &[], b"").refusal(400).contains("no body"));
    assert!(server.request("POST", "/upload", &[], b"a: 1\n").refusal(400).contains("not JSON"));
    let form = |kind: &str, body: &[u8]| {
        server.request("POST", "/upload", &[("Content-Type", kind)], body).refusal(400)
    };
    assert!(form("multipart/form-data", b"x").contains("multipart"));
    assert!(
        form("multipart/form-data; boundary=XX", b"--XX\r\nnonsense").contains("cannot be read")
    );
    assert!(
        upload_form(&server, &[(r#"name="filename""#, b"x")])
            .refusal(400)
            .contains("no part 'file'")
    );
    assert!(upload_form(&server, &[(r#"name="other""#, b"x")]).refusal(400).contains("'other'"));
    assert!(
        upload_form(&server, &[(r#"name="file""#, b"\xff\xfe\x00")]).refusal(400).contains("UTF-8")
    );
    assert_eq!(server.find("dsswres", json!([])), json!([]));
}

/// Files that were written by others, where they are at hand.
#[test]
fn files_of_the_field_are_taken() {
    let shared = std::env::var_os("OPTIMUSDB_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let Ok(directory) = std::fs::read_dir(shared.join("data/tosca")) else {
        eprintln!("SKIPPED: no TOSCA files in {}", shared.display());
        return;
    };
    let server = Server::start();
    let mut files = 0;
    for path in directory
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
    {
        let (bytes, name) =
            (std::fs::read(&path).unwrap(), path.file_name().unwrap().to_str().unwrap());
        let answer =
            upload_form(&server, &[(&format!(r#"name="file"; filename="{name}""#), &bytes)]);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let found = server.find("dsswres", json!([{"_filename": name}]));
        assert_eq!(found[0]["_original_yaml"].as_str().unwrap().as_bytes(), bytes, "{name}");
        files += 1;
    }
    assert!(files > 0);
}
