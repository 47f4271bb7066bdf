//! Hosts on the loopback interface, and a stand-in for the node above them.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use optimusdb_dag::{Address, Cid, LogCid};
use optimusdb_swarm::{
    Asker, BoxFuture, Event, Events, HostKey, Local, NetworkConfig, PeerId, PeerView, Swarm,
    SwarmConfig,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Longer than anything here takes, for a busy machine; reached only when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a node keeps, for tests: blocks, heads, and a sync that answers with the request turned
/// around.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) blocks: Mutex<HashMap<Cid, Vec<u8>>>,
    pub(crate) heads: Mutex<HashMap<Address, Vec<Vec<u8>>>>,
}

impl Local for Kept {
    fn block(&self, _: Asker, cid: Cid) -> BoxFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move { self.blocks.lock().unwrap().get(&cid).cloned() })
    }

    fn has(&self, _: Asker, cid: Cid) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.blocks.lock().unwrap().contains_key(&cid) })
    }

    fn heads(&self, _: PeerId, log: Address) -> BoxFuture<'_, Vec<Vec<u8>>> {
        Box::pin(async move { self.heads.lock().unwrap().get(&log).cloned().unwrap_or_default() })
    }

    fn sync(&self, _: PeerId, request: Vec<u8>) -> BoxFuture<'_, Vec<u8>> {
        Box::pin(async move { request.into_iter().rev().collect() })
    }
}

/// A host, what it tells, and what it keeps.
pub(crate) struct Node {
    pub(crate) swarm: Swarm,
    pub(crate) events: Events,
    pub(crate) kept: Arc<Kept>,
}

pub(crate) fn config() -> SwarmConfig {
    SwarmConfig {
        key: HostKey::generate(),
        swarm: "test".into(),
        network: NetworkConfig {
            listen: vec![IpAddr::from(Ipv4Addr::LOCALHOST)],
            ..NetworkConfig::default()
        },
        region: None,
        version: "0.1.0".into(),
    }
}

pub(crate) async fn start(config: SwarmConfig) -> Node {
    if std::env::var_os("TEST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_env("TEST_LOG");
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
    }
    let kept = Arc::new(Kept::default());
    let (swarm, events) = Swarm::start(config, kept.clone()).await.unwrap();
    Node { swarm, events, kept }
}

pub(crate) async fn node() -> Node {
    start(config()).await
}

/// A store that nobody has made.
pub(crate) fn store(name: &str) -> Address {
    Address::of_manifest(LogCid::of(name.as_bytes()))
}

/// A CBOR byte string: what a head looks like to the swarm.
pub(crate) fn head(fill: u8, bytes: usize) -> Vec<u8> {
    let mut head = vec![0x5a];
    head.extend_from_slice(&(bytes as u32).to_be_bytes());
    head.resize(5 + bytes, fill);
    head
}

impl Node {
    /// From now on these are its heads of a store.
    pub(crate) fn keep_heads(&self, log: Address, heads: Vec<Vec<u8>>) {
        self.kept.heads.lock().unwrap().insert(log, heads);
    }

    pub(crate) fn id(&self) -> PeerId {
        self.swarm.peer_id()
    }

    /// Its TCP address.
    pub(crate) fn tcp(&self) -> String {
        let addresses = self.swarm.listen_addrs();
        addresses.iter().find(|address| address.contains("/tcp/")).unwrap().clone()
    }

    pub(crate) fn quic(&self) -> String {
        let addresses = self.swarm.listen_addrs();
        addresses.iter().find(|address| address.contains("/quic-v1")).unwrap().clone()
    }

    pub(crate) async fn connect(&self, other: &Node) {
        assert_eq!(self.swarm.connect(&other.tcp()).await.unwrap(), other.id());
    }

    /// Takes events until one is what is looked for; the others are passed over.
    pub(crate) async fn until<T>(&mut self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let looking = async {
            loop {
                let event = self.events.recv().await.expect("the host has stopped");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.expect("the event did not come")
    }

    pub(crate) async fn until_up(&mut self, wanted: PeerId) -> bool {
        self.until(|event| match event {
            Event::PeerUp { peer, native } if peer == wanted => Some(native),
            _ => None,
        })
        .await
    }

    pub(crate) async fn until_down(&mut self, wanted: PeerId) {
        self.until(|event| match event {
            Event::PeerDown { peer } => (peer == wanted).then_some(()),
            _ => None,
        })
        .await;
    }

    pub(crate) async fn until_subscribed(&mut self, wanted: PeerId, store: Address) {
        self.until(|event| match event {
            Event::Subscribed { peer, log } => (peer == wanted && log == store).then_some(()),
            _ => None,
        })
        .await;
    }

    pub(crate) fn peer(&self, id: PeerId) -> Option<PeerView> {
        self.swarm.peers().into_iter().find(|peer| peer.id == id)
    }
}

/// A wire to a host, and what cuts it when it is dropped: nothing passes any more, and neither end is
/// told.
pub(crate) async fn wire(to: &Node) -> (String, oneshot::Sender<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (near, port) = (to.tcp(), listener.local_addr().unwrap().port().to_string());
    let far_port = near.split('/').nth(4).unwrap().to_owned();
    let far = format!("127.0.0.1:{far_port}");
    let (intact, cut) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(far).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
            _ = cut => std::future::pending().await,
        }
    });
    (near.replace(&far_port, &port), intact)
}

/// Waits until something is so.
pub(crate) async fn eventually(mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it did not come to be so");
}
