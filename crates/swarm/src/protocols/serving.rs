//! What every task needs that serves a stream of a peer.

use std::sync::{Arc, PoisonError};

use libp2p::PeerId;
use optimusdb_dag::replicator::Offence;
use tokio::sync::mpsc;

use crate::command::Command;
use crate::event::EventSender;
use crate::limits::{
    ANSWERED_REQUESTS_MAX, HEADS_KIB_MAX, HEADS_KIB_PER_PEER_MAX, HEADS_STREAMS_MAX,
    HEADS_STREAMS_PER_PEER_MAX, SQL_STREAMS_MAX, SQL_STREAMS_PER_PEER_MAX, SYNC_STREAMS_MAX,
    SYNC_STREAMS_PER_PEER_MAX, VOTE_STREAMS_MAX, VOTE_STREAMS_PER_PEER_MAX,
};
use crate::local::Local;
use crate::peering::shares::Shares;
use crate::protocols::fair_places::FairPlaces;
use crate::protocols::heads_room::HeadsRoom;
use crate::protocols::stream_pool::StreamPool;
use crate::source::Source;

/// What every task needs that serves a stream of a peer.
pub(crate) struct Serving {
    pub(crate) local: Arc<dyn Local>,
    pub(crate) events: EventSender,
    pub(crate) shares: Shares,
    pub(crate) heads_pool: StreamPool,
    pub(crate) sync_pool: StreamPool,
    pub(crate) votes_pool: StreamPool,
    pub(crate) sql_pool: StreamPool,
    /// Places of requests that are being answered.
    pub(crate) places: FairPlaces,
    pub(crate) heads_room: HeadsRoom,
    commands: mpsc::WeakSender<Command>,
}

impl Serving {
    pub(crate) fn new(
        local: Arc<dyn Local>,
        events: EventSender,
        shares: Shares,
        commands: mpsc::WeakSender<Command>,
    ) -> Serving {
        Serving {
            local,
            events,
            heads_pool: StreamPool::new(HEADS_STREAMS_MAX, HEADS_STREAMS_PER_PEER_MAX),
            sync_pool: StreamPool::new(SYNC_STREAMS_MAX, SYNC_STREAMS_PER_PEER_MAX),
            votes_pool: StreamPool::new(VOTE_STREAMS_MAX, VOTE_STREAMS_PER_PEER_MAX),
            sql_pool: StreamPool::new(SQL_STREAMS_MAX, SQL_STREAMS_PER_PEER_MAX),
            places: FairPlaces::new(ANSWERED_REQUESTS_MAX, Arc::clone(&shares.accounts)),
            heads_room: HeadsRoom::new(HEADS_KIB_MAX, HEADS_KIB_PER_PEER_MAX),
            shares,
            commands,
        }
    }

    /// Tells the event loop of an offence. If it is too busy to be told, the offence is forgotten.
    pub(crate) fn report(&self, peer: PeerId, offence: Offence) {
        if let Some(commands) = self.commands.upgrade() {
            let _ = commands.try_send(Command::Blame { peer, offence });
        }
    }

    /// Whom work for this peer is charged to.
    pub(crate) fn source(&self, peer: PeerId) -> Source {
        self.shares.source(peer)
    }

    pub(crate) fn is_native(&self, peer: &PeerId) -> bool {
        let peers = self.shares.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(peer).and_then(|peer| peer.identity.as_ref()).is_some_and(|it| it.native)
    }
}
