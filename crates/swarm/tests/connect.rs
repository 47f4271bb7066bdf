//! Hosts find each other, refuse whom they should, and notice who leaves.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::TcpListener;
use std::time::Duration;

use optimusdb_swarm::limits::{HANDSHAKE_TIMEOUT, SUPERSEDED_AGE};
use optimusdb_swarm::{Direction, Error, Event, HostKey, Kind, Swarm, SwarmConfig, SwarmKey};
use support::{Node, config, eventually, node, start, store, wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const KEY: &str = "/key/swarm/psk/1.0.0/\n/base16/\n\
    00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_know_each_other_until_one_leaves() {
    let mut a = node().await;
    let mut other = config();
    other.region = Some("north / 1".into());
    let mut b = start(other).await;
    a.connect(&b).await;
    assert!(a.until_up(b.id()).await);
    assert!(b.until_up(a.id()).await);

    let peer = a.peer(b.id()).unwrap();
    assert_eq!(peer.direction, Direction::Outbound);
    assert_eq!(peer.agent, "optimusdb/0.1.0 swarm=test region=north%20%2F%201");
    assert_eq!(peer.region.as_deref(), Some("north / 1"));
    assert!(peer.native);
    assert!(peer.protocols.iter().any(|name| name == "/optimusdb/sync/1"), "{peer:?}");
    assert!(peer.protocols.iter().any(|name| name.starts_with("/meshsub/1.1")), "{peer:?}");
    assert!(peer.connected_since_s > 1_700_000_000);
    let listening = b.tcp().split("/p2p/").next().unwrap().to_owned();
    assert!(peer.addrs.iter().any(|address| address.starts_with(&listening)), "{peer:?}");
    assert_eq!(b.peer(a.id()).unwrap().direction, Direction::Inbound);
    eventually(|| a.peer(b.id()).unwrap().rtt_ms.is_some()).await;

    // Asking for who is connected already is no new connection.
    a.connect(&b).await;
    assert_eq!(a.swarm.figures().connections, 1);

    b.swarm.shutdown().await;
    a.until_down(b.id()).await;
    assert!(a.swarm.peers().is_empty());
    assert!(b.swarm.peers().is_empty());
    assert!(matches!(b.swarm.connect(&a.tcp()).await, Err(Error::Closed)));
    let figures = a.swarm.figures();
    assert!(figures.tcp.received_bytes > 0 && figures.tcp.sent_bytes > 0, "{figures:?}");
}

