//! Announcements: heard, judged, passed on or not.

#![allow(clippy::unwrap_used)]

mod support;

use optimusdb_dag::Address;
use optimusdb_dag::replicator::{Offence, Verdict};
use optimusdb_swarm::{Announcement, Event, PeerId};
use support::{Node, node, store};

async fn announced(node: &mut Node, store: Address) -> (PeerId, Vec<u8>, Announcement) {
    node.until(|event| match event {
        Event::Announced { peer, log, block, announcement } if log == store => {
            Some((peer, block, announcement))
        }
        _ => None,
    })
    .await
}

/// Three hosts in a row, all in one store: what the first announces reaches the last through the
/// one in the middle.
async fn row(store: Address) -> (Node, Node, Node) {
    let (mut a, mut b, mut c) = (node().await, node().await, node().await);
    for host in [&a, &b, &c] {
        host.swarm.open_store(store).await.unwrap();
    }
    a.connect(&b).await;
    c.connect(&b).await;
    a.until_subscribed(b.id(), store).await;
    c.until_subscribed(b.id(), store).await;
    b.until_subscribed(a.id(), store).await;
    let c_id = c.id();
    // The order in which b hears of the two is not given.
    let swarm = b.swarm.clone();
    support::eventually(|| swarm.peers().iter().any(|peer| peer.id == c_id)).await;
    (a, b, c)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_is_passed_on_and_what_is_not_is_not() {
    let store = store("s");
    let (a, mut b, mut c) = row(store).await;
    for (text, verdict) in
        [("rejected", Verdict::Reject), ("ignored", Verdict::Ignore), ("accepted", Verdict::Accept)]
    {
        a.swarm.publish(store, text.as_bytes()).unwrap();
        let (from, block, announcement) = announced(&mut b, store).await;
        assert_eq!((from, block.as_slice()), (a.id(), text.as_bytes()));
        b.swarm.validated(announcement, verdict).await.unwrap();
    }
    let (from, block, _) = announced(&mut c, store).await;
    assert_eq!((from, block.as_slice()), (b.id(), "accepted".as_bytes()));
    assert_eq!(b.swarm.figures().announcements, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_as_large_as_the_format_allows_is_announced() {
    let store = store("s");
    let (a, mut b, _c) = row(store).await;
    let block = vec![7; optimusdb_dag::limits::ENTRY_BYTES_MAX];
    a.swarm.publish(store, &block).unwrap();
    assert_eq!(announced(&mut b, store).await.1, block);
    let over = vec![7; optimusdb_swarm::limits::GOSSIP_BYTES_MAX];
    assert!(a.swarm.publish(store, &over).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_to_hear_is_no_error_and_a_late_store_learns_who_is_there() {
    let store = store("s");
    let (mut a, b) = (node().await, node().await);
    a.swarm.open_store(store).await.unwrap();
    a.swarm.publish(store, b"alone").unwrap();
    b.swarm.open_store(store).await.unwrap();
    a.connect(&b).await;
    a.until_subscribed(b.id(), store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_hundred_stores_are_open_at_once() {
    let (mut a, b) = (node().await, node().await);
    let last = store("149");
    for number in 0..150 {
        for host in [&a, &b] {
            host.swarm.open_store(store(&number.to_string())).await.unwrap();
        }
    }
    a.connect(&b).await;
    a.until_subscribed(b.id(), last).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_misbehaves_again_and_again_is_sent_away() {
    let (mut a, mut b) = (node().await, node().await);
    a.connect(&b).await;
    a.until_up(b.id()).await;
    b.until_up(a.id()).await;
    for _ in 0..3 {
        a.swarm.blame(b.id(), Offence::Forged).await.unwrap();
    }
    a.until_down(b.id()).await;
    b.until_down(a.id()).await;
    let error = a.swarm.connect(&b.tcp()).await.unwrap_err();
    assert!(matches!(error, optimusdb_swarm::Error::Banned(_)), "{error}");
    assert!(b.swarm.connect(&a.tcp()).await.is_err());
    assert_eq!(a.swarm.figures().peers_banned, 1);
}
