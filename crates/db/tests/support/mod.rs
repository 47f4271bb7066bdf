//! What the tests of this room share: a node's configuration and reading from it.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test takes what it needs"
)]

use optimusdb_db::{Documents, Node, NodeConfig, Query};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

pub fn config(repo: &Path) -> NodeConfig {
    NodeConfig {
        repo: repo.to_owned(),
        swarm: "test".into(),
        region: None,
        coordinator: true,
        durable: true,
        reindex: false,
        version: "0".into(),
        logs: None,
        log_retention: Duration::from_secs(3600),
    }
}

pub async fn find(node: &Node, store: &str, criteria: Value) -> Vec<Value> {
    let query = Query::from_json(&criteria, &json!({"sort": [{"_id": 1}]})).unwrap();
    collect(node.find(store, query).await.unwrap()).await
}

pub async fn collect(mut documents: Documents) -> Vec<Value> {
    let mut text = String::from("[");
    while let Some(chunk) = documents.next().await {
        text.push_str(&chunk.unwrap());
    }
    text.push(']');
    serde_json::from_str(&text).unwrap()
}
