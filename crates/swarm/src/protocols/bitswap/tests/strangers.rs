//! Peers of another make, and peers that mean harm.

use std::time::Duration;

use crate::protocols::bitswap::limits::{MESSAGE_BYTES_MAX, MESSAGE_ENTRIES_MAX};
use libp2p::futures::future::join_all;
use libp2p::futures::{AsyncReadExt, AsyncWriteExt};
use optimusdb_dag::LogCid;

use super::raw::{self, Raw};
use super::world::Node;

fn cid(number: u32) -> LogCid {
    LogCid::of(&number.to_be_bytes())
}

async fn raw_and_node() -> (Raw, Node) {
    let (raw, node) = (Raw::start().await, Node::start().await);
    raw.host.connect(&node.host).await;
    (raw, node)
}

/// The node still serves an honest peer.
async fn serves(node: &Node) {
    let asker = Node::start().await;
    asker.host.connect(&node.host).await;
    let cid = node.blocks.put(b"for the honest".to_vec());
    let fetched = asker.bitswap.fetch(cid, vec![node.peer()]).await;
    assert_eq!(fetched, Ok(b"for the honest".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_break_the_format_are_refused() {
    let (raw, node) = raw_and_node().await;
    let oversized = [raw::varint(MESSAGE_BYTES_MAX + 1), vec![0; 64]].concat();
    let too_many = raw::wants((0..=MESSAGE_ENTRIES_MAX as u32).map(cid), true);
    let noise = [vec![16], vec![0xff; 16]].concat();
    let broken = [oversized, too_many, noise, vec![0xff; 32], vec![200, 1, 7]];
    for (at, bytes) in broken.iter().enumerate() {
        let mut stream = raw.open(node.peer()).await;
        let _ = stream.write_all(bytes).await;
        let _ = stream.close().await;
        // The node says nothing on it and ends it.
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert!(said.is_empty(), "{said:?}");
        while node.bitswap.counts().streams_refused < at as u64 + 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    serves(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_wants_does_not_hold_up_others() {
    let (raw, node) = raw_and_node().await;
    let flood = (0..50).map(|round| {
        let from = round * MESSAGE_ENTRIES_MAX as u32;
        let message = raw::wants((from..from + MESSAGE_ENTRIES_MAX as u32).map(cid), true);
        let (raw, peer) = (&raw, node.peer());
        async move { raw.send(peer, &message).await }
    });
    join_all(flood).await;
    serves(&node).await;
    assert!(node.bitswap.counts().wants_dropped > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unasked_blocks_are_counted_and_dropped() {
    let (raw, node) = raw_and_node().await;
    for number in 0..3_u8 {
        raw.send(node.peer(), &raw::block(&[number])).await;
    }
    while node.bitswap.counts().blocks_unwanted < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(node.bitswap.counts().blocks_received, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_opened_at_once_are_all_read() {
    let node = Node::start().await;
    let mut peers = Vec::new();
    for _ in 0..16 {
        let raw = Raw::start().await;
        raw.host.connect(&node.host).await;
        peers.push(raw);
    }
    let cid = node.blocks.put(b"block".to_vec());
    let want = raw::wants([cid], true);
    for round in 1..=5 {
        join_all(peers.iter().map(|raw| raw.send(node.peer(), &want))).await;
        while node.bitswap.counts().blocks_sent < round * peers.len() as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(node.bitswap.counts().streams_refused, 0);
    // The answers come over streams that end by themselves.
    for raw in &mut peers {
        assert!(raw.heard.recv().await.unwrap().starts_with(&raw::block(b"block")));
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_only_once_is_served_when_the_block_arrives() {
    let (mut raw, node) = raw_and_node().await;
    let late = b"it comes later".to_vec();
    raw.send(node.peer(), &raw::wants([LogCid::of(&late)], true)).await;
    // It is told that the block is not here, and nothing else.
    let told = raw.heard.recv().await.unwrap();
    assert_eq!(told, raw::presence(LogCid::of(&late), false));
    let cid = node.blocks.put(late.clone());
    node.bitswap.stored(&[cid]);
    assert_eq!(raw.heard.recv().await.unwrap(), raw::block(&late));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_promises_a_block_and_keeps_it_is_passed_over() {
    let (mut raw, node) = raw_and_node().await;
    let server = Node::start().await;
    node.host.connect(&server.host).await;
    let cid = server.blocks.put(b"block".to_vec());
    let fetching = node.bitswap.fetch(cid, vec![raw.host.peer]);
    let promising = async {
        raw.send(node.peer(), &raw::presence(cid, true)).await;
        // Bytes under a name that is not theirs are just another block.
        raw.send(node.peer(), &raw::block(b"wrong")).await;
        raw.heard.recv().await
    };
    let (fetched, asked) = tokio::join!(fetching, promising);
    assert_eq!(fetched, Ok(b"block".to_vec()));
    // The want, and the end of it.
    assert!(contains(&asked.unwrap(), &cid.to_bytes()));
    assert_eq!(node.bitswap.counts().blocks_unwanted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_fetch_is_cancelled() {
    let (mut raw, node) = raw_and_node().await;
    let cid = LogCid::of(b"block");
    let fetch = node.bitswap.fetch(cid, vec![raw.host.peer]);
    assert!(tokio::time::timeout(Duration::from_millis(100), fetch).await.is_err());
    // Want and cancel come one after the other, on one stream.
    let cancel = [[0x10, 1].as_slice(), &[0x18, 1]].concat();
    let mut heard = raw.heard.recv().await.unwrap();
    while !contains(&heard, &cancel) {
        heard.extend(raw.heard.recv().await.unwrap());
    }
    assert!(heard.starts_with(&raw::wants([cid], true)));
}
