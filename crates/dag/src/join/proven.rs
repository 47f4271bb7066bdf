//! What comes into a join already verified, and what comes out of it as passed over.

use std::sync::Arc;

use crate::entry::Outline;
use crate::{Address, Entry, Error, Identity, LogCid};

/// An entry whose log, identity, key and signature are verified: everything but its
/// parents and the access to its log. A value of this type is the proof, so entries
/// can be verified anywhere and in parallel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    entry: Entry,
    identity: Arc<Identity>,
}

impl Proven {
    /// Verifies an entry against the identity it names.
    ///
    /// # Errors
    /// [`Error::WrongLog`], [`Error::WrongIdentity`], [`Error::KeyNotBound`] or
    /// [`Error::SignatureWrong`].
    pub fn new(entry: Entry, identity: Arc<Identity>, log: &Address) -> Result<Proven, Error> {
        entry.prove(log, &identity)?;
        Ok(Proven { entry, identity })
    }

    /// An entry that was verified here.
    pub(super) fn verified(entry: Entry, identity: Arc<Identity>) -> Proven {
        Proven { entry, identity }
    }

    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Its writer's identity.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// The entry and its writer's identity.
    pub fn into_parts(self) -> (Entry, Arc<Identity>) {
        (self.entry, self.identity)
    }
}

/// An entry that breaks a rule, below one that breaks no rule. It is never applied,
/// indexed or announced; it is stored so that others can follow its links, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The content address of its block.
    pub cid: LogCid,
    /// What [`super::Replica::time_of`] is to answer for it: its clock time, or what is nearest to
    /// that between the time of its newest parent and `CLOCK_JUMP_TICKS_MAX` above it.
    pub time: u64,
    /// Its parents. They are no heads: the entry above this one reaches them.
    pub next: Vec<LogCid>,
    /// The exact bytes.
    pub block: Arc<[u8]>,
    /// The block that it names as its identity, if that block is no identity. It is to be stored, for
    /// without it no other node could tell that the entry must be passed over.
    pub identity: Option<(LogCid, Arc<[u8]>)>,
}

impl Passed {
    /// The parents that a block of that log names which was passed over.
    ///
    /// # Errors
    /// It is no block that is passed over.
    pub fn links(cid: LogCid, block: &[u8], log: &Address) -> Result<Vec<LogCid>, Error> {
        Ok(Outline::read(cid, block, log)?.next)
    }
}
