//! What comes to the driver from this node: its requests, and the outcome of what a replicator asked
//! for. None of it is ever lost.

use optimusdb_dag::replicator::Peer;
use optimusdb_dag::{Address, LogCid};
use optimusdb_storage::StoreRef;

/// What comes to the driver from this node.
#[derive(Debug)]
pub(super) enum Input {
    /// A store is shared from now on.
    StoreAdded(StoreRef),
    /// The block of a fetch; none when no peer gave it.
    Fetched { log: Address, cid: LogCid, block: Option<Vec<u8>> },
    /// The reply to a request of fast sync; none when the peer did not answer.
    Replied { log: Address, peer: Peer, number: u64, reply: Option<Vec<u8>> },
    /// The heads of a peer that was sent ours.
    Heads { log: Address, peer: Peer, blocks: Vec<Vec<u8>> },
    /// What became of entries that were to be stored: how many were new, if they were stored.
    Stored { log: Address, stored: Option<usize> },
    /// The node stops.
    Stop,
}
