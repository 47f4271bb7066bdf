//! Everything a host does, as one behaviour. The order matters: what keeps peers out comes first.

use std::num::NonZeroU8;
use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    PeerId, StreamProtocol, autonat, connection_limits, dcutr, identify, kad, mdns, ping, relay,
};

use crate::limits::{
    ADDRESSES_PER_PEER_MAX, AUTONAT_ANSWERS_MAX, AUTONAT_BOOT_DELAY, AUTONAT_CLIENTS_PERIOD,
    AUTONAT_DIALS_PER_PEER_MAX, AUTONAT_REFRESH_INTERVAL, AUTONAT_RETRY_INTERVAL,
    AUTONAT_SERVER_INTERVAL, AUTONAT_TIMEOUT, CONNECTIONS_PER_PEER_MAX, NEGOTIATING_STREAMS_MAX,
    OUTGOING_CONNECTIONS_MAX, PENDING_INCOMING_CONNECTIONS_MAX, PENDING_OUTGOING_CONNECTIONS_MAX,
    PING_INTERVAL, PING_TIMEOUT, PROVIDER_RECORD_TIMEOUT, RELAYED_BYTES_MAX, RELAYED_TIMEOUT,
};
use crate::peering::agent::{Agent, encoded};
use crate::peering::gate::Gate;
use crate::peering::incoming::IncomingPlaces;
use crate::peering::provider_records::ProviderRecords;
use crate::protocols::gossip;
use crate::protocols::streams;
use crate::{Error, SwarmConfig, reason};

/// Everything a host does.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) gate: Gate,
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) incoming: IncomingPlaces,
    pub(crate) streams: streams::StreamsBehaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) gossip: gossip::Gossip,
    pub(crate) kad: Toggle<kad::Behaviour<ProviderRecords>>,
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(crate) relay: relay::Behaviour,
    pub(crate) relay_client: relay::client::Behaviour,
    pub(crate) dcutr: dcutr::Behaviour,
    pub(crate) autonat: autonat::Behaviour,
}

/// Sets the behaviour up.
pub(crate) fn build(
    config: &SwarmConfig,
    relay_client: relay::client::Behaviour,
) -> Result<Behaviour, Error> {
    let key = config.key.keypair();
    let own = config.key.id();
    Ok(Behaviour {
        gate: Gate::default(),
        limits: connection_limits::Behaviour::new(limits()),
        incoming: IncomingPlaces::default(),
        streams: streams::StreamsBehaviour::new(),
        identify: identify::Behaviour::new(identify(config, key)),
        ping: ping::Behaviour::new(
            ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT),
        ),
        gossip: gossip::behaviour(key.clone())?,
        kad: config.network.dht.then(|| kademlia(config)).transpose()?.into(),
        mdns: config.network.mdns.then(|| local_discovery(config)).flatten().into(),
        relay: relaying(own),
        relay_client,
        dcutr: dcutr::Behaviour::new(own),
        autonat: autonat::Behaviour::new(own, autonat()),
    })
}

/// How libp2p treats connections.
pub(crate) fn swarm_config() -> libp2p::swarm::Config {
    libp2p::swarm::Config::with_tokio_executor()
        // Connections stay until one end closes them or a ping fails; the limits say how many.
        .with_idle_connection_timeout(Duration::from_secs(u64::from(u32::MAX)))
        .with_max_negotiating_inbound_streams(NEGOTIATING_STREAMS_MAX)
        .with_dial_concurrency_factor(NonZeroU8::MIN.saturating_add(7))
}

fn limits() -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_INCOMING_CONNECTIONS_MAX))
        .with_max_pending_outgoing(Some(PENDING_OUTGOING_CONNECTIONS_MAX))
        .with_max_established_outgoing(Some(OUTGOING_CONNECTIONS_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX))
}

fn identify(config: &SwarmConfig, key: &Keypair) -> identify::Config {
    let agent = Agent {
        version: config.version.clone(),
        swarm: config.swarm.clone(),
        region: config.region.clone(),
    };
    identify::Config::new("/optimusdb/1".to_owned(), key.public())
        .with_agent_version(agent.text())
        .with_push_listen_addr_updates(true)
        // What peers claim is dialled as the address book says, and by nobody else.
        .with_cache_size(0)
}

/// Peers of this swarm alone: the protocol carries its name. It keeps who has which files, and nothing
/// else. What this node has is published by `providers.rs`.
fn kademlia(config: &SwarmConfig) -> Result<kad::Behaviour<ProviderRecords>, Error> {
    let name = format!("/optimusdb/{}/kad/1.0.0", encoded(&config.swarm));
    let protocol = StreamProtocol::try_from_owned(name).map_err(|e| Error::setup("Kademlia", e))?;
    let mut kad_config = kad::Config::new(protocol);
    kad_config
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        .set_provider_record_ttl(Some(PROVIDER_RECORD_TIMEOUT))
        .set_query_timeout(Duration::from_secs(30));
    let own = config.key.id();
    let mut behaviour = kad::Behaviour::with_config(own, ProviderRecords::new(own), kad_config);
    // Nodes of one site serve each other although no host outside of it reaches them.
    behaviour.set_mode(Some(kad::Mode::Server));
    Ok(behaviour)
}

/// Finds peers on the local network. A machine without a network interface has none to find, which is
/// no error.
fn local_discovery(config: &SwarmConfig) -> Option<mdns::tokio::Behaviour> {
    match mdns::tokio::Behaviour::new(mdns::Config::default(), config.key.id()) {
        Ok(behaviour) => Some(behaviour),
        Err(error) => {
            let why = reason(&error);
            tracing::warn!(why, "peers on the local network cannot be looked for");
            None
        }
    }
}

/// Relaying to others. It is off until this node knows an address to be reached at: see `relays.rs`.
fn relaying(own: PeerId) -> relay::Behaviour {
    let config = relay::Config {
        max_circuit_bytes: RELAYED_BYTES_MAX,
        max_circuit_duration: RELAYED_TIMEOUT,
        ..relay::Config::default()
    };
    let mut behaviour = relay::Behaviour::new(own, config);
    behaviour.set_status(Some(relay::Status::Disable));
    behaviour
}

/// Finds out who reaches this node.
///
/// libp2p would not ask peers at private addresses, for the answer of a neighbour tells nothing about
/// the internet. But swarms live on private networks, too: those of a cluster, a company or a VPN, with
/// NATs between them. So all peers are asked, and `relays.rs` keeps the answers apart, so that one of
/// a neighbour does not hide one of a stranger. A peer that asks is dialled at the address that it is
/// connected from, and at no other.
fn autonat() -> autonat::Config {
    autonat::Config {
        timeout: AUTONAT_TIMEOUT,
        boot_delay: AUTONAT_BOOT_DELAY,
        retry_interval: AUTONAT_RETRY_INTERVAL,
        refresh_interval: AUTONAT_REFRESH_INTERVAL,
        throttle_server_period: AUTONAT_SERVER_INTERVAL,
        confidence_max: AUTONAT_ANSWERS_MAX,
        max_peer_addresses: ADDRESSES_PER_PEER_MAX,
        throttle_clients_peer_max: AUTONAT_DIALS_PER_PEER_MAX,
        throttle_clients_period: AUTONAT_CLIENTS_PERIOD,
        only_global_ips: false,
        ..autonat::Config::default()
    }
}
