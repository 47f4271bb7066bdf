//! Which roots this node tells the swarm that it has, and when it tells so again.
//!
//! One record a root, not one a block: whoever looks for a file finds its root first. They are published
//! one after the other with pauses, so that a node with many files is no louder than others; the
//! newest are told of when there are too many.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use libp2p::kad::RecordKey;
use optimusdb_dag::{Cid, Codec};

use crate::limits::{PROVIDED_ROOTS_MAX, PUBLICATION_PAUSE, PUBLICATION_PERIOD};

/// The key under which it is told who has a file. Codec and version of its address do not matter.
pub(crate) fn provider_key(root: &Cid) -> RecordKey {
    RecordKey::new(&Cid::new(Codec::RAW, root.hash().clone()).to_bytes())
}

struct Root {
    key: RecordKey,
    due: Instant,
}

/// The roots that are told of.
#[derive(Default)]
pub(crate) struct Provided {
    /// In the order in which they were added.
    roots: BTreeMap<u64, Root>,
    numbers: HashMap<RecordKey, u64>,
    last: u64,
    next_at: Option<Instant>,
}

impl Provided {
    /// A root is here: it is told of soon. Returns one that no longer is, for there are too many.
    pub(crate) fn add(&mut self, now: Instant, key: RecordKey) -> Option<RecordKey> {
        if self.numbers.contains_key(&key) {
            return None;
        }
        self.last += 1;
        self.numbers.insert(key.clone(), self.last);
        self.roots.insert(self.last, Root { key, due: now });
        if self.roots.len() <= PROVIDED_ROOTS_MAX {
            return None;
        }
        let (_, oldest) = self.roots.pop_first()?;
        self.numbers.remove(&oldest.key);
        Some(oldest.key)
    }

    /// A root is no longer told of. False if it was not.
    pub(crate) fn remove(&mut self, key: &RecordKey) -> bool {
        let number = self.numbers.remove(key);
        number.is_some_and(|number| self.roots.remove(&number).is_some())
    }

    /// The root to tell of now, if it is time to.
    pub(crate) fn next(&mut self, now: Instant) -> Option<RecordKey> {
        if self.next_at.is_some_and(|at| now < at) {
            return None;
        }
        let root = self.roots.values_mut().min_by_key(|root| root.due)?;
        if root.due > now {
            return None;
        }
        root.due = now + PUBLICATION_PERIOD;
        self.next_at = Some(now + PUBLICATION_PAUSE);
        Some(root.key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> RecordKey {
        RecordKey::new(&number.to_be_bytes())
    }

    #[test]
    fn roots_are_told_of_one_by_one_and_again_after_a_time() {
        let mut now = Instant::now();
        let mut provided = Provided::default();
        assert_eq!(provided.add(now, key(1)), None);
        assert_eq!(provided.add(now, key(2)), None);
        assert_eq!(provided.add(now, key(1)), None);
        assert_eq!(provided.next(now), Some(key(1)));
        assert_eq!(provided.next(now), None);
        now += PUBLICATION_PAUSE;
        assert_eq!(provided.next(now), Some(key(2)));
        now += PUBLICATION_PAUSE;
        assert_eq!(provided.next(now), None);
        assert!(provided.remove(&key(1)) && !provided.remove(&key(1)));
        now += PUBLICATION_PERIOD;
        assert_eq!(provided.next(now), Some(key(2)));
        now += PUBLICATION_PAUSE;
        assert_eq!(provided.next(now), None);
    }

    #[test]
    fn the_newest_are_told_of_when_there_are_too_many() {
        let now = Instant::now();
        let mut provided = Provided::default();
        for number in 0..PROVIDED_ROOTS_MAX as u32 {
            assert_eq!(provided.add(now, key(number)), None);
        }
        assert_eq!(provided.add(now, key(u32::MAX)), Some(key(0)));
        assert_eq!(provided.roots.len(), PROVIDED_ROOTS_MAX);
        assert_eq!(provided.numbers.len(), PROVIDED_ROOTS_MAX);
    }

    #[test]
    fn addresses_of_one_content_have_one_key() {
        let v1 = Cid::of(Codec::DAG_PB, optimusdb_dag::HashCode::Sha2_256, b"x").unwrap();
        let raw = Cid::new(Codec::RAW, v1.hash().clone());
        assert_eq!(provider_key(&v1), provider_key(&raw));
    }
}
