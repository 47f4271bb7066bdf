//! Where a host listens: TCP and QUIC on one port number, on whatever the machine has.
//!
//! A machine may be without IPv6, without UDP, or not say which addresses it has. The host listens on
//! what there is, tells what there is not, and does not start only if there is nothing at all. A port
//! that another program has is another matter: peers would reach the wrong program there, so the
//! start fails.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::time::Instant;

use libp2p::Multiaddr;
use libp2p::core::transport::ListenerId;
use libp2p::futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;

use crate::host::behaviour::{Behaviour, BehaviourEvent};
use crate::host::own_ips;
use crate::limits::{
    EARLY_EVENTS_MAX, LISTEN_GRACE, LISTEN_TIMEOUT, PORT_TRIES_MAX, RELISTEN_PAUSE,
    RELISTEN_TRIES_MAX,
};
use crate::{Error, SwarmConfig, reason, source};

/// A host that listens.
#[derive(Debug)]
pub(crate) struct Listening {
    /// The first addresses. None while the machine has none.
    pub(crate) addresses: Vec<Multiaddr>,
    /// What else happened meanwhile, in its order. Neighbours may have been found already, and libp2p
    /// does not tell of them again.
    pub(crate) early: Vec<SwarmEvent<BehaviourEvent>>,
}

/// Listens where the configuration says.
pub(crate) async fn start(
    swarm: &mut libp2p::Swarm<Behaviour>,
    config: &SwarmConfig,
) -> Result<Listening, Error> {
    let quic = config.network.swarm_key.is_none();
    let mut tries = 0;
    let (listeners, refused) = loop {
        let mut refused = Refused::default();
        let places = free_places(config, quic, &mut refused)?;
        let mut listeners = HashMap::new();
        for place in places {
            let mut listen_on = |address: &Multiaddr| {
                swarm.listen_on(address.clone()).map_err(|error| reason(&error))
            };
            listeners.extend(listen(&place, &mut listen_on, &mut refused));
        }
        relisten(swarm, &mut listeners, &mut refused).await;
        // Another program took the free port in between.
        if config.network.port == 0 && refused.for_taken() && tries < PORT_TRIES_MAX {
            tracing::debug!(why = refused.text(), "another port is tried");
            tries += 1;
            for listener in listeners.keys() {
                swarm.remove_listener(*listener);
            }
            continue;
        }
        break (listeners, refused);
    };
    for (address, why) in &refused.0 {
        tracing::warn!(address, why, "cannot listen there; listening where it works");
    }
    let listening = first_addresses(swarm, listeners, refused).await?;
    let addresses = listening.addresses.len();
    tracing::info!(addresses, quic, peer = %config.key.id(), "listening for peers");
    Ok(listening)
}

/// Tries again where a port was in use: the socket of a listener that failed is closed a moment
/// later, and has the port until then.
async fn relisten(
    swarm: &mut libp2p::Swarm<Behaviour>,
    listeners: &mut HashMap<ListenerId, Multiaddr>,
    refused: &mut Refused,
) {
    for _ in 0..RELISTEN_TRIES_MAX {
        if !refused.for_taken() {
            return;
        }
        tokio::time::sleep(RELISTEN_PAUSE).await;
        for (address, why) in std::mem::take(&mut refused.0) {
            let Ok(place) = address.parse::<Multiaddr>() else { continue };
            if !why.contains(IN_USE) {
                refused.0.push((address, why));
            } else {
                match swarm.listen_on(place.clone()) {
                    Ok(listener) => drop(listeners.insert(listener, place)),
                    Err(error) => refused.add(&place, reason(&error)),
                }
            }
        }
    }
}

/// How the system says that a port is taken.
const IN_USE: &str = "already in use";

/// What could not be listened on, and why.
#[derive(Debug, Default)]
struct Refused(Vec<(String, String)>);

