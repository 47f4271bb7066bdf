//! The replicator: how one store keeps level with its peers.
//!
//! A machine around a [`Join`] and a [`Pull`]. It is told of peers, announcements,
//! heads, blocks, replies and of the time, and answers with [`Effect`]s. There are
//! two sorts of peers: native ones speak fast sync and are pulled from; with all
//! others heads are exchanged and blocks fetched one by one. Invariants:
//!
//! - Every announcement gets exactly one verdict, and none is accepted before its
//!   signature, the binding of its key and its writer's right are checked.
//! - One [`Effect::Store`] is under way at a time, and what is stored later never
//!   lacks ancestors that were to be stored before. When storing fails, all that
//!   was ready is dropped and fetched again from the peers.
//! - One pull is under way at a time. A call for another meanwhile is remembered.
//! - A head whose ancestors cannot be had is tried again, after longer and longer
//!   waits, and holds up no other. What is kept stays within [`crate::limits`],
//!   whatever peers send.
//! - Nothing depends on a message that may be lost: some native peer is pulled
//!   from and heads are exchanged from time to time.
//!
//! It does not announce: the node that writes an entry announces it after its commit,
//! and the nodes that accept it pass it on. It does not answer requests either:
//! [`crate::sync::serve`] does.

mod announcements;
mod effect;
mod fetches;
mod heads;
mod jitter;
mod peers;
mod pulling;
mod store_queue;
mod turn;
mod wanted_heads;

use std::collections::BTreeMap;
use std::sync::Arc;

use announcements::Announcements;
pub use effect::{AnnouncementId, Effect, Load, Offence, Peer, Verdict};
use fetches::{Cause, Fetches};
use jitter::Jitter;
use peers::StorePeers;
use pulling::Pulling;
use store_queue::StoreQueue;
use wanted_heads::WantedHeads;

use crate::join::memory::Memory;
use crate::join::{Join, JoinLimits, Proven, Replica};
use crate::limits::{
    FETCHES_WAITING_MAX, HEADS_CHANGED_MS, HEADS_EXCHANGED_MAX, IDENTITIES_KEPT_MAX,
    NEW_PEER_SPREAD_MS, PEER_SPREAD_MS, PULL_PERIOD_MS, SEEN_ENTRIES_MAX, STORE_RETRY_MS,
    STORE_RETRY_MS_MAX,
};
use crate::sync::Tree;
use crate::{Access, Address, Entry, Error, Identity, LogCid};

#[cfg(doc)]
use crate::sync::Pull;

/// The store as it is committed on this node, for the replicator to ask.
pub trait LocalStore: Replica {
    /// The entries of the store, to be compared with a peer's.
    fn tree(&self) -> &dyn Tree;

    /// Verifies entries, each against its writer's identity, and answers in their
    /// order. Each is independent of the others, so a driver with threads can verify
    /// on several.
    fn prove(
        &self,
        log: &Address,
        entries: Vec<(Entry, Arc<Identity>)>,
    ) -> Vec<Result<Proven, Error>> {
        entries.into_iter().map(|(entry, identity)| Proven::new(entry, identity, log)).collect()
    }
}

/// The replicator of one store.
#[derive(Debug)]
pub struct Replicator {
    log: Address,
    access: Access,
    join: Join,
    peers: StorePeers,
    wanted: WantedHeads,
    announcements: Announcements,
    store_queue: StoreQueue,
    pulling: Option<Pulling>,
    fetches: Fetches,
    /// Blocks that a pull will probably bring, and until when that is waited for.
    parked: BTreeMap<LogCid, (u64, Cause)>,
    /// Entries that came lately, and whether each was announced to us.
    seen: Memory<bool>,
    /// Entries that break a rule. They are not looked at again when they are shown again.
    refused: Memory<()>,
    /// Entries whose writers may not append, as far as is known here.
    deferred: Memory<()>,
    /// Verified identities that may not be stored yet.
    identities: Memory<Arc<Identity>>,
    jitter: Jitter,
    /// When the next native peer in turn is pulled from.
    turn_at_ms: u64,
    /// Numbers the requests.
    asks: u64,
    /// How often storing failed in a row, and until when nothing new is begun.
    store_failures: u32,
    paused_until_ms: u64,
    /// Whether some peer has shown what it has.
    contacted: bool,
    /// What is passed over is to be judged again.
    reconsider: bool,
    effects: Vec<Effect>,
}

