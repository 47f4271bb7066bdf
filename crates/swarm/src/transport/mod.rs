//! The transports of a host: TCP with noise and yamux, QUIC, and connections through a relay.
//!
//! With a swarm key every TCP connection is encrypted with it below noise, and QUIC, which has no
//! place for such a layer, is off.
//!
//! What peers name is dialled within the budgets of `budgets.rs`.
//!
//! Each lies over the one before: `opening.rs` looks at the first bytes of a TCP connection,
//! `muxer.rs` makes streams of it, `counted.rs` counts their bytes. Whom to dial and what is spoken on
//! a stream is not known here.

mod budgets;
pub(crate) mod counted;
mod muxer;
pub(crate) mod opening;

use std::io;
use std::sync::Arc;

use libp2p::PeerId;
use libp2p::Transport as _;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{dns, noise, pnet, quic, relay, tcp};

use crate::limits::{
    HANDSHAKE_TIMEOUT, QUIC_IDLE_TIMEOUT, QUIC_KEEP_ALIVE_INTERVAL, STREAMS_PER_CONNECTION_MAX,
};
use crate::transport::budgets::Budgeted;
use crate::transport::counted::{Counted, TransportBytes};
use crate::transport::muxer::Yamux;
use crate::transport::opening::Opening;
use crate::{Error, SwarmKey, reason};

/// A connection of any transport: who it is with, and its streams.
type Multiplexed = (PeerId, StreamMuxerBox);

/// Bytes of each transport.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traffic {
    pub(crate) tcp: Arc<TransportBytes>,
    pub(crate) quic: Arc<TransportBytes>,
    pub(crate) relayed: Arc<TransportBytes>,
}

/// All transports as one.
pub(crate) fn all(
    key: &Keypair,
    swarm_key: Option<SwarmKey>,
    through_relays: relay::client::Transport,
    traffic: &Traffic,
) -> Result<Boxed<Multiplexed>, Error> {
    let noise = noise::Config::new(key).map_err(|e| Error::setup("noise", e))?;
    let direct = || match swarm_key {
        Some(swarm_key) => over_private_tcp(swarm_key, noise.clone(), traffic),
        None => OrTransport::new(over_tcp(noise.clone(), traffic), over_quic(key, traffic))
            .map(|either, _| either.into_inner())
            .boxed(),
    };
    // Without the system's resolver configuration, names are asked of public resolvers.
    let direct = match dns::tokio::Transport::system(Budgeted::new(direct())) {
        Ok(direct) => direct.boxed(),
        Err(error) => {
            let why = reason(&error);
            tracing::warn!(why, "the system's resolver configuration cannot be read");
            let config = dns::ResolverConfig::default();
            let direct = Budgeted::new(direct());
            dns::tokio::Transport::custom(direct, config, dns::ResolverOpts::default()).boxed()
        }
    };
    let relayed = traffic.relayed.clone();
    let through_relays = through_relays
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(Yamux)
        .timeout(HANDSHAKE_TIMEOUT)
        .map(move |(peer, muxer), _| {
            (peer, StreamMuxerBox::new(Counted::new(muxer, relayed.clone())))
        });
    Ok(OrTransport::new(through_relays, direct).map(|either, _| either.into_inner()).boxed())
}

fn tcp_config() -> tcp::Config {
    tcp::Config::new().nodelay(true)
}

fn over_tcp(noise: noise::Config, traffic: &Traffic) -> Boxed<Multiplexed> {
    let bytes = traffic.tcp.clone();
    tcp::tokio::Transport::new(tcp_config())
        .map(|socket, _| Opening::plain(socket))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(Yamux)
        .timeout(HANDSHAKE_TIMEOUT)
        .map(move |(peer, muxer), _| {
            (peer, StreamMuxerBox::new(Counted::new(muxer, bytes.clone())))
        })
        .boxed()
}

fn over_private_tcp(
    swarm_key: SwarmKey,
    noise: noise::Config,
    traffic: &Traffic,
) -> Boxed<Multiplexed> {
    let bytes = traffic.tcp.clone();
    let config = pnet::PnetConfig::new(swarm_key.shared());
    tcp::tokio::Transport::new(tcp_config())
        .and_then(move |socket, _| async move {
            // A host that connects and says nothing must not stay.
            let handshake = config.handshake(Opening::encrypted(socket));
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
                Ok(result) => result.map(Opening::decrypted).map_err(io::Error::other),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
            }
        })
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(Yamux)
        .timeout(HANDSHAKE_TIMEOUT)
        .map(move |(peer, muxer), _| {
            (peer, StreamMuxerBox::new(Counted::new(muxer, bytes.clone())))
        })
        .boxed()
}

fn over_quic(key: &Keypair, traffic: &Traffic) -> Boxed<Multiplexed> {
    let bytes = traffic.quic.clone();
    let mut config = quic::Config::new(key);
    config.max_concurrent_stream_limit = STREAMS_PER_CONNECTION_MAX as u32;
    config.keep_alive_interval = QUIC_KEEP_ALIVE_INTERVAL;
    config.max_idle_timeout = QUIC_IDLE_TIMEOUT.as_millis() as u32;
    quic::tokio::Transport::new(config)
        .map(move |(peer, muxer), _| {
            (peer, StreamMuxerBox::new(Counted::new(muxer, bytes.clone())))
        })
        .boxed()
}
