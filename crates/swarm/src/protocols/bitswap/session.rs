//! A session as its owner holds it: blocks of one DAG are fetched, from peers that had the earlier ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libp2p::PeerId;
use optimusdb_dag::Cid;

use super::client::SessionTicket;
use super::{Asked, Bitswap, FetchError};

/// A session of bitswap. Clones are the same session.
#[derive(Clone)]
pub(crate) struct BlockSession {
    bitswap: Bitswap,
    ticket: Arc<SessionTicket>,
}

impl BlockSession {
    /// A session with peers that somebody named, in which all peers or only nodes of the own swarm
    /// are asked.
    pub(crate) fn new(bitswap: Bitswap, named: Vec<PeerId>, members_only: bool) -> BlockSession {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        bitswap.shared.counters.sessions.fetch_add(1, Ordering::Relaxed);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        BlockSession { bitswap, ticket: Arc::new(SessionTicket { number, named, members_only }) }
    }

    /// Gets a block, and says who sent it; nobody did if its address holds it.
    ///
    /// # Errors
    /// As [`Bitswap::fetch`]. What nobody has now is waited for, for a time.
    pub(crate) async fn fetch(&self, cid: Cid) -> Result<(Vec<u8>, Option<PeerId>), FetchError> {
        self.bitswap.ask(cid, Asked::InSession(Arc::clone(&self.ticket))).await
    }
}
