//! The connections for look-ups: reads that take a moment. Scans have connections of their own, so
//! that a look-up never waits behind one.

use crate::error::Error;
use crate::limits::{POINT_READERS_MAX, READ_MS_MAX};
use optimusdb_storage::{Damage, Place, Readers, Snapshots, View};
use std::sync::Arc;
use std::time::Duration;

/// The pool of these connections. Clones are the same pool.
#[derive(Debug, Clone)]
pub(crate) struct LookupPool(Arc<Readers>);

impl LookupPool {
    pub(crate) fn new(place: Place, snapshots: Arc<Snapshots>, damage: Arc<Damage>) -> LookupPool {
        let readers = Readers::new(place, POINT_READERS_MAX);
        LookupPool(Arc::new(readers.ending_with(snapshots).with_damage(damage)))
    }

    /// Reads on a thread that may wait for the disk.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(View<'_>) -> Result<T, optimusdb_storage::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let readers = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            readers.read(Duration::from_millis(READ_MS_MAX), read).map_err(Error::from)
        })
        .await
        .map_err(|e| Error::Internal(format!("reading: {e}")))?
    }
}
