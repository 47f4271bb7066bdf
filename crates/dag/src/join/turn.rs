//! A turn: the work on one input to a join. It has tasks that are left and effects that have come of
//! those that are done.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::slots::Handle;
use super::{JoinEffect, Passed, Replica};
use crate::{Entry, Error, Identity, LogCid};

/// One thing to do.
#[derive(Debug)]
pub(super) enum Task<'a> {
    /// The block of an entry has come.
    Read(LogCid, &'a [u8]),
    /// An entry is here and wanted.
    Examine(LogCid),
    /// The block that an entry names as its identity is no identity.
    Unusable(LogCid, Error),
    /// A parent of this entry is no longer pending. The number is the clock time that it counts by.
    /// The address is given if the parent is set aside: it must be handed over with the entry.
    Parent(Handle, u64, Option<LogCid>),
    /// No parent of an entry is pending.
    Complete(LogCid),
    /// An entry is stored.
    Stored(LogCid, u64),
    /// An entry is refused with all above it.
    Reject(LogCid, Error),
}

/// The work on one input.
pub(super) struct Turn<'a> {
    pub(super) replica: &'a dyn Replica,
    pub(super) tasks: Vec<Task<'a>>,
    pub(super) ready: Vec<Entry>,
    pub(super) passed: Vec<Passed>,
    /// What was set aside and is now handed over with an entry above it.
    pub(super) handed: BTreeSet<LogCid>,
    pub(super) identities: Vec<Arc<Identity>>,
    pub(super) fetches: Vec<JoinEffect>,
    pub(super) refusals: Vec<JoinEffect>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(replica: &'a dyn Replica) -> Turn<'a> {
        let (tasks, ready, passed, handed) = (Vec::new(), Vec::new(), Vec::new(), BTreeSet::new());
        let (identities, fetches, refusals) = (Vec::new(), Vec::new(), Vec::new());
        Turn { replica, tasks, ready, passed, handed, identities, fetches, refusals }
    }

    /// Tells the caller why an entry is not joined.
    pub(super) fn refuse(&mut self, cid: LogCid, why: Error) {
        self.refusals.push(match why {
            Error::AccessRevoked | Error::AccessNotGranted => JoinEffect::Deferred { cid, why },
            _ => JoinEffect::Reject { cid, why },
        });
    }
}
