//! The peers that are connected, and what is known of them. A peer that leaves is forgotten here.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use optimusdb_dag::Address;

use crate::limits::SUPERSEDED_AGE;
use crate::source::{Source, ip_of, is_near, network};

/// Who opened the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The peer.
    Inbound,
    /// This node.
    Outbound,
}

/// A connected peer.
#[derive(Debug, Clone)]
pub struct PeerView {
    /// Its id.
    pub id: PeerId,
    /// Where it is connected from, and then where it says it listens; multiaddrs.
    pub addrs: Vec<String>,
    /// Who opened the first connection that still stands.
    pub direction: Direction,
    /// Round-trip time of the last ping, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// The protocols it speaks.
    pub protocols: Vec<String>,
    /// Its agent version.
    pub agent: String,
    /// Where it is, in the words of its operator.
    pub region: Option<String>,
    /// Whether it speaks this program's fast sync.
    pub native: bool,
    /// When it connected, in seconds since the Unix epoch.
    pub connected_since_s: u64,
}

/// What a peer said of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct IdentifyInfo {
    pub(crate) agent: String,
    pub(crate) region: Option<String>,
    pub(crate) protocols: Vec<String>,
    pub(crate) listen: Vec<Multiaddr>,
    pub(crate) native: bool,
}

/// One connection of a peer.
#[derive(Debug)]
struct PeerConnection {
    id: ConnectionId,
    remote: Multiaddr,
    direction: Direction,
    relayed: bool,
    began: Instant,
}

/// A connected peer.
#[derive(Debug)]
pub(crate) struct ConnectedPeer {
    connections: Vec<PeerConnection>,
    rtt_ms: Option<f64>,
    since: SystemTime,
    began: Instant,
    /// Set once it has said who it is and was let in.
    pub(crate) identity: Option<IdentifyInfo>,
    /// It is one that this node looks for.
    pub(crate) is_sought: bool,
    /// Tells this stay of the peer from an earlier one.
    pub(crate) stay: u64,
    pub(crate) subscribed: BTreeSet<Address>,
}

/// All connected peers.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    peers: HashMap<PeerId, ConnectedPeer>,
    stays: u64,
}

impl Peers {
    pub(crate) fn get(&self, id: &PeerId) -> Option<&ConnectedPeer> {
        self.peers.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &PeerId) -> Option<&mut ConnectedPeer> {
        self.peers.get_mut(id)
    }

    pub(crate) fn is_connected(&self, id: &PeerId) -> bool {
        self.peers.contains_key(id)
    }

    /// Whether the peer is connected and was let in.
    pub(crate) fn is_up(&self, id: &PeerId) -> bool {
        self.peers.get(id).is_some_and(|peer| peer.identity.is_some())
    }

    /// Whether anyone listens to the announcements of that log.
    pub(crate) fn has_listener(&self, log: &Address) -> bool {
        self.peers.values().any(|peer| peer.subscribed.contains(log))
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.keys().copied()
    }

    pub(crate) fn count(&self) -> usize {
        self.peers.len()
    }

    /// Connections of all peers.
    pub(crate) fn connections(&self) -> usize {
        self.peers.values().map(|peer| peer.connections.len()).sum()
    }

    pub(crate) fn on_connected(
        &mut self,
        id: PeerId,
        connection: ConnectionId,
        end: &ConnectedPoint,
    ) {
        let stays = &mut self.stays;
        let peer = self.peers.entry(id).or_insert_with(|| {
            *stays += 1;
            ConnectedPeer {
                connections: Vec::new(),
                rtt_ms: None,
                since: SystemTime::now(),
                began: Instant::now(),
                identity: None,
                is_sought: false,
                stay: *stays,
                subscribed: BTreeSet::new(),
            }
        });
        peer.connections.push(PeerConnection {
            id: connection,
            remote: end.get_remote_address().clone(),
            direction: if end.is_dialer() { Direction::Outbound } else { Direction::Inbound },
            relayed: end.is_relayed(),
            began: Instant::now(),
        });
    }

    /// True if that was the last connection of the peer, which is then gone.
    pub(crate) fn on_disconnected(&mut self, id: &PeerId, connection: ConnectionId) -> bool {
        let Some(peer) = self.peers.get_mut(id) else {
            return false;
        };
        peer.connections.retain(|one| one.id != connection);
        let gone = peer.connections.is_empty();
        if gone {
            self.peers.remove(id);
        }
        gone
    }

    /// Whether this node has another direct connection to the peer that it opened itself.
    pub(crate) fn dialled_before(&self, id: &PeerId, connection: ConnectionId) -> bool {
        self.peers.get(id).is_some_and(|peer| {
            peer.connections.iter().any(|one| {
                one.id != connection && one.direction == Direction::Outbound && !one.relayed
            })
        })
    }

    /// Whether another connection to the peer stands that is not a relayed one.
    pub(crate) fn has_other(&self, id: &PeerId, connection: ConnectionId) -> bool {
        self.peers.get(id).is_some_and(|peer| {
            peer.connections.iter().any(|one| one.id != connection && !one.relayed)
        })
    }

