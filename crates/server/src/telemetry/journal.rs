//! Hands records to the node, which keeps them in its journal for `/log`.
//!
//! Logging never waits: a record that finds the node's queue full is dropped, and the node counts it
//! and puts the count on record.

use std::time::{SystemTime, UNIX_EPOCH};

use optimusdb_db::{JournalRecord, JournalSender};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::layer::Context;

use super::line;

/// The layer that hands records over.
pub(crate) struct Keep(pub(crate) JournalSender);

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let _counted_when_dropped = self.0.try_send(JournalRecord {
            timestamp_ms: i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX),
            level: metadata.level().to_string(),
            message: line::render(event),
            source: metadata.target().to_owned(),
        });
    }
}

/// Warnings of everybody and information of ours, whatever goes to standard error.
pub(crate) fn worth_keeping() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    let keep: fn(&Metadata<'_>) -> bool = |metadata| {
        let ours = metadata.target().starts_with("optimusdb");
        metadata.is_event() && *metadata.level() <= if ours { Level::INFO } else { Level::WARN }
    };
    filter_fn(keep).with_max_level_hint(LevelFilter::INFO)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    struct Collect(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Collect {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(line::render(event));
        }
    }

    #[test]
    fn ours_from_info_and_strangers_from_warn_are_kept() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let layer = Collect(kept.clone()).with_filter(worth_keeping());
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            tracing::info!(target: "optimusdb_x", "one");
            tracing::debug!(target: "optimusdb_x", "too quiet");
            tracing::info!(target: "stranger", "too quiet");
            tracing::warn!(target: "stranger", "two");
            tracing::error!(target: "optimusdb", "three");
        });
        assert_eq!(*kept.lock().unwrap(), ["one", "two", "three"]);
    }
}
