//! What a reader holds while it reads.

use optimusdb_storage::Reading;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A turn to read, and that nothing below a root is removed meanwhile. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Held {
    _reading: Arc<Reading>,
    _turn: Arc<OwnedSemaphorePermit>,
}

impl Held {
    pub(super) fn new(reading: Reading, turn: OwnedSemaphorePermit) -> Held {
        Held { _reading: Arc::new(reading), _turn: Arc::new(turn) }
    }
}
