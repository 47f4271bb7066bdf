//! The node's figures, for `/metrics`.

use crate::commits::Changed;
use optimusdb_storage::StoreRow;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreLabel {
    store: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OriginLabel {
    origin: &'static str,
}

/// What the writer counts. Clones share the figures.
#[derive(Debug, Clone)]
pub(crate) struct WriterFigures {
    entries: Family<OriginLabel, Counter>,
    documents: Family<StoreLabel, Gauge>,
    log_entries: Family<StoreLabel, Gauge>,
    writes: Histogram,
    seconds: Histogram,
}

impl WriterFigures {
    pub(crate) fn new(stores: &[StoreRow]) -> WriterFigures {
        let figures = WriterFigures {
            entries: Family::default(),
            documents: Family::default(),
            log_entries: Family::default(),
            writes: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
        };
        stores.iter().for_each(|store| figures.store(store));
        figures
    }

    /// A transaction that answered so many writes.
    pub(crate) fn batch(&self, writes: usize, took: Duration) {
        self.writes.observe(writes as f64);
        self.seconds.observe(took.as_secs_f64());
    }

    /// A commit that changed so much.
    pub(crate) fn committed(&self, changed: &Changed) {
        for (origin, count) in ["local", "remote"].into_iter().zip(changed.entries) {
            self.entries.get_or_create(&OriginLabel { origin }).inc_by(count);
        }
        changed.made.iter().for_each(|store| self.store(store));
        for (committed, (documents, entries)) in &changed.grown {
            let label = StoreLabel { store: committed.store.name.clone() };
            self.documents.get_or_create(&label).inc_by(*documents);
            self.log_entries.get_or_create(&label).inc_by(*entries);
        }
    }

    /// These names are gone, and others are there for them.
    pub(crate) fn renamed(&self, gone: &[String], stores: &[StoreRow]) {
        for name in gone {
            let label = StoreLabel { store: name.clone() };
            self.documents.remove(&label);
            self.log_entries.remove(&label);
        }
        stores.iter().for_each(|store| self.store(store));
    }

    fn store(&self, store: &StoreRow) {
        let label = StoreLabel { store: store.name.clone() };
        self.documents.get_or_create(&label).set(store.documents.cast_signed());
        self.log_entries.get_or_create(&label).set(store.entries.cast_signed());
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "entries_written",
            "Entries added to a log, made here or received",
            self.entries.clone(),
        );
        registry.register(
            "store_documents",
            "Documents that are there now",
            self.documents.clone(),
        );
        registry.register("store_entries", "Entries of the log", self.log_entries.clone());
        registry.register(
            "commit_writes",
            "Writes that one transaction answered",
            self.writes.clone(),
        );
        registry.register_with_unit(
            "commit",
            "Time of a transaction, its sync included",
            Unit::Seconds,
            self.seconds.clone(),
        );
    }
}
