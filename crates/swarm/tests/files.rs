//! Blocks of files between hosts: who has them is named, found in the table, or comes late.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use optimusdb_dag::{Cid, Codec, HashCode};
use optimusdb_swarm::{FetchError, FileHolder, SwarmConfig};
use support::{Node, PATIENCE, config, eventually, node, start};

fn file(node: &Node, bytes: &[u8]) -> Cid {
    let cid = Cid::of(Codec::RAW, HashCode::Sha2_256, bytes).unwrap();
    node.kept.blocks.lock().unwrap().insert(cid.clone(), bytes.to_vec());
    cid
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_named_is_connected_to() {
    let (asker, holder) = (node().await, node().await);
    let cid = file(&holder, b"file");
    let nobody = asker.swarm.file_session(cid.clone(), &[], false);
    assert_eq!(nobody.fetch(cid.clone()).await, Err(FetchError::NotFound));
    let unreadable = vec!["nonsense".to_owned(), "host:1".to_owned()];
    let addresses = [unreadable, holder.swarm.listen_addrs()].concat();
    let named = [FileHolder { peer: holder.id(), addresses }];
    let session = asker.swarm.file_session(cid.clone(), &named, true);
    let (block, sender) = session.fetch(cid).await.unwrap();
    assert_eq!((block.as_slice(), sender), (b"file".as_slice(), Some(holder.id())));
    let counts = asker.swarm.figures().bitswap;
    assert_eq!((counts.sessions, counts.blocks_received, counts.bytes_received), (2, 1, 4));
    assert_eq!(counts.fetches_failed, 1);
}

fn with_table() -> SwarmConfig {
    let mut config = config();
    config.network.dht = true;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_file_is_found_through_a_third_that_has_it_not() {
    let (holder, middle) = (start(with_table()).await, start(with_table()).await);
    holder.connect(&middle).await;
    let cid = file(&holder, b"file");
    holder.swarm.provide(cid.clone(), true).await;
    let asker = start(with_table()).await;
    asker.connect(&middle).await;
    // The record may be on its way yet; what was not found is looked for again.
    let finding = async {
        loop {
            let session = asker.swarm.file_session(cid.clone(), &[], false);
            if let Ok((block, sender)) = session.fetch(cid.clone()).await {
                return (block, sender);
            }
        }
    };
    let (block, sender) = tokio::time::timeout(PATIENCE, finding).await.unwrap();
    assert_eq!((block.as_slice(), sender), (b"file".as_slice(), Some(holder.id())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_comes_late_is_sent_to_who_waits_for_it() {
    let (asker, holder) = (node().await, node().await);
    asker.connect(&holder).await;
    let cid = Cid::of(Codec::RAW, HashCode::Sha2_256, b"late").unwrap();
    let session = asker.swarm.file_session(cid.clone(), &[], false);
    let waiting = tokio::spawn({
        let cid = cid.clone();
        async move { session.fetch(cid).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    file(&holder, b"late");
    holder.swarm.stored(&[cid]);
    assert_eq!(waiting.await.unwrap().unwrap().0, b"late");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_from_all_that_have_it_and_from_one_when_the_other_leaves() {
    let asker = node().await;
    let (first, second) = (node().await, node().await);
    asker.connect(&first).await;
    asker.connect(&second).await;
    let blocks: Vec<Vec<u8>> = (0..400_u32).map(|n| n.to_be_bytes().repeat(4_096)).collect();
    let cids: Vec<Cid> = blocks.iter().map(|block| file(&first, block)).collect();
    blocks.iter().for_each(|block| drop(file(&second, block)));
    let session = asker.swarm.file_session(cids[0].clone(), &[], false);
    session.fetch(cids[0].clone()).await.unwrap();
    // Both have said that they have the root, or sent it.
    eventually(|| asker.swarm.figures().bitswap.blocks_received == 1).await;
    let mut senders = std::collections::BTreeMap::<_, u32>::new();
    let mut leaving = Some(first.swarm.clone());
    for part in cids.chunks(16) {
        if senders.len() < 2 {
            // Who was asked while the first block came may still be about to answer.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let fetches = part.iter().map(|cid| {
            let (session, cid) = (session.clone(), cid.clone());
            tokio::spawn(async move { (session.fetch(cid.clone()).await, cid) })
        });
        for fetch in fetches.collect::<Vec<_>>() {
            let (fetched, cid) = fetch.await.unwrap();
            let (block, sender) = fetched.unwrap();
            assert!(cid.verifies(&block));
            *senders.entry(sender.unwrap()).or_default() += 1;
        }
        if senders.len() == 2
            && let Some(first) = leaving.take()
        {
            tokio::spawn(async move { first.shutdown().await });
        }
    }
    assert_eq!(senders.values().sum::<u32>(), 400);
    assert_eq!(senders.len(), 2, "{senders:?}");
}
