//! What a host counts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocols::bitswap::Counts;
use crate::transport::Traffic;
use crate::transport::counted::TransportBytes;

/// What a host counted until now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SwarmFigures {
    /// Peers that are connected.
    pub peers: u64,
    /// Connections to them.
    pub connections: u64,
    /// Bytes in and out of the streams of TCP connections.
    pub tcp: Traversed,
    /// Bytes in and out of the streams of QUIC connections.
    pub quic: Traversed,
    /// Bytes in and out of the streams of connections through relays.
    pub relayed: Traversed,
    /// Announcements that came in and were handed on.
    pub announcements: u64,
    /// Announcements that were dropped because nobody took the events fast enough.
    pub announcements_dropped: u64,
    /// Announcements that were ignored because their sender sent too many.
    pub announcements_over_rate: u64,
    /// Announcements of this node that some peer was too slow for.
    pub announcements_unsent: u64,
    /// Connections that were refused at the gate.
    pub connections_refused: u64,
    /// Peers that were sent away for their swarm or version.
    pub peers_refused: u64,
    /// What peers did that they should not have done.
    pub offences: u64,
    /// Peers that were banned.
    pub peers_banned: u64,
    /// Blocks that were fetched and served.
    pub bitswap: Counts,
}

/// Bytes in and out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traversed {
    /// In.
    pub received_bytes: u64,
    /// Out.
    pub sent_bytes: u64,
}

/// The counters behind [`SwarmFigures`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) announcements: AtomicU64,
    pub(crate) announcements_dropped: AtomicU64,
    pub(crate) announcements_over_rate: AtomicU64,
    pub(crate) announcements_unsent: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
    pub(crate) peers_refused: AtomicU64,
    pub(crate) offences: AtomicU64,
    pub(crate) peers_banned: AtomicU64,
}

/// Adds one to a counter.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn figures(
        &self,
        peers: usize,
        connections: usize,
        traffic: &Traffic,
    ) -> SwarmFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let traversed = |bytes: &TransportBytes| Traversed {
            received_bytes: read(&bytes.received),
            sent_bytes: read(&bytes.sent),
        };
        SwarmFigures {
            peers: peers as u64,
            connections: connections as u64,
            tcp: traversed(&traffic.tcp),
            quic: traversed(&traffic.quic),
            relayed: traversed(&traffic.relayed),
            announcements: read(&self.announcements),
            announcements_dropped: read(&self.announcements_dropped),
            announcements_over_rate: read(&self.announcements_over_rate),
            announcements_unsent: read(&self.announcements_unsent),
            connections_refused: read(&self.connections_refused),
            peers_refused: read(&self.peers_refused),
            offences: read(&self.offences),
            peers_banned: read(&self.peers_banned),
            bitswap: Counts::default(),
        }
    }
}
