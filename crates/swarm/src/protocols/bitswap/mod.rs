//! Bitswap 1.2.0: blocks from peers, and blocks for peers.
//!
//! [`Bitswap`] is the handle: [`Bitswap::fetch`] gets a block from connected peers, and what peers
//! want is answered from [`Local`]. The bytes are described in
//! `docs/format-bitswap.md`. Underneath, two machines decide: the client says whom to ask for what,
//! and when to ask another peer; the server says which peer is answered next. One task, the engine,
//! owns both; a task per stream reads, a task per peer writes, and all queues between them are bounded.
//!
//! A block of any codec is exchanged, under each hash that can be computed here. It is taken only
//! under the address computed from its bytes, so a wrong one is simply a block that nobody asked for.

mod client;
mod engine;
mod error;
pub mod limits;
mod look_up;
mod message;
mod outbox;
mod reader;
mod roster;
mod server;
pub(crate) mod session;
mod turns;
mod window;
mod wire;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use libp2p::{PeerId, StreamProtocol};
use optimusdb_dag::{Cid, HashCode};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::Local;
use crate::peering::shares::Shares;
use crate::protocols::streams::{AlreadyRegistered, Control};

use client::SessionTicket;
use engine::{Engine, EngineCommand};
use limits::{COMMANDS_MAX, FETCH_LIFE_MS, FETCHES_MAX, STORED_BLOCKS_MAX};
use roster::{Change, Roster};

/// The protocol; versions before it are not spoken.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");

/// Why a block was not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// All peers that could be asked say that they do not have it, or there are none.
    #[error("no connected peer has the block")]
    NotFound,
    /// Somebody may have it, and it did not come in time.
    #[error("the block did not come in time")]
    TimedOut,
    /// Bitswap has ended.
    #[error("bitswap has ended")]
    Closed,
}

/// What bitswap has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Blocks that arrived and were waited for.
    pub blocks_received: u64,
    /// Blocks that arrived and were not (or no longer) waited for.
    pub blocks_unwanted: u64,
    /// Bytes of the blocks that arrived and were waited for.
    pub bytes_received: u64,
    /// Fetches that brought no block.
    pub fetches_failed: u64,
    /// Sessions that were begun.
    pub sessions: u64,
    /// Blocks sent.
    pub blocks_sent: u64,
    /// Bytes of the blocks sent.
    pub bytes_sent: u64,
    /// Streams that broke the format or a limit.
    pub streams_refused: u64,
    /// Wants of peers over their limit.
    pub wants_dropped: u64,
}

#[derive(Default)]
struct BlockCounters {
    blocks_received: AtomicU64,
    blocks_unwanted: AtomicU64,
    bytes_received: AtomicU64,
    fetches_failed: AtomicU64,
    sessions: AtomicU64,
    blocks_sent: AtomicU64,
    bytes_sent: AtomicU64,
    streams_refused: AtomicU64,
    wants_dropped: AtomicU64,
}

/// Whom to ask for a block first.
enum Asked {
    /// These, best first.
    Candidates(Vec<PeerId>),
    /// Those who had the earlier blocks of a session.
    InSession(Arc<SessionTicket>),
}

/// What the handles and the engine have in common.
struct EngineShared {
    roster: Roster,
    shares: Shares,
    counters: BlockCounters,
    /// Whether a block that arrives here could matter to a peer.
    peers_wait: AtomicBool,
    /// The host has stopped.
    closed: AtomicBool,
}

/// A handle to bitswap. It ends when the last one is dropped.
#[derive(Clone)]
pub struct Bitswap {
    commands: mpsc::Sender<EngineCommand>,
    shared: Arc<EngineShared>,
    turns: Arc<Semaphore>,
}

