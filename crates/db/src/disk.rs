//! What is known of the disk under the node: what was found to be damaged, and what became of it.
//!
//! Reads note damage where they meet it, the writer mends it, and the node asks peers for entries that are
//! set aside. All of it is shown in one place: what `/readyz` calls degraded, and the figures.

use crate::limits::LOST_WAIT_MS_MAX;
use optimusdb_storage::{Damage, Mended, StoreRow, Suspects, View};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where the way out is described.
const WAY_OUT: &str = "see \"A damaged disk\" in docs/OPERATIONS.md";

/// The state of the disk. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct DiskState {
    damage: Arc<Damage>,
    /// Entries that are set aside, by the names of their stores.
    away: Arc<Mutex<BTreeMap<String, u64>>>,
    documents_mended: Counter,
    entries_set_aside: Counter,
    entries_put_back: Counter,
    lost: Arc<LostEntries>,
}

/// Entries that were acknowledged and were gone at the start.
#[derive(Debug)]
struct LostEntries {
    entries: u64,
    since: Instant,
    over: AtomicBool,
}

impl DiskState {
    /// The state of the disk that a database is on, which had lost so many entries when it was opened.
    pub(crate) fn new(damage: Arc<Damage>, lost: u64) -> DiskState {
        if lost > 0 {
            tracing::error!(
                "{lost} entries that this node had acknowledged are gone from its disk: its \
                 write-ahead log was cut off or damaged. It writes nothing of its own until its peers \
                 have given back what they have, for {LOST_WAIT_MS_MAX} ms at most; {WAY_OUT}"
            );
        }
        let over = AtomicBool::new(lost == 0);
        DiskState {
            lost: Arc::new(LostEntries { entries: lost, since: Instant::now(), over }),
            damage,
            away: Arc::default(),
            documents_mended: Counter::default(),
            entries_set_aside: Counter::default(),
            entries_put_back: Counter::default(),
        }
    }

    /// Where readers note what they cannot read.
    pub(crate) fn damage(&self) -> Arc<Damage> {
        Arc::clone(&self.damage)
    }

    /// What the writer is to look at.
    pub(crate) fn suspects(&self) -> Suspects {
        self.damage.take()
    }

    /// Says what was mended.
    pub(crate) fn mended(&self, mended: &Mended, stores: &[StoreRow]) {
        let name = |id| {
            let store = stores.iter().find(|store| store.id == id);
            store.map_or("a store that is not here", |store| &store.name)
        };
        if mended.documents > 0 {
            tracing::error!(
                "{} documents of the index were damaged on the disk and are made again from their \
                 entries: have the disk checked; {WAY_OUT}",
                mended.documents
            );
            self.documents_mended.inc_by(mended.documents as u64);
        }
        for (row, store) in &mended.entries {
            let name = name(*store);
            tracing::error!(
                "the entry in row {row} of {name} is damaged on the disk: it is left out until a \
                 peer gives it back; have the disk checked; {WAY_OUT}"
            );
            self.entries_set_aside.inc();
        }
        for store in &mended.heads {
            tracing::warn!("the heads of {} were found again from its entries", name(*store));
        }
    }

    /// So many entries are back at their places.
    pub(crate) fn put_back(&self, entries: u64) {
        tracing::info!("{entries} entries that were damaged on the disk are back");
        self.entries_put_back.inc_by(entries);
    }

    /// Counts again what is set aside. What cannot be read stays as it was counted.
    pub(crate) fn count(&self, view: View<'_>) {
        let (Ok(counts), Ok(stores)) = (view.set_aside_counts(), view.stores()) else { return };
        let named = counts.into_iter().map(|(id, count)| {
            let name = stores.iter().find(|store| store.id == id).map(|store| store.name.clone());
            (name.unwrap_or_else(|| "unknown".to_owned()), count)
        });
        *self.lock() = named.collect();
    }

    /// Whether entries are set aside.
    pub(crate) fn is_anything_away(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Why nothing is to be written here yet: new entries would be written beside those that were lost, and
    /// lose against them.
    pub(crate) fn holds_writes(&self) -> Option<String> {
        let lost = &self.lost;
        let waits = Duration::from_millis(LOST_WAIT_MS_MAX);
        if lost.over.load(Ordering::Relaxed) || lost.since.elapsed() >= waits {
            return None;
        }
        Some(format!(
            "this node lost {} entries with its write-ahead log and waits until its peers have given \
             back what they have; try again",
            lost.entries
        ))
    }

    /// Whether entries were lost, and it is not yet decided what comes of it.
    pub(crate) fn is_anything_lost(&self) -> bool {
        !self.lost.over.load(Ordering::Relaxed)
    }

    /// Nobody is waited for any more: peers have given back what they have, or nobody came.
    pub(crate) fn lost_is_over(&self, level: bool) {
        if level {
            tracing::warn!(
                "peers have given back what they have of what was lost; writes are taken"
            );
        } else {
            tracing::error!("no peer gave back what was lost; writes are taken all the same");
        }
        self.lost.over.store(true, Ordering::Relaxed);
    }

    /// What is wrong though the node serves, a sentence each.
    pub(crate) fn degraded(&self) -> Vec<String> {
        let mut said: Vec<String> = self
            .lock()
            .iter()
            .map(|(store, count)| {
                format!(
                    "{count} entries of {store} are damaged on the disk and not yet back from a \
                     peer; {WAY_OUT}"
                )
            })
            .collect();
        if self.lost.entries > 0 {
            said.push(format!(
                "{} entries that were acknowledged were gone from the disk when the node started; \
                 {WAY_OUT}",
                self.lost.entries
            ));
        }
        if let Some(why) = self.damage.unreadable() {
            said.push(format!("a part of the database could not be read ({why}); {WAY_OUT}"));
        }
        said
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "damaged_documents_mended",
            "Documents of the index that were damaged on the disk and made again",
            self.documents_mended.clone(),
        );
        registry.register(
            "damaged_entries_set_aside",
            "Entries that were damaged on the disk and left out",
            self.entries_set_aside.clone(),
        );
        registry.register(
            "damaged_entries_put_back",
            "Entries that were damaged on the disk and came back from peers",
            self.entries_put_back.clone(),
        );
        let lost: Gauge = Gauge::default();
        lost.set(self.lost.entries.cast_signed());
        registry.register(
            "lost_entries",
            "Entries that were acknowledged and were gone from the disk at the start",
            lost,
        );
        registry.register_collector(Box::new(DamagedEntries(self.clone())));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        // A panic ends the process, so a poisoned lock is never seen with a torn map.
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The gauge of what is set aside now.
#[derive(Debug)]
struct DamagedEntries(DiskState);

impl Collector for DamagedEntries {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut damaged = encoder.encode_descriptor(
            "damaged_entries",
            "Entries that are damaged on the disk and not back yet",
            None,
            MetricType::Gauge,
        )?;
        for (name, count) in self.0.lock().iter() {
            let gauge = ConstGauge::new(count.cast_signed());
            gauge.encode(damaged.encode_family(&[("store", name.as_str())])?)?;
        }
        Ok(())
    }
}
