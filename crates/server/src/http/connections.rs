//! Which connections of a port stay open.
//!
//! While there is room, all do. When there is none, one that carries no request makes room: of the address with
//! the most connections, the one that has been silent for longest, be it half of a head or none. When all carry
//! one, some more are let in, whose requests are answered only if they are probes of a supervisor; what
//! comes beyond that waits in the listener's backlog.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::limits::{PROBE_CONNECTIONS_MAX, SILENCE_MIN};

/// The connections of a port.
#[derive(Debug)]
pub(super) struct Connections {
    connections_max: usize,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    open: HashMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    client: IpAddr,
    /// Requests that are being answered: none, or one.
    requests: usize,
    silent_since: Instant,
    end: CancellationToken,
}

impl Connections {
    /// Room for so many, and for some probes beside them.
    pub(super) fn new(connections_max: usize) -> Arc<Connections> {
        let (state, freed) = (Mutex::default(), Notify::new());
        Arc::new(Connections { connections_max, state, freed })
    }

    /// Lets a connection in, for which another may have to end; waits where none can.
    pub(super) async fn admit(self: &Arc<Self>, client: IpAddr) -> Connection {
        loop {
            let freed = self.freed.notified();
            if let Some(admitted) = self.try_admit(client) {
                return admitted;
            }
            // What carries no request may have been silent for too short a time to make room.
            let _ = tokio::time::timeout(SILENCE_MIN, freed).await;
        }
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.state().open.len()
    }

    /// Waits until all have ended.
    pub(super) async fn ended(&self) {
        loop {
            let freed = self.freed.notified();
            if self.open() == 0 {
                return;
            }
            freed.await;
        }
    }

    fn try_admit(self: &Arc<Self>, client: IpAddr) -> Option<Connection> {
        let mut state = self.state();
        let full = state.open.len() >= self.connections_max && !state.make_room();
        let probes_only = full && state.open.values().all(|open| open.requests > 0);
        let more = if probes_only { PROBE_CONNECTIONS_MAX } else { 0 };
        if full && state.open.len() >= self.connections_max + more {
            return None;
        }
        let number = state.next;
        state.next += 1;
        let end = CancellationToken::new();
        let open = Open { client, requests: 0, silent_since: Instant::now(), end: end.clone() };
        state.open.insert(number, open);
        Some(Connection { number, connections: Arc::clone(self), end, probes_only })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends a silent connection; answers whether there was one.
    fn make_room(&mut self) -> bool {
        let mut of_client = HashMap::<IpAddr, usize>::new();
        for open in self.open.values() {
            *of_client.entry(open.client).or_default() += 1;
        }
        let silent = self
            .open
            .iter()
            .filter(|(_, open)| open.requests == 0 && open.silent_since.elapsed() >= SILENCE_MIN);
        let last = silent.max_by_key(|(_, open)| {
            (of_client.get(&open.client).copied(), open.silent_since.elapsed())
        });
        let Some(number) = last.map(|(number, _)| *number) else { return false };
        if let Some(open) = self.open.remove(&number) {
            open.end.cancel();
        }
        true
    }
}

/// A connection that was let in. It has ended when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    connections: Arc<Connections>,
    /// Cancelled when it has to make room.
    pub(super) end: CancellationToken,
    /// Whether it is one of those beyond the room, for probes.
    pub(super) probes_only: bool,
}

impl Connection {
    /// A request has come; it is being answered as long as what this gives lives.
    pub(super) fn request(&self) -> Request {
        self.connections.count(self.number, true);
        Request { number: self.number, connections: Arc::clone(&self.connections) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.state().open.remove(&self.number);
        self.connections.freed.notify_waiters();
    }
}

impl Connections {
    fn count(&self, number: u64, begins: bool) {
        if let Some(open) = self.state().open.get_mut(&number) {
            open.requests = if begins { open.requests + 1 } else { open.requests - 1 };
            open.silent_since = Instant::now();
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Request {
    number: u64,
    connections: Arc<Connections>,
}

impl Request {
    /// The answer's body, with which the request ends.
    pub(super) fn until_sent(self, body: Body) -> Body {
        Body::new(SentBody { body, _request: self })
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.connections.count(self.number, false);
    }
}

/// The body of an answer, until it is sent or given up.
struct SentBody {
    body: Body,
    _request: Request,
}

impl HttpBody for SentBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    fn client(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    async fn admitted(connections: &Arc<Connections>, of: u8) -> Option<Connection> {
        timeout(Duration::from_secs(2), connections.admit(client(of))).await.ok()
    }

    #[tokio::test]
    async fn the_silent_one_of_who_has_most_makes_room() {
        let connections = Connections::new(3);
        let (first, second) =
            (admitted(&connections, 1).await.unwrap(), admitted(&connections, 1).await.unwrap());
        let other = admitted(&connections, 2).await.unwrap();
        let busy = first.request();
        let newest = admitted(&connections, 3).await.unwrap();
        assert!(second.end.is_cancelled() && !newest.probes_only);
        assert!(!first.end.is_cancelled() && !other.end.is_cancelled());
        drop((busy, first, second, other, newest));
        connections.ended().await;
    }

    #[tokio::test]
    async fn when_all_are_busy_some_are_let_in_for_probes() {
        let connections = Connections::new(1);
        let only = admitted(&connections, 1).await.unwrap();
        let body = only.request().until_sent(Body::from("x"));
        let mut probes = Vec::new();
        for _ in 0..PROBE_CONNECTIONS_MAX {
            let probe = admitted(&connections, 1).await.unwrap();
            assert!(probe.probes_only);
            probes.push((probe.request(), probe));
        }
        assert!(admitted(&connections, 1).await.is_none());
        // An answer that was sent leaves its connection silent.
        drop(body);
        let next = admitted(&connections, 1).await.unwrap();
        assert!(only.end.is_cancelled() && !next.probes_only);
    }
}
