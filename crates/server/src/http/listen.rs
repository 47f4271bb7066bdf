//! Connections: accepted up to a limit, served as HTTP/1.1, drained when the node stops.
//!
//! A client can be slow in three places, and each has its own limit: sending a head
//! (`FIRST_HEAD_TIMEOUT`, `HEAD_READ_TIMEOUT`), sending a body (`body.rs`, `unread.rs`) and reading an answer
//! (`stall.rs`). One connection never holds up another; which stay when there are too many is decided in
//! `connections.rs`.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::http::{Extensions, HeaderValue, Request, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use optimusdb_db::{Error, reason};
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::connections::{Connection, Connections};
use super::error::ApiError;
use super::limits::{
    ACCEPT_PAUSE, ACCEPT_REPORT_INTERVAL, CONNECTIONS_MAX, DESCRIPTORS_RESERVED,
    FIRST_HEAD_TIMEOUT, HEAD_BYTES_MAX, HEAD_READ_TIMEOUT, PORTS, PROBE_CONNECTIONS_MAX,
    WRITE_STALL_TIMEOUT,
};
use super::stall::StallGuard;
use super::unread::hang_up;
use crate::open_files;

/// Who answers what comes over the connections of a port.
pub(crate) trait Answers: Send + Sync + 'static {
    /// Its name in the journal, such as "the API".
    const NAME: &'static str;

    /// Whether a request is a supervisor's, who asks whether the node lives.
    fn is_probe(_request: &Request<Incoming>) -> bool {
        false
    }

    /// Answers a request, and sees to it that nothing of it is left on its connection.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response> + Send;
}

/// Where a client is: an address of IPv4, or the network of one of IPv6, as whoever has one of its addresses
/// has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ClientAddress(IpAddr);

impl ClientAddress {
    fn of(address: IpAddr) -> ClientAddress {
        ClientAddress(match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                let [a, b, c, d, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            address => address,
        })
    }
}

/// Where the client of a request is, which `serve` notes among its extensions.
pub(super) fn client_of(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get().map(|ClientAddress(address)| *address)
}

/// Serves `front` until `shutdown`, then lets the requests in flight end. Returns when the last
/// connection is closed; dropped before, it cuts those that are open.
pub(crate) async fn serve<A: Answers>(
    listener: TcpListener,
    front: Arc<A>,
    shutdown: CancellationToken,
) {
    let connections = Connections::new(connections_max());
    let cut = CancellationToken::new();
    let _cut_when_dropped = cut.clone().drop_guard();

    let mut told = None;
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(A::NAME, &listener, &connections, &mut told) => accepted,
        };
        let Some((stream, client, admitted)) = accepted else { continue };
        let (front, shutdown, cut) = (Arc::clone(&front), shutdown.clone(), cut.clone());
        tokio::spawn(async move {
            let admitted = Arc::new(admitted);
            tokio::select! {
                () = cut.cancelled() => tracing::warn!("a connection was cut: its request did not end in time"),
                // It carries no request, and others want its room.
                () = admitted.end.cancelled() => {}
                () = connection(stream, client, &admitted, front, shutdown) => {}
            }
        });
    }

    drop(listener);
    connections.ended().await;
}

