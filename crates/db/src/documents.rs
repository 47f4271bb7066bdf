//! The answer to a read, as a stream: a million documents never sit in memory.

use crate::chunks::Chunks;
use crate::error::Error;
use crate::limits::SCAN_READERS_MAX;
use crate::query::Query;
use crate::reading;
use optimusdb_storage::{Place, Readers, StoreRef, View};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Documents as JSON text, in chunks of comma-joined documents.
#[derive(Debug)]
pub struct Documents(Chunks);

impl Documents {
    /// The next chunk, or None after the last one; from the second on it begins with its comma. An
    /// error is the last chunk.
    pub async fn next(&mut self) -> Option<Result<String, Error>> {
        self.0.next().await
    }

    /// Documents of one look-up, which is done already.
    pub(crate) fn at_hand(text: String) -> Documents {
        Documents(Chunks::at_hand(text))
    }

    /// Starts a scan and waits for its first chunk.
    pub(crate) async fn scan(
        scans: &Scans,
        store: StoreRef,
        query: Query,
        deadline: Instant,
    ) -> Result<Documents, Error> {
        let lease = scans.lease(deadline).await?;
        let readers = Arc::clone(&scans.readers);
        let chunks = Chunks::made(move |mut chunks| {
            let _lease = lease;
            let mut first = true;
            // There are as many leases as connections, so this does not wait.
            let read = readers.read(Duration::ZERO, |view| {
                Ok(reading::documents(view, &store, &query, deadline, |json| {
                    chunks.write(|text| {
                        if !std::mem::take(&mut first) {
                            text.push(',');
                        }
                        text.push_str(json);
                    })
                }))
            });
            match read.map_err(Error::from) {
                Ok(Ok(())) => chunks.end(),
                Err(error) | Ok(Err(error)) => chunks.fail(error),
            }
        });
        Ok(Documents(chunks.await?))
    }
}

/// The connections for scans, and the leases of them. Waiting for a lease takes no thread, so that
/// long scans never hold up what is short.
#[derive(Debug)]
pub(crate) struct Scans {
    readers: Arc<Readers>,
    leases: Arc<Semaphore>,
}

impl Scans {
    pub(crate) fn new(place: Place) -> Scans {
        Scans {
            readers: Arc::new(Readers::new(place, SCAN_READERS_MAX)),
            leases: Arc::new(Semaphore::new(SCAN_READERS_MAX)),
        }
    }

    /// Reads on one of the connections, on a thread that may wait for the disk.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        deadline: Instant,
        read: impl FnOnce(View<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let lease = self.lease(deadline).await?;
        let readers = Arc::clone(&self.readers);
        let reading = tokio::task::spawn_blocking(move || {
            let _lease = lease;
            // There are as many leases as connections, so this does not wait.
            readers.read(Duration::ZERO, |view| Ok(read(view)))
        });
        reading.await.map_err(|e| Error::Internal(format!("reading: {e}")))??
    }

    async fn lease(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Error> {
        let waiting = Arc::clone(&self.leases).acquire_owned();
        match tokio::time::timeout_at(deadline.into(), waiting).await {
            Ok(Ok(lease)) => Ok(lease),
            _ => Err(Error::Unavailable(format!(
                "{SCAN_READERS_MAX} long reads are running already; try again"
            ))),
        }
    }
}
