//! Nodes that behave: blocks come, or the reason why not.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use libp2p::futures::future::join_all;
use optimusdb_dag::{Cid, Codec, HashCode, LogCid, Prefix};

use super::world::{Blocks, Node};
use crate::protocols::bitswap::FetchError;
use crate::protocols::bitswap::limits::BLOCK_BYTES_MAX;

async fn pair() -> (Node, Node) {
    let (asker, server) = (Node::start().await, Node::start().await);
    asker.host.connect(&server.host).await;
    (asker, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_comes_and_a_missing_one_is_known_to_be_missing() {
    let (asker, server) = pair().await;
    let cid = server.blocks.put(b"block".to_vec());
    let candidates = vec![server.peer()];
    assert_eq!(asker.bitswap.fetch(cid, candidates.clone()).await, Ok(b"block".to_vec()));
    // Without a candidate every connected peer is one.
    assert_eq!(asker.bitswap.fetch(cid, Vec::new()).await, Ok(b"block".to_vec()));
    let missing = LogCid::of(b"missing");
    let rounds = 200;
    let (mut hits, mut misses) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        assert_eq!(asker.bitswap.fetch(cid, candidates.clone()).await, Ok(b"block".to_vec()));
        hits.push(start.elapsed());
        let start = Instant::now();
        let miss = asker.bitswap.fetch(missing, candidates.clone()).await;
        assert_eq!(miss, Err(FetchError::NotFound));
        misses.push(start.elapsed());
    }
    hits.sort();
    misses.sort();
    println!("median of {rounds}: hit {:?}, miss {:?}", hits[rounds / 2], misses[rounds / 2]);
    // And the other way, over the same connection.
    let cid = asker.blocks.put(b"other".to_vec());
    assert_eq!(server.bitswap.fetch(cid, vec![asker.peer()]).await, Ok(b"other".to_vec()));
    assert_eq!(asker.bitswap.counts().blocks_unwanted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_of_any_codec_and_hash_come() {
    let (asker, server) = pair().await;
    let data = b"not of a log".to_vec();
    let hashes = [HashCode::Sha2_256, HashCode::Sha2_512, HashCode::Blake2b256, HashCode::Blake3];
    let codecs = [Codec::RAW, Codec::DAG_PB, Codec::new(0x300000).unwrap()];
    let v0 = Prefix::from_bytes(&[0, 0x70, 0x12, 0x20]).unwrap().address(&data).unwrap();
    let all =
        codecs.iter().flat_map(|codec| hashes.map(|hash| Cid::of(*codec, hash, &data).unwrap()));
    for cid in all.chain([v0]) {
        assert_eq!(
            asker.bitswap.fetch(cid.clone(), vec![server.peer()]).await,
            Err(FetchError::NotFound)
        );
        server.blocks.put_as(cid.clone(), data.clone());
        assert_eq!(asker.bitswap.fetch(cid.clone(), vec![server.peer()]).await, Ok(data.clone()));
    }
    // An address that holds its block is its own answer.
    let held = Cid::of(Codec::RAW, HashCode::Identity, &data).unwrap();
    let asked = server.blocks.asked.load(Ordering::Relaxed);
    assert_eq!(asker.bitswap.fetch(held, vec![server.peer()]).await, Ok(data));
    assert_eq!(server.blocks.asked.load(Ordering::Relaxed), asked);
    assert_eq!(asker.bitswap.counts().blocks_unwanted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_than_those_of_the_address_are_never_taken() {
    let (asker, liar, server) = (Node::start().await, Node::start().await, Node::start().await);
    asker.host.connect(&liar.host).await;
    asker.host.connect(&server.host).await;
    let cid = Cid::of(Codec::DAG_PB, HashCode::Blake3, b"block").unwrap();
    liar.blocks.put_as(cid.clone(), b"another block".to_vec());
    server.blocks.put_as(cid.clone(), b"block".to_vec());
    assert_eq!(asker.bitswap.fetch(cid, vec![liar.peer()]).await, Ok(b"block".to_vec()));
    assert_eq!(asker.bitswap.counts().blocks_unwanted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_connected_has_nothing() {
    let (asker, stranger) = (Node::start().await, Node::start().await);
    let cid = stranger.blocks.put(b"far away".to_vec());
    let fetched = asker.bitswap.fetch(cid, vec![stranger.peer()]).await;
    assert_eq!(fetched, Err(FetchError::NotFound));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_blocks_come_whole() {
    let (asker, server) = pair().await;
    let candidates = vec![server.peer()];
    let greatest: Vec<u8> = (0..BLOCK_BYTES_MAX).map(|index| (index % 251) as u8).collect();
    let cid = server.blocks.put(greatest.clone());
    assert_eq!(asker.bitswap.fetch(cid, candidates.clone()).await, Ok(greatest));
    // One byte more is none that a log can have.
    let cid = server.blocks.put(vec![0; BLOCK_BYTES_MAX + 1]);
    assert_eq!(asker.bitswap.fetch(cid, candidates.clone()).await, Err(FetchError::NotFound));
    let cids: Vec<LogCid> =
        (0..24_u8).map(|number| server.blocks.put(vec![number; 1024 * 1024])).collect();
    let start = Instant::now();
    let fetches = cids.iter().map(|cid| asker.bitswap.fetch(*cid, candidates.clone()));
    for fetched in join_all(fetches).await {
        assert_eq!(fetched.unwrap().len(), 1024 * 1024);
    }
    println!("24 blocks of 1 MiB: {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_blocks_share_messages() {
    let (asker, server) = pair().await;
    let cids: Vec<LogCid> =
        (0..2_000_u32).map(|n| server.blocks.put(n.to_be_bytes().repeat(400))).collect();
    let start = Instant::now();
    let fetches = cids.iter().map(|cid| asker.bitswap.fetch(*cid, vec![server.peer()]));
    for (cid, fetched) in cids.iter().zip(join_all(fetches).await) {
        assert_eq!(LogCid::of(&fetched.unwrap()), *cid);
    }
    let took = start.elapsed();
    println!("2000 blocks of 1600 bytes: {took:?}, {:.0}/s", 2_000.0 / took.as_secs_f64());
    assert_eq!(server.blocks.asked.load(Ordering::Relaxed), 2_000);
    assert_eq!(asker.bitswap.counts().blocks_unwanted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_share_a_fetch() {
    let (asker, server) = pair().await;
    let cid = server.blocks.put(b"shared".to_vec());
    let fetches = (0..50).map(|_| asker.bitswap.fetch(cid, vec![server.peer()]));
    for fetched in join_all(fetches).await {
        assert_eq!(fetched, Ok(b"shared".to_vec()));
    }
    assert_eq!(server.blocks.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_without_the_block_is_passed_over() {
    let (asker, empty) = pair().await;
    let server = Node::start().await;
    asker.host.connect(&server.host).await;
    let cid = server.blocks.put(b"block".to_vec());
    let fetched = asker.bitswap.fetch(cid, vec![empty.peer(), server.peer()]).await;
    assert_eq!(fetched, Ok(b"block".to_vec()));
    // The only candidate does not have it: others are asked.
    let fetched = asker.bitswap.fetch(cid, vec![empty.peer()]).await;
    assert_eq!(fetched, Ok(b"block".to_vec()));
    let missing = asker.bitswap.fetch(LogCid::of(b"missing"), Vec::new()).await;
    assert_eq!(missing, Err(FetchError::NotFound));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_candidate_is_hedged() {
    let slow = Blocks { delay: Duration::from_secs(30), ..Blocks::default() };
    let (asker, silent, server) =
        (Node::start().await, Node::with(slow).await, Node::start().await);
    asker.host.connect(&silent.host).await;
    asker.host.connect(&server.host).await;
    let cid = silent.blocks.put(b"block".to_vec());
    server.blocks.put(b"block".to_vec());
    let fetched = asker.bitswap.fetch(cid, vec![silent.peer()]).await;
    assert_eq!(fetched, Ok(b"block".to_vec()));
    assert_eq!(silent.blocks.asked.load(Ordering::Relaxed), 1);
    // Alone, it uses up its time.
    server.host.disconnect(asker.peer()).await;
    let lonely = silent.blocks.put(b"lonely".to_vec());
    assert_eq!(asker.bitswap.fetch(lonely, Vec::new()).await, Err(FetchError::TimedOut));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_passes_the_fetch_on() {
    let slow = Blocks { delay: Duration::from_secs(30), ..Blocks::default() };
    let (asker, leaving) = (Arc::new(Node::start().await), Node::with(slow).await);
    asker.host.connect(&leaving.host).await;
    let cid = leaving.blocks.put(b"block".to_vec());
    let fetching = tokio::spawn({
        let (asker, leaving) = (Arc::clone(&asker), leaving.peer());
        async move { asker.bitswap.fetch(cid, vec![leaving]).await }
    });
    while leaving.blocks.asked.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // A peer that comes while the fetch is under way can help, too.
    let server = Node::start().await;
    server.blocks.put(b"block".to_vec());
    asker.host.connect(&server.host).await;
    // The engine knows it before the other leaves.
    let other = server.blocks.put(b"other".to_vec());
    assert_eq!(asker.bitswap.fetch(other, vec![server.peer()]).await, Ok(b"other".to_vec()));
    leaving.host.disconnect(asker.peer()).await;
    assert_eq!(fetching.await.unwrap(), Ok(b"block".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_bitswap_is_told() {
    let slow = Blocks { delay: Duration::from_secs(30), ..Blocks::default() };
    let (asker, silent) = (Node::start().await, Node::with(slow).await);
    asker.host.connect(&silent.host).await;
    let waiting = asker.bitswap.fetch(LogCid::of(b"block"), vec![silent.peer()]);
    let closing = async {
        while silent.blocks.asked.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        asker.bitswap.close();
    };
    assert_eq!(tokio::join!(waiting, closing).0, Err(FetchError::Closed));
    let late = asker.bitswap.fetch(LogCid::of(b"block"), Vec::new()).await;
    assert_eq!(late, Err(FetchError::Closed));
}
