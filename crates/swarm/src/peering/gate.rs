//! Who may connect: keeps out banned and refused peers, and addresses that connect too often.
//!
//! It stands first in the behaviour, so that a peer that is kept out costs nothing else.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use crate::peering::limits::{
    ADDRESSES_COUNTED_MAX, CONNECTIONS_PER_ADDRESS_BURST_MAX,
    CONNECTIONS_PER_ADDRESS_PER_SECOND_MAX, KEPT_OUT_PEERS_MAX,
};
use crate::rate::TokenBucket;
use crate::source::{host, ip_of};

/// Why a peer is kept out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It misbehaved.
    Banned,
    /// It belongs to this swarm.
    OtherSwarm(String),
    /// It runs this version.
    OtherVersion(String),
    /// Its address connects too often.
    TooOften,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Banned => f.write_str("it misbehaved"),
            Refusal::OtherSwarm(name) => write!(f, "it belongs to swarm {name:?}"),
            Refusal::OtherVersion(version) => write!(f, "it runs version {version}"),
            Refusal::TooOften => f.write_str("its address connects too often"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Keeps peers out.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    kept_out: HashMap<PeerId, (Instant, Refusal)>,
    addresses: HashMap<IpAddr, TokenBucket>,
    refused: u64,
}

impl Gate {
    /// Keeps `peer` out from now on for `time`.
    pub(crate) fn keep_out(&mut self, now: Instant, peer: PeerId, why: Refusal, time: Duration) {
        if self.kept_out.len() >= KEPT_OUT_PEERS_MAX && !self.kept_out.contains_key(&peer) {
            self.kept_out.retain(|_, (until, _)| *until > now);
            let soonest =
                self.kept_out.iter().min_by_key(|(_, (until, _))| *until).map(|(peer, _)| *peer);
            if let Some(soonest) = soonest.filter(|_| self.kept_out.len() >= KEPT_OUT_PEERS_MAX) {
                self.kept_out.remove(&soonest);
            }
        }
        self.kept_out.insert(peer, (now + time, why));
    }

    /// Why `peer` is kept out, if it is.
    pub(crate) fn refusal(&self, now: Instant, peer: &PeerId) -> Option<&Refusal> {
        self.kept_out.get(peer).filter(|(until, _)| *until > now).map(|(_, why)| why)
    }

    /// Gives a peer of another swarm or version another chance; a ban stays.
    pub(crate) fn forgive(&mut self, peer: &PeerId) {
        if self.kept_out.get(peer).is_some_and(|(_, why)| *why != Refusal::Banned) {
            self.kept_out.remove(peer);
        }
    }

    /// How many connections were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    fn check_peer(&mut self, peer: &PeerId) -> Result<(), ConnectionDenied> {
        match self.refusal(Instant::now(), peer).cloned() {
            Some(why) => Err(self.deny(why)),
            None => Ok(()),
        }
    }

    fn check_address(&mut self, now: Instant, address: IpAddr) -> Result<(), ConnectionDenied> {
        let address = host(address);
        if self.addresses.len() >= ADDRESSES_COUNTED_MAX && !self.addresses.contains_key(&address) {
            self.addresses.retain(|_, bucket| !bucket.is_full(now));
            if self.addresses.len() >= ADDRESSES_COUNTED_MAX {
                // More addresses than can be counted connect at once: new ones are refused.
                return Err(self.deny(Refusal::TooOften));
            }
        }
        let bucket = self.addresses.entry(address).or_insert_with(|| {
            let (burst, rate) =
                (CONNECTIONS_PER_ADDRESS_BURST_MAX, CONNECTIONS_PER_ADDRESS_PER_SECOND_MAX);
            TokenBucket::new(now, burst, rate)
        });
        if bucket.take(now, 1.0) { Ok(()) } else { Err(self.deny(Refusal::TooOften)) }
    }

    fn deny(&mut self, why: Refusal) -> ConnectionDenied {
        self.refused += 1;
        ConnectionDenied::new(why)
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        match ip_of(remote) {
            Some(address) => self.check_address(Instant::now(), address),
            None => Ok(()),
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check_peer(&peer).map(|()| dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        peer.map_or(Ok(()), |peer| self.check_peer(&peer)).map(|()| Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check_peer(&peer).map(|()| dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_ends_and_can_be_forgiven_but_a_ban_cannot() {
        let now = Instant::now();
        let (other, banned) = (PeerId::random(), PeerId::random());
        let mut gate = Gate::default();
        let swarm = Refusal::OtherSwarm("other".into());
        gate.keep_out(now, other, swarm.clone(), Duration::from_secs(10));
        gate.keep_out(now, banned, Refusal::Banned, Duration::from_secs(10));
        assert_eq!(gate.refusal(now, &other), Some(&swarm));
        gate.forgive(&other);
        gate.forgive(&banned);
        assert_eq!(gate.refusal(now, &other), None);
        assert_eq!(gate.refusal(now, &banned), Some(&Refusal::Banned));
        assert_eq!(gate.refusal(now + Duration::from_secs(11), &banned), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        let mut gate = Gate::default();
        for _ in 0..KEPT_OUT_PEERS_MAX + 10 {
            gate.keep_out(now, PeerId::random(), Refusal::Banned, Duration::from_secs(10));
        }
        assert_eq!(gate.kept_out.len(), KEPT_OUT_PEERS_MAX);
        for number in 0..ADDRESSES_COUNTED_MAX as u32 + 10 {
            let _ = gate.check_address(now, IpAddr::from(number.to_be_bytes()));
        }
        assert!(gate.addresses.len() <= ADDRESSES_COUNTED_MAX);
    }

    #[test]
    fn one_address_connects_so_often_and_no_more() {
        let now = Instant::now();
        let mut gate = Gate::default();
        let nearby = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]);
        for n in 0..CONNECTIONS_PER_ADDRESS_BURST_MAX as u16 {
            assert!(gate.check_address(now, nearby(n)).is_ok());
        }
        assert!(gate.check_address(now, nearby(7_000)).is_err());
        assert!(gate.check_address(now, IpAddr::from([192, 0, 2, 1])).is_ok());
        assert!(gate.check_address(now + Duration::from_secs(1), nearby(1)).is_ok());
    }
}
