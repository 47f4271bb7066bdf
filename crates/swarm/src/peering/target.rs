//! Where to dial: the texts that operators write, and what they stand for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::Error;
use crate::peering::limits::{ADDRESS_TEXT_BYTES_MAX, ADDRESSES_PER_NAME_MAX, RESOLVE_TIMEOUT};

/// The port of a host that is named without one.
const DEFAULT_PORT: u16 = 4001;

/// Where to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DialTarget {
    /// A multiaddr, dialled as it is.
    Address(Multiaddr),
    /// A host by name or IP address, dialled over every transport.
    Host { host: String, port: u16 },
}

impl fmt::Display for DialTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialTarget::Address(address) => write!(f, "{address}"),
            DialTarget::Host { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            DialTarget::Host { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl DialTarget {
    /// Reads a multiaddr, a host, or `host:port`.
    pub(crate) fn parse(text: &str) -> Result<DialTarget, Error> {
        let text = text.trim();
        let wrong = |why: &str| Error::Address {
            address: text.chars().take(128).collect(),
            why: why.to_owned(),
        };
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.len() > ADDRESS_TEXT_BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        if text.starts_with('/') {
            let address: Multiaddr = text.parse().map_err(|e| wrong(&format!("{e}")))?;
            return dialable(&address).map(|()| DialTarget::Address(address)).map_err(wrong);
        }
        let (host, port) = host_and_port(text).map_err(wrong)?;
        Ok(DialTarget::Host { host, port })
    }
}

/// Whether the address names a host and a transport that this program has.
fn dialable(address: &Multiaddr) -> Result<(), &'static str> {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    match parts.first() {
        Some(
            Protocol::Ip4(_)
            | Protocol::Ip6(_)
            | Protocol::Dns(_)
            | Protocol::Dns4(_)
            | Protocol::Dns6(_),
        ) => {}
        // The name's records hold whole addresses.
        Some(Protocol::Dnsaddr(_)) => return Ok(()),
        _ => return Err("it does not begin with a host"),
    }
    match (parts.get(1), parts.get(2)) {
        (Some(Protocol::Tcp(_)), None | Some(Protocol::P2p(_))) => Ok(()),
        (Some(Protocol::Udp(_)), Some(Protocol::QuicV1)) => Ok(()),
        _ => Err("it is neither /tcp/<port> nor /udp/<port>/quic-v1"),
    }
}

/// Host and port of `host`, `host:port`, `1.2.3.4:port`, `::1` or `[::1]:port`.
fn host_and_port(text: &str) -> Result<(String, u16), &'static str> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), address.port()));
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok((ip.to_string(), DEFAULT_PORT));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| "its port is not a number")?),
        None => (text, DEFAULT_PORT),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if host.is_empty() || host.len() > 253 || !host.chars().all(is_name) {
        return Err("it is neither a multiaddr nor a host");
    }
    match port {
        0 => Err("its port is 0"),
        port => Ok((host.to_owned(), port)),
    }
}

/// Looks a host up. The system may cache names; this does not.
pub(crate) async fn resolve(host: &str, port: u16) -> Result<Vec<IpAddr>, String> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![ip]);
    }
    let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((host, port)));
    let mut ips: Vec<IpAddr> = Vec::new();
    for address in found.await.map_err(|_| "the name server does not answer")?.map_err(shown)? {
        if ips.len() < ADDRESSES_PER_NAME_MAX && !ips.contains(&address.ip()) {
            ips.push(address.ip());
        }
    }
    Ok(ips)
}

fn shown(error: std::io::Error) -> String {
    error.to_string()
}

/// The addresses of a host that may be dialled, the first choice first.
pub(crate) fn addresses(ip: IpAddr, port: u16, quic: bool) -> Vec<Multiaddr> {
    let tcp = Multiaddr::from(ip).with(Protocol::Tcp(port));
    let udp = Multiaddr::from(ip).with(Protocol::Udp(port)).with(Protocol::QuicV1);
    if quic { vec![tcp, udp] } else { vec![tcp] }
}

/// The peer that an address ends with.
pub(crate) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        for (text, host, port) in [
            ("node1", "node1", 4001),
            ("node-1.example.org:7000", "node-1.example.org", 7000),
            ("192.0.2.7", "192.0.2.7", 4001),
            (" 192.0.2.7:1 ", "192.0.2.7", 1),
            ("::1", "::1", 4001),
            ("[2001:db8::1]", "2001:db8::1", 4001),
            ("[2001:db8::1]:9", "2001:db8::1", 9),
        ] {
            let expected = DialTarget::Host { host: host.to_owned(), port };
            assert_eq!(DialTarget::parse(text).unwrap(), expected, "{text}");
        }
        for text in [
            "/ip4/127.0.0.1/tcp/4001",
            "/dns4/node1/udp/4001/quic-v1",
            "/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
            "/dnsaddr/bootstrap.example.org",
        ] {
            assert_eq!(
                DialTarget::parse(text).unwrap(),
                DialTarget::Address(text.parse().unwrap())
            );
        }
    }

    #[test]
    fn what_cannot_be_dialled() {
        for text in [
            "",
            "   ",
            "/",
            "/ip4",
            "/ip4/300.1.1.1/tcp/1",
            "/ip4/127.0.0.1",
            "/ip4/127.0.0.1/udp/4001",
            "/ip4/127.0.0.1/tcp/4001/ws",
            "/tcp/4001",
            "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
            "/ip4/127.0.0.1/tcp/4001/p2p/garbage",
            "node:port",
            "node:70000",
            "node:0",
            ":4001",
            "no spaces",
            "http://node1",
            &"x".repeat(2_000),
        ] {
            assert!(matches!(DialTarget::parse(text), Err(Error::Address { .. })), "{text:?}");
        }
    }
}
