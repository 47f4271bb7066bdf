//! The protocols on streams: heads and sync, between our own hosts.

mod support;

use optimusdb_dag::Address;
use optimusdb_swarm::limits::{HEADS_BYTES_MAX, SYNC_REQUEST_BYTES_MAX};
use optimusdb_swarm::{Error, Event, PeerId};
use support::{Node, head, node, store};

async fn heads(node: &mut Node, store: Address) -> (PeerId, Vec<Vec<u8>>) {
    node.until(|event| match event {
        Event::Heads { peer, log, blocks } if log == store => Some((peer, blocks)),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_go_both_ways_many_and_large_ones() {
    let store = store("s");
    let (a, mut b) = (node().await, node().await);
    b.swarm.open_store(store).await.unwrap();
    a.connect(&b).await;
    let theirs = vec![head(1, 100), head(2, 100_000), head(3, 0)];
    b.keep_heads(store, theirs.clone());

    for ours in [
        vec![head(9, 1_300)],
        vec![head(9, 100_000)],
        vec![head(9, 1_500_000), head(8, 1_300)],
        (0..40).map(|fill| head(fill, 1_300)).collect(),
    ] {
        a.keep_heads(store, ours.clone());
        let got = a.swarm.exchange_heads(b.id(), store).await.unwrap();
        assert_eq!(got, theirs);
        assert_eq!(heads(&mut b, store).await, (a.id(), ours));
    }
    // Nothing to send is fine, and tells nobody anything.
    a.keep_heads(store, vec![]);
    assert_eq!(a.swarm.exchange_heads(b.id(), store).await.unwrap(), theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_of_a_store_that_is_not_open_are_not_to_be_had() {
    let store = store("s");
    let (a, b) = (node().await, node().await);
    let error = a.swarm.exchange_heads(b.id(), store).await.unwrap_err();
    assert!(matches!(error, Error::NotConnected(_)), "{error}");
    a.connect(&b).await;
    let error = a.swarm.exchange_heads(b.id(), store).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    b.swarm.open_store(store).await.unwrap();
    assert!(a.swarm.exchange_heads(b.id(), store).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_beyond_the_limit_stay_here() {
    let store = store("s");
    let (a, mut b) = (node().await, node().await);
    b.swarm.open_store(store).await.unwrap();
    a.connect(&b).await;
    let mib = vec![head(1, 1 << 20); (HEADS_BYTES_MAX >> 20) + 1];
    a.keep_heads(store, mib);
    a.swarm.exchange_heads(b.id(), store).await.unwrap();
    assert_eq!(heads(&mut b, store).await.1.len(), (HEADS_BYTES_MAX >> 20) - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn protocols_of_stores_are_served_and_not_listed() {
    let (a, b) = (node().await, node().await);
    for number in 0..100 {
        b.swarm.open_store(store(&number.to_string())).await.unwrap();
    }
    a.connect(&b).await;
    let listed = a.peer(b.id()).unwrap().protocols;
    assert!(listed.iter().all(|name| !name.starts_with("/orbitdb/heads")), "{listed:?}");
    let exchanges = (0..50).map(|number| {
        let (swarm, b) = (a.swarm.clone(), b.id());
        let store = store(&number.to_string());
        a.keep_heads(store, vec![head(1, 1)]);
        tokio::spawn(async move { swarm.exchange_heads(b, store).await })
    });
    for exchange in exchanges.collect::<Vec<_>>() {
        assert!(exchange.await.unwrap().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_asks_again_and_again_on_one_stream() {
    let (a, b) = (node().await, node().await);
    a.connect(&b).await;
    let mut stream = a.swarm.open_sync(b.id()).await.unwrap();
    for bytes in [0, 1, 127, 128, 60_000, SYNC_REQUEST_BYTES_MAX] {
        let mut request: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
        let answer = stream.request(request.clone()).await.unwrap();
        request.reverse();
        assert!(answer == request, "{bytes} bytes");
    }
    let error = stream.request(vec![0; SYNC_REQUEST_BYTES_MAX + 1]).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    // That was found out before anything was sent.
    assert_eq!(stream.request(b"ab".to_vec()).await.unwrap(), b"ba");

    b.swarm.shutdown().await;
    assert!(stream.request(b"ab".to_vec()).await.is_err());
    assert!(stream.request(b"ab".to_vec()).await.is_err());
}
