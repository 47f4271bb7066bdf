//! The accounts of the slots, counted again from the slots themselves.

use std::collections::{HashMap, HashSet};

use super::{Slots, Stage};
use crate::LogCid;

impl Slots {
    /// Asserts that the accounts agree with the slots, and are within the limits.
    pub(in super::super) fn check(&self) {
        let slots = || self.by_cid.values();
        let wanted = slots().filter(|slot| slot.wanted).count();
        debug_assert_eq!(self.wanted, wanted, "entries that wait");
        debug_assert!(wanted <= self.entries_max, "more entries wait than may");
        debug_assert!(self.by_cid.len() - wanted <= self.hints_max, "more hints than there may be");
        let asked = slots().filter(|slot| matches!(slot.stage, Stage::Asked)).count();
        debug_assert_eq!(self.asked, asked, "entries asked for");
        debug_assert!(asked <= self.fetches_max, "more entries are asked for than may be");
        let passing = slots().filter_map(|slot| slot.passing);
        debug_assert_eq!(
            (self.passing, self.passing_bytes),
            (passing.clone().count(), passing.sum()),
            "entries followed only to pass over them"
        );
        let held: Vec<(u64, usize)> = slots().filter_map(|slot| slot.stage.held()).collect();
        let bytes: usize = held.iter().map(|(_, bytes)| bytes).sum();
        debug_assert_eq!((self.held.len(), self.held_bytes), (held.len(), bytes), "blocks held");
        debug_assert!(bytes <= self.bytes_max, "more bytes are held than may be");
        self.check_links();
    }

    /// Every entry that waits will be told: a tracked parent knows of each entry that waits for it,
    /// and what is to be asked for is in a queue.
    fn check_links(&self) {
        let mut awaited: HashMap<LogCid, usize> = HashMap::new();
        for child in self.by_cid.values().flat_map(|slot| &slot.children) {
            if self.is_alive(child) {
                *awaited.entry(child.cid).or_default() += 1;
            }
        }
        let queues = self.queue.iter().chain(&self.hint_queue);
        let queued: HashSet<(LogCid, u64)> = queues.map(|it| (it.cid, it.born)).collect();
        for (cid, slot) in &self.by_cid {
            let parents = awaited.get(cid).copied().unwrap_or(0);
            debug_assert_eq!(slot.pending, parents, "parents that {cid} waits for");
            debug_assert!(slot.born <= self.born, "{cid} was not born yet");
            debug_assert!(
                !(slot.head || slot.named) || slot.wanted,
                "{cid} is named and not wanted"
            );
            let waits = slot.wanted && slot.followed && slot.pending > 0;
            match &slot.stage {
                Stage::Queued => {
                    debug_assert!(queued.contains(&(*cid, slot.born)), "{cid} is in no queue");
                }
                Stage::Asked => {}
                Stage::Unread(_) => debug_assert!(!slot.wanted, "{cid} is wanted and not examined"),
                Stage::Unproven(_) => debug_assert!(slot.wanted, "{cid} is a hint and examined"),
                Stage::Proven(_) => debug_assert!(false, "{cid} is verified and not judged"),
                Stage::Waiting(_) => debug_assert!(waits, "{cid} waits for nothing"),
                Stage::Faulty(_) => {
                    debug_assert!(waits, "{cid} waits for nothing");
                    debug_assert!(slot.fault.is_some() && slot.passing.is_some(), "{cid} is good");
                }
                Stage::Dropped { .. } => debug_assert!(waits, "{cid} was let go and not recalled"),
            }
        }
    }
}
