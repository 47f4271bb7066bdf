//! What the event loop is asked to do.

use std::net::IpAddr;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use optimusdb_dag::Address;
use optimusdb_dag::replicator::{Offence, Verdict};
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
    /// A name was looked up for the dialler.
    Resolved { seed: usize, found: Result<Vec<IpAddr>, String> },
    /// Whether the peer answered on a connection that is in doubt.
    Doubted { peer: PeerId, connection: ConnectionId, answered: bool },
    /// Close all connections and end.
    Shutdown,
}
