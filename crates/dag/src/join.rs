//! The join: how entries of another node come into our log.
//!
//! A machine: it is told of heads, blocks and missing blocks, and answers with
//! [`JoinEffect`]s: what to fetch, which entries are ready, which are refused.
//! Invariants:
//!
//! - An entry is ready only when it is verified and all its ancestors over
//!   `next` are stored or ready before it. Ready entries come parents first, so
//!   the log never holds an entry without its past.
//! - Links are followed only from verified entries, and from what lies below
//!   them. `refs` are hints for fetching in parallel: they are never required,
//!   and what they bring is not looked at until an entry names it in `next`.
//! - An entry that breaks a rule is refused as a head. Below a good one it is
//!   passed over: its links are followed in its place, and it is handed over
//!   with the first entry above it that is ready. If a block cannot be read as
//!   an entry of this log, it is refused with all entries above it, and with no
//!   others. What merely could not be had is not remembered, and may be tried
//!   again.
//! - Access is judged when an entry is ready to be joined, by what is known
//!   then. An entry that lacks only access is put off, not refused.
//! - Nothing grows with what a peer sends beyond the [`JoinLimits`]. A log larger
//!   than the memory allowed is joined all the same: the blocks of the newest
//!   waiting entries are dropped, and fetched a second time when their turn
//!   comes.
//! - There is no recursion. The order in which blocks arrive does not change what
//!   is joined.
//!
//! The table shows what becomes of an entry in each stage when something happens to
//! it. A dash means that nothing becomes of it:
//!
//! | stage | its block comes | it cannot be had | an entry or a peer names it | its writer's identity comes | its last pending parent is stored, ready or passed over | a parent is refused | memory is short |
//! |---|---|---|---|---|---|---|---|
//! | untracked | – | – | Queued | – | – | – | – |
//! | Queued | as when Asked | refused | – | – | – | refused | – |
//! | Asked | a hint: Unread; else examined | refused | – | – | – | refused | – |
//! | Unread, a hint | – | – | examined | – | – | – | forgotten |
//! | Unproven | – | – | – | examined | – | – | refused |
//! | Proven, within a turn | – | – | – | – | – | – | – |
//! | Waiting | – | – | – | – | ready, passed over, put off or refused | refused | Dropped |
//! | Faulty | – | – | – | – | passed over | refused | Dropped |
//! | Dropped | – | – | – | – | Queued a second time | refused | – |
//!
//! To *examine* is to verify. Without its writer's identity an entry is Unproven, and refused if
//! that cannot be had. A good one is Waiting if its writer may append or an entry names it, and put
//! off or refused otherwise; one with a fault is Faulty if an entry names it, and refused otherwise.
//! An entry that comes verified is Proven, whatever was before, and examined at once. What another
//! way has stored leaves the join as soon as that is noticed. To refuse an entry is to refuse all that
//! wait for it, too.
//!
//! In builds with debug assertions, `check.rs` counts all of it again after every turn.
//!
//! The join stores nothing. If its driver fails to store what was ready, it must drop the join and
//! begin a new one. One join serves one log for as long as the driver likes.

mod aside;
mod bounds;
mod check;
pub(crate) mod memory;
mod proven;
mod ready;
mod slots;
mod turn;
mod work;
mod writers;

use std::collections::BTreeMap;
use std::sync::Arc;

use aside::Asides;
pub use bounds::JoinLimits;
use memory::{Deferred, Memory};
pub use proven::{Passed, Proven};
use slots::{Slots, Stage};
use turn::{Task, Turn};
use writers::WriterIdentity;

use crate::{Access, Address, Entry, Error, Identity, LogCid};

/// What the join asks about the node it runs on.
pub trait Replica {
    /// The clock time of an entry of this log that is stored, or the time of a
    /// [`Passed`] one that is stored.
    fn time_of(&self, cid: &LogCid) -> Option<u64>;

    /// An identity that is stored.
    fn identity(&self, cid: &LogCid) -> Option<Arc<Identity>>;
}

/// What a join wants its driver to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinEffect {
    /// Fetch this block, and answer with [`Join::on_block`] or [`Join::on_missing`].
    Fetch {
        /// An entry or an identity.
        cid: LogCid,
    },
    /// Store these, all of them or none: `passed` before `entries`, which may
    /// name them. The heads become those of [`crate::LogTip::join`] for every
    /// entry, and then of [`crate::LogTip::pass`] for every passed one.
    Ready {
        /// Verified entries, parents first.
        entries: Vec<Entry>,
        /// The identities of their writers that are not stored yet.
        identities: Vec<Arc<Identity>>,
        /// What is passed over below the entries, parents first.
        passed: Vec<Passed>,
    },
    /// Store these as entries of the log, all of them or none. They were stored
    /// as passed over, and their writers turned out to be allowed. The heads stay
    /// as they are, since entries above these are in the log.
    Restored {
        /// Verified entries.
        entries: Vec<Entry>,
    },
    /// This entry is not joined.
    Reject {
        /// The entry.
        cid: LogCid,
        /// The rule it breaks, or what is missing.
        why: Error,
    },
    /// This head is put off, and nobody is to blame: as far as is known here its
    /// writer may not append. It is kept for a while, and joined when an accepted
    /// entry names it or the access changes.
    Deferred {
        /// The entry.
        cid: LogCid,
        /// [`Error::AccessRevoked`] or [`Error::AccessNotGranted`].
        why: Error,
    },
    /// The bytes that came are not this block. The block is still awaited: ask
    /// another peer, or say that it is missing.
    Mismatch {
        /// The block.
        cid: LogCid,
    },
}

