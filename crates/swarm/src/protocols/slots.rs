//! How many streams are served at one time, in all and to one peer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use libp2p::PeerId;

/// Places for streams that are being served.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    taken: Arc<Mutex<Taken>>,
    all_max: usize,
    per_peer_max: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_peer: HashMap<PeerId, usize>,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    taken: Arc<Mutex<Taken>>,
    peer: PeerId,
}

impl Slots {
    pub(crate) fn new(all_max: usize, per_peer_max: usize) -> Slots {
        Slots { taken: Arc::default(), all_max, per_peer_max }
    }

    /// A place for a stream of `peer`, if there is one.
    pub(crate) fn take(&self, peer: PeerId) -> Option<Slot> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = taken.by_peer.get(&peer).copied().unwrap_or(0);
        if taken.all >= self.all_max || of_peer >= self.per_peer_max {
            return None;
        }
        taken.all += 1;
        taken.by_peer.insert(peer, of_peer + 1);
        Some(Slot { taken: self.taken.clone(), peer })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(of_peer) = taken.by_peer.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                taken.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let slots = Slots::new(3, 2);
        let (a, b) = (PeerId::random(), PeerId::random());
        let first = slots.take(a).unwrap();
        let _second = slots.take(a).unwrap();
        assert!(slots.take(a).is_none());
        let _third = slots.take(b).unwrap();
        assert!(slots.take(b).is_none());
        drop(first);
        assert!(slots.take(b).is_some());
        assert!(slots.take(a).is_some());
    }
}
