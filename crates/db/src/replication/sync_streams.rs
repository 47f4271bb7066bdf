//! The streams on which peers are asked in fast sync: few to each peer, kept from one request to the
//! next, since opening one costs a round trip.
//!
//! Every store asks for itself, and with many stores they all ask a new peer at once. A peer serves
//! only so many streams to one other and drops the rest, so requests beyond that wait here.

use crate::limits::{SYNC_REQUESTS_PER_PEER_MAX, SYNC_STREAMS_KEPT_MAX};
use optimusdb_swarm::{PeerId, Swarm, SyncStream};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// The streams to all peers. Clones are the same.
#[derive(Clone)]
pub(super) struct SyncStreams {
    swarm: Swarm,
    peers: Arc<Mutex<HashMap<PeerId, PeerStreams>>>,
}

/// The streams to one peer.
struct PeerStreams {
    turns: Arc<Semaphore>,
    kept: Vec<SyncStream>,
}

impl Default for PeerStreams {
    fn default() -> PeerStreams {
        PeerStreams {
            turns: Arc::new(Semaphore::new(SYNC_REQUESTS_PER_PEER_MAX)),
            kept: Vec::new(),
        }
    }
}

impl SyncStreams {
    pub(super) fn new(swarm: Swarm) -> SyncStreams {
        SyncStreams { swarm, peers: Arc::default() }
    }

    /// Asks a peer when it is this request's turn; none if there is no answer.
    pub(super) async fn request(&self, peer: PeerId, request: Vec<u8>) -> Option<Vec<u8>> {
        let turns = Arc::clone(&self.lock().entry(peer).or_default().turns);
        let _turn = turns.acquire().await.ok()?;
        let kept = self.lock().get_mut(&peer).and_then(|streams| streams.kept.pop());
        if let Some(stream) = kept
            && let Some(reply) = self.request_on(stream, peer, request.clone()).await
        {
            return Some(reply);
        }
        // The peer may have closed the kept one since.
        match self.swarm.open_sync(peer).await {
            Ok(stream) => self.request_on(stream, peer, request).await,
            Err(error) => {
                tracing::debug!("fast sync with {peer}: {error}");
                self.forget_unused(peer);
                None
            }
        }
    }

    /// Forgets a peer whose streams nobody else uses.
    fn forget_unused(&self, peer: PeerId) {
        let mut peers = self.lock();
        if peers.get(&peer).is_some_and(|streams| Arc::strong_count(&streams.turns) <= 2) {
            peers.remove(&peer);
        }
    }

    async fn request_on(
        &self,
        mut stream: SyncStream,
        peer: PeerId,
        request: Vec<u8>,
    ) -> Option<Vec<u8>> {
        match stream.request(request).await {
            Ok(reply) => {
                self.keep(peer, stream);
                Some(reply)
            }
            Err(error) => {
                tracing::debug!("fast sync with {peer}: {error}");
                None
            }
        }
    }

    /// Keeps a stream, unless its peer has left or there are enough.
    fn keep(&self, peer: PeerId, stream: SyncStream) {
        let mut peers = self.lock();
        let kept: usize = peers.values().map(|streams| streams.kept.len()).sum();
        if kept < SYNC_STREAMS_KEPT_MAX
            && let Some(streams) = peers.get_mut(&peer)
        {
            streams.kept.push(stream);
        }
    }

    /// Lets go of what is kept of a peer that left.
    pub(super) fn forget(&self, peer: PeerId) {
        self.lock().remove(&peer);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, PeerStreams>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
