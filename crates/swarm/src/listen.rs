//! Where a host listens: TCP and QUIC on one port number.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use libp2p::Multiaddr;
use libp2p::core::transport::ListenerId;
use libp2p::futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::limits::{EARLY_EVENTS_MAX, LISTEN_TIMEOUT, PORT_TRIES_MAX};
use crate::{Error, SwarmConfig};

/// A host that listens.
#[derive(Debug)]
pub(crate) struct Listening {
    /// The first addresses, one or more of each listener.
    pub(crate) addresses: Vec<Multiaddr>,
    /// What else happened meanwhile, in its order: neighbours may have been found already, who are
    /// not told of again.
    pub(crate) early: Vec<SwarmEvent<BehaviourEvent>>,
}

/// Listens where the configuration says.
pub(crate) async fn start(
    swarm: &mut libp2p::Swarm<Behaviour>,
    config: &SwarmConfig,
) -> Result<Listening, Error> {
    let quic = config.swarm_key.is_none();
    let mut tries = 0;
    let listeners = loop {
        let (ips, port) = choose(config, quic)?;
        match listen(swarm, &ips, port, quic) {
            Ok(listeners) => {
                tracing::info!(port, quic, peer = %config.key.id(), "listening for peers");
                break listeners;
            }
            // Somebody else took the free port in between.
            Err(error) if config.port == 0 && tries < PORT_TRIES_MAX => {
                tracing::debug!(%error, "another port is tried");
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    };
    let waiting = first_addresses(swarm, listeners);
    tokio::time::timeout(LISTEN_TIMEOUT, waiting).await.map_err(|_| Error::Deadline("listening"))?
}

/// The addresses and the port to listen on. With port 0, one that is free for both transports.
fn choose(config: &SwarmConfig, quic: bool) -> Result<(Vec<IpAddr>, u16), Error> {
    if !config.listen.is_empty() {
        let port = free_port(&config.listen, config.port, quic)?;
        return Ok((config.listen.clone(), port));
    }
    let v4 = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let v6 = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let port = free_port(&[v4], config.port, quic)?;
    // A machine may be without IPv6.
    let both = match free_port(&[v6], port, quic) {
        Ok(_) => vec![v4, v6],
        Err(_) => vec![v4],
    };
    Ok((both, port))
}

/// A port that is free on all of `ips`: `wanted`, or any if that is 0.
///
/// libp2p shares ports between sockets, so that it would not notice another node on the same one.
fn free_port(ips: &[IpAddr], wanted: u16, quic: bool) -> Result<u16, Error> {
    let mut tries = 0;
    loop {
        match try_port(ips, wanted, quic) {
            Err(_) if wanted == 0 && tries < PORT_TRIES_MAX => tries += 1,
            result => return result,
        }
    }
}

fn try_port(ips: &[IpAddr], wanted: u16, quic: bool) -> Result<u16, Error> {
    let mut port = wanted;
    for ip in ips {
        let failed = |port: u16, transport: &str, error: std::io::Error| Error::Listen {
            address: format!("{} ({transport})", SocketAddr::new(*ip, port)),
            why: error.to_string(),
        };
        let tcp = TcpListener::bind((*ip, port)).map_err(|e| failed(port, "TCP", e))?;
        port = tcp.local_addr().map_err(|e| failed(port, "TCP", e))?.port();
        if quic {
            UdpSocket::bind((*ip, port)).map_err(|e| failed(port, "UDP", e))?;
        }
    }
    Ok(port)
}

fn listen(
    swarm: &mut libp2p::Swarm<Behaviour>,
    ips: &[IpAddr],
    port: u16,
    quic: bool,
) -> Result<Vec<ListenerId>, Error> {
    let mut listeners = Vec::new();
    for ip in ips {
        let ip = Multiaddr::from(*ip);
        let mut addresses = vec![ip.clone().with(Protocol::Tcp(port))];
        if quic {
            addresses.push(ip.with(Protocol::Udp(port)).with(Protocol::QuicV1));
        }
        for address in addresses {
            match swarm.listen_on(address.clone()) {
                Ok(listener) => listeners.push(listener),
                Err(error) => {
                    for listener in listeners {
                        swarm.remove_listener(listener);
                    }
                    let (address, why) = (address.to_string(), error.to_string());
                    return Err(Error::Listen { address, why });
                }
            }
        }
    }
    Ok(listeners)
}

async fn first_addresses(
    swarm: &mut libp2p::Swarm<Behaviour>,
    listeners: Vec<ListenerId>,
) -> Result<Listening, Error> {
    let mut silent: HashSet<ListenerId> = listeners.into_iter().collect();
    let (mut addresses, mut early) = (Vec::new(), Vec::new());
    while !silent.is_empty() {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                silent.remove(&listener_id);
                tracing::debug!(%address, "listening for peers");
                addresses.push(address);
            }
            SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. }
                if silent.contains(&listener_id) =>
            {
                let why = error.to_string();
                return Err(Error::Listen { address: "the swarm's port".to_owned(), why });
            }
            other if early.len() < EARLY_EVENTS_MAX => early.push(other),
            other => tracing::debug!(event = ?other, "too much happens before this node is up"),
        }
    }
    Ok(Listening { addresses, early })
}