    /// The direct connections of the peer that began well before its last one. They may be dead, and
    /// this node would not know.
    pub(crate) fn superseded_of(&self, id: &PeerId) -> Vec<ConnectionId> {
        let all = self.peers.get(id).map_or(&[][..], |peer| &peer.connections);
        let direct = all.iter().filter(|one| !one.relayed);
        let last = direct.clone().map(|one| one.began).max();
        let is_superseded = |one: &&PeerConnection| {
            last.is_some_and(|last| last.saturating_duration_since(one.began) >= SUPERSEDED_AGE)
        };
        direct.filter(is_superseded).map(|one| one.id).collect()
    }

    /// Relayed connections of peers that have had a direct one for so long.
    pub(crate) fn superseded(&self, now: Instant, time: Duration) -> Vec<ConnectionId> {
        let direct =
            |one: &PeerConnection| !one.relayed && now.saturating_duration_since(one.began) > time;
        self.peers
            .values()
            .filter(|peer| peer.connections.iter().any(direct))
            .flat_map(|peer| peer.connections.iter().filter(|one| one.relayed))
            .map(|one| one.id)
            .collect()
    }

    /// Peers that are connected for so long and have not been let in.
    pub(crate) fn silent(&self, now: Instant, time: Duration) -> Vec<PeerId> {
        self.peers
            .iter()
            .filter(|(_, it)| it.identity.is_none())
            .filter(|(_, it)| now.saturating_duration_since(it.began) > time)
            .map(|(id, _)| *id)
            .collect()
    }

    /// The addresses from which the peer is connected, not those of relays.
    fn ips<'a>(&'a self, id: &PeerId) -> impl Iterator<Item = IpAddr> + use<'a> {
        let connections = self.peers.get(id).map_or(&[][..], |peer| &peer.connections);
        connections.iter().filter(|one| !one.relayed).filter_map(|one| ip_of(&one.remote))
    }

    /// The address that one of the peer's connections leads to, or that of its relay.
    pub(crate) fn ip_on(&self, id: &PeerId, connection: ConnectionId) -> Option<IpAddr> {
        let mut connections = self.peers.get(id)?.connections.iter();
        ip_of(&connections.find(|one| one.id == connection)?.remote)
    }

    /// Whether the peer is a neighbour; `None` if it is only connected through a relay.
    pub(crate) fn is_neighbour(&self, id: &PeerId) -> Option<bool> {
        let near = |ip: IpAddr| ip.is_loopback() || is_near(&ip);
        let mut ips = self.ips(id).peekable();
        ips.peek()?;
        Some(ips.any(near))
    }

    /// Whom work for the peer is charged to.
    pub(crate) fn source(&self, id: PeerId) -> Source {
        let is_sought = self.peers.get(&id).is_some_and(|peer| peer.is_sought);
        let network = self.ips(&id).next().filter(|_| !is_sought).map(network);
        Source { peer: id, network }
    }

    /// Whether the peer is connected from this machine.
    pub(crate) fn is_local(&self, id: &PeerId) -> bool {
        self.ips(id).any(|ip| ip.is_loopback())
    }

    /// A peer of our own that speaks `protocol` and that we dialled ourselves, with its address.
    pub(crate) fn reachable_with(
        &self,
        protocol: &str,
        wanted: impl Fn(&PeerId) -> bool,
    ) -> Option<(PeerId, Multiaddr)> {
        self.peers.iter().filter(|(id, _)| wanted(id)).find_map(|(id, peer)| {
            let identity = peer.identity.as_ref().filter(|it| it.native)?;
            identity.protocols.iter().find(|one| *one == protocol)?;
            let direct =
                |one: &&PeerConnection| one.direction == Direction::Outbound && !one.relayed;
            let address = peer.connections.iter().find(direct)?.remote.clone();
            Some((*id, address.with_p2p(*id).unwrap_or_else(|address| address)))
        })
    }

    pub(crate) fn on_ping(&mut self, id: &PeerId, rtt_ms: f64) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.rtt_ms = Some(rtt_ms);
        }
    }

    /// The peers that were let in, in the order of their ids.
    pub(crate) fn infos(&self) -> Vec<PeerView> {
        let mut infos: Vec<PeerView> =
            self.peers.iter().filter_map(|(id, peer)| peer.info(*id)).collect();
        infos.sort_by_key(|info| info.id);
        infos
    }
}

impl ConnectedPeer {
    fn info(&self, id: PeerId) -> Option<PeerView> {
        let identity = self.identity.as_ref()?;
        let first = self.connections.first()?;
        let mut addrs = Vec::new();
        let remotes = self.connections.iter().map(|connection| &connection.remote);
        for address in remotes.chain(&identity.listen) {
            let text = address.to_string();
            if !addrs.contains(&text) {
                addrs.push(text);
            }
        }
        Some(PeerView {
            id,
            addrs,
            direction: first.direction,
            rtt_ms: self.rtt_ms,
            protocols: identity.protocols.clone(),
            agent: identity.agent.clone(),
            region: identity.region.clone(),
            native: identity.native,
            connected_since_s: self
                .since
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        })
    }
}
