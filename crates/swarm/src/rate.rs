//! Token buckets: a burst, and then a rate.

use std::time::Instant;

/// A bucket that fills at a steady rate up to its size.
#[derive(Debug, Clone)]
pub(crate) struct TokenBucket {
    tokens: f64,
    tokens_max: f64,
    per_second: f64,
    at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(now: Instant, tokens_max: f64, per_second: f64) -> TokenBucket {
        TokenBucket { tokens: tokens_max, tokens_max, per_second, at: now }
    }

    /// Takes `tokens`, or nothing if there are fewer.
    pub(crate) fn take(&mut self, now: Instant, tokens: f64) -> bool {
        (self.tokens, self.at) = (self.left(now), self.at.max(now));
        let enough = self.tokens >= tokens;
        if enough {
            self.tokens -= tokens;
        }
        enough
    }

    /// Gives back what was taken for nothing.
    pub(crate) fn give_back(&mut self, tokens: f64) {
        self.tokens = (self.tokens + tokens).min(self.tokens_max);
    }

    /// The tokens in it.
    pub(crate) fn left(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + passed * self.per_second).min(self.tokens_max)
    }

    /// Whether it is as good as a new one.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.left(now) >= self.tokens_max
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(start, 10.0, 2.0);
        for _ in 0..10 {
            assert!(bucket.take(start, 1.0));
        }
        assert!(!bucket.take(start, 1.0));
        assert!(!bucket.is_full(start));
        let later = start + Duration::from_secs(1);
        assert!(bucket.take(later, 2.0));
        assert!(!bucket.take(later, 1.0));
        // It never holds more than its size, and time that runs back gives nothing.
        let late = start + Duration::from_secs(100);
        assert!(bucket.is_full(late));
        assert!(!bucket.take(late, 11.0));
        assert!(bucket.take(late, 10.0));
        assert!(!bucket.take(start, 1.0));
    }
}
