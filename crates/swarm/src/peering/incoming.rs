//! Who has the places of incoming connections.
//!
//! While there are free ones everybody gets one. When all are taken, the least useful peer of the network that
//! has most of them makes room: one that said nothing of itself before a node of the swarm, and the one that
//! has been here longest before those that had no time to show anything. Peers that were useful once, and those
//! that this node looks for, have some places of their own, and beyond them stand with all others: being useful
//! once is cheap.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use crate::peering::limits::{
    INCOMING_CONNECTIONS_MAX, INCOMING_STRANGERS_MAX, PENDING_CONNECTIONS_PER_NETWORK_MAX,
    PROVEN_PEERS_MAX, SHARED_PENDING_CONNECTIONS_MAX,
};
use crate::source::ip_of;
use crate::source::{host, network};

/// All places are taken, by peers that are no less useful.
#[derive(Debug, thiserror::Error)]
#[error("all places are taken")]
pub(crate) struct NoPlace;

/// What a peer is worth, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It said nothing of itself.
    Silent,
    /// It says that it is a node of the swarm.
    Member,
    /// It was useful, or this node looks for it.
    Proven,
}

#[derive(Debug)]
struct Place {
    peer: PeerId,
    address: Option<IpAddr>,
    since: Instant,
}

/// The places of incoming connections.
#[derive(Debug, Default)]
pub(crate) struct IncomingPlaces {
    pending: HashMap<ConnectionId, IpAddr>,
    taken: HashMap<ConnectionId, Place>,
    members: HashSet<PeerId>,
    /// The newest last.
    proven: VecDeque<PeerId>,
    closing: VecDeque<(PeerId, ConnectionId)>,
    waker: Option<Waker>,
}

impl IncomingPlaces {
    /// A connected peer says that it is a node of the swarm.
    pub(crate) fn is_member(&mut self, peer: PeerId) {
        if self.taken.values().any(|place| place.peer == peer) {
            self.members.insert(peer);
        }
    }

    /// A peer was useful, or is one that this node looks for.
    pub(crate) fn proved(&mut self, peer: PeerId) {
        self.proven.retain(|known| *known != peer);
        if self.proven.len() >= PROVEN_PEERS_MAX {
            self.proven.pop_front();
        }
        self.proven.push_back(peer);
    }

    fn worth(&self, peer: &PeerId) -> Worth {
        if self.proven.contains(peer) {
            Worth::Proven
        } else if self.members.contains(peer) {
            Worth::Member
        } else {
            Worth::Silent
        }
    }

    fn check_pending(&mut self, id: ConnectionId, address: IpAddr) -> Result<(), NoPlace> {
        let network = network(address);
        let of_network = self.pending.values().filter(|other| **other == network).count();
        if self.pending.len() >= SHARED_PENDING_CONNECTIONS_MAX
            && of_network >= PENDING_CONNECTIONS_PER_NETWORK_MAX
        {
            return Err(NoPlace);
        }
        self.pending.insert(id, network);
        Ok(())
    }