impl Replicator {
    /// A replicator of this store, to which these writers may append. The seed
    /// spreads its periods, so that nodes do not keep step.
    pub fn new(now: u64, log: Address, access: Access, seed: u64) -> Replicator {
        let mut jitter = Jitter::new(seed);
        Replicator {
            log,
            join: new_join(log, access.clone()),
            peers: StorePeers::default(),
            wanted: WantedHeads::default(),
            announcements: Announcements::default(),
            store_queue: StoreQueue::default(),
            pulling: None,
            fetches: Fetches::default(),
            parked: BTreeMap::new(),
            seen: Memory::new(SEEN_ENTRIES_MAX),
            refused: Memory::new(SEEN_ENTRIES_MAX),
            deferred: Memory::new(SEEN_ENTRIES_MAX),
            identities: Memory::new(IDENTITIES_KEPT_MAX),
            turn_at_ms: now.saturating_add(jitter.around(PULL_PERIOD_MS)),
            jitter,
            asks: 0,
            store_failures: 0,
            paused_until_ms: 0,
            contacted: false,
            reconsider: access.is_mutable(),
            access,
            effects: Vec::new(),
        }
    }

    /// A peer is connected and has this store. A native one speaks fast sync.
    pub fn on_peer(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        native: bool,
    ) -> Vec<Effect> {
        let spread = self.new_peer_spread_ms(peer, native);
        if !self.peers.is_connected(peer, native) && self.peers.connect(peer, native) {
            let soon = now.saturating_add(self.jitter.below(spread));
            self.turn_to(peer, soon);
            // It may have what the others lack. A native one is pulled from first.
            self.wanted.hasten(soon.saturating_add(NEW_PEER_SPREAD_MS), false);
        }
        self.finish(now, local)
    }

    /// Within how much time a peer that has come is turned to. The first one is at once; but not a
    /// plain one, which may not serve heads quite yet, nor one that comes again and again.
    fn new_peer_spread_ms(&self, peer: Peer, native: bool) -> u64 {
        if !native || self.peers.is_known(peer) {
            return NEW_PEER_SPREAD_MS;
        }
        let others = self.peers.connected().count() as u64;
        NEW_PEER_SPREAD_MS.min(others * PEER_SPREAD_MS)
    }

    /// A peer is no longer connected, or has closed this store.
    pub fn on_peer_gone(&mut self, now: u64, local: &dyn LocalStore, peer: Peer) -> Vec<Effect> {
        self.peers.disconnect(peer);
        if self.pulling.as_ref().is_some_and(|pulling| pulling.peer == peer) {
            self.end_pull(now, false);
        }
        self.finish(now, local)
    }

    /// A peer announces an entry. The verdict may follow later, within
    /// [`crate::limits::ANNOUNCEMENT_WAIT_MS`].
    pub fn on_announced(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        id: AnnouncementId,
        block: &[u8],
    ) -> Vec<Effect> {
        self.announced(now, local, peer, id, block);
        self.finish(now, local)
    }

    /// What comes next of this peer it wrote itself, and does not pass on: so it answers for what that costs,
    /// unless this node is what is slow.
    pub fn on_author(&mut self, now: u64, peer: Peer) {
        if !self.is_paused(now) && !self.store_queue.is_full() {
            self.peers.announces(now, peer);
        }
    }

    /// Whether one more announcement of this peer is too many to be looked at: it is left to a pull, and to be
    /// ignored. So a flood costs no look at the store.
    pub fn is_excess(&mut self, now: u64, peer: Peer) -> bool {
        let is_heard = self.is_heard(now, peer);
        let is_excess = !is_heard || self.peers.announces_enough(now, peer);
        if is_heard && is_excess {
            self.turn_to(peer, now);
        }
        is_excess
    }

    /// As [`Replicator::on_announced`], of an entry that the caller has verified.
    pub fn on_proven(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        id: AnnouncementId,
        proven: Proven,
    ) -> Vec<Effect> {
        if !self.is_heard(now, peer) {
            self.verdict(id, Verdict::Ignore);
        } else if self.may_announce(now, peer, id)
            && !self.is_repeated(now, local, peer, id, &proven.entry().cid())
        {
            self.judge(now, local, peer, id, proven);
        }
        self.finish(now, local)
    }

    /// The heads of a peer: what came in an exchange.
    pub fn on_heads(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        blocks: &[Vec<u8>],
    ) -> Vec<Effect> {
        self.contacted = true;
        if self.is_heard(now, peer) && self.peers.may_announce(now, peer) {
            for block in blocks.iter().take(HEADS_EXCHANGED_MAX) {
                self.shown(now, local, peer, block);
            }
        }
        self.finish(now, local)
    }

    /// A block that was asked for, or `None` if nobody has it. What comes must
    /// hash to its address.
    pub fn on_fetched(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        cid: LogCid,
        block: Option<&[u8]>,
    ) -> Vec<Effect> {
        if let Some(cause) = self.fetches.done(&cid, block.is_some()) {
            self.fetched(now, local, cid, block, cause);
        }
        self.finish(now, local)
    }

    /// The reply to the request with this number, or `None` if there is none.
    pub fn on_reply(
        &mut self,
        now: u64,
        local: &dyn LocalStore,
        peer: Peer,
        number: u64,
        reply: Option<&[u8]>,
    ) -> Vec<Effect> {
        self.replied(now, local, peer, number, reply);
        self.finish(now, local)
    }

