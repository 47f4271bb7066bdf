//! The addresses of this machine, found without netlink.
//!
//! To listen everywhere, libp2p asks the kernel over netlink which addresses there are. Where that
//! is refused, by a sandbox or a unit of systemd with `RestrictAddressFamilies`, it does not listen.
//! This finds the addresses that there are at the start; those that come later are not noticed.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use crate::limits::{ADDRESS_LIST_BYTES_MAX, OWN_ADDRESSES_MAX};

/// Addresses of the same family as `like`, the loopback first. There may be none.
pub(crate) fn of_family(like: IpAddr) -> Vec<IpAddr> {
    let (loopback, mut found, routed) = if like.is_ipv4() {
        (
            IpAddr::from(Ipv4Addr::LOCALHOST),
            in_fib_trie(&text_of("/proc/net/fib_trie")),
            source_towards(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        )
    } else {
        (
            IpAddr::from(Ipv6Addr::LOCALHOST),
            in_if_inet6(&text_of("/proc/net/if_inet6")),
            source_towards(
                Ipv6Addr::UNSPECIFIED.into(),
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
            ),
        )
    };
    found.insert(0, loopback);
    found.extend(routed);
    let mut once: Vec<IpAddr> = Vec::new();
    for ip in found {
        if once.len() < OWN_ADDRESSES_MAX && !once.contains(&ip) {
            once.push(ip);
        }
    }
    once
}

/// The text of a file of the kernel's; none where there is no such file.
fn text_of(path: &str) -> String {
    let mut text = String::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(ADDRESS_LIST_BYTES_MAX).read_to_string(&mut text);
    }
    text
}

/// The address that a packet towards `far` would come from. No packet is sent: `far` is an address
/// of documentation, and connecting a UDP socket only looks up the route.
fn source_towards(any: IpAddr, far: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((far, 9)).ok()?;
    let source = socket.local_addr().ok()?.ip();
    (!source.is_unspecified()).then_some(source)
}

/// The local addresses in the kernel's table of IPv4 routes: lines `|-- 192.0.2.7`, each followed by
/// what it is, such as `/32 host LOCAL`.
fn in_fib_trie(text: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut last = None;
    for line in text.lines().map(str::trim) {
        match line.strip_prefix("|-- ") {
            Some(address) => last = address.parse::<Ipv4Addr>().ok(),
            None if line == "/32 host LOCAL" => found.extend(last.map(IpAddr::from)),
            None => {}
        }
    }
    found
}

/// The addresses in the kernel's list of IPv6 addresses, each a line that begins with 32 digits.
/// Addresses of one link are left out: they mean nothing without the name of the link.
fn in_if_inet6(text: &str) -> Vec<IpAddr> {
    let digits = text.lines().filter_map(|line| line.split_whitespace().next());
    digits
        .filter(|digits| digits.len() == 32)
        .filter_map(|digits| u128::from_str_radix(digits, 16).ok())
        .map(Ipv6Addr::from)
        .filter(|ip| !ip.is_unicast_link_local())
        .map(IpAddr::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_kernel() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
            \x20    |-- 127.0.0.0\n        /8 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n\
            \x20    |-- 10.9.0.0\n        /24 link UNICAST\n     |-- 10.9.0.2\n        /32 host LOCAL\n\
            \x20    |-- 10.9.0.255\n        /32 link BROADCAST\n     |-- nonsense\n        /32 host LOCAL\n";
        let expected: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "10.9.0.2".parse().unwrap()];
        assert_eq!(in_fib_trie(trie), expected);
        let list = "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n\
            20010db8000000000000000000000002 04 40 00 82     eth0\nshort 01\n\
            00000000000000000000000000000001 01 80 10 80       lo\n";
        let expected: [IpAddr; 2] = ["2001:db8::2".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(in_if_inet6(list), expected);
        assert!(in_fib_trie("").is_empty() && in_if_inet6("").is_empty());
    }

    #[test]
    fn every_machine_has_a_loopback() {
        let found = of_family(Ipv4Addr::UNSPECIFIED.into());
        assert_eq!(found[0], IpAddr::from(Ipv4Addr::LOCALHOST));
        assert!(found.len() <= OWN_ADDRESSES_MAX && found.iter().all(IpAddr::is_ipv4), "{found:?}");
        assert!(of_family(Ipv6Addr::UNSPECIFIED.into()).iter().all(IpAddr::is_ipv6));
    }
}
