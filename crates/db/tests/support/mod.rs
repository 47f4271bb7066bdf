//! What the tests of this room share: a node's configuration and reading from it.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test takes what it needs"
)]

use optimusdb_db::{Documents, FilesConfig, NetworkConfig, Node, NodeConfig, NodeOpening, Query};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

pub fn config(repo: &Path) -> NodeConfig {
    NodeConfig {
        repo: repo.to_owned(),
        swarm: "test".into(),
        region: None,
        coordinator: true,
        durable: true,
        reindex: false,
        version: "0".into(),
        journal: None,
        journal_retention: Duration::from_secs(3600),
        opening: NodeOpening::default(),
        files: FilesConfig::default(),
        disk_reserve_bytes: 0,
        free_bytes: |_| None,
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

pub async fn heads(node: &Node, store: &str) -> Vec<String> {
    let stores = node.stores().await.unwrap();
    stores.into_iter().find(|s| s.name == store).unwrap().heads
}

/// Waits until `probe` holds; what never holds ends the test.
pub async fn until(what: &str, probe: impl AsyncFn() -> bool) {
    // Longer than two rounds of the exchange that brings what an announcement did not.
    for _ in 0..3_750 {
        if probe().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: never");
}

/// A node with a directory of its own, in a swarm that only its test knows.
pub struct Member {
    node: Node,
    pub dir: TempDir,
    swarm: &'static str,
}

impl Member {
    /// One without a network.
    pub fn alone(swarm: &'static str, coordinator: bool) -> Member {
        Member::opened(tempfile::tempdir().unwrap(), swarm, coordinator)
    }

    /// One that takes part in its swarm and knows nobody yet.
    pub async fn online(swarm: &'static str, coordinator: bool) -> Member {
        let member = Member::alone(swarm, coordinator);
        member.join().await;
        member
    }

    fn opened(dir: TempDir, swarm: &'static str, coordinator: bool) -> Member {
        let config = NodeConfig { swarm: swarm.into(), coordinator, ..config(dir.path()) };
        Member { node: Node::open(config).unwrap(), dir, swarm }
    }

    /// Takes part in the swarm from now on: on loopback, and without looking for others.
    pub async fn join(&self) {
        let listen = vec![Ipv4Addr::LOCALHOST.into()];
        self.join_swarm(NetworkConfig { listen, ..NetworkConfig::default() }).await.unwrap();
    }

    /// Connects with another one, which takes part, too.
    pub async fn meet(&self, other: &Member) {
        let addrs = other.addrs();
        let tcp = addrs.iter().find(|addr| addr.contains("/tcp/")).unwrap();
        assert_eq!(self.connect(tcp).await.unwrap(), other.id().peer_id);
    }

    /// The same node, stopped and opened again without a network.
    pub async fn reopened(self, coordinator: bool) -> Member {
        let Member { node, dir, swarm } = self;
        node.close().await;
        drop(node);
        Member::opened(dir, swarm, coordinator)
    }
}

impl std::ops::Deref for Member {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}
