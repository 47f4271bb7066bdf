//! Entries that are set aside: they are passed over, they have no pending parents,
//! and the entry above them is not ready yet. They are handed over with that entry;
//! if it never becomes ready, they are forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Proven;
use super::slots::{Handle, Slots};
use crate::entry::Outline;
use crate::{Error, LogCid};

/// An entry that is set aside.
#[derive(Debug)]
pub(super) struct Aside {
    /// The clock time by which it counts for the entries above it.
    pub(super) time: u64,
    pub(super) outline: Outline,
    pub(super) block: Arc<[u8]>,
    pub(super) why: Error,
    /// The entry itself, if its signature and identity are good.
    pub(super) proven: Option<Proven>,
    /// Its parents that are set aside, too.
    pub(super) below: Vec<LogCid>,
    /// Those that follow its links.
    pub(super) children: Vec<Handle>,
}

#[derive(Debug)]
pub(super) struct Asides {
    /// With the order in which they came: parents first.
    by_cid: BTreeMap<LogCid, (u64, Aside)>,
    born: u64,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
}

impl Asides {
    pub(super) fn new(entries_max: usize, bytes_max: usize) -> Asides {
        Asides { by_cid: BTreeMap::new(), born: 0, bytes: 0, entries_max, bytes_max }
    }

    pub(super) fn get_mut(&mut self, cid: &LogCid) -> Option<&mut Aside> {
        self.by_cid.get_mut(cid).map(|(_, aside)| aside)
    }

    /// Whether so much more may be passed over, beside the entries in `slots` that will be.
    pub(super) fn has_room(&mut self, slots: &Slots, entries: usize, bytes: usize) -> bool {
        let (begun, begun_bytes) = slots.passing();
        let fits = |asides: &Asides| {
            asides.by_cid.len() + begun + entries <= asides.entries_max
                && asides.bytes + begun_bytes + bytes <= asides.bytes_max
        };
        if fits(self) {
            return true;
        }
        self.forget_orphans(slots);
        fits(self)
    }

    pub(super) fn insert(&mut self, cid: LogCid, aside: Aside) {
        self.born += 1;
        self.bytes += aside.block.len();
        self.by_cid.insert(cid, (self.born, aside));
    }

    /// Takes out these and all those below them, parents first.
    ///
    /// # Errors
    /// The first address that is neither set aside nor there.
    pub(super) fn take_all(
        &mut self,
        below: Vec<LogCid>,
        is_there: impl Fn(&LogCid) -> bool,
    ) -> Result<Vec<(LogCid, Aside)>, LogCid> {
        let (mut line, mut seen, mut order) = (below, BTreeSet::new(), Vec::new());
        while let Some(cid) = line.pop() {
            if !seen.insert(cid) {
                continue;
            }
            match self.by_cid.get(&cid) {
                Some((born, aside)) => {
                    order.push((*born, cid));
                    line.extend(&aside.below);
                }
                None if is_there(&cid) => {}
                None => return Err(cid),
            }
        }
        order.sort_unstable();
        let taken = order.into_iter().filter_map(|(_, cid)| {
            let (_, aside) = self.by_cid.remove(&cid)?;
            self.bytes -= aside.block.len();
            Some((cid, aside))
        });
        Ok(taken.collect())
    }

    pub(super) fn len(&self) -> usize {
        self.by_cid.len()
    }

    pub(super) fn contains(&self, cid: &LogCid) -> bool {
        self.by_cid.contains_key(cid)
    }

    /// Asserts the account of bytes, and the limits. These hold for what is set aside and for the
    /// entries in the slots that will be passed over together.
    pub(super) fn check(&self, (begun, begun_bytes): (usize, usize)) {
        let bytes: usize = self.by_cid.values().map(|(_, aside)| aside.block.len()).sum();
        debug_assert_eq!(self.bytes, bytes, "bytes set aside");
        debug_assert!(self.by_cid.len() + begun <= self.entries_max, "too many are passed over");
        debug_assert!(bytes + begun_bytes <= self.bytes_max, "too much is passed over");
        for (cid, (born, aside)) in &self.by_cid {
            let below = aside.below.iter().filter_map(|cid| self.by_cid.get(cid));
            for (earlier, _) in below {
                debug_assert!(earlier < born, "{cid} was set aside before what is below it");
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_cid.clear();
        self.bytes = 0;
    }

    /// Forgets the entries that no waiting entry needs.
    fn forget_orphans(&mut self, slots: &Slots) {
        let mut newest_first: Vec<(u64, LogCid)> =
            self.by_cid.iter().map(|(cid, (born, _))| (*born, *cid)).collect();
        newest_first.sort_unstable_by(|a, b| b.cmp(a));
        let mut needed = BTreeSet::new();
        for (_, cid) in newest_first {
            let Some((_, aside)) = self.by_cid.get(&cid) else { continue };
            if needed.contains(&cid) || aside.children.iter().any(|child| slots.is_alive(child)) {
                needed.insert(cid);
                needed.extend(&aside.below);
            }
        }
        self.by_cid.retain(|cid, _| needed.contains(cid));
        self.bytes = self.by_cid.values().map(|(_, aside)| aside.block.len()).sum();
    }
}
