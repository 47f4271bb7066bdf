//! The task that owns the libp2p swarm. Others send it commands through a bounded channel.
//!
//! What comes from the network is taken apart in `on_*.rs`; this file has the state, the loop, and
//! what is done from time to time.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libp2p::futures::StreamExt;
use libp2p::kad::QueryId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId};
use optimusdb_dag::Address;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::Error;
use crate::command::Command;
use crate::event::{Event, EventSender};
use crate::host::behaviour::{Behaviour, BehaviourEvent};
use crate::host::figures::Counters;
use crate::host::peer_events::PeerEvents;
use crate::limits::{
    CONNECTED_PEERS_TARGET, FAREWELL_DELAY, IDENTIFY_TIMEOUT, SHUTDOWN_TIMEOUT, TICK,
};
use crate::peering::address_book::AddressBook;
use crate::peering::dialler::{DialEffect, DialFailure, Dialler};
use crate::peering::encounters::Encounters;
use crate::peering::gate::Refusal;
use crate::peering::lookups::Lookups;
use crate::peering::peers::Peers;
use crate::peering::provided::Provided;
use crate::peering::relays::Relays;
use crate::peering::score::Scores;
use crate::peering::target;
use crate::protocols::bitswap::Bitswap;
use crate::protocols::serving::Serving;
use crate::protocols::streams;
use crate::rate::TokenBucket;
use crate::reason;

/// What a host is and what it may do; fixed at its start.
pub(crate) struct Profile {
    pub(crate) own: PeerId,
    pub(crate) swarm: String,
    pub(crate) version: String,
    /// Without QUIC the swarm is a private one.
    pub(crate) quic: bool,
}

/// What the event loop shares with the handles.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) peers: Arc<Mutex<Peers>>,
    pub(crate) listen: Arc<Mutex<Vec<Multiaddr>>>,
    pub(crate) counters: Arc<Counters>,
}

impl Shared {
    pub(crate) fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listen(&self) -> MutexGuard<'_, Vec<Multiaddr>> {
        self.listen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A `connect` that is under way.
pub(crate) struct Waiter {
    pub(crate) address: Multiaddr,
    pub(crate) peer: Option<PeerId>,
    pub(crate) reply: oneshot::Sender<Result<PeerId, Error>>,
}

/// How much a peer may announce.
pub(crate) struct Rates {
    pub(crate) announcements: TokenBucket,
    pub(crate) bytes: TokenBucket,
    /// How often it counts as an offence that the peer announced more.
    pub(crate) floods: TokenBucket,
}

/// What a host is made of.
pub(crate) struct Parts {
    pub(crate) swarm: Box<libp2p::Swarm<Behaviour>>,
    pub(crate) control: streams::Control,
    pub(crate) bitswap: Bitswap,
    pub(crate) profile: Profile,
    pub(crate) shared: Shared,
    pub(crate) serving: Arc<Serving>,
    pub(crate) events: EventSender,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) weak_commands: mpsc::WeakSender<Command>,
    pub(crate) dialler: Dialler,
}

/// The owner of the libp2p swarm.
pub(crate) struct Host {
    pub(crate) swarm: Box<libp2p::Swarm<Behaviour>>,
    pub(crate) control: streams::Control,
    pub(crate) bitswap: Bitswap,
    pub(crate) profile: Profile,
    pub(crate) shared: Shared,
    pub(crate) serving: Arc<Serving>,
    pub(crate) events: EventSender,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) weak_commands: mpsc::WeakSender<Command>,
    pub(crate) open: HashSet<Address>,
    pub(crate) accepting: HashMap<Address, AbortHandle>,
    pub(crate) peer_events: PeerEvents,
    pub(crate) dialler: Dialler,
    pub(crate) address_book: AddressBook,
    pub(crate) scores: Scores,
    pub(crate) rates: HashMap<PeerId, Rates>,
    pub(crate) waiters: HashMap<ConnectionId, Waiter>,
    pub(crate) encounters: Encounters,
    pub(crate) relays: Relays,
    /// Whether this node relays to others. It does so once a peer has reached it.
    pub(crate) relaying: bool,
    pub(crate) lookups: Lookups,
    /// The roots that the swarm is told this node has.
    pub(crate) provided: Provided,
    /// Searches under way for those who have a file, and how many each has had dialled.
    pub(crate) searches: HashMap<QueryId, usize>,
    /// Something to report when there is room: that the repository is copied.
    pub(crate) copied: Option<String>,
    /// When the journal last told of a host without the swarm key.
    pub(crate) stranger_told: Option<Instant>,
    /// When the journal last told of a listener's trouble.
    pub(crate) listener_told: Option<Instant>,
    /// Connections that are being asked whether they live.
    pub(crate) doubted: HashSet<ConnectionId>,
    /// Peers that were refused and are disconnected in a moment.
    pub(crate) leaving: HashMap<PeerId, Instant>,
    pub(crate) faded: Instant,
}

