//! Peers that send garbage, too much, or nothing at all on the protocols of streams: they harm
//! nobody else, and are sent away.

#![allow(clippy::unwrap_used)]

#[path = "../examples/hostile/raw.rs"]
mod raw;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libp2p::futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{Multiaddr, Stream};
use optimusdb_dag::Address;
use optimusdb_swarm::Event;
use optimusdb_swarm::limits::{DIALS_PER_ADDRESS_BURST_MAX, SYNC_STREAMS_PER_PEER_MAX};
use raw::Raw;
use support::{Node, head, node, store};
use tokio::net::TcpListener;

async fn raw_peer(node: &mut Node) -> Raw {
    let raw = Raw::connect(&node.tcp().parse::<Multiaddr>().unwrap(), Vec::new()).await.unwrap();
    assert!(!node.until_up(raw.id).await, "it does not speak our protocol");
    raw
}

/// Writes until all is written or the other side has had enough.
async fn pour(stream: &mut Stream, bytes: &[u8], times: usize) {
    for _ in 0..times {
        let writing = stream.write_all(bytes);
        match tokio::time::timeout(Duration::from_secs(2), writing).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

/// Waits for the end of what the other side sends.
async fn end_of(mut stream: Stream) {
    let mut all = Vec::new();
    let ending = tokio::time::timeout(support::PATIENCE, stream.read_to_end(&mut all));
    let _ = ending.await.expect("the stream was left open");
}

/// An honest peer gets everything it asks for.
async fn served(node: &mut Node, log: Address) {
    let honest = support::node().await;
    honest.connect(node).await;
    let ours = vec![head(5, 500)];
    honest.keep_heads(log, ours.clone());
    let theirs = honest.swarm.exchange_heads(node.id(), log).await.unwrap();
    assert_eq!(theirs, vec![head(1, 100)]);
    let (from, blocks) = node
        .until(|event| match event {
            Event::Heads { peer, blocks, .. } => Some((peer, blocks)),
            _ => None,
        })
        .await;
    assert_eq!((from, blocks), (honest.id(), ours));
    let mut sync = honest.swarm.open_sync(node.id()).await.unwrap();
    assert_eq!(sync.request(b"abc".to_vec()).await.unwrap(), b"cba");
}

async fn victim(log: Address) -> Node {
    let node = node().await;
    node.swarm.open_store(log).await.unwrap();
    node.kept.heads.lock().unwrap().insert(log, vec![head(1, 100)]);
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_heads() {
    let log = store("s");
    let mut node = victim(log).await;
    let protocol = format!("/orbitdb/heads{log}");
    // What it sends, how often, and whether it ends the stream.
    let cases: [(Vec<u8>, usize, bool); 7] = [
        (vec![0xff; 100], 1, true),
        (vec![0x9f; 100], 1, true),
        // More heads than allowed, of one byte each.
        (vec![0x00; 65_536], 4, false),
        // An item that promises 2^64 bytes, one of 2 GiB, and one that never ends.
        ([vec![0x5b], vec![0xff; 8]].concat(), 1, false),
        (vec![0x5a, 0x7f, 0xff, 0xff, 0xff], 1, false),
        (head(0, 1 << 20), 64, false),
        (vec![0x81; 65_536], 4, false),
    ];
    for (number, (bytes, times, ends)) in cases.into_iter().enumerate() {
        let mut hostile = raw_peer(&mut node).await;
        let mut stream = hostile.open(node.id(), &protocol).await.unwrap();
        pour(&mut stream, &bytes, times).await;
        if ends {
            let _ = stream.close().await;
        }
        end_of(stream).await;
        // It is known for what it did, and no worse for one slip.
        assert!(node.peer(hostile.id).is_some(), "case {number}");
    }
    served(&mut node, log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_sync() {
    let log = store("s");
    let mut node = victim(log).await;
    let cases: [(Vec<u8>, usize); 4] = [
        (vec![0xff; 100], 1),
        // Over the limit by one byte.
        (vec![0x81, 0x80, 0x04], 1),
        (vec![0x80, 0x00], 1),
        (vec![0xfe; 65_536], 64),
    ];
    for (bytes, times) in cases {
        let mut hostile = raw_peer(&mut node).await;
        let mut stream = hostile.open(node.id(), "/optimusdb/sync/1").await.unwrap();
        pour(&mut stream, &bytes, times).await;
        end_of(stream).await;
    }
    served(&mut node, log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_stay_open_take_nobody_elses_place() {
    let log = store("s");
    let mut node = victim(log).await;
    let mut hostile = raw_peer(&mut node).await;
    let mut kept = Vec::new();
    for _ in 0..40 {
        for protocol in ["/optimusdb/sync/1".to_owned(), format!("/orbitdb/heads{log}")] {
            let mut stream = hostile.open(node.id(), &protocol).await.unwrap();
            // A frame that promises 16 KiB, or a head that is none.
            let _ = stream.write_all(&[0x80, 0x80, 0x01]).await;
            let _ = stream.flush().await;
            kept.push(stream);
        }
    }
    served(&mut node, log).await;
    drop(kept);
}

/// Twenty peers hold as many half requests as each may, and others have asked and take no answer.
#[tokio::test(flavor = "multi_thread")]
async fn half_requests_of_many_peers_hold_up_nobody() {
    let log = store("s");
    let mut node = victim(log).await;
    let (mut peers, mut kept) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let mut hostile = raw_peer(&mut node).await;
        for _ in 0..SYNC_STREAMS_PER_PEER_MAX {
            let mut stream = hostile.open(node.id(), "/optimusdb/sync/1").await.unwrap();
            // 16 KiB are promised; of every second peer they come, and their answers are left lying.
            stream.write_all(&[0x80, 0x80, 0x01]).await.unwrap();
            if number % 2 == 0 {
                stream.write_all(&[7; 16 * 1024]).await.unwrap();
            }
            stream.flush().await.unwrap();
            kept.push(stream);
        }
        peers.push(hostile);
    }
    served(&mut node, log).await;
    drop((peers, kept));
}

/// One peer sends heads that do not end, on stream after stream. The streams end, and others' heads come.
#[tokio::test(flavor = "multi_thread")]
async fn heads_that_do_not_end_have_no_more_room_than_one_peer_may_have() {
    let log = store("s");
    let mut node = victim(log).await;
    let mut hostile = raw_peer(&mut node).await;
    let protocol = format!("/orbitdb/heads{log}");
    let unfinished = [vec![0x5a, 0x00, 0x7f, 0x00, 0x00], vec![0; 5 << 20]].concat();
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = hostile.open(node.id(), &protocol).await.unwrap();
        pour(&mut stream, &unfinished, 1).await;
        kept.push(stream);
    }
    end_of(kept.remove(1)).await;
    served(&mut node, log).await;
}

/// Short connections of many peers that all claim to listen where a bystander does.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_dialled_again_and_again_because_others_claim_its_address() {
    let mut node = node().await;
    let bystander = TcpListener::bind(("127.0.0.2", 0)).await.unwrap();
    let claim: Multiaddr =
        format!("/ip4/127.0.0.2/tcp/{}", bystander.local_addr().unwrap().port()).parse().unwrap();
    let dialled = Arc::new(AtomicUsize::new(0));
    let counting = dialled.clone();
    tokio::spawn(async move {
        while bystander.accept().await.is_ok() {
            counting.fetch_add(1, Ordering::Relaxed);
        }
    });
    let address = node.tcp().parse::<Multiaddr>().unwrap();
    for _ in 0..2 * DIALS_PER_ADDRESS_BURST_MAX as usize {
        let raw = Raw::connect(&address, vec![claim.clone()]).await.unwrap();
        let id = raw.id;
        node.until_up(id).await;
        drop(raw);
        node.until_down(id).await;
    }
    support::eventually(|| dialled.load(Ordering::Relaxed) > 0).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let dialled = dialled.load(Ordering::Relaxed);
    assert!(dialled <= DIALS_PER_ADDRESS_BURST_MAX as usize + 1, "dialled {dialled} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_on_and_on_is_sent_away() {
    let log = store("s");
    let mut node = victim(log).await;
    let mut hostile = raw_peer(&mut node).await;
    for _ in 0..6 {
        let protocol = format!("/orbitdb/heads{log}");
        let Ok(mut stream) = hostile.open(node.id(), &protocol).await else {
            break;
        };
        pour(&mut stream, &[0xff; 10], 1).await;
        end_of(stream).await;
    }
    node.until_down(hostile.id).await;
    assert_eq!(node.swarm.figures().peers_banned, 1);
    served(&mut node, log).await;
}
