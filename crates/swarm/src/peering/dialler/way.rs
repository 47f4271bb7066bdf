//! The addresses of one host, tried one after the other.

use std::collections::VecDeque;

use libp2p::Multiaddr;

/// Addresses of one host, of which one is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) next: Multiaddr,
    pub(super) others: VecDeque<Multiaddr>,
    /// How the addresses before failed.
    pub(super) failed: Vec<String>,
    /// Whether the failures were logged already.
    pub(super) told: bool,
}

impl Way {
    pub(super) fn new(addresses: Vec<Multiaddr>) -> Option<Way> {
        let mut others = VecDeque::from(addresses);
        others.pop_front().map(|next| Way { next, others, failed: Vec::new(), told: false })
    }
}
