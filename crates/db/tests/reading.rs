//! Reads beside each other: what is long never holds up what is short.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_db::{Error, Node, Query};
use serde_json::{Value, json};
use std::time::Duration;
use support::{config, find};

fn query(criteria: Value, options: Value) -> Query {
    Query::from_json(&criteria, &options).unwrap()
}

#[tokio::test]
async fn scans_that_nobody_takes_leave_look_ups_and_writes_alone() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let documents: Vec<Value> =
        (0..2_000).map(|n| json!({"_id": format!("k{n}"), "text": "x".repeat(1_000)})).collect();
    node.put("dsswres", documents).await.unwrap();
    // Far more streams than there are connections for scans; the open ones are not read on.
    let mut streams = Vec::new();
    let mut waiting = Vec::new();
    for _ in 0..optimusdb_db::limits::SCAN_READERS_MAX {
        streams.push(node.find("dsswres", query(json!([]), json!({}))).await.unwrap());
    }
    for _ in 0..200 {
        let node = node.clone();
        waiting.push(tokio::spawn(async move {
            let hurried = query(json!([{"text": "y"}]), json!({"time_budget_ms": 300}));
            node.find("dsswres", hurried).await.map(|_| ())
        }));
    }
    let look_up = async {
        let mut found = node.find("dsswres", query(json!([{"_id": "k7"}]), json!({}))).await?;
        found.next().await.unwrap()
    };
    let found = tokio::time::timeout(Duration::from_secs(5), look_up).await.expect("in time");
    assert!(found.unwrap().contains("\"k7\""));
    node.put("dsswres", vec![json!({"_id": "new"})]).await.unwrap();
    for task in waiting {
        let refused = task.await.unwrap().unwrap_err();
        assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    }
    // The open streams still end with what was there when they began.
    for mut stream in streams {
        let mut bytes = 0;
        while let Some(chunk) = stream.next().await {
            bytes += chunk.unwrap().len();
        }
        assert!(bytes > 2_000_000);
    }
    node.close().await;
}

#[tokio::test]
async fn a_scan_ends_at_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let documents: Vec<Value> =
        (0..20_000).map(|n| json!({"_id": format!("k{n}"), "n": n})).collect();
    node.put("dsswres", documents).await.unwrap();
    let hurried = query(json!([{"n": {"$regex": "x"}}]), json!({"time_budget_ms": 1}));
    match node.find("dsswres", hurried).await {
        Err(Error::TimedOut(_) | Error::Unavailable(_)) => {}
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("twenty thousand documents were read within a millisecond"),
    }
    assert_eq!(find(&node, "dsswres", json!([{"n": 19_999}])).await.len(), 1);
    node.close().await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_broken_off_and_not_cut_short() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let documents: Vec<Value> =
        (0..2_000).map(|n| json!({"_id": format!("k{n}"), "text": "x".repeat(1_000)})).collect();
    node.put("dsswres", documents).await.unwrap();
    let mut stream = node.find("dsswres", query(json!([]), json!({}))).await.unwrap();
    let stall = optimusdb_db::limits::STREAM_STALL_MS_MAX + 1_000;
    tokio::time::sleep(Duration::from_millis(stall)).await;
    let mut last = None;
    while let Some(chunk) = stream.next().await {
        last = Some(chunk);
    }
    let error = last.unwrap().expect_err("the stream does not end as if it were whole");
    assert!(matches!(error, Error::TimedOut(_)), "{error}");
    node.close().await;
}

#[tokio::test]
async fn many_ids_are_a_stream() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let documents: Vec<Value> = (0..100).map(|n| json!({"_id": format!("k{n:03}")})).collect();
    node.put("dsswres", documents).await.unwrap();
    for count in [16, 17, 100] {
        let ids: Vec<String> = (0..count).map(|n| format!("k{n:03}")).collect();
        let asked = query(json!([{"_id": {"$in": ids}}]), json!({"skip": 1}));
        let mut found = node.find("dsswres", asked).await.unwrap();
        let mut text = String::new();
        while let Some(chunk) = found.next().await {
            text.push_str(&chunk.unwrap());
        }
        let found: Vec<Value> = serde_json::from_str(&format!("[{text}]")).unwrap();
        assert_eq!(found.len(), count - 1);
    }
    node.close().await;
}
