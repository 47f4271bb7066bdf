//! A bootstrap or seed entry, and how far the dialler has come with it.

use std::time::Instant;

use libp2p::PeerId;

use crate::peering::target::DialTarget;

/// How far a seed is.
#[derive(Debug)]
pub(super) enum SeedState {
    Waiting { until: Instant },
    Resolving,
    Dialling,
    Connected { peer: PeerId },
    Own { until: Instant },
}

/// An entry of the list.
#[derive(Debug)]
pub(super) struct Seed {
    pub(super) text: String,
    pub(super) target: DialTarget,
    pub(super) state: SeedState,
    /// Dials on their way, or about to be.
    pub(super) pending: usize,
    pub(super) failures: u32,
}

impl Seed {
    pub(super) fn connected(&mut self, peer: PeerId) {
        if !matches!(self.state, SeedState::Connected { .. }) {
            tracing::debug!(entry = self.text, %peer, "connected to a bootstrap entry");
        }
        self.state = SeedState::Connected { peer };
        self.failures = 0;
    }

    /// Tells of the first failures and then of every tenth, so that an outage of an hour does not fill
    /// the journal.
    pub(super) fn tell(&self, why: &str) {
        if self.failures < 3 || self.failures.is_multiple_of(10) {
            tracing::info!(
                entry = self.text,
                attempt = self.failures + 1,
                why,
                "a bootstrap entry cannot be reached; it is tried again"
            );
        }
    }
}