    /// Takes a place for a connection, and says which one is closed for it.
    fn take(
        &mut self,
        now: Instant,
        id: ConnectionId,
        peer: PeerId,
        address: Option<IpAddr>,
    ) -> Result<(), NoPlace> {
        let is_proven = self.worth(&peer) == Worth::Proven;
        let strangers =
            self.taken.values().filter(|place| self.worth(&place.peer) < Worth::Proven).count();
        let full = self.taken.len() >= INCOMING_CONNECTIONS_MAX
            || (!is_proven && strangers >= INCOMING_STRANGERS_MAX);
        if full {
            let reserved = INCOMING_CONNECTIONS_MAX - INCOMING_STRANGERS_MAX;
            let for_stranger = !is_proven || self.taken.len() - strangers < reserved;
            let (gone, place) = self.least_useful(for_stranger).ok_or(NoPlace)?;
            let gone_peer = place.peer;
            self.taken.remove(&gone);
            self.closing.push_back((gone_peer, gone));
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
        self.taken.insert(id, Place { peer, address, since: now });
        Ok(())
    }

    /// The connection that is missed least. With `strangers`, peers that were useful are left alone.
    fn least_useful(&self, strangers: bool) -> Option<(ConnectionId, &Place)> {
        let (mut of_network, mut of_host) = (HashMap::new(), HashMap::new());
        for address in self.taken.values().filter_map(|place| place.address) {
            *of_network.entry(network(address)).or_insert(0_usize) += 1;
            *of_host.entry(host(address)).or_insert(0_usize) += 1;
        }
        let missed = |place: &Place| {
            let worth = self.worth(&place.peer);
            let crowd = place
                .address
                .map_or((1, 1), |address| (of_network[&network(address)], of_host[&host(address)]));
            (std::cmp::Reverse(crowd), worth, place.since)
        };
        let candidates = self
            .taken
            .iter()
            .filter(|(_, place)| !strangers || self.worth(&place.peer) < Worth::Proven);
        let least = candidates.min_by_key(|(_, place)| missed(place));
        least.map(|(id, place)| (*id, place))
    }

    fn closed(&mut self, id: ConnectionId) {
        self.pending.remove(&id);
        if let Some(place) = self.taken.remove(&id)
            && !self.taken.values().any(|other| other.peer == place.peer)
        {
            self.members.remove(&place.peer);
        }
    }
}

impl NetworkBehaviour for IncomingPlaces {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let checked = ip_of(remote).map_or(Ok(()), |address| self.check_pending(id, address));
        checked.map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&id);
        self.take(Instant::now(), id, peer, ip_of(remote)).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(closed) => self.closed(closed.connection_id),
            FromSwarm::ListenFailure(failed) => self.closed(failed.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        if let Some((peer_id, id)) = self.closing.pop_front() {
            tracing::debug!(peer = %peer_id, "a connection made room for another one");
            let connection = CloseConnection::One(id);
            return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Coming {
        places: IncomingPlaces,
        now: Instant,
        last: usize,
    }

    impl Coming {
        fn new() -> Coming {
            Coming { places: IncomingPlaces::default(), now: Instant::now(), last: 0 }
        }

        fn come(&mut self, peer: PeerId, address: [u8; 4]) -> Result<ConnectionId, NoPlace> {
            self.last += 1;
            self.now += Duration::from_millis(1);
            let id = ConnectionId::new_unchecked(self.last);
            self.places.take(self.now, id, peer, Some(address.into())).map(|()| id)
        }

        fn has(&self, id: ConnectionId) -> bool {
            self.places.taken.contains_key(&id)
        }
    }

    #[test]
    fn one_address_has_all_places_until_another_one_wants_one() {
        let mut coming = Coming::new();
        let crowd: Vec<ConnectionId> = (0..INCOMING_STRANGERS_MAX)
            .map(|_| coming.come(PeerId::random(), [192, 0, 2, 1]).unwrap())
            .collect();
        assert!(coming.places.closing.is_empty());
        let honest = PeerId::random();
        let here = coming.come(honest, [198, 51, 100, 1]).unwrap();
        assert!(!coming.has(crowd[0]) && coming.has(here), "the oldest of the crowd goes");
        // The crowd comes back and comes back, with new identities, and from its whole network.
        for last in 0..200 {
            coming.come(PeerId::random(), [192, 0, 2, last]).unwrap();
        }
        assert!(coming.has(here));
        assert!(coming.places.taken.len() <= INCOMING_CONNECTIONS_MAX);
    }

    #[test]
    fn nodes_of_one_machine_are_told_apart_by_what_they_are_worth() {
        let mut coming = Coming::new();
        let local = [127, 0, 0, 1];
        let member = PeerId::random();
        let here = coming.come(member, local).unwrap();
        coming.places.is_member(member);
        for _ in 0..2 * INCOMING_CONNECTIONS_MAX {
            coming.come(PeerId::random(), local).unwrap();
        }
        assert!(coming.has(here));
    }

    #[test]
    fn who_was_useful_comes_in_always_and_stays() {
        let mut coming = Coming::new();
        for last in 0..INCOMING_STRANGERS_MAX {
            coming.come(PeerId::random(), [10, 0, last as u8, 1]).unwrap();
        }
        let useful = |coming: &mut Coming| {
            let peer = PeerId::random();
            coming.places.proved(peer);
            coming.come(peer, [192, 0, 2, 1]).unwrap()
        };
        let reserved = INCOMING_CONNECTIONS_MAX - INCOMING_STRANGERS_MAX;
        let here: Vec<ConnectionId> = (0..reserved).map(|_| useful(&mut coming)).collect();
        for _ in 0..INCOMING_CONNECTIONS_MAX {
            coming.come(PeerId::random(), [198, 51, 100, 1]).unwrap();
        }
        assert!(here.iter().all(|id| coming.has(*id)));
        assert_eq!(coming.places.taken.len(), INCOMING_CONNECTIONS_MAX);
        // More of them, from one address, take no more than is fair.
        for _ in 0..2 * INCOMING_CONNECTIONS_MAX {
            useful(&mut coming);
        }
        let strangers =
            coming.places.taken.values().filter(|it| it.address != Some([192, 0, 2, 1].into()));
        assert!(strangers.count() >= INCOMING_CONNECTIONS_MAX / 2);
        for _ in 0..PROVEN_PEERS_MAX {
            coming.places.proved(PeerId::random());
        }
        assert_eq!(coming.places.proven.len(), PROVEN_PEERS_MAX);
    }

    #[test]
    fn one_network_does_not_have_all_connections_that_are_being_accepted() {
        let mut places = IncomingPlaces::default();
        let mut id = 0;
        let mut begin = |places: &mut IncomingPlaces, address: [u8; 4]| {
            id += 1;
            places.check_pending(ConnectionId::new_unchecked(id), address.into()).is_ok()
        };
        let begun = (0..100).filter(|last| begin(&mut places, [192, 0, 2, *last])).count();
        assert_eq!(begun, SHARED_PENDING_CONNECTIONS_MAX);
        let others = (0..100).filter(|last| begin(&mut places, [198, 51, 100, *last])).count();
        assert_eq!(others, PENDING_CONNECTIONS_PER_NETWORK_MAX);
        (1..=id).for_each(|id| places.closed(ConnectionId::new_unchecked(id)));
        assert!(places.pending.is_empty());
    }
}
