//! The driver: one thread that owns the replicators of all shared stores.
//!
//! It tells a replicator what has come and carries out the effects that it answers with. An effect
//! that waits for a peer or for a commit is a task, which sends its outcome back as an [`Input`].
//! Announcements may be lost on their way here; outcomes never are.

use super::catch_up::CatchUp;
use super::connected_peers::ConnectedPeers;
use super::effects::Effects;
use super::input::Input;
use super::snapshot::{Identities, Snapshot};
use super::status::Status;
use super::{OnPeer, Sources};
use crate::limits::{DRIVER_SLEEP_MS_MAX, READ_MS_MAX, UNREAD_RETRY_MS};
use crate::writer::ReceivedEntries;
use optimusdb_dag::Address;
use optimusdb_dag::replicator::{AnnouncementId, Effect, Peer, Replicator, Verdict};
use optimusdb_storage::StoreRef;
use optimusdb_swarm::{Announcement, Event, Events, Swarm};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender};

/// A store and its replicator.
struct Driven {
    store: StoreRef,
    replicator: Replicator,
    catch_up: CatchUp,
}

/// What the thread owns.
pub(super) struct Driver {
    swarm: Swarm,
    sources: Sources,
    status: Status,
    effects: Effects,
    runtime: Handle,
    on_peer: OnPeer,
    started: Instant,
    stores: HashMap<Address, Driven>,
    /// Stores of which it cannot be read who may write, and when that is tried again.
    unread: HashMap<Address, (StoreRef, u64)>,
    peers: ConnectedPeers,
    identities: Identities,
    announcements: HashMap<AnnouncementId, Announcement>,
    last_announcement: u64,
    copy_reported: bool,
}

/// What woke the driver up.
enum Woken {
    Input(Input),
    Event(Event),
    /// Who may write has changed somewhere.
    Access,
    Time,
    End,
}

impl Driver {
    pub(super) fn new(
        swarm: Swarm,
        sources: Sources,
        status: Status,
        inputs: Sender<Input>,
        runtime: Handle,
        on_peer: OnPeer,
    ) -> Driver {
        Driver {
            effects: Effects::new(swarm.clone(), sources.clone(), inputs, runtime.clone()),
            swarm,
            sources,
            status,
            runtime,
            on_peer,
            started: Instant::now(),
            stores: HashMap::new(),
            unread: HashMap::new(),
            peers: ConnectedPeers::default(),
            identities: Identities::default(),
            announcements: HashMap::new(),
            last_announcement: 0,
            copy_reported: false,
        }
    }