/// A host whose power or network goes says no goodbye. Back before its connection was given up, it is
/// told what a newcomer is told.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_again_unnoticed_learns_which_stores_there_are() {
    let store = store("s");
    let key = HostKey::generate().to_bytes().unwrap();
    let with_key = || SwarmConfig { key: HostKey::from_bytes(&key).unwrap(), ..config() };
    let mut b = node().await;
    b.swarm.open_store(store).await.unwrap();
    let a = start(with_key()).await;
    let id = a.id();
    a.swarm.open_store(store).await.unwrap();
    let (address, intact) = wire(&b).await;
    a.swarm.connect(&address).await.unwrap();
    b.until_subscribed(id, store).await;

    drop(intact);
    a.swarm.shutdown().await;
    tokio::time::sleep(SUPERSEDED_AGE).await;
    assert!(b.peer(id).is_some(), "it was noticed");
    let mut config = with_key();
    config.network.bootstrap = vec![b.tcp()];
    let mut a = start(config).await;
    a.swarm.open_store(store).await.unwrap();
    a.until_subscribed(b.id(), store).await;
    b.until_down(id).await;
    b.until_subscribed(id, store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_and_quic_are_on_one_port_and_both_work() {
    let (a, b) = (node().await, node().await);
    let port = |address: &str| address.split('/').nth(4).unwrap().to_owned();
    assert_eq!(port(&b.tcp()), port(&b.quic()));
    a.swarm.connect(&b.quic()).await.unwrap();
    assert!(a.swarm.figures().quic.sent_bytes > 0);
    assert_eq!(a.swarm.figures().tcp.sent_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config();
    config.network.port = taken.local_addr().unwrap().port();
    let kept = std::sync::Arc::new(support::Kept::default());
    let error = optimusdb_swarm::Swarm::start(config, kept).await.err().unwrap();
    assert!(matches!(error, Error::Taken { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_lead_nowhere_are_errors() {
    let (a, b) = (node().await, node().await);
    for text in ["", "nonsense here", "/ip4/1.2.3.4", "/ip4/127.0.0.1/tcp/99999"] {
        let error = a.swarm.connect(text).await.unwrap_err();
        assert!(matches!(error, Error::Address { .. }), "{text}: {error}");
        assert_eq!(error.kind(), Kind::Invalid);
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = a.swarm.connect(&closed.to_string()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("swarm key"), "{error}");
    let error = a.swarm.connect("/dns4/nowhere.invalid/tcp/1").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let error = a.swarm.connect("nowhere.invalid:1").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    // Somebody else is there.
    let wrong = b.tcp().replace(&b.id().to_string(), &HostKey::generate().peer_id());
    let error = a.swarm.connect(&wrong).await.unwrap_err();
    assert!(matches!(error, Error::OtherPeer { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_address_is_recognised() {
    let a = node().await;
    let without_peer = a.tcp().split("/p2p/").next().unwrap().to_owned();
    let as_host = format!("localhost:{}", without_peer.rsplit('/').next().unwrap());
    for own in [a.tcp(), a.quic(), without_peer, as_host] {
        let error = a.swarm.connect(&own).await.unwrap_err();
        assert!(matches!(error, Error::OwnAddress(_)), "{own}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_key_is_noticed_and_the_own_address_is_no_copy() {
    let mut a = node().await;
    let own = [a.tcp(), a.quic()].map(|it| it.split("/p2p/").next().unwrap().to_owned());
    let other_name = own.clone().map(|it| it.replace("/ip4/127.0.0.1/", "/dns4/localhost/"));
    for address in own.iter().chain(&other_name) {
        let error = a.swarm.connect(address).await.unwrap_err();
        assert!(matches!(error, Error::OwnAddress(_)), "{error}");
    }
    let original = config();
    let mut copy = config();
    copy.key = original.key.clone();
    let (original, mut copy) = (start(original).await, start(copy).await);
    let address = original.tcp().split("/p2p/").next().unwrap().to_owned();
    assert!(copy.swarm.connect(&address).await.is_err());
    let why = copy
        .until(|event| match event {
            Event::Copied { why } => Some(why),
            _ => None,
        })
        .await;
    assert!(why.contains("answers with this node's peer id"), "{why}");
    // Meanwhile another host met itself, which is told to nobody.
    let event = tokio::time::timeout(Duration::ZERO, a.events.recv()).await;
    assert!(event.is_err(), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_swarm_and_another_version_are_refused() {
    let mut a = node().await;
    let mut other_swarm = config();
    other_swarm.swarm = "other".into();
    let b = start(other_swarm).await;
    let mut other_version = config();
    other_version.version = "7.0.0".into();
    let c = start(other_version).await;

    let error = a.swarm.connect(&b.tcp()).await.unwrap_err();
    assert!(matches!(&error, Error::OtherSwarm { theirs, .. } if &**theirs == "other"), "{error}");
    assert_eq!(error.kind(), Kind::Refused);
    // Asked again by address alone, it is looked at again.
    let address = b.tcp().split("/p2p/").next().unwrap().to_owned();
    eventually(|| a.swarm.figures().connections == 0).await;
    let error = a.swarm.connect(&address).await.unwrap_err();
    assert!(!matches!(error, Error::Limit(_)), "{error}");
    let error = c.swarm.connect(&a.tcp()).await.unwrap_err();
    assert!(matches!(error, Error::OtherVersion { .. }), "{error}");
    // Both sides found out for themselves.
    eventually(|| b.swarm.figures().peers_refused == 1).await;
    eventually(|| a.swarm.figures().peers_refused >= 2).await;
    eventually(|| a.swarm.figures().connections == 0).await;
    assert!(a.swarm.peers().is_empty());
    // Nobody above hears of them.
    let d = node().await;
    a.connect(&d).await;
    let first = a.until(|event| Some(format!("{event:?}"))).await;
    assert!(first.contains(&d.id().to_string()), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_swarm_key_lets_in_and_another_does_not() {
    let with = |text: Option<String>| {
        let mut config = config();
        config.network.swarm_key = text.map(|text| SwarmKey::parse(&text).unwrap());
        start(config)
    };
    let a = with(Some(KEY.into())).await;
    let same = with(Some(KEY.trim_end().to_owned())).await;
    let other = with(Some(KEY.replace("0011", "1111"))).await;
    let none = with(None).await;
    assert!(a.swarm.listen_addrs().iter().all(|address| address.contains("/tcp/")));
    a.connect(&same).await;
    // Who dials is told what is known, and not that it took too long.
    for (from, to, known) in [
        (&other, &a, "cannot be read with this node's swarm key"),
        (&a, &other, "cannot be read with this node's swarm key"),
        (&none, &a, "it has a swarm key and this node has none"),
        (&a, &none, "it has no swarm key, and this node has one"),
    ] {
        let error = from.swarm.connect(&to.tcp()).await.unwrap_err();
        assert!(error.to_string().contains(known), "{known}: {error}");
    }
    assert_eq!(a.swarm.peers().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_speaks_something_else_is_left_at_once() {
    let request = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
    for key in [None, Some(SwarmKey::parse(KEY).unwrap())] {
        let mut config = config();
        config.network.swarm_key = key;
        let a = start(config).await;
        let port = a.tcp().split('/').nth(4).unwrap().parse().unwrap();
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request).await.unwrap();
        // It hangs up before the time for a handshake is over.
        let mut answer = Vec::new();
        let end = tokio::time::timeout(HANDSHAKE_TIMEOUT / 2, stream.read_to_end(&mut answer));
        let _reset = end.await.expect("it does not hang up");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_entry_is_dialled_until_it_answers_and_again_when_it_comes_back() {
    let mut later = config();
    later.network.port = free_port().await;
    let address = format!("127.0.0.1:{}", later.network.port);

    let mut early = config();
    early.network.bootstrap = vec![address.clone(), address];
    early.network.seeds = vec!["nowhere.invalid".into(), "localhost:1".into()];
    let mut a = start(early).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let b = start_again(later.clone()).await;
    a.until_up(b.id()).await;
    // One entry, one connection, whatever transports there are.
    eventually(|| a.swarm.figures().connections == 1).await;
    b.swarm.shutdown().await;
    a.until_down(b.id()).await;
    let b = start_again(later).await;
    a.until_up(b.id()).await;
}

/// A port that is free for TCP and UDP, and stays so unless somebody takes it at random.
async fn free_port() -> u16 {
    let node = node().await;
    let port = node.tcp().split('/').nth(4).unwrap().parse().unwrap();
    node.swarm.shutdown().await;
    port
}

/// Starts on a port that was in use a moment ago.
async fn start_again(config: SwarmConfig) -> Node {
    let kept = std::sync::Arc::new(support::Kept::default());
    loop {
        match Swarm::start(config.clone(), kept.clone()).await {
            Ok((swarm, events)) => return Node { swarm, events, kept },
            Err(Error::Taken { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_in_its_own_bootstrap_list_is_passed_over() {
    let port = free_port().await;
    let other = node().await;
    let mut own = config();
    own.network.port = port;
    own.network.seeds = vec![format!("localhost:{port}"), other.tcp()];
    let mut a = start_again(own).await;
    a.until_up(other.id()).await;
    assert_eq!(a.swarm.peers().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hosts_find_each_other_through_one() {
    let with_dht = || {
        let mut config = config();
        config.network.dht = true;
        config
    };
    let hub = start(with_dht()).await;
    let through = |hub: &support::Node| {
        let mut config = with_dht();
        config.network.bootstrap = vec![hub.tcp()];
        start(config)
    };
    let a = through(&hub).await;
    let b = through(&hub).await;
    eventually(|| a.peer(b.id()).is_some() && b.peer(a.id()).is_some()).await;
}
