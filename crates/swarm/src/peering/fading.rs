//! Amounts that fade: what was long ago counts for little.

use std::time::{Duration, Instant};

/// An amount of which half is left after each half-life.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fading {
    amount: f64,
    at: Instant,
    half_life: Duration,
}

impl Fading {
    /// Nothing yet.
    pub(crate) fn new(now: Instant, half_life: Duration) -> Fading {
        Fading { amount: 0.0, at: now, half_life }
    }

    /// What is left of it.
    pub(crate) fn left(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.amount * (-passed / self.half_life.as_secs_f64()).exp2()
    }

    /// Adds to what is left, and gives the sum.
    pub(crate) fn add(&mut self, now: Instant, more: f64) -> f64 {
        (self.amount, self.at) = (self.left(now) + more, self.at.max(now));
        self.amount
    }
}
