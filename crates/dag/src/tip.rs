//! The tip of a log: all that a writer needs to append to it.
//!
//! A [`LogTip`] is a value. Clone it before a transaction and put the clone back
//! if the transaction fails: a clone shares everything until one of the two
//! changes. It stores nothing and knows no entry but the newest.

use std::sync::Arc;

use ipld_core::ipld::Ipld;

use crate::heads::{Heads, Recent, plan_append};
use crate::{Address, Entry, EntryLinks, Error, IdentityKeys, LogCid, Payload};

/// The heads of a log and the links of its newest entries.
#[derive(Debug, Clone)]
pub struct LogTip {
    log: Address,
    state: Arc<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    heads: Heads,
    recent: Recent,
}

impl LogTip {
    /// The tip of a log with these heads.
    pub fn new(log: Address, heads: Vec<EntryLinks>) -> LogTip {
        LogTip {
            log,
            state: Arc::new(State { heads: Heads::new(heads), recent: Recent::default() }),
        }
    }

    /// The log.
    pub fn log(&self) -> &Address {
        &self.log
    }

    /// The heads, newest first.
    pub fn heads(&self) -> &[EntryLinks] {
        self.state.heads.as_slice()
    }

    /// Writes and signs the next entry, which becomes the head. `lookup` finds
    /// the links of stored entries; while a chain grows it is not called.
    ///
    /// # Errors
    /// As [`Entry::sign`]; the tip is then unchanged.
    pub fn append(
        &mut self,
        keys: &IdentityKeys,
        payload: Ipld,
        lookup: &mut dyn FnMut(&LogCid) -> Option<EntryLinks>,
    ) -> Result<Entry, Error> {
        self.append_encoded(keys, Payload::new(payload)?, lookup)
    }

    /// As [`LogTip::append`], of a payload that is encoded already.
    ///
    /// # Errors
    /// As [`Entry::sign_encoded`]; the tip is then unchanged.
    pub fn append_encoded(
        &mut self,
        keys: &IdentityKeys,
        payload: Payload,
        lookup: &mut dyn FnMut(&LogCid) -> Option<EntryLinks>,
    ) -> Result<Entry, Error> {
        let mut found = Vec::new();
        let recent = &self.state.recent;
        let links = plan_append(self.heads(), &mut |cid| {
            if let Some(links) = recent.find(cid) {
                return Some(links.clone());
            }
            let links = lookup(cid)?;
            found.push(links.clone());
            Some(links)
        });
        let entry = Entry::sign_encoded(keys, self.log, links, payload)?;
        let state = Arc::make_mut(&mut self.state);
        found.into_iter().for_each(|links| state.recent.keep_older(links));
        state.add(entry.links());
        Ok(entry)
    }

    /// Takes up an entry of another writer, whose parents are in the log and
    /// which is itself new to it.
    pub fn join(&mut self, entry: &Entry) {
        debug_assert_eq!(*entry.log(), self.log, "an entry of another log");
        Arc::make_mut(&mut self.state).add(entry.links());
    }

    /// Takes up an entry that is reached from a head, with these parents: they are no longer heads. It is
    /// passed over, and came after the entries above it, or is back after those.
    pub fn pass(&mut self, next: &[LogCid]) {
        Arc::make_mut(&mut self.state).heads.pass(next);
    }
}

impl State {
    fn add(&mut self, links: EntryLinks) {
        self.recent.keep(links.clone());
        self.heads.add(links);
    }
}
