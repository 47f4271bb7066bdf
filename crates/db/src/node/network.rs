//! A node among its peers: joining the swarm, and what it says of the others.

use super::Node;
use crate::adopt::Fetch;
use crate::builtin::STORE_LIST;
use crate::commits::Committed;
use crate::error::Error;
use crate::limits::PEER_READERS_MAX;
use crate::replication::{Replication, Sources};
use crate::writer::now_ms;
use optimusdb_dag::LogCid;
use optimusdb_storage::{Readers, StoreRow};
use optimusdb_swarm::{self as swarm, BoxFuture, Swarm, SwarmConfig, SwarmKey};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

/// How a node takes part in its swarm.
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {
    /// Addresses to listen on; every interface when empty.
    pub listen: Vec<IpAddr>,
    /// Port for TCP and for QUIC; 0 is any free one.
    pub port: u16,
    /// Peers to dial now and whenever they are lost: multiaddrs, hosts, or hosts with a port.
    pub bootstrap: Vec<String>,
    /// More of them; one may be this node itself.
    pub seeds: Vec<String>,
    /// The file of the swarm's pre-shared key; only its holders connect.
    pub swarm_key: Option<Vec<u8>>,
    /// Whether peers are looked for on the local network.
    pub mdns: bool,
    /// Whether peers are found through other peers.
    pub dht: bool,
}

/// A connected peer as it is shown. The first two names are those that clients know.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeerInfo {
    /// Its peer id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its multiaddrs: of the connection first, then those that it says it listens on.
    #[serde(rename = "Addrs")]
    pub addrs: Vec<String>,
    /// `inbound` or `outbound`: who dialled, seen from here.
    pub direction: &'static str,
    /// The last measured round-trip time, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// How long it has been connected, in seconds.
    pub connected_s: u64,
    /// What it says it is.
    pub agent: Option<String>,
    /// Where it runs, if it says so.
    pub region: Option<String>,
    /// The protocols that it speaks.
    pub protocols: Vec<String>,
}

impl Node {
    /// Meets the other nodes of the swarm, and keeps the stores level with theirs from now on.
    ///
    /// # Errors
    /// The key or an address that cannot be used, a port in use, or a node that joined before.
    pub async fn join_swarm(&self, config: NetworkConfig) -> Result<(), Error> {
        let inner = &self.inner;
        let node = Arc::downgrade(inner);
        let alone = inner.commits.listen(Box::new(move |committed| {
            if let Some(inner) = node.upgrade() {
                Node { inner }.committed(committed);
            }
        }));
        if !alone {
            return Err(Error::Conflict("this node takes part in its swarm already".into()));
        }
        let swarm_key = config
            .swarm_key
            .as_deref()
            .map(|file| {
                SwarmKey::from_file(file).map_err(|e| Error::Invalid(format!("-swarm-key: {e}")))
            })
            .transpose()?;
        let swarm_config = SwarmConfig {
            key: inner.host.clone(),
            swarm: inner.id.swarm.clone(),
            port: config.port,
            listen: config.listen,
            bootstrap: config.bootstrap,
            seeds: config.seeds,
            swarm_key,
            mdns: config.mdns,
            dht: config.dht,
            region: inner.id.region.clone(),
            version: inner.id.version.clone(),
        };
        let readers = Readers::new(inner.place.clone(), PEER_READERS_MAX);
        let sources = Sources {
            readers: Arc::new(readers.with_fingerprints(Arc::clone(&inner.fingerprints))),
            writer: Arc::clone(&inner.writer),
            accesses: Arc::clone(&inner.accesses),
            own_key: inner.keys.identity().public_key.clone(),
        };
        let node = self.clone();
        let on_peer = Box::new(move || node.retry_store_list());
        let replication = Replication::start(swarm_config, sources, on_peer).await?;
        self.set_fetch(Arc::new(FromPeers(replication.swarm().clone())));
        // Only the listener of the commits comes here, and there is one.
        let _ = inner.replication.set(replication);
        self.share_stores().await?;
        tokio::spawn(self.clone().keep_sharing());
        tokio::spawn(self.clone().follow_store_list());
        Ok(())
    }

    /// Tells of a commit: whoever follows the store list, and the swarm. On the writer's thread.
    fn committed(&self, committed: Committed) {
        let Some(replication) = self.inner.replication.get() else { return };
        if committed.store.name == STORE_LIST {
            self.store_list_changed();
        }
        replication.announce(committed);
    }

    /// Shares the stores that there are and are not shared yet.
    async fn share_stores(&self) -> Result<(), Error> {
        let Some(replication) = self.inner.replication.get() else { return Ok(()) };
        let stores: Vec<StoreRow> = {
            let stores = self.inner.stores.read().unwrap_or_else(PoisonError::into_inner);
            stores.values().cloned().collect()
        };
        for store in &stores {
            replication.share(store).await?;
        }
        Ok(())
    }

    /// Shares stores as they are made, until the node stops.
    async fn keep_sharing(self) {
        let mut changed = self.stores_changed();
        while changed.changed().await.is_ok() {
            if let Err(error) = self.share_stores().await {
                tracing::warn!("a store is not shared: {error}");
            }
        }
    }

    /// The multiaddrs at which peers can dial this node; none before it joined its swarm.
    pub fn addrs(&self) -> Vec<String> {
        self.inner.replication.get().map_or_else(Vec::new, |r| r.swarm().listen_addrs())
    }

    /// The peers connected now.
    pub fn peers(&self) -> Vec<PeerInfo> {
        let peers = self.inner.replication.get().map_or_else(Vec::new, |r| r.swarm().peers());
        peers.into_iter().map(PeerInfo::from).collect()
    }

    /// The stores that are known to lack entries of peers, and how many.
    pub(super) fn behind(&self) -> BTreeMap<String, u64> {
        let stores = self.inner.replication.get().map_or_else(Vec::new, Replication::status);
        let behind = stores.into_iter().filter_map(|store| Some((store.store, store.behind?)));
        behind.filter(|(_, entries)| *entries > 0).collect()
    }

    /// Dials a multiaddr and answers the peer id behind it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an address that cannot be read or is this node's own;
    /// [`Error::Unavailable`] or [`Error::TimedOut`] when nobody of this swarm answers there.
    pub async fn connect(&self, address: &str) -> Result<String, Error> {
        let replication = self.inner.replication.get().ok_or_else(|| {
            Error::Unavailable("this node does not take part in its swarm".into())
        })?;
        Ok(replication.swarm().connect(address).await?.to_string())
    }
}

/// Blocks that define stores, from whoever has them.
struct FromPeers(Swarm);

impl Fetch for FromPeers {
    fn fetch(&self, cid: LogCid) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            let block = self.0.fetch(cid, Vec::new()).await;
            block.map_err(|e| Error::Unavailable(format!("block {cid}: {e}")))
        })
    }
}

impl From<swarm::PeerView> for PeerInfo {
    fn from(peer: swarm::PeerView) -> PeerInfo {
        PeerInfo {
            id: peer.id.to_string(),
            addrs: peer.addrs,
            direction: match peer.direction {
                swarm::Direction::Inbound => "inbound",
                swarm::Direction::Outbound => "outbound",
            },
            rtt_ms: peer.rtt_ms,
            connected_s: (now_ms() / 1_000).saturating_sub(peer.connected_since_s),
            agent: Some(peer.agent).filter(|agent| !agent.is_empty()),
            region: peer.region,
            protocols: peer.protocols,
        }
    }
}
