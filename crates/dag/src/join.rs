//! The join: how entries of another node come into our log.
//!
//! A machine without IO. It is told of heads, blocks and missing blocks, and
//! answers with [`Step`]s: what to fetch, which entries are ready, which are
//! refused. Invariants:
//!
//! - An entry is ready only when it is verified and all its ancestors over
//!   `next` are stored or ready before it. Ready entries come parents first, so
//!   the log never holds an entry without its past.
//! - Links are followed only from verified entries. `refs` are hints for
//!   fetching in parallel: they are never required, and what they bring is not
//!   looked at until an entry names it in `next`.
//! - A refused entry takes its descendants with it and nothing else. What
//!   merely could not be had is not remembered, and may be tried again.
//! - Nothing grows with what a peer sends beyond the [`Limits`]. A log larger
//!   than the memory allowed is joined all the same: of entries that wait, the
//!   newest blocks are let go and fetched a second time when their turn comes.
//! - No recursion; which order blocks arrive in does not change what is joined.
//!
//! It stores nothing. If the caller fails to store what was ready, it must drop
//! the machine and begin a new one. One machine serves one log for as long as
//! the caller likes.

mod memory;
mod slots;
mod work;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use memory::Memory;
use slots::{Slots, Stage};
use work::{Run, Task};

use crate::limits::{
    JOIN_BYTES_MAX, JOIN_ENTRIES_MAX, JOIN_FETCHES_MAX, JOIN_HINTS_MAX, JOIN_IDENTITIES_MAX,
    JOIN_REFUSED_ENTRIES_MAX, JOIN_SETTLED_ENTRIES_MAX,
};
use crate::{AccessController, Address, Cid, Entry, Error, Identity};

/// What the join asks about the node it runs on.
pub trait Replica {
    /// The clock time of an entry of this log that is stored.
    fn time_of(&self, cid: &Cid) -> Option<u64>;

    /// An identity that is stored.
    fn identity(&self, cid: &Cid) -> Option<Arc<Identity>>;
}

/// What a caller is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Fetch this block, and answer with [`Join::on_block`] or [`Join::on_missing`].
    Fetch {
        /// An entry or an identity.
        cid: Cid,
    },
    /// Store these, all of them or none.
    Ready {
        /// Verified entries, parents first.
        entries: Vec<Entry>,
        /// The identities of their writers that are not stored yet.
        identities: Vec<Arc<Identity>>,
    },
    /// This entry is not joined.
    Reject {
        /// The entry.
        cid: Cid,
        /// The rule it breaks, or what is missing.
        why: Error,
    },
    /// What came for this block was not this block. It is still awaited: ask
    /// another peer, or say that it is missing.
    Mismatch {
        /// The block.
        cid: Cid,
    },
}

/// How much one join may keep. The defaults are those of [`crate::limits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Entries that wait.
    pub entries_max: usize,
    /// Bytes of the blocks of entries that wait.
    pub bytes_max: usize,
    /// Entries asked for at a time.
    pub fetches_max: usize,
    /// Hinted entries.
    pub hints_max: usize,
    /// Entries remembered as ready.
    pub settled_max: usize,
    /// Entries remembered as refused.
    pub refused_max: usize,
    /// Identities that are awaited or not stored yet.
    pub identities_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            entries_max: JOIN_ENTRIES_MAX,
            bytes_max: JOIN_BYTES_MAX,
            fetches_max: JOIN_FETCHES_MAX,
            hints_max: JOIN_HINTS_MAX,
            settled_max: JOIN_SETTLED_ENTRIES_MAX,
            refused_max: JOIN_REFUSED_ENTRIES_MAX,
            identities_max: JOIN_IDENTITIES_MAX,
        }
    }
}

/// The join into one log.
#[derive(Debug)]
pub struct Join {
    log: Address,
    access: AccessController,
    limits: Limits,
    slots: Slots,
    writers: HashMap<Cid, Writer>,
    settled: Memory<u64>,
    refused: Memory<Error>,
}

/// An identity the caller did not know when it was first needed.
#[derive(Debug)]
enum Writer {
    /// Asked for; these entries wait for it.
    Asked(HashSet<Cid>),
    Held(Arc<Identity>),
}

impl Join {
    /// A join into this log, to which these writers may append.
    pub fn new(log: Address, access: AccessController) -> Join {
        Join::with_limits(log, access, Limits::default())
    }

