//! The floor of free disk: below it, what comes from peers waits, and what clients write goes on.
//!
//! One place decides, and is asked by the replicators' intake, and by that of files. The state ends by itself, once there
//! is a margin above the floor.

use crate::error::Error;
use crate::limits::{DISK_MARGIN_BYTES_MIN, DISK_MARGIN_PARTS};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// Free bytes of the file system that a path is on; none where that cannot be told.
pub type FreeBytes = fn(&Path) -> Option<u64>;

/// Whether there is room for what comes from peers. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct DiskSpace {
    path: Arc<PathBuf>,
    reserve_bytes: u64,
    free_bytes: FreeBytes,
    /// Free bytes, while they are too few.
    low: Arc<watch::Sender<Option<u64>>>,
    free: Gauge,
}

impl DiskSpace {
    /// The space on the disk of a data directory, looked at for the first time.
    pub(crate) fn new(path: &Path, reserve_bytes: u64, free_bytes: FreeBytes) -> DiskSpace {
        let low = Arc::new(watch::Sender::new(None));
        let path = Arc::new(path.to_owned());
        let space = DiskSpace { path, reserve_bytes, free_bytes, low, free: Gauge::default() };
        space.look();
        space
    }

    /// Looks how much is free. True if there is room again.
    pub(crate) fn look(&self) -> bool {
        let Some(free) = (self.free_bytes)(&self.path) else { return false };
        self.free.set(i64::try_from(free).unwrap_or(i64::MAX));
        let was_low = self.is_low();
        let margin = (self.reserve_bytes / DISK_MARGIN_PARTS).max(DISK_MARGIN_BYTES_MIN);
        let enough = self.reserve_bytes.saturating_add(if was_low { margin } else { 0 });
        let is_low = free < enough;
        self.low.send_if_modified(|low| {
            *low = is_low.then_some(free);
            was_low != is_low
        });
        match (was_low, is_low) {
            (false, true) => tracing::error!("{}", self.said(free)),
            (true, false) => tracing::info!("{free} bytes are free again: peers' data is taken"),
            _ => {}
        }
        was_low && !is_low
    }

    /// Whether what comes from peers has to wait.
    pub(crate) fn is_low(&self) -> bool {
        self.low.borrow().is_some()
    }

    /// Waits until there is room.
    pub(crate) async fn until_enough(&self) {
        let mut low = self.low.subscribe();
        // The sender is here, so this ends with room alone.
        let _ = low.wait_for(Option::is_none).await;
    }

    /// What is wrong, if something is.
    pub(crate) fn degraded(&self) -> Option<String> {
        let low = *self.low.borrow();
        low.map(|free| self.said(free))
    }

    /// Why something of a peer is not taken.
    pub(crate) fn refusal(&self) -> Error {
        let free = self.low.borrow().unwrap_or_default();
        Error::Unavailable(self.said(free))
    }

    fn said(&self, free: u64) -> String {
        format!(
            "{free} bytes are free on the disk, less than the {} of -disk-reserve: what comes from \
             peers waits",
            self.reserve_bytes
        )
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "disk_free_bytes",
            "Bytes that are free on the disk of the data directory",
            self.free.clone(),
        );
        let reserve: Gauge = Gauge::default();
        reserve.set(i64::try_from(self.reserve_bytes).unwrap_or(i64::MAX));
        registry.register(
            "disk_reserve_bytes",
            "Free bytes below which what comes from peers waits",
            reserve,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    static FREE: AtomicU64 = AtomicU64::new(0);

    #[tokio::test]
    async fn it_is_low_below_the_floor_until_there_is_a_margin() {
        const FLOOR: u64 = 1 << 30;
        let margin = (FLOOR / DISK_MARGIN_PARTS).max(DISK_MARGIN_BYTES_MIN);
        FREE.store(FLOOR, Ordering::Relaxed);
        let space = DiskSpace::new(Path::new("."), FLOOR, |_| Some(FREE.load(Ordering::Relaxed)));
        assert!(!space.is_low() && space.degraded().is_none());
        for (free, low, again) in [
            (FLOOR - 1, true, false),
            (FLOOR, true, false),
            (FLOOR + margin - 1, true, false),
            (FLOOR + margin, false, true),
            (FLOOR, false, false),
        ] {
            FREE.store(free, Ordering::Relaxed);
            assert_eq!((space.look(), space.is_low()), (again, low), "{free}");
            assert_eq!(space.degraded().is_some(), low);
        }
        space.until_enough().await;
        FREE.store(0, Ordering::Relaxed);
        space.look();
        let (waiting, other) = (space.clone(), space.clone());
        let waited = tokio::spawn(async move { waiting.until_enough().await });
        FREE.store(2 * FLOOR, Ordering::Relaxed);
        assert!(other.look());
        waited.await.unwrap();
    }
}
