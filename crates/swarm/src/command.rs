//! What the event loop is asked to do.

use std::net::IpAddr;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use optimusdb_dag::replicator::{Offence, Verdict};
use optimusdb_dag::{Address, Cid};
use tokio::sync::oneshot;

use crate::Error;
use crate::event::Announcement;

/// What the event loop is asked to do.
pub(crate) enum Command {
    /// Connect, and say with whom once the peer was let in.
    Connect { address: Multiaddr, reply: oneshot::Sender<Result<PeerId, Error>> },
    /// Serve the heads of a store and subscribe to it.
    Open { log: Address, reply: oneshot::Sender<Result<(), Error>> },
    /// Announce an entry.
    Publish { log: Address, block: Vec<u8> },
    /// Judge an announcement.
    Judge { announcement: Announcement, verdict: Verdict },
    /// Note what a peer did.
    Blame { peer: PeerId, offence: Offence },
    /// A peer brought what was missing here.
    Proved { peer: PeerId },
    /// A name was looked up for the dialler.
    Resolved { seed: usize, found: Result<Vec<IpAddr>, String> },
    /// Whether the peer answered on a connection that is in doubt.
    Doubted { peer: PeerId, connection: ConnectionId, answered: bool },
    /// All of a DAG is here, or no longer.
    Provide { root: Cid, here: bool },
    /// Ask who has a DAG, and connect to them.
    FindProviders { root: Cid },
    /// Connect to a peer, if it is not connected. Nobody waits for it.
    Reach { peer: PeerId, addresses: Vec<Multiaddr> },
    /// Close all connections and end.
    Shutdown,
}
