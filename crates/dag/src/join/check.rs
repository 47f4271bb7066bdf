//! What must hold of a join between two turns, counted again from its parts.
//!
//! This is done only in builds with debug assertions, and only while the join is small: the cost of a
//! check grows with the entries that wait, and a join of a hundred thousand entries would take hours.
//! Mistakes show in small joins, too.

use std::collections::HashSet;

use super::slots::{Slot, Stage};
use super::writers::WriterIdentity;
use super::{Join, JoinEffect};
use crate::LogCid;

/// Entries tracked or set aside, and identities, up to which everything is counted again.
const CHECKED_ENTRIES_MAX: usize = 256;

impl Join {
    /// Asserts the invariants of the modules of the join.
    pub(super) fn check(&self, effects: &[JoinEffect]) {
        let largest = self.slots.iter().len().max(self.asides.len()).max(self.writers.len());
        if largest > CHECKED_ENTRIES_MAX {
            return;
        }
        self.slots.check();
        self.asides.check(self.slots.passing());
        self.deferred.check();
        self.handed_over.check();
        self.refused.check();
        debug_assert!(self.writers.len() <= self.limits.identities_max, "too many identities");
        for (cid, slot) in self.slots.iter() {
            self.check_slot(cid, slot);
        }
        for (cid, writer) in &self.writers {
            match writer {
                WriterIdentity::Asked(entries) => {
                    debug_assert!(!entries.is_empty(), "{cid} asked for by nobody")
                }
                WriterIdentity::Held { identity, .. } => debug_assert_eq!(identity.cid, *cid),
                WriterIdentity::Unusable { .. } => {}
            }
        }
        check_order(effects);
    }

    /// Asserts that an entry is in one place only, and that something will move it on.
    fn check_slot(&self, cid: &LogCid, slot: &Slot) {
        debug_assert!(self.handed_over.get(cid).is_none(), "{cid} waits and was handed over");
        debug_assert!(self.deferred.get(cid).is_none(), "{cid} waits and is put off");
        debug_assert!(!self.asides.contains(cid), "{cid} waits and is set aside");
        if let Stage::Unproven(entry) = &slot.stage {
            let writer = self.writers.get(&entry.identity());
            debug_assert!(
                matches!(writer, Some(WriterIdentity::Asked(entries)) if entries.contains(cid)),
                "{cid} waits for an identity that nobody asked for"
            );
        }
    }
}

/// Asserts that entries are handed over once, and each after its parents.
fn check_order(effects: &[JoinEffect]) {
    for effect in effects {
        let JoinEffect::Ready { entries, passed, .. } = effect else { continue };
        if entries.len() > CHECKED_ENTRIES_MAX {
            continue;
        }
        let mut later: HashSet<LogCid> = HashSet::new();
        for entry in entries.iter().rev() {
            debug_assert!(later.insert(entry.cid()), "{} is handed over twice", entry.cid());
            let early = entry.next().iter().find(|parent| later.contains(parent));
            debug_assert!(early.is_none(), "{} comes before its parent", entry.cid());
        }
        for passed in passed {
            debug_assert!(!later.contains(&passed.cid), "{} is ready and passed over", passed.cid);
        }
    }
}
