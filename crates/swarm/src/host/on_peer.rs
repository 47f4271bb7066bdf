//! What peers say: who they are, what they subscribe to, what they announce, whom else they know.

use std::time::Instant;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, gossipsub, identify, kad, mdns};
use optimusdb_dag::replicator::Offence;

use crate::event::{Announcement, Event};
use crate::host::figures::count;
use crate::host::on_swarm::polite_wait;
use crate::host::{Host, Rates};
use crate::limits::{
    ADDRESSES_PER_PEER_MAX, AGENT_BYTES_MAX, ANNOUNCED_BYTES_BURST_MAX,
    ANNOUNCED_BYTES_PER_SECOND_MAX, ANNOUNCEMENT_MS, ANNOUNCEMENTS_BURST_MAX,
    ANNOUNCEMENTS_PER_SECOND_MAX, CONNECTED_PEERS_TARGET, PROTOCOLS_PER_PEER_MAX, REFUSAL_TIMEOUT,
    TOPICS_MAX,
};
use crate::peering::agent::Agent;
use crate::peering::gate::Refusal;
use crate::peering::peers::IdentifyInfo;
use crate::protocols::gossip;
use crate::protocols::{bitswap, sync_stream};
use crate::rate::TokenBucket;
use crate::reason;
use crate::source::{ip_of, is_near};

impl Host {
    pub(crate) fn on_identify(&mut self, event: identify::Event) {
        match event {
            identify::Event::Received { peer_id, info, .. } => self.on_identified(peer_id, info),
            identify::Event::Error { peer_id, error, .. } => {
                tracing::debug!(peer = %peer_id, why = reason(&error), "identify");
            }
            _ => {}
        }
    }

    fn on_identified(&mut self, peer: PeerId, info: identify::Info) {
        if !self.shared.peers().is_connected(&peer) {
            return;
        }
        if self.leaving.contains_key(&peer) {
            return;
        }
        let agent = Agent::parse(&info.agent_version);
        if let Some(agent) = &agent {
            let refusal = if agent.swarm != self.profile.swarm {
                Some(Refusal::OtherSwarm(agent.swarm.clone()))
            } else if !agent.goes_with(&self.profile.version) {
                Some(Refusal::OtherVersion(agent.version.clone()))
            } else {
                None
            };
            if let Some(why) = refusal {
                let (ours, version) = (&self.profile.swarm, &self.profile.version);
                tracing::warn!(%peer, %why, ours, version, "a peer was sent away");
                count(&self.shared.counters.peers_refused);
                self.send_away(peer, why, REFUSAL_TIMEOUT);
                return;
            }
        }
        let local = self.shared.peers().is_local(&peer);
        let listen: Vec<Multiaddr> = info
            .listen_addrs
            .into_iter()
            .map(without_peer)
            .filter(|address| local || !is_loopback(address))
            .filter(|address| self.may_name(Some(&peer), address))
            .take(ADDRESSES_PER_PEER_MAX)
            .collect();
        let speaks = |name: &str| info.protocols.iter().any(|one| one.as_ref() == name);
        let native = speaks(sync_stream::PROTOCOL.as_ref());
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut()
            && kad.protocol_names().iter().any(|name| speaks(name.as_ref()))
        {
            for address in &listen {
                kad.add_address(&peer, address.clone());
            }
        }
        let member = agent.is_some();
        if member {
            self.swarm.behaviour_mut().incoming.is_member(peer);
        }
        let identity = IdentifyInfo {
            agent: info.agent_version.chars().take(AGENT_BYTES_MAX).collect(),
            region: agent.and_then(|agent| agent.region),
            protocols: info
                .protocols
                .iter()
                .take(PROTOCOLS_PER_PEER_MAX)
                .map(ToString::to_string)
                .collect(),
            listen,
            native,
        };
        if speaks(bitswap::PROTOCOL.as_ref()) {
            self.bitswap.peer_up(peer, member);
        }
        if let Some(it) = self.shared.peers().get_mut(&peer) {
            it.identity = Some(identity);
        }
        self.peer_events.touch(peer);
        self.answer_waiters(peer);
    }

