//! A node among its peers: joining the swarm, sharing the stores, and the list of peers.

use super::Node;
use crate::clock::now_ms;
use crate::commits::Committed;
use crate::error::Error;
use crate::files::contributions::CONTRIBUTIONS;
use crate::limits::PEER_READERS_MAX;
use crate::replication::{Replication, Sources};
use crate::stores::STORE_LIST;
use crate::verdict::VALIDATIONS;
use optimusdb_dag::Cid;
use optimusdb_storage::Readers;
use optimusdb_swarm::{self as swarm, BoxFuture, FileHolder, NetworkConfig, SwarmConfig};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A connected peer as it is shown. The first two names are those that clients know.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeerShown {
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
    /// The program that it names, with its version.
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
    /// An address that cannot be used, a port in use, or a node that joined before.
    pub async fn join_swarm(&self, network: NetworkConfig) -> Result<(), Error> {
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
        let swarm_config = SwarmConfig {
            key: inner.host.clone(),
            swarm: inner.id.swarm.clone(),
            network,
            region: inner.id.region.clone(),
            version: inner.id.version.clone(),
        };
        let readers = Readers::new(inner.place.clone(), PEER_READERS_MAX)
            .ending_with(Arc::clone(&inner.snapshots))
            .with_damage(inner.disk.damage());
        let sources = Sources {
            readers: Arc::new(readers.with_fingerprints(Arc::clone(&inner.fingerprints))),
            writer: Arc::clone(&inner.writer),
            accesses: Arc::clone(&inner.accesses),
            names: Arc::clone(&inner.names),
            identity: Arc::clone(inner.keys.identity()),
            files: inner.files.blocks(),
            sql: inner.peer_sql.clone(),
            file_peers: inner.files.peers(),
            space: inner.space.clone(),
            validations: self.store(VALIDATIONS)?,
        };
        let (news, files) = (Arc::clone(&inner.list_news), Arc::clone(&inner.files));
        let on_peer = Box::new(move || {
            news.peer_came();
            files.peer_came();
        });
        let replication = Replication::start(swarm_config, sources, on_peer).await?;
        inner.source.ask_peers(replication.swarm().clone());
        let node = Arc::downgrade(inner);
        let holders = move |root: Cid| -> BoxFuture<'static, Vec<FileHolder>> {
            let node = node.upgrade().map(|inner| Node { inner });
            Box::pin(async move {
                let Some(node) = node else { return Vec::new() };
                node.holders(&root).await.unwrap_or_else(|error| {
                    tracing::warn!("who contributed {root} was not found out: {error}");
                    Vec::new()
                })
            })
        };
        inner.files.joined(replication.swarm().clone(), Box::new(holders)).await?;
        // The listener was set above, which works once, so this is the first replication.
        let _ = inner.replication.set(replication);
        self.share_stores().await?;
        tokio::spawn(self.clone().keep_sharing());
        tokio::spawn(self.clone().follow_store_list());
        tokio::spawn(self.clone().keep_files());
        tokio::spawn(self.clone().watch_space());
        tokio::spawn(self.clone().keep_mending());
        tokio::spawn(self.clone().await_what_was_lost());
        Ok(())
    }

    /// Tells the follower of the store list and the swarm of a commit. On the writer's thread.
    fn committed(&self, committed: Committed) {
        let Some(replication) = self.inner.replication.get() else { return };
        if committed.store.name == STORE_LIST {
            if committed.put_back {
                self.inner.list_news.read_again();
            }
            self.inner.list_news.changed();
        }
        if committed.store.name == CONTRIBUTIONS {
            self.inner.files.contributions_grew(committed.put_back);
        }
        replication.announce(committed);
    }

    /// Shares the stores that there are and are not shared yet.
    async fn share_stores(&self) -> Result<(), Error> {
        let Some(replication) = self.inner.replication.get() else { return Ok(()) };
        for (_, store) in self.inner.names.all() {
            replication.share(store).await?;
        }
        Ok(())
    }

    /// Shares stores as they are made, until nothing is written any more.
    async fn keep_sharing(self) {
        let mut changes = self.inner.names.changes();
        loop {
            tokio::select! {
                Ok(()) = changes.changed() => {}
                () = self.inner.writer.ended() => return,
            }
            if let Err(error) = self.share_stores().await {
                tracing::warn!("a store is not shared: {error}");
            }
        }
    }

    /// Reads what is contributed, judges it and brings what is pinned, until nothing is written any more.
    async fn keep_files(self) {
        let store = match self.store(CONTRIBUTIONS) {
            Ok(store) => store,
            Err(error) => return tracing::error!("contributions are not followed: {error}"),
        };
        let files = || Arc::clone(&self.inner.files);
        tokio::select! {
            () = files().follow(self.inner.lookups.clone(), store) => {}
            () = files().keep() => {}
            () = self.judge() => {}
            () = self.inner.writer.ended() => {}
        }
    }

    /// The multiaddrs at which peers can dial this node; none before it joined its swarm.
    pub fn addrs(&self) -> Vec<String> {
        self.inner.replication.get().map_or_else(Vec::new, |r| r.swarm().listen_addrs())
    }

    /// The peers connected now.
    pub fn peers(&self) -> Vec<PeerShown> {
        let peers = self.inner.replication.get().map_or_else(Vec::new, |r| r.swarm().peers());
        peers.into_iter().map(PeerShown::from).collect()
    }

    /// The stores that are known to lack entries of peers, and how many.
    pub(super) fn behind(&self) -> BTreeMap<String, u64> {
        self.inner.replication.get().map_or_else(BTreeMap::new, Replication::behind)
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
        match replication.swarm().connect(address).await {
            Ok(peer) => Ok(peer.to_string()),
            Err(error @ swarm::Error::Unreachable { .. }) => {
                tracing::debug!("connect: {error}");
                // Who may ask a node to dial learns from it who its peers are, and not which ports are open.
                Err(Error::Unavailable(format!(
                    "no peer answers at {address}: nothing does, or no libp2p host, or one with another \
                     swarm key (a node that logs at debug says which)"
                )))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl From<swarm::PeerView> for PeerShown {
    fn from(peer: swarm::PeerView) -> PeerShown {
        PeerShown {
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
