//! What a host tells the node, through a channel that is bounded in events and in bytes.

use std::sync::Arc;

use libp2p::PeerId;
use libp2p::gossipsub::MessageId;
use optimusdb_dag::Address;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::limits::{EVENTS_KIB, EVENTS_MAX};

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A peer is connected, has said who it is, and was let in.
    PeerUp {
        /// The peer.
        peer: PeerId,
        /// Whether it speaks this program's fast sync.
        native: bool,
    },
    /// A peer that was up has left.
    PeerDown {
        /// The peer.
        peer: PeerId,
    },
    /// A peer that is up wants the announcements of a store that is open here.
    Subscribed {
        /// The peer.
        peer: PeerId,
        /// The store.
        log: Address,
    },
    /// A peer does not want them any more.
    Unsubscribed {
        /// The peer.
        peer: PeerId,
        /// The store.
        log: Address,
    },
    /// A peer passed an entry on. It goes no further until it is judged: see
    /// [`Swarm::validated`](crate::Swarm::validated).
    Announced {
        /// Who sent it to us, not who wrote it.
        peer: PeerId,
        /// The store.
        log: Address,
        /// The bytes that should be an entry.
        block: Vec<u8>,
        /// What to judge it by.
        announcement: Announcement,
    },
    /// A peer opened a heads stream and sent its heads.
    Heads {
        /// The peer.
        peer: PeerId,
        /// The store.
        log: Address,
        /// Each the bytes of one CBOR item, which should be an entry.
        blocks: Vec<Vec<u8>>,
    },
    /// Somebody else runs with the key of this node.
    Copied {
        /// How that showed.
        why: String,
    },
}

/// An announcement that waits to be judged.
#[derive(Debug, Clone)]
pub struct Announcement {
    pub(crate) message: MessageId,
    pub(crate) peer: PeerId,
    /// Whether `peer` wrote the message itself.
    pub(crate) own: bool,
}

impl Announcement {
    /// Whether the peer that sent it to us wrote it itself.
    pub fn is_own(&self) -> bool {
        self.own
    }
}

/// An event on its way, and the room that its bytes take.
#[derive(Debug)]
struct Queued {
    event: Event,
    _room: Option<OwnedSemaphorePermit>,
}

/// The receiving end.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Queued>,
}

impl Events {
    /// The next event; `None` when the host has stopped.
    pub async fn recv(&mut self) -> Option<Event> {
        self.receiver.recv().await.map(|queued| queued.event)
    }
}

/// The sending end.
#[derive(Debug, Clone)]
pub(crate) struct EventSender {
    sender: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
}

/// A place in the channel.
pub(crate) struct EventPermit<'a>(mpsc::Permit<'a, Queued>);

impl EventPermit<'_> {
    pub(crate) fn send(self, event: Event) {
        self.0.send(Queued { event, _room: None });
    }
}

/// The two ends of the channel.
pub(crate) fn channel() -> (EventSender, Events) {
    let (sender, receiver) = mpsc::channel(EVENTS_MAX);
    let room = Arc::new(Semaphore::new(EVENTS_KIB as usize));
    (EventSender { sender, room }, Events { receiver })
}

impl EventSender {
    /// Waits for a place. `None` if nobody receives any more.
    pub(crate) async fn reserve(&self) -> Option<EventPermit<'_>> {
        self.sender.reserve().await.ok().map(EventPermit)
    }

    /// Sends an event that carries `bytes` if there is room now; false if it was dropped.
    ///
    /// The last tenth of the channel is kept free for events that may not be lost.
    pub(crate) fn try_send(&self, event: Event, bytes: usize) -> bool {
        if self.sender.capacity() <= EVENTS_MAX / 10 {
            return false;
        }
        let Ok(room) = self.room.clone().try_acquire_many_owned(kib(bytes)) else {
            return false;
        };
        self.sender.try_send(Queued { event, _room: Some(room) }).is_ok()
    }

    /// Sends an event that carries `bytes`, and waits for room. False if nobody receives any more.
    pub(crate) async fn send(&self, event: Event, bytes: usize) -> bool {
        let Ok(room) = self.room.clone().acquire_many_owned(kib(bytes)).await else {
            return false;
        };
        self.sender.send(Queued { event, _room: Some(room) }).await.is_ok()
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(EVENTS_KIB).clamp(1, EVENTS_KIB)
}
