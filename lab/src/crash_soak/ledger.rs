//! What one writer was promised: the account that a restarted node is held to.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::documents::{SeededRandom, document, id};

/// Documents in a batch.
const BATCH_DOCUMENTS: u64 = 40;

/// The documents of one writer.
pub(super) struct WriteLedger {
    /// The version of each document that was acknowledged last, by number.
    acknowledged: BTreeMap<u64, u64>,
    /// The documents of the request that has no answer yet, with their versions.
    under_way: Vec<(u64, u64)>,
    /// Where its numbers begin.
    first: u64,
    /// The next number that was never used.
    unused: u64,
}

/// What became of the requests that were under way when the node was killed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Requests that are there as a whole.
    pub(super) kept: u64,
    /// Requests that left no trace.
    pub(super) dropped: u64,
}

impl AddAssign for Resolved {
    fn add_assign(&mut self, other: Resolved) {
        self.kept += other.kept;
        self.dropped += other.dropped;
    }
}

impl WriteLedger {
    /// An empty account of the documents numbered from `first`.
    pub(super) fn new(first: u64) -> WriteLedger {
        WriteLedger { acknowledged: BTreeMap::new(), under_way: Vec::new(), first, unused: first }
    }

    /// How many documents the node must hold for this writer.
    pub(super) fn len(&self) -> usize {
        self.acknowledged.len()
    }

    /// Chooses what the next request puts: one new document, a new version of an old one, or a
    /// batch of both. It is under way from now on.
    pub(super) fn begin(&mut self, random: &mut SeededRandom) -> &[(u64, u64)] {
        let count = if random.below(4) == 0 { BATCH_DOCUMENTS } else { 1 };
        let mut chosen = BTreeMap::new();
        for _ in 0..count {
            let used = self.unused - self.first;
            let number = if used > 0 && random.below(3) == 0 {
                self.first + random.below(used)
            } else {
                self.unused += 1;
                self.unused - 1
            };
            let version = self.acknowledged.get(&number).map_or(0, |version| version + 1);
            chosen.insert(number, version);
        }
        self.under_way = chosen.into_iter().collect();
        &self.under_way
    }

    /// The request that was under way has been answered.
    pub(super) fn acknowledge(&mut self) {
        self.acknowledged.extend(self.under_way.drain(..));
    }

    /// Takes the documents of this writer out of `stored` and compares them with the account. What
    /// was under way is resolved by what is there.
    ///
    /// # Errors
    /// When a document is missing or differs, or when a request was kept in part.
    pub(super) fn resolve(&mut self, stored: &mut HashMap<String, Value>) -> Result<Resolved> {
        let is_stored = |(number, version): &&(u64, u64)| {
            stored.get(&id(*number)).is_some_and(|found| *found == expected(*number, *version))
        };
        let kept = self.under_way.iter().filter(is_stored).count();
        let resolved = match kept {
            _ if self.under_way.is_empty() => Resolved::default(),
            0 => Resolved { kept: 0, dropped: 1 },
            all if all == self.under_way.len() => Resolved { kept: 1, dropped: 0 },
            part => bail!("{part} of the {} documents of one request", self.under_way.len()),
        };
        if resolved.kept > 0 {
            self.acknowledge();
        }
        self.under_way.clear();
        for (number, version) in &self.acknowledged {
            let found = stored.remove(&id(*number));
            let expected = expected(*number, *version);
            ensure!(
                found.as_ref() == Some(&expected),
                "acknowledged: {expected}\nstored:       {}",
                found.map_or("nothing".to_owned(), |found| found.to_string()),
            );
        }
        Ok(resolved)
    }
}

fn expected(number: u64, version: u64) -> Value {
    serde_json::from_str(&document(number, version)).expect("invariant: made-up documents are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(documents: &[(u64, u64)]) -> HashMap<String, Value> {
        documents
            .iter()
            .map(|(number, version)| (id(*number), expected(*number, *version)))
            .collect()
    }

    fn ledger(acknowledged: &[(u64, u64)], under_way: &[(u64, u64)]) -> WriteLedger {
        WriteLedger {
            acknowledged: acknowledged.iter().copied().collect(),
            under_way: under_way.to_vec(),
            ..WriteLedger::new(0)
        }
    }

    #[test]
    fn what_is_there_as_acknowledged_is_right() {
        let mut there = stored(&[(1, 0), (2, 3)]);
        let resolved = ledger(&[(1, 0), (2, 3)], &[]).resolve(&mut there).unwrap();
        assert_eq!(resolved, Resolved::default());
        assert!(there.is_empty());
    }

    #[test]
    fn a_request_under_way_is_kept_or_dropped_as_a_whole() {
        let account = || ledger(&[(1, 0)], &[(1, 1), (2, 0)]);
        let kept = account().resolve(&mut stored(&[(1, 1), (2, 0)])).unwrap();
        assert_eq!(kept, Resolved { kept: 1, dropped: 0 });
        let dropped = account().resolve(&mut stored(&[(1, 0)])).unwrap();
        assert_eq!(dropped, Resolved { kept: 0, dropped: 1 });
        assert!(account().resolve(&mut stored(&[(1, 1)])).is_err());
    }

    #[test]
    fn a_lost_or_an_older_document_is_an_error() {
        assert!(ledger(&[(1, 0)], &[]).resolve(&mut stored(&[])).is_err());
        assert!(ledger(&[(1, 1)], &[]).resolve(&mut stored(&[(1, 0)])).is_err());
    }

    #[test]
    fn requests_use_each_document_once_and_raise_its_version() {
        let (mut ledger, mut random) = (WriteLedger::new(100), SeededRandom::new(1));
        let mut rewritten = 0;
        for _ in 0..200 {
            let before = ledger.acknowledged.clone();
            let request = ledger.begin(&mut random).to_vec();
            for (number, version) in request {
                assert!(number >= 100);
                assert_eq!(before.get(&number).map_or(0, |v| v + 1), version);
                rewritten += u32::from(version > 0);
            }
            ledger.acknowledge();
        }
        assert!(rewritten > 100);
    }
}
