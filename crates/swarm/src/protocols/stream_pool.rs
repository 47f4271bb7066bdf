//! How many streams are served at one time, in all and to one peer.
//!
//! When as many are out as may be, a peer that has less than an equal part of them gets one all the same: so
//! those who have many keep nobody out who has few.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use libp2p::PeerId;

/// The streams that may be served at a time.
#[derive(Debug, Clone)]
pub(crate) struct StreamPool {
    leased: Arc<Mutex<Leased>>,
    all_max: usize,
    per_peer_max: usize,
}

#[derive(Debug, Default)]
struct Leased {
    all: usize,
    by_peer: HashMap<PeerId, usize>,
}

/// The right to serve one stream; it goes back to the pool when it is dropped.
#[derive(Debug)]
pub(crate) struct StreamLease {
    leased: Arc<Mutex<Leased>>,
    peer: PeerId,
}

impl StreamPool {
    pub(crate) fn new(all_max: usize, per_peer_max: usize) -> StreamPool {
        StreamPool { leased: Arc::default(), all_max, per_peer_max }
    }

    /// A lease for a stream of `peer`, unless as many are out as may be.
    pub(crate) fn lease(&self, peer: PeerId) -> Option<StreamLease> {
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = leased.by_peer.get(&peer).copied().unwrap_or(0);
        let others = leased.by_peer.len() + usize::from(of_peer == 0);
        let equal_part = (self.all_max / others).max(1);
        if of_peer >= self.per_peer_max || (leased.all >= self.all_max && of_peer >= equal_part) {
            return None;
        }
        leased.all += 1;
        leased.by_peer.insert(peer, of_peer + 1);
        Some(StreamLease { leased: self.leased.clone(), peer })
    }
}

impl Drop for StreamLease {
    fn drop(&mut self) {
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        leased.all -= 1;
        if let Some(of_peer) = leased.by_peer.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                leased.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_bounded_and_come_back() {
        let pool = StreamPool::new(3, 2);
        let (a, b) = (PeerId::random(), PeerId::random());
        let first = pool.lease(a).unwrap();
        let _second = pool.lease(a).unwrap();
        assert!(pool.lease(a).is_none());
        let _third = pool.lease(b).unwrap();
        assert!(pool.lease(b).is_none());
        drop(first);
        assert!(pool.lease(b).is_some());
        assert!(pool.lease(a).is_some());
    }

    #[test]
    fn whoever_has_few_gets_one_when_others_have_all() {
        let pool = StreamPool::new(8, 8);
        let (greedy, modest) = (PeerId::random(), PeerId::random());
        let all: Vec<_> = std::iter::from_fn(|| pool.lease(greedy)).collect();
        assert_eq!(all.len(), 8);
        let few: Vec<_> = std::iter::from_fn(|| pool.lease(modest)).collect();
        assert_eq!(few.len(), 4);
        drop(all);
        assert!(pool.lease(modest).is_some(), "alone it has more than half");
    }
}
