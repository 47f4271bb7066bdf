//! Removing what nobody wants, on a thread of its own, in steps with pauses between them.

use super::recent::Recent;
use crate::error::Error;
use crate::limits::{
    SWEEP_FORCED_MS, SWEEP_PAUSE_MS, SWEEP_PERIOD_MS, SWEEP_SOON_MS, SWEEP_WAIT_MS,
};
use optimusdb_storage::{FileBlocks, Sweep, SweepStep};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The thread that sweeps.
#[derive(Debug)]
pub(super) struct Sweeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    /// Blocks in memory, which go with those on the disk.
    recent: Arc<Recent>,
    wanted: Mutex<Wanted>,
    /// When somebody who needed room last had it swept for, and nothing went out of use since.
    forced: Mutex<Option<Instant>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Wanted {
    /// When the next sweep begins.
    at: Instant,
    closed: bool,
}

impl Sweeper {
    pub(super) fn start(blocks: Arc<FileBlocks>, recent: Arc<Recent>) -> Result<Sweeper, Error> {
        let at = Instant::now() + Duration::from_millis(SWEEP_PERIOD_MS);
        let wanted = Mutex::new(Wanted { at, closed: false });
        let (forced, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { recent, wanted, forced, changed });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("sweep".into())
            .spawn(move || theirs.run(&blocks))
            .map_err(|e| Error::Internal(format!("the sweeping thread did not start: {e}")))?;
        Ok(Sweeper { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Something is not wanted any more: a sweep begins soon.
    pub(super) fn soon(&self) {
        let mut wanted = self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.at = wanted.at.min(Instant::now() + Duration::from_millis(SWEEP_SOON_MS));
        self.shared.changed.notify_one();
        *self.shared.forced.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Removes what nobody wants on this thread, which needs the room; false when that was done a moment ago.
    /// Blocks, and others who need room wait for the same sweep.
    pub(super) fn now(&self, blocks: &Arc<FileBlocks>) -> bool {
        let mut forced = self.shared.forced.lock().unwrap_or_else(PoisonError::into_inner);
        if forced.is_some_and(|last| last.elapsed() < Duration::from_millis(SWEEP_FORCED_MS)) {
            return false;
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(SWEEP_WAIT_MS) {
            match self.shared.sweep(blocks) {
                Ok(true) => break,
                // Another one goes on, or was disturbed.
                Ok(false) => std::thread::sleep(Duration::from_millis(SWEEP_PAUSE_MS * 10)),
                Err(error) => {
                    tracing::warn!("what nobody wants was not removed: {error}");
                    break;
                }
            }
        }
        *forced = Some(Instant::now());
        true
    }

    /// Ends the thread, in the middle of a sweep if need be. Blocks.
    pub(super) fn close(&self) {
        self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.changed.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the thread has ended the process already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, blocks: &Arc<FileBlocks>) {
        while self.wait_for_turn() {
            if let Err(error) = self.sweep(blocks) {
                tracing::warn!("what nobody wants was not removed: {error}");
            }
        }
    }

    /// Waits until a sweep is due; false when there is none any more.
    fn wait_for_turn(&self) -> bool {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = wanted.at.saturating_duration_since(Instant::now());
            if wanted.closed || left.is_zero() {
                wanted.at = Instant::now() + Duration::from_millis(SWEEP_PERIOD_MS);
                return !wanted.closed;
            }
            let waited = self.changed.wait_timeout(wanted, left);
            wanted = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sweeps; false when that did not come to an end.
    fn sweep(&self, blocks: &Arc<FileBlocks>) -> Result<bool, optimusdb_storage::Error> {
        let Some(mut sweep) = Sweep::begin(blocks)? else { return Ok(false) };
        loop {
            let step = sweep.step()?;
            self.recent.clear();
            match step {
                SweepStep::More => {}
                SweepStep::Done(0, _) => return Ok(true),
                SweepStep::Done(removed, bytes) => {
                    tracing::info!(
                        "removed {removed} blocks of files that nobody wants, {bytes} bytes"
                    );
                    return Ok(true);
                }
                SweepStep::Disturbed => {
                    let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                    wanted.at = Instant::now() + Duration::from_millis(SWEEP_SOON_MS);
                    return Ok(false);
                }
            }
            if self.wanted.lock().unwrap_or_else(PoisonError::into_inner).closed {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(SWEEP_PAUSE_MS));
        }
    }
}
