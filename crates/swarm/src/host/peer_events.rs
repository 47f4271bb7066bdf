//! Events about peers. None is lost, however slowly the node takes them.
//!
//! The node is told the difference between what it was told of a peer and what holds now. So a peer
//! that comes and goes a thousand times while the node is busy costs two events, and no queue grows.

use std::collections::{BTreeSet, HashMap, HashSet};

use libp2p::PeerId;
use optimusdb_dag::Address;

use crate::event::Event;
use crate::peering::peers::Peers;

/// What the node was told of a peer.
#[derive(Debug)]
struct Reported {
    stay: u64,
    native: bool,
    subscribed: BTreeSet<Address>,
}

/// What the node has yet to be told.
#[derive(Debug, Default)]
pub(crate) struct PeerEvents {
    told: HashMap<PeerId, Reported>,
    /// Peers for which there may be something to tell.
    stale: BTreeSet<PeerId>,
}

impl PeerEvents {
    /// Something about the peer changed.
    pub(crate) fn touch(&mut self, peer: PeerId) {
        self.stale.insert(peer);
    }

    /// Something changed for all peers.
    pub(crate) fn touch_all(&mut self, peers: &Peers) {
        self.stale.extend(peers.ids());
        self.stale.extend(self.told.keys());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stale.is_empty()
    }

    /// The next thing to tell.
    pub(crate) fn next(&mut self, peers: &Peers, open: &HashSet<Address>) -> Option<Event> {
        while let Some(peer) = self.stale.first().copied() {
            if let Some(event) = self.difference(peer, peers, open) {
                return Some(event);
            }
            self.stale.remove(&peer);
        }
        None
    }

    fn difference(&mut self, id: PeerId, peers: &Peers, open: &HashSet<Address>) -> Option<Event> {
        let now = peers.get(&id).and_then(|peer| Some((peer, peer.identity.as_ref()?)));
        let Some((peer, identity)) = now else {
            return self.told.remove(&id).map(|_| Event::PeerDown { peer: id });
        };
        let Some(told) = self.told.get_mut(&id) else {
            let native = identity.native;
            let told = Reported { stay: peer.stay, native, subscribed: BTreeSet::new() };
            self.told.insert(id, told);
            return Some(Event::PeerUp { peer: id, native });
        };
        if told.stay != peer.stay || told.native != identity.native {
            self.told.remove(&id);
            return Some(Event::PeerDown { peer: id });
        }
        if let Some(log) = told.subscribed.difference(&peer.subscribed).next().copied() {
            told.subscribed.remove(&log);
            return Some(Event::Unsubscribed { peer: id, log });
        }
        let log = peer
            .subscribed
            .iter()
            .find(|log| open.contains(log) && !told.subscribed.contains(log))
            .copied()?;
        told.subscribed.insert(log);
        Some(Event::Subscribed { peer: id, log })
    }
}

#[cfg(test)]
mod tests {
    use libp2p::Multiaddr;
    use libp2p::core::Endpoint;
    use libp2p::core::connection::ConnectedPoint;
    use libp2p::core::transport::PortUse;
    use libp2p::swarm::ConnectionId;
    use optimusdb_dag::LogCid;

    use super::*;
    use crate::peering::peers::IdentifyInfo;

    fn come(peers: &mut Peers, peer: PeerId, connection: usize, subscribed: &[Address]) {
        let end = ConnectedPoint::Dialer {
            address: Multiaddr::empty(),
            role_override: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        peers.on_connected(peer, ConnectionId::new_unchecked(connection), &end);
        let it = peers.get_mut(&peer).unwrap();
        it.identity = Some(IdentifyInfo::default());
        it.subscribed.extend(subscribed);
    }

    fn all(peer_events: &mut PeerEvents, peers: &Peers, open: &HashSet<Address>) -> Vec<String> {
        std::iter::from_fn(|| peer_events.next(peers, open))
            .map(|event| format!("{event:?}").split(' ').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn what_came_and_went_unheard_is_told_as_what_it_amounts_to() {
        let (peer, log) = (PeerId::random(), Address::of_manifest(LogCid::of(b"s")));
        let (mut peers, mut peer_events) = (Peers::default(), PeerEvents::default());
        let open = HashSet::from([log]);
        for connection in 0..5 {
            come(&mut peers, peer, connection, &[log]);
            peer_events.touch(peer);
            peers.on_disconnected(&peer, ConnectionId::new_unchecked(connection));
            peer_events.touch(peer);
        }
        assert_eq!(all(&mut peer_events, &peers, &open), Vec::<String>::new());
        come(&mut peers, peer, 6, &[log]);
        peer_events.touch(peer);
        assert_eq!(all(&mut peer_events, &peers, &open), ["PeerUp", "Subscribed"]);
        // It left and came back between two looks. Both are told: the node must begin anew with it.
        peers.on_disconnected(&peer, ConnectionId::new_unchecked(6));
        come(&mut peers, peer, 7, &[]);
        peer_events.touch(peer);
        assert_eq!(all(&mut peer_events, &peers, &open), ["PeerDown", "PeerUp"]);
        assert!(peer_events.is_empty());
    }

    #[test]
    fn subscriptions_are_told_for_stores_that_are_open() {
        let (peer, log) = (PeerId::random(), Address::of_manifest(LogCid::of(b"s")));
        let (mut peers, mut peer_events) = (Peers::default(), PeerEvents::default());
        come(&mut peers, peer, 1, &[log]);
        peer_events.touch(peer);
        assert_eq!(all(&mut peer_events, &peers, &HashSet::new()), ["PeerUp"]);
        let open = HashSet::from([log]);
        peer_events.touch_all(&peers);
        assert_eq!(all(&mut peer_events, &peers, &open), ["Subscribed"]);
        peers.get_mut(&peer).unwrap().subscribed.clear();
        peer_events.touch(peer);
        assert_eq!(all(&mut peer_events, &peers, &open), ["Unsubscribed"]);
    }
}