impl Bitswap {
    /// Starts bitswap over streams; peers are answered from `local`, and charged for it. Must be called on a runtime.
    pub(crate) fn start(
        mut control: Control,
        local: Arc<dyn Local>,
        shares: Shares,
    ) -> Result<Bitswap, AlreadyRegistered> {
        let accepted = control.accept(PROTOCOL)?;
        let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
        let shared = Arc::new(EngineShared {
            roster: Roster::default(),
            shares,
            counters: BlockCounters::default(),
            peers_wait: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let engine = Engine::new(control, local, Arc::clone(&shared));
        tokio::spawn(engine.run(accepted, commanded));
        Ok(Bitswap { commands, shared, turns: Arc::new(Semaphore::new(FETCHES_MAX)) })
    }

    /// A peer has said who it is: a node of the own swarm, or not.
    pub(crate) fn peer_up(&self, peer: PeerId, member: bool) {
        self.shared.roster.tell(peer, Change::Up { member });
    }

    /// The last connection to a peer is gone.
    pub(crate) fn peer_down(&self, peer: PeerId) {
        self.shared.roster.tell(peer, Change::Down);
    }

    /// Ends all fetches and answers nobody any more.
    pub(crate) fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.roster.wake();
    }

    /// Gets a block from connected peers: from `candidates` first, best first, then from others.
    ///
    /// Its bytes hash to `cid`. Dropping the future ends the fetch, unless others wait for the same
    /// block. An address that holds its block asks nobody.
    ///
    /// # Errors
    /// [`FetchError`]: nobody has it, it did not come in time, or bitswap has ended.
    pub async fn fetch(
        &self,
        cid: impl Into<Cid>,
        candidates: Vec<PeerId>,
    ) -> Result<Vec<u8>, FetchError> {
        self.ask(cid.into(), Asked::Candidates(candidates)).await.map(|(block, _)| block)
    }

    async fn ask(&self, cid: Cid, asked: Asked) -> Result<(Vec<u8>, Option<PeerId>), FetchError> {
        if cid.hash().code() == HashCode::Identity {
            return Ok((cid.hash().digest().to_vec(), None));
        }
        let life = Duration::from_millis(FETCH_LIFE_MS);
        let turn = timeout(life, self.turns.acquire()).await.map_err(|_| FetchError::TimedOut)?;
        let _turn = turn.map_err(|_| FetchError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let command = EngineCommand::Fetch { cid, asked, reply };
        self.commands.send(command).await.map_err(|_| FetchError::Closed)?;
        let (block, sender) = answer.await.map_err(|_| FetchError::Closed)??;
        Ok((block, Some(sender)))
    }

    /// Blocks are here that were not before: peers that still wait for them are served.
    ///
    /// Never waits. Costs nothing while no peer waits for anything.
    pub fn stored(&self, cids: &[impl Clone + Into<Cid>]) {
        if !self.shared.peers_wait.load(Ordering::Acquire) {
            return;
        }
        for part in cids.chunks(STORED_BLOCKS_MAX) {
            // When the engine is behind, these peers have to ask again.
            let part = part.iter().cloned().map(Into::into).collect();
            let _ = self.commands.try_send(EngineCommand::Stored(part));
        }
    }

    /// What bitswap has done so far.
    pub fn counts(&self) -> Counts {
        let counters = &self.shared.counters;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            blocks_received: count(&counters.blocks_received),
            blocks_unwanted: count(&counters.blocks_unwanted),
            bytes_received: count(&counters.bytes_received),
            fetches_failed: count(&counters.fetches_failed),
            sessions: count(&counters.sessions),
            blocks_sent: count(&counters.blocks_sent),
            bytes_sent: count(&counters.bytes_sent),
            streams_refused: count(&counters.streams_refused),
            wants_dropped: count(&counters.wants_dropped),
        }
    }
}

#[cfg(test)]
mod tests;

/// For the fuzz target: a message as it is on the wire, and as it comes on a stream.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz(bytes: &[u8]) {
    if let Ok(message) = message::Message::decode(bytes) {
        let framed = message.encode_framed();
        let (length, body) =
            wire::read_varint(&framed).ok().flatten().expect("a length is in front");
        assert_eq!(length, body.len() as u64);
        // What another node wrote at greater length than we would is within our limits, too.
        assert_eq!(message::Message::decode(body).as_ref(), Ok(&message));
        reader::ReceivedMessage::decode(bytes).expect("it is a message");
    }
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build();
    clock.expect("a clock").block_on(async {
        let mut stream = libp2p::futures::io::Cursor::new(bytes);
        let pool = reader::ReadPool::of_peer(reader::ReadPool::all());
        while let Ok(Some(_)) = reader::next_message(&mut stream, &pool).await {}
    });
}
