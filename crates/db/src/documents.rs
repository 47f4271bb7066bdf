//! The answer to a read, as a stream: a million documents never sit in memory.

use crate::chunks::Chunks;
use crate::error::Error;
use crate::limits::SCAN_READERS_MAX;
use crate::places::{Places, ReadPlace};
use crate::query::Query;
use crate::reading;
use optimusdb_storage::{Damage, Place, Readers, Snapshots, StoreRef, View};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
        let place = scans.place(query.client, deadline).await?;
        let readers = Arc::clone(&scans.readers);
        let chunks = Chunks::made(place.taking(), deadline, move |mut chunks| {
            let _place = place;
            let mut first = true;
            // There are as many places as connections, so this does not wait.
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

/// The connections for scans, and the places for those who read on them: long scans never hold up what is
/// short.
#[derive(Debug)]
pub(crate) struct Scans {
    readers: Arc<Readers>,
    places: Arc<Places>,
}

impl Scans {
    pub(crate) fn new(place: Place, snapshots: &Arc<Snapshots>, damage: Arc<Damage>) -> Scans {
        let readers = Readers::new(place, SCAN_READERS_MAX)
            .ending_with(Arc::clone(snapshots))
            .with_damage(damage);
        let places = Places::new("long reads", SCAN_READERS_MAX, Arc::clone(snapshots));
        Scans { readers: Arc::new(readers), places: Arc::new(places) }
    }

    /// Reads on one of the connections, on a thread that may wait for the disk.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        reader: Option<IpAddr>,
        deadline: Instant,
        read: impl FnOnce(View<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let place = self.place(reader, deadline).await?;
        let readers = Arc::clone(&self.readers);
        let reading = tokio::task::spawn_blocking(move || {
            let _place = place;
            // There are as many places as connections, so this does not wait.
            readers.read(Duration::ZERO, |view| Ok(read(view)))
        });
        reading.await.map_err(|e| Error::Internal(format!("reading: {e}")))??
    }

    async fn place(&self, reader: Option<IpAddr>, deadline: Instant) -> Result<ReadPlace, Error> {
        self.places.take(reader, deadline).await
    }
}
