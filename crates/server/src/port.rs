//! Takes a port, before anything else is touched, so that one in use leaves nothing half-started.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

use crate::limits::LISTEN_BACKLOG_CONNECTIONS_MAX;

/// Binds the first of the host's addresses that can be bound, IPv4 first, and listens. Connections
/// made from now on wait until they are accepted.
///
/// # Errors
///
/// One line for the user, with the flag that helps; `flag` is the one of the port.
pub(crate) async fn listen(host: &str, port: u16, flag: &str) -> Result<TcpListener, String> {
    let mut addresses: Vec<SocketAddr> = match lookup_host((host, port)).await {
        Ok(addresses) => addresses.collect(),
        Err(error) => return Err(format!("cannot resolve {host:?} (-http-host): {error}")),
    };
    // Clients that are told "localhost" mostly try IPv4 first.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let mut refusals = Vec::new();
    for address in addresses {
        match bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => refusals.push(explain(address, flag, &error)),
        }
    }
    match refusals.is_empty() {
        true => Err(format!("{host:?} has no address (-http-host)")),
        false => Err(refusals.join("; ")),
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A node that starts again must not wait for the old connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG_CONNECTIONS_MAX)
}

fn explain(address: SocketAddr, flag: &str, error: &io::Error) -> String {
    let (host, port) = (address.ip(), address.port());
    match error.kind() {
        ErrorKind::AddrInUse => {
            format!(
                "port {port} of {host} is in use: choose another with -{flag}, 0 takes any free one"
            )
        }
        ErrorKind::PermissionDenied => {
            format!(
                "port {port} of {host} is not permitted to this user: choose one above 1023 with -{flag}"
            )
        }
        ErrorKind::AddrNotAvailable => {
            format!("{host} is no address of this machine: choose another with -http-host")
        }
        _ if Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT) => {
            let family = if host.is_ipv6() { "IPv6" } else { "IPv4" };
            format!(
                "this machine is without {family}, so not on {host}: choose another with -http-host"
            )
        }
        _ => format!("cannot listen on {address} (-http-host, -{flag}): {error}"),
    }
}

/// An address for people: where everything is bound, the loopback stands for it.
pub(crate) fn url(bound: SocketAddr, path: &str) -> String {
    let mut address = bound;
    if bound.ip().is_unspecified() {
        address.set_ip(if bound.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("http://{address}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_ones_to_click_on() {
        for (bound, expected) in [
            ("127.0.0.1:8089", "http://127.0.0.1:8089/c"),
            ("0.0.0.0:80", "http://127.0.0.1:80/c"),
            ("[::]:80", "http://[::1]:80/c"),
            ("192.0.2.1:80", "http://192.0.2.1:80/c"),
        ] {
            assert_eq!(url(bound.parse().unwrap(), "c"), expected);
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_flag() {
        let first = listen("localhost", 0, "http-port").await.unwrap();
        let address = first.local_addr().unwrap();
        let (host, port) = (address.ip().to_string(), address.port());
        for flag in ["http-port", "gateway-port"] {
            let message = listen(&host, port, flag).await.unwrap_err();
            let named = message.contains(&format!("port {port} ")) && message.contains(flag);
            assert!(named, "{message}");
        }
        let elsewhere = listen("192.0.2.1", 0, "http-port").await.unwrap_err();
        assert!(elsewhere.contains("-http-host"), "{elsewhere}");
        let address = "[::1]:80".parse().unwrap();
        let lacking = explain(address, "http-port", &Errno::AFNOSUPPORT.into());
        assert!(lacking.contains("without IPv6") && lacking.contains("-http-host"), "{lacking}");
    }
}
