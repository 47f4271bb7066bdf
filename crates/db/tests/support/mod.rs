//! What the tests of this room share: a node's configuration and reading from it.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test takes what it needs"
)]

use optimusdb_db::{Blocks, Cid, Documents, Error, LogCid, Node, NodeConfig, Opening, Query};
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
        opening: Opening::default(),
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

/// Blocks read straight from another node.
pub struct Live(Node, tokio::runtime::Handle);

impl Blocks for Live {
    type Error = Error;

    fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, Error> {
        match LogCid::try_from(cid) {
            Ok(cid) => self.1.block_on(self.0.block(cid)),
            Err(_) => Ok(None),
        }
    }

    fn has(&self, cid: &Cid) -> Result<bool, Error> {
        Ok(self.get(cid)?.is_some())
    }
}

pub fn live(node: &Node) -> Live {
    Live(node.clone(), tokio::runtime::Handle::current())
}

pub async fn heads(node: &Node, store: &str) -> Vec<LogCid> {
    let stores = node.stores().await.unwrap();
    let store = stores.into_iter().find(|s| s.name == store).unwrap();
    store.heads.iter().map(|head| head.parse().unwrap()).collect()
}

pub async fn join(into: &Node, from: &Node, store: &str) -> optimusdb_db::Joined {
    let joined = into.join(store, heads(from, store).await, live(from)).await.unwrap();
    assert_eq!(joined.refused, []);
    joined
}