/// The next connection, for which there is room or is made. `None` after a transient failure. `told` is when
/// the journal last reported one.
async fn accept(
    name: &str,
    listener: &TcpListener,
    connections: &Arc<Connections>,
    told: &mut Option<Instant>,
) -> Option<(TcpStream, ClientAddress, Connection)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            if connections.open() >= connections_max() && is_due(told) {
                tracing::warn!(
                    "{name} has as many connections as it takes; silent ones end, or others wait: {}",
                    room()
                );
            }
            let client = ClientAddress::of(peer.ip());
            let admitted = connections.admit(client.0).await;
            Some((stream, client, admitted))
        }
        Err(error) if belongs_to_the_client(&error) => None,
        Err(error) => {
            if is_due(told) {
                tracing::warn!("{name} takes no connections for now: {}", refusal(&error));
            }
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Whether the journal may be told again, which it then counts as.
fn is_due(told: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    let due = told.is_none_or(|at| now.duration_since(at) >= ACCEPT_REPORT_INTERVAL);
    if due {
        *told = Some(now);
    }
    due
}

/// How many connections there may be, and what can be done about it.
fn room() -> String {
    let (connections, limit) = (connections_max(), open_files::limit());
    if connections == CONNECTIONS_MAX - PROBE_CONNECTIONS_MAX {
        return format!("{connections} are the most");
    }
    format!(
        "{connections}, as the process may have {limit} files open: raise that (ulimit -n, \
         systemd's LimitNOFILE=, docker run --ulimit nofile=)"
    )
}

/// Why the system hands over no connection, and what can be done about it where that is known.
fn refusal(error: &io::Error) -> String {
    let why = reason(error);
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => {
            let limit = open_files::limit();
            format!(
                "{why}; the process may have {limit} files open: raise that (ulimit -n, systemd's \
                 LimitNOFILE=, docker run --ulimit nofile=), or see who opens so many connections"
            )
        }
        Some(Errno::NFILE) => format!("{why}; raise fs.file-max of the whole system"),
        _ => why,
    }
}

fn belongs_to_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection<A: Answers>(
    stream: TcpStream,
    client: ClientAddress,
    admitted: &Arc<Connection>,
    front: Arc<A>,
    shutdown: CancellationToken,
) {
    // Answers are written whole: waiting to fill a segment would only delay them.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(StallGuard::new(stream, WRITE_STALL_TIMEOUT));
    let (counted, first) = (Arc::clone(admitted), Arc::new(AtomicBool::new(false)));
    let asked = Arc::clone(&first);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client);
        let (front, carried) = (Arc::clone(&front), counted.request());
        asked.store(true, Ordering::Relaxed);
        let refused = counted.probes_only && !A::is_probe(&request);
        Box::pin(async move {
            let response = if refused { no_room() } else { front.answer(request).await };
            Ok::<_, Infallible>(response.map(|body| carried.until_sent(body)))
        })
    });
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        // What is read at a time may be more than the buffer is meant to hold.
        .max_header_size(HEAD_BYTES_MAX)
        .serve_connection(io, service);
    let ended = tokio::select! {
        ended = poll_fn(|cx| serving.poll_without_shutdown(cx)) => ended,
        () = silent(&first) => return,
        () = shutdown.cancelled() => {
            std::pin::Pin::new(&mut serving).graceful_shutdown();
            poll_fn(|cx| serving.poll_without_shutdown(cx)).await
        }
    };
    if let Err(error) = ended {
        // Clients hang up, idle and send nonsense all day: nobody's fault, nothing to do.
        tracing::debug!(why = reason(&error), "a connection ended early");
    }
    hang_up(serving.into_parts().io.into_inner(), shutdown).await;
}

/// Ends when the head of the first request has not come in its time; else never.
async fn silent(asked: &AtomicBool) {
    sleep(FIRST_HEAD_TIMEOUT).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending().await
    }
}

/// What is answered on the connections that are there for probes.
fn no_room() -> Response {
    let busy = Error::Unavailable("the node has as many connections as it takes; try again".into());
    let mut response = ApiError::from(busy).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// As many as the limit says, if the process may open as many files and the node keeps its share.
fn connections_max() -> usize {
    let descriptors = open_files::limit();
    let room = descriptors.saturating_sub(DESCRIPTORS_RESERVED).max(descriptors / 2);
    (room / PORTS).clamp(1 + PROBE_CONNECTIONS_MAX, CONNECTIONS_MAX) - PROBE_CONNECTIONS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_descriptors_names_the_limit_and_the_way_out() {
        let told = refusal(&Errno::MFILE.into());
        let limit = open_files::limit().to_string();
        for part in ["Too many open files", limit.as_str(), "ulimit -n", "LimitNOFILE"] {
            assert!(told.contains(part), "{part:?} in {told:?}");
        }
        assert!(refusal(&Errno::NFILE.into()).contains("fs.file-max"));
        assert!(!refusal(&Errno::NOMEM.into()).contains("ulimit"));
    }
}