    /// A join that keeps at most this much.
    pub fn with_limits(log: Address, access: AccessController, limits: Limits) -> Join {
        Join {
            log,
            access,
            slots: Slots::new(&limits),
            writers: HashMap::new(),
            settled: Memory::new(limits.settled_max),
            refused: Memory::new(limits.refused_max),
            limits,
        }
    }

    /// Another node has these heads.
    pub fn on_heads(&mut self, replica: &dyn Replica, heads: &[Cid]) -> Vec<Step> {
        let mut run = Run::new(replica);
        for cid in heads {
            self.want_head(&mut run, *cid);
        }
        self.finish(run)
    }

    /// Another node announces an entry with its bytes: a head that need not be
    /// fetched.
    pub fn on_announced(&mut self, replica: &dyn Replica, block: &[u8]) -> Vec<Step> {
        let cid = Cid::of(block);
        let mut run = Run::new(replica);
        if self.want_head(&mut run, cid) && self.slots.awaits(&cid) {
            run.tasks.push(Task::Read(cid, block));
        }
        self.finish(run)
    }

    /// A block that was asked for is here. One that was not is ignored.
    pub fn on_block(&mut self, replica: &dyn Replica, cid: Cid, block: &[u8]) -> Vec<Step> {
        let mut run = Run::new(replica);
        let of_writer = matches!(self.writers.get(&cid), Some(Writer::Asked(_)));
        let of_entry = self.slots.awaits(&cid);
        if !of_writer && !of_entry {
            return Vec::new();
        }
        if Cid::of(block) != cid {
            return vec![Step::Mismatch { cid }];
        }
        if of_writer {
            self.on_identity(&mut run, cid, block);
        }
        if of_entry {
            run.tasks.push(Task::Read(cid, block));
        }
        self.finish(run)
    }

    /// A block that was asked for cannot be had now.
    pub fn on_missing(&mut self, replica: &dyn Replica, cid: Cid) -> Vec<Step> {
        let mut run = Run::new(replica);
        if let Some(Writer::Asked(_)) = self.writers.get(&cid)
            && let Some(Writer::Asked(entries)) = self.writers.remove(&cid)
        {
            let stored = replica.identity(&cid).is_some();
            run.tasks.extend(entries.into_iter().map(|entry| {
                if stored {
                    Task::Examine(entry)
                } else {
                    Task::Reject(entry, Error::BlockMissing(cid))
                }
            }));
        }
        if self.slots.awaits(&cid) {
            run.tasks.push(match self.time_of(&run, &cid) {
                Some(time) => Task::Settle(cid, time),
                None => Task::Reject(cid, Error::BlockMissing(cid)),
            });
        }
        self.finish(run)
    }

    /// Entries that wait for something.
    pub fn waiting(&self) -> usize {
        self.slots.wanted()
    }

    /// Whether nothing is awaited.
    pub fn is_idle(&self) -> bool {
        self.slots.wanted() == 0
    }

    /// Asks for a head unless it is settled; false if it is, or is refused.
    fn want_head(&mut self, run: &mut Run<'_>, cid: Cid) -> bool {
        if self.time_of(run, &cid).is_some() {
            return false;
        }
        let refused = match self.refused.get(&cid) {
            Some(why) => Some(why.clone()),
            None => self.slots.want(cid, None, &mut run.tasks).err(),
        };
        match refused {
            Some(why) => {
                run.rejects.push((cid, why));
                false
            }
            None => true,
        }
    }

    fn on_identity(&mut self, run: &mut Run<'_>, cid: Cid, block: &[u8]) {
        let Some(Writer::Asked(entries)) = self.writers.remove(&cid) else { return };
        match Identity::decode(cid, block) {
            Ok(identity) => {
                self.writers.insert(cid, Writer::Held(Arc::new(identity)));
                run.tasks.extend(entries.into_iter().map(Task::Examine));
            }
            Err(why) => {
                run.tasks.extend(entries.into_iter().map(|entry| Task::Reject(entry, why.clone())))
            }
        }
    }

    /// The clock time of an entry that is stored or about to be.
    fn time_of(&self, run: &Run<'_>, cid: &Cid) -> Option<u64> {
        self.settled.get(cid).copied().or_else(|| run.replica.time_of(cid))
    }
}
