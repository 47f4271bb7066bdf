//! What the journal says of a store that is catching up. If that takes a moment, it says nothing; if
//! it takes longer, it reports at intervals and once more at the end.

use crate::limits::PROGRESS_MS;

/// The catching up of one store.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    since_ms: u64,
    said_ms: u64,
    stored: u64,
}

/// A report for the journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CatchUpReport {
    /// So many entries came in so many seconds, and so many are known to be missing.
    Behind { stored: u64, seconds: u64, missing: u64 },
    /// So many entries came in so many seconds, and nothing is missing.
    Level { stored: u64, seconds: u64 },
}

impl CatchUpReport {
    /// Says it of a store in the journal.
    pub(super) fn tell(&self, store: &str) {
        match self {
            CatchUpReport::Behind { stored, seconds, missing } => tracing::info!(
                "{store} is catching up: {stored} entries in {seconds} s, at least {missing} are missing"
            ),
            CatchUpReport::Level { stored, seconds } => {
                tracing::info!("{store} is level with its peers: {stored} entries in {seconds} s");
            }
        }
    }
}

impl CatchUp {
    /// Entries of peers were stored.
    pub(super) fn stored(&mut self, entries: usize) {
        if let Some(under_way) = &mut self.under_way {
            under_way.stored += entries as u64;
        }
    }

    /// Looks at how many entries are missing now, and gives a report if one is due.
    pub(super) fn look(&mut self, now_ms: u64, missing: u64) -> Option<CatchUpReport> {
        if missing == 0 {
            let over = self.under_way.take()?;
            let was_long = over.said_ms > over.since_ms;
            return was_long.then(|| CatchUpReport::Level {
                stored: over.stored,
                seconds: seconds(over.since_ms, now_ms),
            });
        }
        let began = UnderWay { since_ms: now_ms, said_ms: now_ms, stored: 0 };
        let under_way = self.under_way.get_or_insert(began);
        if now_ms.saturating_sub(under_way.said_ms) < PROGRESS_MS {
            return None;
        }
        under_way.said_ms = now_ms;
        let seconds = seconds(under_way.since_ms, now_ms);
        Some(CatchUpReport::Behind { stored: under_way.stored, seconds, missing })
    }
}

fn seconds(since_ms: u64, now_ms: u64) -> u64 {
    now_ms.saturating_sub(since_ms) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_not_worth_a_line() {
        let mut progress = CatchUp::default();
        assert_eq!(progress.look(0, 0), None);
        assert_eq!(progress.look(10, 500), None);
        progress.stored(500);
        assert_eq!(progress.look(PROGRESS_MS, 0), None);
    }

    #[test]
    fn a_long_time_is_told_of_now_and_then_and_at_its_end() {
        let mut progress = CatchUp::default();
        assert_eq!(progress.look(1_000, 90_000), None);
        progress.stored(20_000);
        assert_eq!(progress.look(999 + PROGRESS_MS, 70_000), None);
        let seconds = PROGRESS_MS / 1_000;
        let report = CatchUpReport::Behind { stored: 20_000, seconds, missing: 70_000 };
        assert_eq!(progress.look(1_000 + PROGRESS_MS, 70_000), Some(report));
        assert_eq!(progress.look(1_001 + PROGRESS_MS, 70_000), None);
        progress.stored(70_000);
        let report = CatchUpReport::Level { stored: 90_000, seconds: seconds + 1 };
        assert_eq!(progress.look(2_000 + PROGRESS_MS, 0), Some(report));
        // And from the beginning.
        assert_eq!(progress.look(3_000 + PROGRESS_MS, 1), None);
    }
}
