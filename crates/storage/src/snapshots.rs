//! Which snapshots of readers have to end: what the writer tells those who read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// What the writer tells those who read.
#[derive(Debug, Default)]
pub struct Snapshots {
    // Snapshots up to this moment have to end, in microseconds; 0 for none.
    over_until: AtomicU64,
    pressed: AtomicBool,
}

impl Snapshots {
    /// Whether a snapshot that began then has to end.
    pub fn are_over(&self, began: Instant) -> bool {
        let over_until = self.over_until.load(Ordering::Relaxed);
        over_until != 0 && micros_of(began) <= over_until
    }

    /// Whether the log has grown so long that readers should not dawdle.
    pub fn are_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }

    pub(crate) fn press(&self, pressed: bool) {
        self.pressed.store(pressed, Ordering::Relaxed);
    }

    /// All that have begun have to end.
    pub(crate) fn end_all(&self) {
        self.over_until.store(micros_of(Instant::now()).max(1), Ordering::Relaxed);
    }
}

/// A moment on a clock that begins with the process.
pub(crate) fn micros_of(at: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(at.saturating_duration_since(*start).as_micros()).unwrap_or(u64::MAX)
}
