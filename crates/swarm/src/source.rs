//! Where peers are, as far as shares and claims are concerned: an identity costs nothing, an address does.

use std::net::{IpAddr, Ipv4Addr};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// Whom work is done for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    /// The peer.
    pub(crate) peer: PeerId,
    /// The network that it connects from; none of one that this node looks for, which stands for itself,
    /// and of one behind a relay.
    pub(crate) network: Option<IpAddr>,
}

/// What an account is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AccountHolder {
    /// A peer.
    Peer(PeerId),
    /// All strangers of a network.
    Network(IpAddr),
}

impl Source {
    /// Whose accounts the peer has a part in.
    pub(crate) fn holders(&self) -> impl Iterator<Item = AccountHolder> + use<> {
        let network = self.network.map(AccountHolder::Network);
        [Some(AccountHolder::Peer(self.peer)), network].into_iter().flatten()
    }
}

/// The network of an address that shares are counted by: 256 addresses of IPv4, and of IPv6 what one
/// host has.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(four) => {
            let [a, b, c, _] = four.octets();
            Ipv4Addr::new(a, b, c, 0).into()
        }
        IpAddr::V6(_) => host(address),
    }
}

/// The host of an address, for one that has an IPv6 address has 2^64 of them.
pub(crate) fn host(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let mut segments = six.segments();
            segments[4..].fill(0);
            IpAddr::from(segments)
        }
    }
}

/// The IP address that a multiaddr begins with.
pub(crate) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => Some(ip.into()),
        Some(Protocol::Ip6(ip)) => Some(ip.into()),
        _ => None,
    }
}

/// Whether only neighbours reach an address.
pub fn is_near(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