/// The join into one log.
#[derive(Debug)]
pub struct Join {
    log: Address,
    access: Access,
    limits: JoinLimits,
    slots: Slots,
    writers: BTreeMap<LogCid, WriterIdentity>,
    handed_over: Memory<u64>,
    refused: Memory<RefusedEntry>,
    deferred: Deferred,
    asides: Asides,
}

/// Why an entry is not joined.
#[derive(Debug)]
struct RefusedEntry {
    why: Error,
    /// Whether its links can be followed in its place.
    passable: bool,
}

impl Join {
    /// A join into this log, to which these writers may append.
    pub fn new(log: Address, access: impl Into<Access>) -> Join {
        Join::with_limits(log, access, JoinLimits::default())
    }

    /// A join that keeps at most this much.
    pub fn with_limits(log: Address, access: impl Into<Access>, limits: JoinLimits) -> Join {
        Join {
            log,
            access: access.into(),
            slots: Slots::new(&limits),
            writers: BTreeMap::new(),
            handed_over: Memory::new(limits.handed_over_max),
            refused: Memory::new(limits.refused_max),
            deferred: Deferred::new(limits.deferred_max, limits.deferred_bytes_max),
            asides: Asides::new(limits.passed_max, limits.passed_bytes_max),
            limits,
        }
    }

    /// Another node has these heads.
    pub fn on_heads(&mut self, replica: &dyn Replica, heads: &[LogCid]) -> Vec<JoinEffect> {
        let mut turn = Turn::new(replica);
        for cid in heads {
            self.want_head(&mut turn, *cid);
        }
        self.finish(turn)
    }

    /// Another node announces an entry with its bytes: a head that need not be
    /// fetched.
    pub fn on_announced(&mut self, replica: &dyn Replica, block: &[u8]) -> Vec<JoinEffect> {
        let cid = LogCid::of(block);
        let mut turn = Turn::new(replica);
        if self.want_head(&mut turn, cid) && self.slots.awaits(&cid) {
            turn.tasks.push(Task::Read(cid, block));
        }
        self.finish(turn)
    }

    /// A verified entry: a head that needs neither be fetched nor verified again.
    pub fn on_proven(&mut self, replica: &dyn Replica, proven: Proven) -> Vec<JoinEffect> {
        self.on_all_proven(replica, [proven])
    }

    /// As [`Join::on_proven`] for many entries, parents first, with one
    /// [`JoinEffect::Ready`] for all that are ready.
    pub fn on_all_proven(
        &mut self,
        replica: &dyn Replica,
        proven: impl IntoIterator<Item = Proven>,
    ) -> Vec<JoinEffect> {
        let mut turn = Turn::new(replica);
        for proven in proven {
            self.take_proven(&mut turn, proven);
            self.work(&mut turn);
        }
        self.finish(turn)
    }

    /// The access to the log has changed. What was put off is judged again.
    ///
    /// What is stored as passed over is not at hand here: when all that was
    /// ready is stored, hand it to [`Join::reconsider`].
    pub fn set_access(
        &mut self,
        replica: &dyn Replica,
        access: impl Into<Access>,
    ) -> Vec<JoinEffect> {
        self.access = access.into();
        self.refused.retain(|refusal| refusal.why != Error::AccessDenied);
        let mut turn = Turn::new(replica);
        let mut allowed = Vec::new();
        for proven in self.deferred.take_all() {
            match self.standing(&proven.entry().cid(), proven.identity(), false) {
                Ok(()) => allowed.push(proven),
                Err(_) => self.deferred.insert(proven),
            }
        }
        // When all that stays put off is back: an allowed entry may name it, and need not ask for it.
        for proven in allowed {
            self.take_proven(&mut turn, proven);
            self.work(&mut turn);
        }
        self.finish(turn)
    }

