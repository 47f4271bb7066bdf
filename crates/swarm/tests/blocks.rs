//! Blocks between hosts.
#![allow(clippy::unwrap_used)]

mod support;

use optimusdb_dag::LogCid;
use optimusdb_swarm::FetchError;
use support::{Node, node};

fn keep(node: &Node, block: &[u8]) -> LogCid {
    let cid = LogCid::of(block);
    node.kept.blocks.lock().unwrap().insert(cid.into(), block.to_vec());
    cid
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_fetched_from_connected_peers() {
    let (a, b) = (node().await, node().await);
    let cid = keep(&b, b"block");
    assert_eq!(a.swarm.fetch(cid, vec![b.id()]).await, Err(FetchError::NotFound));
    a.connect(&b).await;
    assert_eq!(a.swarm.fetch(cid, vec![b.id()]).await, Ok(b"block".to_vec()));
    assert_eq!(a.swarm.fetch(cid, vec![]).await, Ok(b"block".to_vec()));
    let missing = LogCid::of(b"missing");
    assert_eq!(a.swarm.fetch(missing, vec![]).await, Err(FetchError::NotFound));
    assert_eq!(b.swarm.figures().bitswap.blocks_sent, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_host_fetches_nothing() {
    let (a, mut b) = (node().await, node().await);
    let cid = keep(&a, b"block");
    a.connect(&b).await;
    b.until_up(a.id()).await;
    a.swarm.shutdown().await;
    assert_eq!(a.swarm.fetch(cid, vec![b.id()]).await, Err(FetchError::Closed));
    b.until_down(a.id()).await;
    assert_eq!(b.swarm.fetch(cid, vec![a.id()]).await, Err(FetchError::NotFound));
}