impl Refused {
    fn add(&mut self, address: &Multiaddr, why: String) {
        self.0.push((address.to_string(), why));
    }

    fn for_taken(&self) -> bool {
        self.0.iter().any(|(_, why)| why.contains(IN_USE))
    }

    fn text(&self) -> String {
        let each: Vec<String> =
            self.0.iter().map(|(address, why)| format!("{address}: {why}")).collect();
        each.join("; ")
    }

    fn error(&self) -> Error {
        Error::Listen(self.text())
    }
}

/// The addresses to listen on that this machine has, with a port that no other program has: the port
/// of the configuration or, if that is 0, one that is free for all of them.
///
/// libp2p shares ports between sockets, so that it would not notice another node on the same one.
fn free_places(
    config: &SwarmConfig,
    quic: bool,
    refused: &mut Refused,
) -> Result<Vec<Multiaddr>, Error> {
    let everywhere = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let ips: &[IpAddr] =
        if config.network.listen.is_empty() { &everywhere } else { &config.network.listen };
    let mut tries = 0;
    loop {
        *refused = Refused::default();
        match try_port(ips, config.network.port, quic, refused) {
            Err(Error::Taken { .. }) if config.network.port == 0 && tries < PORT_TRIES_MAX => {
                tries += 1
            }
            Ok(places) if places.is_empty() => return Err(refused.error()),
            result => return result,
        }
    }
}

fn try_port(
    ips: &[IpAddr],
    wanted: u16,
    quic: bool,
    refused: &mut Refused,
) -> Result<Vec<Multiaddr>, Error> {
    let mut port = wanted;
    let mut places = Vec::new();
    for ip in ips {
        for is_quic in [false, true].into_iter().take(1 + usize::from(quic)) {
            let bound = if is_quic {
                UdpSocket::bind((*ip, port)).and_then(|socket| socket.local_addr())
            } else {
                TcpListener::bind((*ip, port)).and_then(|socket| socket.local_addr())
            };
            let place = |port| {
                let ip = Multiaddr::from(*ip);
                match is_quic {
                    true => ip.with(Protocol::Udp(port)).with(Protocol::QuicV1),
                    false => ip.with(Protocol::Tcp(port)),
                }
            };
            match bound {
                Ok(address) => {
                    port = address.port();
                    places.push(place(port));
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    let transport = if is_quic { "UDP" } else { "TCP" };
                    return Err(Error::Taken { ip: *ip, port, transport });
                }
                Err(error) => refused.add(&place(port), reason(&error)),
            }
        }
    }
    Ok(places)
}

/// Listens on one address. If it stands for all addresses and libp2p cannot find out which there are,
/// listens on each of those that are found in another way.
fn listen(
    place: &Multiaddr,
    listen_on: &mut dyn FnMut(&Multiaddr) -> Result<ListenerId, String>,
    refused: &mut Refused,
) -> Vec<(ListenerId, Multiaddr)> {
    match listen_on(place) {
        Ok(listener) => return vec![(listener, place.clone())],
        Err(why) => refused.add(place, why),
    }
    one_by_one(place, listen_on, refused)
}

/// Listens on each of the addresses that an address stands for, if it stands for several.
fn one_by_one(
    place: &Multiaddr,
    listen_on: &mut dyn FnMut(&Multiaddr) -> Result<ListenerId, String>,
    refused: &mut Refused,
) -> Vec<(ListenerId, Multiaddr)> {
    let Some(any) = source::ip_of(place).filter(IpAddr::is_unspecified) else {
        return Vec::new();
    };
    let mut listeners = Vec::new();
    for ip in own_ips::of_family(any) {
        let address = place.replace(0, |_| Some(ip.into())).unwrap_or_else(|| place.clone());
        match listen_on(&address) {
            Ok(listener) => listeners.push((listener, address)),
            // A family that is switched off has not even a loopback.
            Err(_) if ip.is_loopback() && ip.is_ipv6() => {}
            Err(why) => refused.add(&address, why),
        }
    }
    if !listeners.is_empty() {
        tracing::info!(
            instead_of = %place,
            count = listeners.len(),
            "listening on each address that there is now; later ones are not noticed"
        );
    }
    listeners
}

