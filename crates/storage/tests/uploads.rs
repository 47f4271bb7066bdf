//! Uploaded files of one name: one document stands, whatever the order in which entries arrive.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::{Entry, Ipld, Operation};
use optimusdb_storage::{Place, StoreRow, upload_digits};
use support::*;

fn id(content: &str) -> String {
    format!("tosca_app_{}", upload_digits("app.yaml", content.as_bytes()))
}

fn file(content: &str) -> Ipld {
    map([("_filename", text("app.yaml")), ("_original_yaml", text(content))])
}

fn upload(content: &str) -> Operation {
    put(&id(content), file(content))
}

/// What a replica shows after these entries, and all that it keeps of them but row numbers.
fn shown(entries: &[Entry]) -> (Vec<String>, Vec<Vec<String>>) {
    let place = Place::memory();
    let mut database = open(&place);
    let store = documents(&mut database, "things");
    for entry in entries {
        deliver(&mut database, &store, std::slice::from_ref(entry)).unwrap();
    }
    let db = raw(&place);
    let all = || {
        [
            "SELECT key, time, created, updated, json(doc) FROM documents",
            "SELECT filename, key FROM uploads",
            "SELECT documents FROM stores",
        ]
        .map(|sql| rows(&db, sql))
        .to_vec()
    };
    let mut keys: Vec<String> = Vec::new();
    let view = database.view();
    view.documents(&store, &optimusdb_storage::Select::default(), |key, _| {
        keys.push(key.to_owned());
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    keys.sort();
    assert_eq!(now(view, &store).documents, keys.len() as u64);
    let before = all();
    let store: StoreRow = now(view, &store);
    database.reindex(&store, || ()).unwrap();
    assert_eq!(all(), before, "made again, it is the same");
    (keys, before)
}

/// All ways to mix the histories of two writers who do not know each other.
fn mixed(a: &[Entry], b: &[Entry]) -> Vec<Vec<Entry>> {
    let (Some(first), Some(second)) = (a.first(), b.first()) else {
        return vec![[a, b].concat()];
    };
    let mut all = Vec::new();
    for (head, tails) in [(first, mixed(&a[1..], b)), (second, mixed(a, &b[1..]))] {
        for tail in tails {
            all.push([std::slice::from_ref(head), &tail].concat());
        }
    }
    all
}

fn written(seed: u8, operations: &[Operation]) -> Vec<Entry> {
    let mut writer = Writer::new(seed, "things");
    operations.iter().enumerate().map(|(n, op)| writer.write(op, Some(n as u64))).collect()
}

#[test]
fn one_of_several_uploads_of_a_name_stands() {
    let plain = put("tosca_app_0123456789abcdef", file("one"));
    let renamed = put(&id("two"), map([("_filename", text("other.yaml"))]));
    let cases: [(&[Operation], &[Operation], &[&str]); 6] = [
        // The greater clock wins, then the greater writer: here always the longer history.
        (&[upload("one")], &[del("x"), upload("two")], &["two"]),
        (&[upload("one"), del("x"), del("y")], &[upload("two"), upload("three")], &["three"]),
        // As after any upload, deleting it brings nothing back.
        (&[upload("one")], &[del("x"), upload("two"), del(&id("two"))], &[]),
        // The same upload again is the newest.
        (&[upload("one"), del("x"), del("y"), upload("one")], &[upload("two")], &["one"]),
        // What is no upload is not replaced, and replaces nothing.
        (&[plain.clone(), upload("one")], &[renamed, plain], &["0123456789abcdef", "one", "two"]),
        (&[upload("one"), upload("two"), del(&id("two"))], &[upload("one")], &[]),
    ];
    for (a, b, expected) in cases {
        let (a, b) = (written(1, a), written(2, b));
        let mut expected: Vec<String> = expected
            .iter()
            .map(|it| if it.len() == 16 { format!("tosca_app_{it}") } else { id(it) })
            .collect();
        expected.sort();
        let first = shown(&[a.clone(), b.clone()].concat());
        assert_eq!(first.0, expected);
        for entries in mixed(&a, &b) {
            assert_eq!(shown(&entries), first);
        }
    }
}
