//! Minimal libp2p swarms on the loopback interface, in one process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libp2p::futures::StreamExt;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, noise, tcp, yamux};
use optimusdb_dag::{Address, Cid, LogCid};

use tokio::sync::{mpsc, watch};

use crate::peering::shares::Shares;
use crate::protocols::bitswap::Bitswap;
use crate::protocols::streams;
use crate::{Asker, BoxFuture, Local};

/// Blocks in memory.
#[derive(Default)]
pub(crate) struct Blocks {
    pub(crate) blocks: Mutex<HashMap<Cid, Vec<u8>>>,
    /// How many look-ups there were.
    pub(crate) asked: AtomicUsize,
    /// Look-ups take this long.
    pub(crate) delay: Duration,
}

impl Blocks {
    /// Keeps a block of a log.
    pub(crate) fn put(&self, block: Vec<u8>) -> LogCid {
        let cid = LogCid::of(&block);
        self.put_as(cid.into(), block);
        cid
    }

    /// Keeps whatever bytes under whatever address.
    pub(crate) fn put_as(&self, cid: Cid, block: Vec<u8>) {
        self.blocks.lock().unwrap().insert(cid, block);
    }
}

impl Local for Blocks {
    fn block(&self, _: Asker, cid: Cid) -> BoxFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if !self.delay.is_zero() {
                tokio::time::sleep(self.delay).await;
            }
            self.blocks.lock().unwrap().get(&cid).cloned()
        })
    }

    fn has(&self, _: Asker, cid: Cid) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.blocks.lock().unwrap().contains_key(&cid)
        })
    }

    fn heads(&self, _: PeerId, _: Address) -> BoxFuture<'_, Vec<Vec<u8>>> {
        Box::pin(async { Vec::new() })
    }

    fn sync(&self, _: PeerId, _: Vec<u8>) -> BoxFuture<'_, Vec<u8>> {
        Box::pin(async { Vec::new() })
    }
}

enum Order {
    Dial(Multiaddr),
    Disconnect(PeerId),
}

/// The connections of one swarm.
pub(crate) struct Host {
    pub(crate) peer: PeerId,
    pub(crate) address: Multiaddr,
    orders: mpsc::Sender<Order>,
    connected: watch::Receiver<Vec<PeerId>>,
}

impl Host {
    /// Listens on a free port and drives the swarm until the host is dropped.
    pub(crate) async fn start<B: NetworkBehaviour + Send>(
        behaviour: B,
        told: impl Fn(PeerId, bool) + Send + 'static,
    ) -> Host
    where
        B::ToSwarm: std::fmt::Debug,
    {
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| behaviour)
            .unwrap()
            .with_swarm_config(|config| {
                config.with_idle_connection_timeout(Duration::from_secs(600))
            })
            .build();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let peer = *swarm.local_peer_id();
        let (orders, ordered) = mpsc::channel(16);
        let (connected_sender, connected) = watch::channel(Vec::new());
        tokio::spawn(drive(swarm, ordered, connected_sender, told));
        Host { peer, address, orders, connected }
    }

    /// Connects and waits until both sides know it.
    pub(crate) async fn connect(&self, other: &Host) {
        self.orders.send(Order::Dial(other.address.clone())).await.unwrap();
        let (mut here, mut there) = (self.connected.clone(), other.connected.clone());
        here.wait_for(|peers| peers.contains(&other.peer)).await.unwrap();
        there.wait_for(|peers| peers.contains(&self.peer)).await.unwrap();
    }

    pub(crate) async fn disconnect(&self, other: PeerId) {
        self.orders.send(Order::Disconnect(other)).await.unwrap();
    }
}

async fn drive<B: NetworkBehaviour>(
    mut swarm: Swarm<B>,
    mut orders: mpsc::Receiver<Order>,
    connected: watch::Sender<Vec<PeerId>>,
    told: impl Fn(PeerId, bool),
) {
    loop {
        tokio::select! {
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { peer_id, num_established, .. }
                    if num_established.get() == 1 =>
                {
                    told(peer_id, true);
                    connected.send_modify(|peers| peers.push(peer_id));
                }
                SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                    told(peer_id, false);
                    connected.send_modify(|peers| peers.retain(|peer| *peer != peer_id));
                }
                _ => {}
            },
            order = orders.recv() => match order {
                Some(Order::Dial(address)) => swarm.dial(address).unwrap(),
                Some(Order::Disconnect(peer)) => swarm.disconnect_peer_id(peer).unwrap(),
                None => return,
            },
        }
    }
}

/// A node that has blocks and speaks bitswap.
pub(crate) struct Node {
    pub(crate) host: Host,
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) bitswap: Bitswap,
}

impl Node {
    pub(crate) async fn start() -> Node {
        Node::with(Blocks::default()).await
    }

    pub(crate) async fn with(blocks: Blocks) -> Node {
        let blocks = Arc::new(blocks);
        let behaviour = streams::StreamsBehaviour::new();
        let local = Arc::clone(&blocks) as Arc<dyn Local>;
        let bitswap = Bitswap::start(behaviour.new_control(), local, Shares::default()).unwrap();
        let handle = bitswap.clone();
        let told = move |peer, up| match up {
            true => handle.peer_up(peer, true),
            false => handle.peer_down(peer),
        };
        let host = Host::start(behaviour, told).await;
        Node { host, blocks, bitswap }
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.host.peer
    }
}
