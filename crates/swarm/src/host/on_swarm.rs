//! What happens on the network: connections come and go, dials fail, addresses change.

use std::time::{Duration, Instant};

use libp2p::core::ConnectedPoint;
use libp2p::swarm::{ConnectionId, DialError, ListenError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, dcutr, ping};

use crate::host::Host;
use crate::host::behaviour::BehaviourEvent;
use crate::host::relays::is_relayed;
use crate::limits::{LISTENER_REPORT_INTERVAL, REDIAL_FIRST, SWARM_KEY_REPORT_INTERVAL};
use crate::peering::dialler::DialFailure;
use crate::peering::gate::Refusal;
use crate::source::ip_of;
use crate::transport::opening::Stranger;
use crate::{Error, reason};

impl Host {
    pub(crate) fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, "connection closed");
                self.on_disconnected(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.on_dial_failed(connection_id, peer_id, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                self.on_refused_incoming(&send_back_addr, &error);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::debug!(%address, "listening for peers");
                if is_relayed(&address) {
                    self.lookups.soon(Instant::now());
                }
                let mut listen = self.shared.listen();
                if !listen.contains(&address) {
                    listen.push(address);
                }
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                tracing::debug!(%address, "no longer listening");
                self.shared.listen().retain(|one| *one != address);
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                self.shared.listen().retain(|one| !addresses.contains(one));
                let why = match &reason {
                    Ok(()) => "it was let go".to_owned(),
                    Err(error) => crate::reason(error),
                };
                if self.relays.on_closed(Instant::now(), listener_id) {
                    tracing::info!(why, "a peer does not relay to this node any more");
                } else {
                    tracing::warn!(?addresses, why, "a listener closed");
                }
            }
            SwarmEvent::ExternalAddrConfirmed { address } => self.on_own_address(&address),
            SwarmEvent::ListenerError { error, .. } => self.on_listener_error(&error),
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(event) => self.on_identify(event),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Mdns(event) => self.on_mdns(event),
            BehaviourEvent::Kad(event) => self.on_kad(event),
            BehaviourEvent::Ping(ping::Event { peer, connection, result }) => match result {
                Ok(time) => self.shared.peers().on_ping(&peer, time.as_secs_f64() * 1_000.0),
                // Not every program answers pings.
                Err(ping::Failure::Unsupported) => {}
                Err(failure) => {
                    tracing::debug!(%peer, why = reason(&failure), "ping");
                    self.swarm.close_connection(connection);
                }
            },
            BehaviourEvent::Autonat(event) => self.on_autonat(event),
            BehaviourEvent::Dcutr(dcutr::Event { remote_peer_id: peer, result }) => match result {
                Ok(_) => tracing::info!(%peer, "a relayed connection became a direct one"),
                Err(error) => {
                    tracing::info!(%peer, why = reason(&error), "a relayed connection stays one");
                }
            },
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: PeerId, connection: ConnectionId, end: &ConnectedPoint) {
        self.shared.peers().on_connected(peer, connection, end);
        let dialled = end.is_dialer().then(|| end.get_remote_address());
        self.address_book.on_connected(&peer, dialled);
        // Over TCP and over QUIC, or under two names: one of our own dials is enough.
        let ours = self.dialler.on_connected(connection, peer);
        if ours || self.waiters.contains_key(&connection) {
            self.swarm.behaviour_mut().incoming.proved(peer);
            if let Some(sought) = self.shared.peers().get_mut(&peer) {
                sought.is_sought = true;
            }
        }
        let spare = if ours {
            self.shared.peers().dialled_before(&peer, connection)
        } else {
            self.is_dial_back(&peer, connection, end)
        };
        if spare {
            self.swarm.close_connection(connection);
        } else {
            self.doubt_earlier(peer);
        }
        if let Some(waiter) = self.waiters.get_mut(&connection) {
            waiter.peer = Some(peer);
        }
        if self.shared.peers().is_up(&peer) {
            self.answer_waiters(peer);
        }
    }

    /// Tells those who wait for the peer that it is let in.
    pub(crate) fn answer_waiters(&mut self, peer: PeerId) {
        let waiting: Vec<ConnectionId> = self
            .waiters
            .iter()
            .filter(|(_, waiter)| waiter.peer == Some(peer))
            .map(|(connection, _)| *connection)
            .collect();
        for connection in waiting {
            if let Some(waiter) = self.waiters.remove(&connection) {
                let _ = waiter.reply.send(Ok(peer));
            }
        }
    }

    fn on_disconnected(&mut self, peer: PeerId, connection: ConnectionId) {
        let (listen, ip) = {
            let mut peers = self.shared.peers();
            let ip = peers.ip_on(&peer, connection);
            let identity = peers.get(&peer).and_then(|it| it.identity.as_ref());
            let listen = identity.map(|it| it.listen.clone());
            let superseded = peers.superseded_of(&peer).contains(&connection);
            if !peers.on_disconnected(&peer, connection) {
                drop(peers);
                if superseded {
                    self.meet_anew(peer);
                }
                return;
            }
            (listen, ip)
        };
        let now = Instant::now();
        self.rates.remove(&peer);
        self.leaving.remove(&peer);
        self.bitswap.peer_down(peer);
        self.peer_events.touch(peer);
        self.dialler.on_gone(now, &peer);
        // The network may be down, and the peer comes back with it.
        let refused = self.swarm.behaviour().gate.refusal(now, &peer).is_some();
        if let Some(listen) = listen.filter(|_| !refused) {
            // Where it was is sure; where else it says that it listens is not.
            let is_sure = |address: &Multiaddr| ip.is_some() && ip_of(address) == ip;
            let wait = polite_wait(self.profile.own, peer);
            self.address_book.hear(now, peer, listen, is_sure, wait);
        }
        if let Some(waiter) = self.waiters.remove(&connection) {
            let why = "it closed the connection at once".to_owned();
            let address = waiter.address.to_string();
            let _ = waiter.reply.send(Err(Error::Unreachable { address, why }));
        }
    }

    fn on_dial_failed(&mut self, id: ConnectionId, peer: Option<PeerId>, error: &DialError) {
        let now = Instant::now();
        if let DialError::LocalPeerId { address } = error {
            self.encounters.dialled(now, address.to_string());
        }
        let waiter = self.waiters.remove(&id);
        let waiter = match (waiter, peer) {
            (Some(waiter), Some(peer)) if was_refused(error) => {
                // An operator who asks for it by hand may have mended what it was refused for.
                self.swarm.behaviour_mut().gate.forgive(&peer);
                let again = self.dial(waiter.address.clone());
                match again {
                    Ok(connection) => {
                        self.waiters.insert(connection, waiter);
                        return;
                    }
                    Err(_) => Some(waiter),
                }
            }
            (waiter, _) => waiter,
        };
        let address =
            waiter.as_ref().map(|waiter| waiter.address.clone()).unwrap_or_else(Multiaddr::empty);
        let told = self.dial_error(&address, peer, error);
        let failure = if matches!(told, Error::OwnAddress(_)) {
            DialFailure::Own
        } else {
            DialFailure::Failed
        };
        let why = reason(error);
        if let Some(effect) = self.dialler.on_failed(now, id, failure, &why) {
            self.take_effect(now, effect);
        }
        if let Some(peer) = peer {
            self.address_book.on_failed(&peer);
        }
        if let Some(waiter) = waiter {
            let _ = waiter.reply.send(Err(told));
        }
        tracing::debug!(why, "a dial failed");
        if let DialError::Transport(addresses) = error {
            for (address, error) in addresses {
                self.tell_of_stranger(now, address, &reason(error));
            }
        }
    }

    fn on_refused_incoming(&mut self, from: &Multiaddr, error: &ListenError) {
        let now = Instant::now();
        let why = reason(error);
        match error {
            ListenError::LocalPeerId { .. } => self.encounters.accepted(now, from.to_string()),
            ListenError::Transport(error) => {
                self.encounters.failed(now);
                tracing::debug!(%from, why, "an incoming connection failed");
                self.tell_of_stranger(now, from, &reason(error));
            }
            _ => tracing::debug!(%from, why, "an incoming connection was refused"),
        }
    }

    /// Logs trouble of a listener, now and then: it tries again ten times a second.
    fn on_listener_error(&mut self, error: &std::io::Error) {
        let now = Instant::now();
        let why = reason(error);
        let lately = self
            .listener_told
            .is_some_and(|at| now.saturating_duration_since(at) < LISTENER_REPORT_INTERVAL);
        if lately {
            tracing::debug!(why, "listener");
        } else {
            self.listener_told = Some(now);
            tracing::warn!(why, "a listener for peers has trouble; it goes on trying");
        }
    }

    /// Tells that a host without the swarm key connects. It never becomes a peer, so an operator who
    /// gave two nodes different keys finds out here or nowhere.
    fn tell_of_stranger(&mut self, now: Instant, address: &Multiaddr, why: &str) {
        let Some(stranger) = Stranger::of(why).filter(|it| it.is_about_our_key()) else { return };
        let lately = self
            .stranger_told
            .is_some_and(|at| now.saturating_duration_since(at) < SWARM_KEY_REPORT_INTERVAL);
        if !lately {
            self.stranger_told = Some(now);
            tracing::warn!(%address, "no connection with somebody without this swarm key: {stranger}");
        }
    }

    /// What a failed dial means to the caller that asked for it.
    pub(crate) fn dial_error(
        &self,
        address: &Multiaddr,
        peer: Option<PeerId>,
        error: &DialError,
    ) -> Error {
        let text = address.to_string();
        match error {
            DialError::LocalPeerId { .. } => Error::OwnAddress(text),
            // The swarm takes out the addresses that it listens on.
            DialError::NoAddresses if self.shared.listen().contains(address) => {
                Error::OwnAddress(text)
            }
            DialError::WrongPeerId { obtained, .. } => {
                Error::OtherPeer { address: text, found: *obtained }
            }
            DialError::Denied { cause } => {
                match (cause.downcast_ref::<Refusal>(), peer.or_else(|| peer_in(error))) {
                    (Some(why), Some(peer)) => self.refusal_error(peer, why),
                    (Some(why), None) => Error::Unreachable { address: text, why: why.to_string() },
                    (None, _) => Error::Limit(reason(cause)),
                }
            }
            _ => Error::Unreachable { address: text, why: reason(error) },
        }
    }
}

/// Whether the gate refused the peer for its swarm or version.
fn was_refused(error: &DialError) -> bool {
    let DialError::Denied { cause } = error else {
        return false;
    };
    let why = cause.downcast_ref::<Refusal>();
    matches!(why, Some(Refusal::OtherSwarm(_) | Refusal::OtherVersion(_)))
}

fn peer_in(error: &DialError) -> Option<PeerId> {
    match error {
        DialError::WrongPeerId { obtained, .. } => Some(*obtained),
        _ => None,
    }
}

/// How long to wait before dialling a peer that may be dialling us at this moment.
pub(crate) fn polite_wait(own: PeerId, peer: PeerId) -> Duration {
    let first = own.to_bytes() < peer.to_bytes();
    if first { REDIAL_FIRST / 5 } else { crate::limits::POLITE_DIAL_DELAY }
}
