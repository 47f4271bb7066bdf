//! What wakes the follower of the store list.

use crate::limits::LIST_URGENT_MS;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// News for the follower. Telling never waits: the writer's and the replication's threads do it.
#[derive(Debug, Default)]
pub(crate) struct ListNews {
    news: Notify,
    urgent: Mutex<Urgent>,
    again: AtomicBool,
}

#[derive(Debug, Default)]
struct Urgent {
    now: bool,
    last: Option<Instant>,
}

impl ListNews {
    /// The list has changed, or the node stops.
    pub(crate) fn changed(&self) {
        self.news.notify_one();
    }

    /// The list is to be read from its start again.
    pub(crate) fn read_again(&self) {
        self.again.store(true, Ordering::Relaxed);
    }

    /// Whether it is, since this was asked last.
    pub(super) fn take_read_again(&self) -> bool {
        self.again.swap(false, Ordering::Relaxed)
    }

    /// A peer has come, which may have what could not be had so far: it is tried again at once, but
    /// not more often than every [`LIST_URGENT_MS`].
    pub(crate) fn peer_came(&self) {
        let mut urgent = self.urgent();
        let gap = Duration::from_millis(LIST_URGENT_MS);
        if urgent.last.is_none_or(|last| last.elapsed() >= gap) {
            *urgent = Urgent { now: true, last: Some(Instant::now()) };
            drop(urgent);
            self.changed();
        }
    }

    /// Waits until something is told.
    pub(super) async fn told(&self) {
        self.news.notified().await;
    }

    /// Whether a peer has come since this was asked last.
    pub(super) fn take_urgent(&self) -> bool {
        std::mem::take(&mut self.urgent().now)
    }

    fn urgent(&self) -> MutexGuard<'_, Urgent> {
        // A panic ends the process, so a poisoned lock is never seen with torn contents.
        self.urgent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