    pub(crate) fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                self.on_announcement(propagation_source, message_id, message);
            }
            gossipsub::Event::Subscribed { peer_id, topic, .. } => {
                let Some(log) = gossip::store_of(&topic) else {
                    return;
                };
                if let Some(peer) = self.shared.peers().get_mut(&peer_id)
                    && peer.subscribed.len() < TOPICS_MAX
                {
                    peer.subscribed.insert(log);
                }
                self.peer_events.touch(peer_id);
            }
            gossipsub::Event::Unsubscribed { peer_id, topic } => {
                let Some(log) = gossip::store_of(&topic) else {
                    return;
                };
                if let Some(peer) = self.shared.peers().get_mut(&peer_id) {
                    peer.subscribed.remove(&log);
                }
                self.peer_events.touch(peer_id);
            }
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                tracing::debug!(peer = %peer_id, "a peer is too slow for the announcements");
                count(&self.shared.counters.announcements_unsent);
            }
            gossipsub::Event::GossipsubNotSupported { .. } => {}
        }
    }

    /// Hands an announcement to the node, unless there are too many of them.
    fn on_announcement(
        &mut self,
        peer: PeerId,
        id: gossipsub::MessageId,
        message: gossipsub::Message,
    ) {
        let own = message.source == Some(peer);
        let announcement = Announcement { message: id, peer, own };
        let bytes = message.data.len();
        let counters = self.shared.counters.clone();
        let log = gossip::store_of(&message.topic).filter(|log| self.open.contains(log));
        // A peer that was refused is still connected for a moment.
        let Some(log) = log.filter(|_| !self.leaving.contains_key(&peer)) else {
            self.ignore(&announcement);
            return;
        };
        self.serving.shares.charge(peer, ANNOUNCEMENT_MS);
        if !self.within_rate(peer, bytes) {
            count(&counters.announcements_over_rate);
            self.ignore(&announcement);
            return;
        }
        let event =
            Event::Announced { peer, log, block: message.data, announcement: announcement.clone() };
        if self.events.try_send(event, bytes) {
            count(&counters.announcements);
        } else {
            // A later exchange of heads brings what is dropped here.
            count(&counters.announcements_dropped);
            self.ignore(&announcement);
        }
    }

    fn ignore(&mut self, announcement: &Announcement) {
        let acceptance = gossipsub::MessageAcceptance::Ignore;
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(
            &announcement.message,
            &announcement.peer,
            acceptance,
        );
    }

    /// Whether the peer may announce so much. What it sends beyond its rate is dropped, and every
    /// second in which that happens is an offence.
    fn within_rate(&mut self, peer: PeerId, bytes: usize) -> bool {
        let now = Instant::now();
        let rates = self.rates.entry(peer).or_insert_with(|| Rates {
            announcements: TokenBucket::new(
                now,
                ANNOUNCEMENTS_BURST_MAX,
                ANNOUNCEMENTS_PER_SECOND_MAX,
            ),
            bytes: TokenBucket::new(now, ANNOUNCED_BYTES_BURST_MAX, ANNOUNCED_BYTES_PER_SECOND_MAX),
            floods: TokenBucket::new(now, 1.0, 1.0),
        });
        let within = rates.announcements.take(now, 1.0) && rates.bytes.take(now, bytes as f64);
        if !within && rates.floods.take(now, 1.0) {
            self.blame(peer, Offence::Flood);
        }
        within
    }

    pub(crate) fn on_mdns(&mut self, event: mdns::Event) {
        let mdns::Event::Discovered(found) = event else {
            return;
        };
        let now = Instant::now();
        for (peer, address) in found {
            if peer == self.profile.own || self.is_kept_out(now, &peer) {
                continue;
            }
            tracing::debug!(%peer, %address, "found on the local network");
            let wait = polite_wait(self.profile.own, peer);
            self.address_book.hear(now, peer, self.usable([address]), |_| true, wait);
        }
    }

    /// Asks the peers for their neighbours, if that is due. Those that are found are dialled.
    pub(crate) fn look_up_peers(&mut self, now: Instant) {
        let connected = self.shared.peers().count();
        if connected == 0 || connected >= CONNECTED_PEERS_TARGET || !self.lookups.is_due(now) {
            return;
        }
        let own = self.profile.own;
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
            kad.get_closest_peers(own);
        }
    }

    pub(crate) fn on_kad(&mut self, event: kad::Event) {
        let (peer, addresses) = match event {
            kad::Event::RoutingUpdated { peer, addresses, .. } => (peer, addresses.into_vec()),
            kad::Event::RoutablePeer { peer, address }
            | kad::Event::PendingRoutablePeer { peer, address } => (peer, vec![address]),
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                return self.on_search(id, result, step.last);
            }
            _ => return,
        };
        let now = Instant::now();
        let connected = self.shared.peers().is_connected(&peer);
        if !connected && peer != self.profile.own && !self.is_kept_out(now, &peer) {
            let wait = polite_wait(self.profile.own, peer);
            let mut addresses = self.usable(addresses);
            addresses.retain(|address| self.may_name(None, address));
            self.address_book.hear(now, peer, addresses, |_| false, wait);
        }
    }

    fn is_kept_out(&self, now: Instant, peer: &PeerId) -> bool {
        self.swarm.behaviour().gate.refusal(now, peer).is_some()
    }

    /// Whether an address counts that a peer names, or somebody else. One that only neighbours reach, or
    /// whose name may lead anywhere, has to come from a neighbour: others would have this node knock at
    /// doors of its own network.
    pub(crate) fn may_name(&self, by: Option<&PeerId>, address: &Multiaddr) -> bool {
        if ip_of(address).is_some_and(|ip| !is_near(&ip)) {
            return true;
        }
        let neighbour = by.and_then(|peer| self.shared.peers().is_neighbour(peer));
        neighbour.unwrap_or_else(|| {
            // This node has none but neighbours.
            let listen = self.shared.listen();
            listen.iter().filter_map(ip_of).all(|ip| ip.is_loopback() || is_near(&ip))
        })
    }

    /// Addresses over the transports that this host has.
    pub(crate) fn usable(&self, addresses: impl IntoIterator<Item = Multiaddr>) -> Vec<Multiaddr> {
        let quic = self.profile.quic;
        addresses
            .into_iter()
            .map(without_peer)
            .filter(|address| quic || !address.iter().any(|part| part == Protocol::QuicV1))
            // Addresses of one link mean nothing without the name of the interface.
            .filter(|address| !is_link_local(address))
            .take(ADDRESSES_PER_PEER_MAX)
            .collect()
    }
}

/// An address without the peer that it ends with, which is named beside it when dialling. An address
/// through a relay keeps the relay.
fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

fn is_link_local(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Ip6(ip)) if ip.is_unicast_link_local())
}

pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    ip_of(address).is_some_and(|ip| ip.is_loopback())
}
