//! When to look for peers in the distributed hash table.
//!
//! A new node looks often, and ever less often while nothing changes. So two nodes behind NATs meet,
//! although each learns only after a while under which address it can be reached: the one that learns
//! it last looks again, and finds the other.

use std::time::{Duration, Instant};

use crate::peering::limits::{LOOKUP_FIRST, LOOKUP_LONGEST};

/// When the next lookup is due.
#[derive(Debug)]
pub(crate) struct Lookups {
    due: Instant,
    wait: Duration,
}

impl Lookups {
    /// The first lookup comes after the first wait.
    pub(crate) fn new(now: Instant) -> Lookups {
        Lookups { due: now + LOOKUP_FIRST, wait: LOOKUP_FIRST }
    }

    /// Something changed: the next lookup is soon, and the waits begin anew.
    pub(crate) fn soon(&mut self, now: Instant) {
        *self = Lookups::new(now);
    }

    /// Whether to look now; if so, the next time comes later.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        if self.due > now {
            return false;
        }
        self.wait = (self.wait * 2).min(LOOKUP_LONGEST);
        self.due = now + self.wait;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_become_rare_until_something_happens() {
        let mut now = Instant::now();
        let mut lookups = Lookups::new(now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let before = now;
            while !lookups.is_due(now) {
                now += Duration::from_secs(1);
            }
            waits.push(now - before);
        }
        assert_eq!(waits[0], LOOKUP_FIRST);
        assert!(waits.is_sorted(), "{waits:?}");
        assert_eq!(waits[7], LOOKUP_LONGEST);
        lookups.soon(now);
        assert!(!lookups.is_due(now));
        assert!(lookups.is_due(now + LOOKUP_FIRST));
    }
}
