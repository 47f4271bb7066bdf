//! What is being fetched whole, and how far it is.

use crate::clock::now_ms;
use optimusdb_dag::Cid;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why something is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferReason {
    /// A user pinned it.
    Pin,
    /// The swarm contributed it.
    Replica,
    /// A user saves it.
    Get,
    /// It is to be judged, and nobody could say.
    Validation,
}

/// How far something is that is fetched whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TransferShown {
    /// Its address.
    pub cid: String,
    /// Its name; may be empty.
    pub name: String,
    /// Why it is fetched.
    pub why: TransferReason,
    /// `running`, or `waiting` for its turn or its next try.
    pub state: &'static str,
    /// Blocks that are here.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that came from peers.
    pub fetched_bytes: u64,
    /// Bytes of all of it, where that is known.
    pub total_bytes: Option<u64>,
    /// Bytes that came from peers in a second, on average.
    pub bytes_per_s: u64,
    /// When it began, in milliseconds of the wall clock; absent while it waits.
    pub started_ms: Option<u64>,
    /// Tries in vain.
    pub tries: u32,
    /// When it is tried again, where it waits for that.
    pub next_try_ms: Option<u64>,
    /// What was wrong the last time.
    pub error: Option<String>,
}

/// All transfers that run.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    running: Mutex<BTreeMap<u64, Arc<Transfer>>>,
    next: AtomicU64,
    fetched_bytes: AtomicU64,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) cid: Cid,
    pub(super) name: String,
    pub(super) why: TransferReason,
    pub(super) tries: u32,
    started_ms: u64,
    /// Bytes of all of it; 0 while that is not known.
    total: AtomicU64,
    blocks: AtomicU64,
    bytes: AtomicU64,
    fetched: AtomicU64,
}

/// A transfer that is shown until this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    transfers: Arc<Transfers>,
    number: u64,
    transfer: Arc<Transfer>,
}

impl Transfers {
    pub(super) fn begin(
        transfers: &Arc<Transfers>,
        cid: Cid,
        name: String,
        why: TransferReason,
        tries: u32,
    ) -> Running {
        let transfer = Arc::new(Transfer {
            cid,
            name,
            why,
            tries,
            started_ms: now_ms(),
            total: AtomicU64::new(0),
            blocks: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            fetched: AtomicU64::new(0),
        });
        let number = transfers.next.fetch_add(1, Ordering::Relaxed);
        transfers.running().insert(number, Arc::clone(&transfer));
        Running { transfers: Arc::clone(transfers), number, transfer }
    }

    /// What runs, in the order in which it began.
    pub(super) fn shown(&self) -> Vec<TransferShown> {
        self.running().values().map(|transfer| transfer.shown()).collect()
    }

    /// How many run.
    pub(super) fn count(&self) -> usize {
        self.running().len()
    }

    /// Bytes that came from peers, of all transfers since the start.
    pub(super) fn fetched_bytes(&self) -> u64 {
        self.fetched_bytes.load(Ordering::Relaxed)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Transfer>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// A block is here.
    pub(super) fn here(&self, bytes: u64) {
        self.transfer.blocks.fetch_add(1, Ordering::Relaxed);
        self.transfer.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A block came from a peer.
    pub(super) fn fetched(&self, bytes: u64) {
        self.here(bytes);
        self.transfer.fetched.fetch_add(bytes, Ordering::Relaxed);
        self.transfers.fetched_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// All of it has so many bytes.
    pub(super) fn total(&self, bytes: u64) {
        self.transfer.total.store(bytes, Ordering::Relaxed);
    }

    /// One line for the journal.
    pub(super) fn progress(&self) -> String {
        let shown = self.transfer.shown();
        let total = shown.total_bytes.map_or_else(String::new, |total| format!(" of {total}"));
        let name = if shown.name.is_empty() { String::new() } else { format!(" ({})", shown.name) };
        format!(
            "{}{name}: {}{total} bytes are here, {} bytes/s come from peers",
            shown.cid, shown.bytes, shown.bytes_per_s
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.transfers.running().remove(&self.number);
    }
}

impl Transfer {
    fn shown(&self) -> TransferShown {
        let fetched_bytes = self.fetched.load(Ordering::Relaxed);
        let ms = now_ms().saturating_sub(self.started_ms).max(1);
        let total = self.total.load(Ordering::Relaxed);
        TransferShown {
            cid: self.cid.to_string(),
            name: self.name.clone(),
            why: self.why,
            state: "running",
            blocks: self.blocks.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            fetched_bytes,
            total_bytes: (total > 0).then_some(total),
            bytes_per_s: fetched_bytes.saturating_mul(1_000) / ms,
            started_ms: Some(self.started_ms),
            tries: self.tries,
            next_try_ms: None,
            error: None,
        }
    }
}
