//! The accounts of connected peers, by their ids.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use libp2p::PeerId;

use crate::peering::accounts::{Accounts, Charged};
use crate::peering::limits::SENT_BYTES_PER_MS;
use crate::peering::peers::Peers;
use crate::source::Source;

/// The accounts of connected peers. Clones are the same accounts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shares {
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) peers: Arc<Mutex<Peers>>,
}

impl Shares {
    /// Whom work for a peer is charged to.
    pub(crate) fn source(&self, peer: PeerId) -> Source {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).source(peer)
    }

    /// Charges a peer.
    pub(crate) fn charge(&self, peer: PeerId, ms: f64) {
        self.accounts.charge(Instant::now(), &self.source(peer), ms);
    }

    /// Charges a peer for what it was sent.
    pub(crate) fn charge_bytes(&self, peer: PeerId, bytes: usize) {
        self.charge(peer, bytes as f64 / SENT_BYTES_PER_MS);
    }

    /// What a peer has cost lately.
    pub(crate) fn charged(&self, peer: PeerId) -> Charged {
        self.accounts.charged(Instant::now(), &self.source(peer))
    }
}