    /// What was last given to be stored is stored, or could not be.
    pub fn on_stored(&mut self, now: u64, local: &dyn LocalStore, ok: bool) -> Vec<Effect> {
        if ok {
            self.store_queue.stored();
            self.store_failures = 0;
        } else if self.store_queue.is_storing() {
            self.begin_anew(now);
        }
        self.finish(now, local)
    }

    /// The time has come, or may have: see [`Replicator::due_ms`].
    pub fn on_tick(&mut self, now: u64, local: &dyn LocalStore) -> Vec<Effect> {
        self.finish(now, local)
    }

    /// Other writers may append from now on. What was put off is judged again, and
    /// [`Effect::Reconsider`] follows.
    pub fn set_access(&mut self, now: u64, local: &dyn LocalStore, access: Access) -> Vec<Effect> {
        let effects = self.join.set_access(local, access.clone());
        self.access = access;
        self.deferred = Memory::new(SEEN_ENTRIES_MAX);
        self.reconsider = true;
        self.take_effects(now, local, effects);
        self.peers.forget_gaps();
        let soon = now.saturating_add(self.jitter.below(NEW_PEER_SPREAD_MS));
        self.turn_to_all(soon);
        self.finish(now, local)
    }

    /// Judges again an entry that is stored as passed over, given its block, when
    /// [`Effect::Reconsider`] asks for it.
    pub fn reconsider(&mut self, now: u64, local: &dyn LocalStore, block: &[u8]) -> Vec<Effect> {
        let effects = self.join.reconsider(local, block);
        self.take_effects(now, local, effects);
        self.finish(now, local)
    }

    /// Entries known to be missing here, an estimate; `None` before the first
    /// word of a peer.
    pub fn behind(&self) -> Option<u64> {
        if !self.contacted {
            return None;
        }
        let pulled = self.pulling.as_ref().map_or(0, Pulling::behind);
        let waiting = self.join.waiting().max(self.wanted.len()) as u64;
        Some(pulled.max(waiting) + self.store_queue.len() as u64)
    }

    /// How much is kept now.
    pub fn load(&self) -> Load {
        Load {
            peers: self.peers.len(),
            heads_wanted: self.wanted.len(),
            announcements_waiting: self.announcements.len(),
            fetches: self.fetches.len() + self.parked.len(),
            joining: self.join.waiting(),
            storing: self.store_queue.len(),
        }
    }

    /// Storing failed: what the join has handed over is not here. All of it is had
    /// again from the peers, after a while.
    fn begin_anew(&mut self, now: u64) {
        self.join = new_join(self.log, self.access.clone());
        self.store_queue = StoreQueue::default();
        self.parked.clear();
        self.fetches.clear_waiting();
        self.end_pull(now, false);
        let wait_ms = (STORE_RETRY_MS << self.store_failures.min(16)).min(STORE_RETRY_MS_MAX);
        self.store_failures = self.store_failures.saturating_add(1);
        self.paused_until_ms = now.saturating_add(self.jitter.around(wait_ms));
        // What was to be restored is still stored as passed over.
        self.reconsider = self.access.is_mutable();
        self.wanted.hasten(self.paused_until_ms, true);
        self.turn_to_all(self.paused_until_ms);
    }

    /// Calls for what this peer has: a pull from a native one, heads of another.
    fn turn_to(&mut self, peer: Peer, at_ms: u64) {
        if self.peers.is_plain(peer) {
            self.peers.want_heads(peer, at_ms);
        } else {
            self.peers.want_pull(peer, at_ms);
        }
    }

    fn turn_to_all(&mut self, at_ms: u64) {
        let connected: Vec<(Peer, bool)> = self.peers.connected().collect();
        for (peer, _) in connected {
            self.turn_to(peer, at_ms);
        }
    }

    /// The heads are others, and not everybody was told by an announcement.
    fn heads_changed(&mut self, now: u64) {
        let plain: Vec<Peer> =
            self.peers.connected().filter(|(_, native)| !native).map(|(peer, _)| peer).collect();
        for peer in plain {
            let at_ms = now.saturating_add(self.jitter.around(HEADS_CHANGED_MS));
            self.peers.want_heads(peer, at_ms);
        }
    }

    /// Whether an entry is stored, passed over, or about to be stored.
    fn is_known(&self, local: &dyn LocalStore, cid: &LogCid) -> bool {
        self.store_queue.contains(cid) || local.time_of(cid).is_some()
    }
}

/// A join that leaves it to [`Fetches`] how much is asked for at a time.
fn new_join(log: Address, access: Access) -> Join {
    let limits = JoinLimits { fetches_max: FETCHES_WAITING_MAX, ..JoinLimits::default() };
    Join::with_limits(log, access, limits)
}
