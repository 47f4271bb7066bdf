//! Random waits, so that nodes which started together do not keep step: SplitMix64, from a seed.

#[derive(Debug, Clone)]
pub(super) struct Jitter {
    state: u64,
}

impl Jitter {
    pub(super) fn new(seed: u64) -> Jitter {
        Jitter { state: seed }
    }

    /// Any number.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below `ms`.
    pub(super) fn below(&mut self, ms: u64) -> u64 {
        if ms == 0 { 0 } else { self.next() % ms }
    }

    /// From three quarters of `ms` to five quarters.
    pub(super) fn around(&mut self, ms: u64) -> u64 {
        ms - ms / 4 + self.below(ms / 2 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_around_and_differs_by_seed() {
        let times = |seed| {
            let mut jitter = Jitter::new(seed);
            (0..100).map(|_| jitter.around(1_000)).collect::<Vec<_>>()
        };
        assert!(times(1).iter().all(|ms| (750..=1_250).contains(ms)));
        assert_eq!(times(1), times(1));
        assert_ne!(times(1), times(2));
        assert_eq!(Jitter::new(1).around(0), 0);
    }
}