    /// Judges again an entry that is stored as passed over, given its block:
    /// [`JoinEffect::Restored`] if all that was wrong with it was that its writer was
    /// not known to be allowed, and now is; or else nothing. To be called for
    /// each of them when the access has changed.
    pub fn reconsider(&mut self, replica: &dyn Replica, block: &[u8]) -> Vec<JoinEffect> {
        let Ok(entry) = Entry::decode(LogCid::of(block), block) else { return Vec::new() };
        let Some(identity) = replica.identity(&entry.identity()) else { return Vec::new() };
        let times: Option<Vec<u64>> =
            entry.next().iter().map(|parent| replica.time_of(parent)).collect();
        let acceptable = self.standing(&entry.cid(), &identity, true).is_ok()
            && times.is_some_and(|times| entry.verify_clock(&times).is_ok())
            && entry.prove(&self.log, &identity).is_ok();
        if acceptable { vec![JoinEffect::Restored { entries: vec![entry] }] } else { Vec::new() }
    }

    /// A block that was asked for is here. One that was not is ignored.
    pub fn on_block(
        &mut self,
        replica: &dyn Replica,
        cid: LogCid,
        block: &[u8],
    ) -> Vec<JoinEffect> {
        let mut turn = Turn::new(replica);
        let of_writer = matches!(self.writers.get(&cid), Some(WriterIdentity::Asked(_)));
        let of_entry = self.slots.awaits(&cid);
        if !of_writer && !of_entry {
            return Vec::new();
        }
        if LogCid::of(block) != cid {
            return vec![JoinEffect::Mismatch { cid }];
        }
        if of_writer {
            self.on_identity(&mut turn, cid, block);
        }
        if of_entry {
            turn.tasks.push(Task::Read(cid, block));
        }
        self.finish(turn)
    }

    /// A block that was asked for cannot be had now.
    pub fn on_missing(&mut self, replica: &dyn Replica, cid: LogCid) -> Vec<JoinEffect> {
        let mut turn = Turn::new(replica);
        if let Some(WriterIdentity::Asked(_)) = self.writers.get(&cid)
            && let Some(WriterIdentity::Asked(entries)) = self.writers.remove(&cid)
        {
            let stored = replica.identity(&cid).is_some();
            turn.tasks.extend(entries.into_iter().map(|entry| {
                if stored {
                    Task::Examine(entry)
                } else {
                    Task::Reject(entry, Error::BlockMissing(cid))
                }
            }));
        }
        if self.slots.awaits(&cid) {
            turn.tasks.push(match self.time_of(&turn, &cid) {
                Some(time) => Task::Stored(cid, time),
                None => Task::Reject(cid, Error::BlockMissing(cid)),
            });
        }
        self.finish(turn)
    }

    /// Whether this block is asked for, or will be, and has not come.
    pub fn awaits(&self, cid: &LogCid) -> bool {
        matches!(self.writers.get(cid), Some(WriterIdentity::Asked(_))) || self.slots.awaits(cid)
    }

    /// Whether anything waits for this block: a peer has it as a head, or an entry that waits names it.
    pub(crate) fn needs(&self, cid: &LogCid) -> bool {
        self.writers.contains_key(cid) || self.slots.is_needed(cid)
    }

    /// Entries that wait for something.
    pub fn waiting(&self) -> usize {
        self.slots.wanted()
    }

    /// Whether nothing is awaited.
    pub fn is_idle(&self) -> bool {
        self.slots.wanted() == 0
    }

    /// Asks for a head unless it is decided what becomes of it; false if it is.
    fn want_head(&mut self, turn: &mut Turn<'_>, cid: LogCid) -> bool {
        if self.is_decided(turn, &cid) {
            return false;
        }
        if let Some(proven) = self.deferred.take(&cid) {
            self.take_proven(turn, proven);
            return false;
        }
        match self.slots.want(cid, None) {
            Ok(is_here) => {
                if is_here {
                    turn.tasks.push(Task::Examine(cid));
                }
                true
            }
            Err(why) => {
                turn.refuse(cid, why);
                false
            }
        }
    }

    /// Whether a head is stored, handed over or refused; if it is refused, the caller is told.
    fn is_decided(&mut self, turn: &mut Turn<'_>, cid: &LogCid) -> bool {
        if self.time_of(turn, cid).is_some() {
            return true;
        }
        // What is tracked after it was refused is on its way to be passed over.
        let refused = match self.slots.contains(cid) {
            false => self.refused.get(cid).map(|refusal| refusal.why.clone()),
            true => None,
        };
        let passed = self.asides.get_mut(cid).map(|aside| aside.why.clone());
        let faulty = self.slots.get(cid).and_then(|slot| slot.fault.clone());
        let why = passed.or(faulty).or(refused);
        if let Some(why) = &why {
            turn.refuse(*cid, why.clone());
        }
        why.is_some()
    }

    /// The clock time of an entry that is stored or about to be.
    fn time_of(&self, turn: &Turn<'_>, cid: &LogCid) -> Option<u64> {
        self.handed_over.get(cid).copied().or_else(|| turn.replica.time_of(cid))
    }
}