impl Host {
    pub(crate) fn new(parts: Parts) -> Box<Host> {
        Box::new(Host {
            swarm: parts.swarm,
            control: parts.control,
            bitswap: parts.bitswap,
            profile: parts.profile,
            shared: parts.shared,
            serving: parts.serving,
            events: parts.events,
            commands: parts.commands,
            weak_commands: parts.weak_commands,
            dialler: parts.dialler,
            open: HashSet::new(),
            accepting: HashMap::new(),
            peer_events: PeerEvents::default(),
            address_book: AddressBook::default(),
            scores: Scores::default(),
            rates: HashMap::new(),
            waiters: HashMap::new(),
            encounters: Encounters::default(),
            relays: Relays::default(),
            relaying: false,
            lookups: Lookups::new(Instant::now()),
            provided: Provided::default(),
            searches: HashMap::new(),
            copied: None,
            stranger_told: None,
            listener_told: None,
            doubted: HashSet::new(),
            leaving: HashMap::new(),
            faded: Instant::now(),
        })
    }

    /// Runs until it is told to stop or the last handle is dropped. `early` is what happened
    /// before.
    pub(crate) async fn run(mut self: Box<Self>, early: Vec<SwarmEvent<BehaviourEvent>>) {
        early.into_iter().for_each(|event| self.on_swarm(event));
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let events = self.events.clone();
        loop {
            let telling = !self.peer_events.is_empty() || self.copied.is_some();
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm(event),
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown) | None => break,
                    Some(command) => self.on_command(command),
                },
                permit = events.reserve(), if telling => match permit {
                    Some(permit) => {
                        let event = match self.copied.take() {
                            Some(why) => Some(Event::Copied { why }),
                            None => self.peer_events.next(&self.shared.peers(), &self.open),
                        };
                        if let Some(event) = event {
                            permit.send(event);
                        }
                    }
                    // The node takes no events any more: it is stopping.
                    None => break,
                },
                _ = tick.tick() => self.on_tick(Instant::now()),
            }
        }
        self.stop().await;
    }

    /// Closes all connections. Peers notice that at once, and a broken connection only after a time.
    async fn stop(mut self: Box<Self>) {
        self.bitswap.close();
        for (_, accepting) in self.accepting.drain() {
            accepting.abort();
        }
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closing = async {
            while self.swarm.network_info().connection_counters().num_established() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT / 2, closing).await.is_err() {
            tracing::debug!("some connections did not close in time and are dropped");
        }
        *self.shared.peers() = Peers::default();
    }

    fn on_tick(&mut self, now: Instant) {
        let peers = self.shared.peers.clone();
        let connected =
            |id: &PeerId| peers.lock().unwrap_or_else(PoisonError::into_inner).is_connected(id);
        for effect in self.dialler.due(now, connected) {
            self.take_effect(now, effect);
        }
        let wanted = CONNECTED_PEERS_TARGET.saturating_sub(self.shared.peers().count());
        for (peer, addresses) in self.address_book.due(now, wanted, connected) {
            let options = DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addresses)
                .build();
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(%peer, why = reason(&error), "a known peer was not dialled");
            }
        }
        self.copied = self.copied.take().or_else(|| self.encounters.copied(now));
        for peer in self.shared.peers().silent(now, IDENTIFY_TIMEOUT) {
            tracing::debug!(%peer, "a peer did not say who it is");
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let gone: Vec<PeerId> =
            self.leaving.extract_if(|_, until| *until <= now).map(|(peer, _)| peer).collect();
        for peer in gone {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        // Forgets the callers that gave up.
        self.waiters.retain(|_, waiter| !waiter.reply.is_closed());
        self.look_for_relays(now);
        self.leave_relayed(now);
        self.look_up_peers(now);
        self.tell_of_roots(now);
        if now.saturating_duration_since(self.faded) > Duration::from_secs(10) {
            self.faded = now;
            if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
                kad.store_mut().expire(now);
            }
            for (peer, points) in self.scores.fade(now) {
                self.swarm.behaviour_mut().gossip.set_application_score(&peer, -points);
            }
            let refused = self.swarm.behaviour().gate.refused();
            self.shared.counters.connections_refused.store(refused, Ordering::Relaxed);
        }
    }

    /// Carries out an effect of the dialler, and those that follow from it.
    pub(crate) fn take_effect(&mut self, now: Instant, effect: DialEffect) {
        let mut next = Some(effect);
        while let Some(effect) = next.take() {
            match effect {
                DialEffect::Resolve { seed, host, port } => {
                    let commands = self.weak_commands.clone();
                    tokio::spawn(async move {
                        let found = target::resolve(&host, port).await;
                        if let Some(commands) = commands.upgrade() {
                            let _ = commands.send(Command::Resolved { seed, found }).await;
                        }
                    });
                }
                DialEffect::Dial { seed, way } => match self.dial(way.next.clone()) {
                    Ok(connection) => self.dialler.on_dialling(connection, seed, way),
                    Err(error) => {
                        let failure = match error {
                            Error::OwnAddress(_) => DialFailure::Own,
                            _ => DialFailure::Failed,
                        };
                        let why = error.to_string();
                        next = self.dialler.on_not_dialled(now, seed, way, failure, &why);
                    }
                },
            }
        }
    }

    /// Begins to dial an address.
    pub(crate) fn dial(&mut self, address: Multiaddr) -> Result<ConnectionId, Error> {
        let peer = target::peer_of(&address);
        if peer == Some(self.profile.own) {
            return Err(Error::OwnAddress(address.to_string()));
        }
        let options = match peer {
            Some(peer) => DialOpts::peer_id(peer)
                .condition(PeerCondition::Always)
                .addresses(vec![address.clone()])
                .build(),
            None => {
                let options = DialOpts::unknown_peer_id().address(address.clone());
                // A name may lead to this node itself. From the port that it listens on to the same
                // port no connection is possible.
                let named = crate::source::ip_of(&address).is_none();
                if named { options.allocate_new_port() } else { options }.build()
            }
        };
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => Ok(connection),
            Err(error) => Err(self.dial_error(&address, peer, &error)),
        }
    }

    /// Sends a peer away and keeps it out.
    pub(crate) fn send_away(&mut self, peer: PeerId, why: Refusal, time: Duration) {
        let now = Instant::now();
        let error = self.refusal_error(peer, &why);
        if why == Refusal::Banned {
            let _ = self.swarm.disconnect_peer_id(peer);
        } else {
            // It should hear who we are first, so that its journal says the same as ours.
            self.leaving.insert(peer, now + FAREWELL_DELAY);
        }
        self.swarm.behaviour_mut().gate.keep_out(now, peer, why, time);
        self.address_book.forget(&peer);
        self.dialler.on_refused(now, &peer, time);
        let waiting: Vec<ConnectionId> = self
            .waiters
            .iter()
            .filter(|(_, waiter)| waiter.peer == Some(peer))
            .map(|(connection, _)| *connection)
            .collect();
        let mut error = Some(error);
        for connection in waiting {
            if let Some(waiter) = self.waiters.remove(&connection) {
                let _ = waiter.reply.send(Err(error.take().unwrap_or(Error::Banned(peer))));
            }
        }
    }

    pub(crate) fn refusal_error(&self, peer: PeerId, why: &Refusal) -> Error {
        match why {
            Refusal::Banned => Error::Banned(peer),
            Refusal::TooOften => Error::Limit(why.to_string()),
            Refusal::OtherSwarm(theirs) => {
                let (theirs, ours) = (theirs.as_str().into(), self.profile.swarm.as_str().into());
                Error::OtherSwarm { peer, theirs, ours }
            }
            Refusal::OtherVersion(theirs) => {
                let (theirs, ours) = (theirs.as_str().into(), self.profile.version.as_str().into());
                Error::OtherVersion { peer, theirs, ours }
            }
        }
    }
}