/// Waits until the listeners have addresses. A listener that has none shortly after the first one got
/// its own is no longer waited for: its address family may not be in use on this machine, or its
/// interface may not be up yet.
async fn first_addresses(
    swarm: &mut libp2p::Swarm<Behaviour>,
    mut silent: HashMap<ListenerId, Multiaddr>,
    mut refused: Refused,
) -> Result<Listening, Error> {
    let (mut addresses, mut early) = (Vec::new(), Vec::new());
    let mut until = Instant::now() + LISTEN_TIMEOUT;
    while !silent.is_empty() {
        let event = tokio::time::timeout_at(until.into(), swarm.select_next_some());
        let Ok(event) = event.await else { break };
        let (listener, why) = match event {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                silent.remove(&listener_id);
                tracing::debug!(%address, "listening for peers");
                addresses.push(address);
                until = until.min(Instant::now() + LISTEN_GRACE);
                continue;
            }
            SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. }
            | SwarmEvent::ListenerError { listener_id, error }
                if silent.contains_key(&listener_id) =>
            {
                (listener_id, reason(&error))
            }
            other => {
                match early.len() < EARLY_EVENTS_MAX {
                    true => early.push(other),
                    false => tracing::debug!(event = ?other, "too much happens before the start"),
                }
                continue;
            }
        };
        let Some(place) = silent.remove(&listener) else { continue };
        swarm.remove_listener(listener);
        tracing::warn!(address = %place, why, "cannot listen there; listening where it works");
        refused.add(&place, why);
        let mut listen_on =
            |address: &Multiaddr| swarm.listen_on(address.clone()).map_err(|error| reason(&error));
        silent.extend(one_by_one(&place, &mut listen_on, &mut refused));
    }
    if addresses.is_empty() && silent.is_empty() {
        return Err(refused.error());
    }
    for place in silent.values() {
        tracing::info!(address = %place, "no address of this kind on this machine yet");
    }
    Ok(Listening { addresses, early })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everywhere() -> Multiaddr {
        "/ip4/0.0.0.0/tcp/4001".parse().unwrap()
    }

    #[test]
    fn where_all_addresses_cannot_be_had_each_is() {
        let mut refused = Refused::default();
        let mut listen_on = |address: &Multiaddr| match address == &everywhere() {
            true => Err("Operation not permitted (os error 1)".to_owned()),
            false => Ok(ListenerId::next()),
        };
        let listeners = listen(&everywhere(), &mut listen_on, &mut refused);
        let loopback: Multiaddr = "/ip4/127.0.0.1/tcp/4001".parse().unwrap();
        assert!(listeners.iter().any(|(_, address)| *address == loopback), "{listeners:?}");
        assert_eq!(refused.text(), "/ip4/0.0.0.0/tcp/4001: Operation not permitted (os error 1)");
    }

    #[test]
    fn where_nothing_can_be_had_every_reason_is_told() {
        let mut refused = Refused::default();
        let mut listen_on = |_: &Multiaddr| Err("no".to_owned());
        let listeners = listen(&everywhere(), &mut listen_on, &mut refused);
        assert!(listeners.is_empty());
        let told = refused.error().to_string();
        assert!(told.contains("/ip4/0.0.0.0/tcp/4001: no; /ip4/127.0.0.1/tcp/4001: no"), "{told}");
        // One address is what it is.
        let mut refused = Refused::default();
        let one: Multiaddr = "/ip4/127.0.0.1/tcp/4001".parse().unwrap();
        assert!(listen(&one, &mut listen_on, &mut refused).is_empty());
        assert_eq!(refused.0.len(), 1);
    }
}
