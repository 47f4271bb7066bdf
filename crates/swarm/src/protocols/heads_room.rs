//! Room for heads that are being read: so much in all, so much of one peer. When all of it is taken the peer
//! that holds most of it loses its part, and not the one who comes next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libp2p::PeerId;
use tokio::sync::watch;

use crate::source::Source;

/// The room, in KiB. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct HeadsRoom {
    tenants: Arc<Mutex<HashMap<PeerId, Tenant>>>,
    kib_max: usize,
    kib_per_peer_max: usize,
}

#[derive(Debug)]
struct Tenant {
    source: Source,
    kib: usize,
    evicted: watch::Sender<bool>,
}

/// A part of the room; it is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct HeadsLease {
    room: HeadsRoom,
    source: Source,
    kib: usize,
    evicted: Option<watch::Receiver<bool>>,
}

impl HeadsRoom {
    pub(crate) fn new(kib_max: usize, kib_per_peer_max: usize) -> HeadsRoom {
        HeadsRoom { tenants: Arc::default(), kib_max, kib_per_peer_max }
    }

    /// A part of no size yet.
    pub(crate) fn lease(&self, source: Source) -> HeadsLease {
        HeadsLease { room: self.clone(), source, kib: 0, evicted: None }
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<PeerId, Tenant>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeadsLease {
    /// Takes more; false if the peer has as much as it may, or most of what there is.
    pub(crate) fn grow(&mut self, kib: usize) -> bool {
        let mut tenants = self.room.tenants();
        let peer = self.source.peer;
        let of_peer = tenants.get(&peer).map_or(0, |tenant| tenant.kib);
        if of_peer + kib > self.room.kib_per_peer_max || self.is_evicted() {
            return false;
        }
        while tenants.values().map(|tenant| tenant.kib).sum::<usize>() + kib > self.room.kib_max {
            match largest(&tenants).filter(|largest| *largest != peer) {
                Some(largest) => {
                    let tenant = tenants.remove(&largest);
                    tenant.map(|tenant| tenant.evicted.send_replace(true));
                }
                None => return false,
            }
        }
        let tenant = tenants.entry(peer).or_insert_with(|| Tenant {
            source: self.source,
            kib: 0,
            evicted: watch::Sender::new(false),
        });
        tenant.kib += kib;
        self.kib += kib;
        self.evicted.get_or_insert_with(|| tenant.evicted.subscribe());
        true
    }

    fn is_evicted(&self) -> bool {
        self.evicted.as_ref().is_some_and(|evicted| *evicted.borrow())
    }

    /// Waits until the peer has lost its part.
    pub(crate) async fn evicted(&mut self) {
        match &mut self.evicted {
            Some(evicted) => drop(evicted.wait_for(|evicted| *evicted).await),
            None => std::future::pending().await,
        }
    }
}

/// The peer that holds most, within the network that holds most.
fn largest(tenants: &HashMap<PeerId, Tenant>) -> Option<PeerId> {
    let of_network = |tenant: &Tenant| -> usize {
        let same = |other: &&Tenant| match tenant.source.network {
            Some(network) => other.source.network == Some(network),
            None => other.source.peer == tenant.source.peer,
        };
        tenants.values().filter(same).map(|other| other.kib).sum()
    };
    let largest = tenants.iter().max_by_key(|(_, tenant)| (of_network(tenant), tenant.kib));
    largest.map(|(peer, _)| *peer)
}

impl Drop for HeadsLease {
    fn drop(&mut self) {
        // What was taken away is not given back a second time.
        if self.kib == 0 || self.is_evicted() {
            return;
        }
        let mut tenants = self.room.tenants();
        if let Some(tenant) = tenants.get_mut(&self.source.peer) {
            tenant.kib = tenant.kib.saturating_sub(self.kib);
            if tenant.kib == 0 {
                tenants.remove(&self.source.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use libp2p::futures::FutureExt;

    use super::*;

    fn source(network: u8) -> Source {
        Source { peer: PeerId::random(), network: Some([192, 0, network, 0].into()) }
    }

    #[test]
    fn one_peer_has_its_part_and_no_more() {
        let room = HeadsRoom::new(100, 40);
        let a = source(1);
        let (mut one, mut other) = (room.lease(a), room.lease(a));
        assert!(one.grow(30) && other.grow(10) && !other.grow(1));
        drop(one);
        assert!(other.grow(30));
        drop(other);
        assert!(room.tenants().is_empty());
    }

    #[test]
    fn who_holds_most_makes_room() {
        let room = HeadsRoom::new(100, 60);
        let (a, b, c) = (source(1), source(1), source(2));
        let (mut large, mut small, mut new) = (room.lease(a), room.lease(b), room.lease(c));
        assert!(large.grow(50) && small.grow(10) && new.grow(40));
        assert!(new.grow(10), "the two of one network hold most");
        assert!(large.evicted().now_or_never().is_some() && !large.grow(1));
        assert!(small.evicted().now_or_never().is_none() && small.grow(20));
        drop(large);
        let kib_of = |source: Source| room.tenants()[&source.peer].kib;
        assert_eq!((kib_of(b), kib_of(c)), (30, 50));
        assert!(new.grow(10) && small.grow(20), "now the other one does");
        assert!(new.evicted().now_or_never().is_some() && !new.grow(1));
        let alone = HeadsRoom::new(100, 200);
        let mut lease = alone.lease(a);
        assert!(lease.grow(100) && !lease.grow(1), "nobody else could make room");
    }
}