    /// Works until the node stops.
    pub(super) fn run(mut self, mut inputs: Receiver<Input>, mut events: Events) {
        let runtime = self.runtime.clone();
        let mut accesses = self.sources.accesses.changes();
        loop {
            let sleep = self.sleep();
            let woken = runtime.block_on(async {
                tokio::select! {
                    input = inputs.recv() => input.map_or(Woken::End, Woken::Input),
                    event = events.recv() => event.map_or(Woken::End, Woken::Event),
                    Ok(()) = accesses.changed() => Woken::Access,
                    () = tokio::time::sleep(sleep) => Woken::Time,
                }
            });
            match woken {
                Woken::Input(Input::Stop) | Woken::End => return,
                Woken::Input(input) => self.input(input),
                Woken::Event(event) => self.event(event),
                Woken::Access => self.judge_anew(),
                Woken::Time => {}
            }
            self.due();
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Until something is due.
    fn sleep(&self) -> Duration {
        let due_ms = self.stores.values().map(|driven| driven.replicator.due_ms()).min();
        let left_ms = due_ms.map_or(u64::MAX, |due_ms| due_ms.saturating_sub(self.now_ms()));
        Duration::from_millis(left_ms.min(DRIVER_SLEEP_MS_MAX))
    }

    /// Lets every replicator do what is due.
    fn due(&mut self) {
        let now = self.now_ms();
        let again = self.unread.values().filter(|(_, due_ms)| *due_ms <= now);
        let again: Vec<StoreRef> = again.map(|(store, _)| *store).collect();
        again.into_iter().for_each(|store| self.add(store));
        let due = self.stores.iter().filter(|(_, driven)| driven.replicator.due_ms() <= now);
        let due: Vec<Address> = due.map(|(log, _)| *log).collect();
        for log in due {
            self.with(&log, |now, replicator, snapshot| replicator.on_tick(now, snapshot));
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::StoreAdded(store) => self.add(store),
            Input::Fetched { log, cid, block } => self.with(&log, |now, replicator, snapshot| {
                replicator.on_fetched(now, snapshot, cid, block.as_deref())
            }),
            Input::Replied { log, peer, number, reply } => {
                self.with_word_of(peer, &log, |now, replicator, snapshot| {
                    replicator.on_reply(now, snapshot, peer, number, reply.as_deref())
                })
            }
            Input::Heads { log, peer, blocks } => {
                self.with_word_of(peer, &log, |now, replicator, snapshot| {
                    replicator.on_heads(now, snapshot, peer, &blocks)
                })
            }
            Input::Stored { log, stored } => {
                if let (Some(driven), Some(entries)) = (self.stores.get_mut(&log), stored) {
                    driven.catch_up.stored(entries);
                }
                self.with(&log, |now, replicator, snapshot| {
                    replicator.on_stored(now, snapshot, stored.is_some())
                });
            }
            Input::Stop => {}
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::PeerUp { peer, native } => {
                (self.on_peer)();
                let number = self.peers.number(peer);
                for log in self.peers.up(peer, native) {
                    self.with(&log, |now, replicator, snapshot| {
                        replicator.on_peer(now, snapshot, number, native)
                    });
                }
            }
            Event::PeerDown { peer } => {
                self.effects.forget(peer);
                let Some((number, logs)) = self.peers.down(peer) else { return };
                for log in logs {
                    self.with(&log, |now, replicator, snapshot| {
                        replicator.on_peer_gone(now, snapshot, number)
                    });
                }
            }
            Event::Subscribed { peer, log } => {
                let number = self.peers.number(peer);
                if let Some(native) = self.peers.subscribed(peer, log) {
                    self.with(&log, |now, replicator, snapshot| {
                        replicator.on_peer(now, snapshot, number, native)
                    });
                }
            }
            Event::Unsubscribed { peer, log } => {
                let number = self.peers.number(peer);
                self.peers.unsubscribed(peer, &log);
                self.with(&log, |now, replicator, snapshot| {
                    replicator.on_peer_gone(now, snapshot, number)
                });
            }
            Event::Announced { peer, log, block, announcement } => {
                let (number, now) = (self.peers.number(peer), self.now_ms());
                let is_excess = self.stores.get_mut(&log).is_some_and(|driven| {
                    if announcement.is_own() {
                        driven.replicator.on_author(now, number);
                    }
                    driven.replicator.is_excess(now, number)
                });
                if is_excess {
                    return self.hand(self.swarm.validated(announcement, Verdict::Ignore));
                }
                self.last_announcement += 1;
                let name = AnnouncementId(self.last_announcement);
                self.announcements.insert(name, announcement);
                self.with_word_of(number, &log, |now, replicator, snapshot| {
                    replicator.on_announced(now, snapshot, number, name, &block)
                });
            }
            Event::Heads { peer, log, blocks } => {
                let number = self.peers.number(peer);
                self.with_word_of(number, &log, |now, replicator, snapshot| {
                    replicator.on_heads(now, snapshot, number, &blocks)
                });
            }
            Event::Copied { why } => tracing::error!(
                "another node runs with the keys of this one ({why}): the data directory was \
                 copied; stop one of them, or give it a directory of its own with -repo"
            ),
            _ => {}
        }
    }

    fn add(&mut self, store: StoreRef) {
        let log = store.address;
        let access = match self.sources.accesses.read(&self.sources.readers, &store) {
            Ok(access) => access,
            // An entry that says so may be damaged; it may come back.
            Err(error) => {
                let due_ms = self.now_ms().saturating_add(UNREAD_RETRY_MS);
                if self.unread.insert(log, (store, due_ms)).is_none() {
                    tracing::error!("{} is not replicated: {error}", self.name(&log));
                }
                return;
            }
        };
        if self.unread.remove(&log).is_some() {
            tracing::info!("{} is replicated again", self.name(&log));
        }
        let seed = u64::from(std::process::id()) ^ (store.id.cast_unsigned() << 32);
        let replicator = Replicator::new(self.now_ms(), log, access, seed);
        self.stores.insert(log, Driven { store, replicator, catch_up: CatchUp::default() });
        for (peer, native) in self.peers.with(&log) {
            self.with(&log, |now, replicator, snapshot| {
                replicator.on_peer(now, snapshot, peer, native)
            });
        }
    }

    /// Tells the replicators who may write by now, where that can change.
    fn judge_anew(&mut self) {
        for store in self.stores.values().map(|driven| driven.store).collect::<Vec<_>>() {
            match self.sources.accesses.read(&self.sources.readers, &store) {
                Ok(access) if access.is_mutable() => {
                    self.with(&store.address, |now, replicator, snapshot| {
                        replicator.set_access(now, snapshot, access)
                    });
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!("who may write to {}: {error}", self.name(&store.address));
                }
            }
        }
    }

    /// As [`Driver::with`], with what a peer sent. If it brought entries, the peer has proved useful.
    fn with_word_of(
        &mut self,
        peer: Peer,
        log: &Address,
        ask: impl FnOnce(u64, &mut Replicator, &Snapshot<'_>) -> Vec<Effect>,
    ) {
        let mut brought = false;
        self.with(log, |now, replicator, snapshot| {
            let effects = ask(now, replicator, snapshot);
            brought = effects.iter().any(|effect| matches!(effect, Effect::Store { .. }));
            effects
        });
        if brought && let Some(id) = self.peers.proved(peer) {
            self.hand(self.swarm.proved(id));
        }
    }

    /// Asks the replicator of a store, in one state of the database, and does what it says.
    fn with(
        &mut self,
        log: &Address,
        ask: impl FnOnce(u64, &mut Replicator, &Snapshot<'_>) -> Vec<Effect>,
    ) {
        let now = self.now_ms();
        let Some(driven) = self.stores.get_mut(log) else { return };
        let wait = Duration::from_millis(READ_MS_MAX);
        let (store, identities) = (driven.store, &self.identities);
        let effects = self.sources.readers.read(wait, |view| {
            let snapshot = Snapshot::new(view, &store, identities)?;
            Ok(ask(now, &mut driven.replicator, &snapshot))
        });
        match effects {
            Ok(effects) => {
                let behind = driven.replicator.behind();
                if let Some(report) = driven.catch_up.look(now, behind.unwrap_or(0)) {
                    report.tell(&self.sources.names.name_at(log));
                }
                self.status.set(*log, behind);
                effects.into_iter().for_each(|effect| self.carry_out(&store, effect));
            }
            Err(error) => {
                // The replicator has missed this; a new one asks the peers for everything again.
                tracing::error!("the replication of {} begins anew: {error}", self.name(log));
                self.stores.remove(log);
                self.add(store);
            }
        }
    }

    fn carry_out(&mut self, store: &StoreRef, effect: Effect) {
        let log = store.address;
        match effect {
            Effect::Fetch { cid, from } => {
                let from = from.into_iter().filter_map(|peer| self.peers.id(peer)).collect();
                self.effects.fetch(log, cid, from);
            }
            Effect::Store { entries, identities, passed, restored } => {
                if entries.iter().any(|entry| entry.key() == self.sources.identity.public_key) {
                    self.own_entries_from_elsewhere(&log);
                }
                let received = ReceivedEntries { entries, identities, passed, restored };
                self.effects.store(*store, received);
            }
            Effect::Ask { peer, number, request } => {
                self.effects.ask(log, (peer, self.peers.id(peer)), number, request);
            }
            Effect::SendHeads { peer } => {
                if let Some(id) = self.peers.id(peer) {
                    self.effects.exchange_heads(log, peer, id);
                }
            }
            Effect::Reconsider => self.with(&log, |now, replicator, snapshot| {
                let blocks = snapshot.passed().into_iter().filter_map(|cid| snapshot.block(&cid));
                blocks.flat_map(|block| replicator.reconsider(now, snapshot, &block)).collect()
            }),
            Effect::Verdict { id, verdict } => {
                if let Some(announcement) = self.announcements.remove(&id) {
                    self.hand(self.swarm.validated(announcement, verdict));
                }
            }
            Effect::Blame { peer, why } => {
                if let Some(id) = self.peers.id(peer) {
                    self.hand(self.swarm.blame(id, why));
                }
            }
        }
    }
}

impl Driver {
    fn name(&self, log: &Address) -> String {
        self.sources.names.name_at(log)
    }

    /// Hands something to the swarm, whose task takes it as soon as it has a moment.
    fn hand(&self, telling: impl Future<Output = Result<(), optimusdb_swarm::Error>>) {
        if let Err(error) = self.runtime.block_on(telling) {
            tracing::debug!("the swarm was not told: {error}");
        }
    }

    /// Entries signed here that this node does not have: another node has its keys, or it runs on
    /// an older copy of its own directory. Either way they belong to the log.
    fn own_entries_from_elsewhere(&mut self, log: &Address) {
        if std::mem::replace(&mut self.copy_reported, true) {
            return;
        }
        let name = self.name(log);
        tracing::error!(
            "peers have entries of {name} that were signed with this node's key and that it does not \
             have: its data directory was copied and both run, or it was restored from a backup. \
             Nothing is lost; never run two nodes with one directory's keys"
        );
    }
}
