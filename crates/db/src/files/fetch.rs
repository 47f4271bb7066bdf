//! One block: from the disk, or from a peer.
//!
//! What was fetched is kept, so that the next reader and the next peer find it here. Nobody was
//! promised it, so several blocks share a commit: whatever was fetched since the last one.

use super::{Files, off_task};
use crate::error::Error;
use crate::limits::FETCHED_KEPT_BYTES;
use optimusdb_dag::{Blocks as _, Cid};
use optimusdb_storage::{Adding, FileBlocks};
use optimusdb_swarm::FetchError;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::{Instant, timeout_at};

/// Where one who reads gets blocks from.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    files: Arc<Files>,
    kept: Arc<Fetched>,
}

impl Fetcher {
    pub(super) fn new(files: &Arc<Files>) -> Fetcher {
        let kept = Fetched { blocks: files.blocks(), waiting: Mutex::default() };
        Fetcher { files: Arc::clone(files), kept: Arc::new(kept) }
    }

    /// A block, which hashes to its address, and whether it had to be fetched.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when it is neither here nor with a peer that answers in time.
    pub(super) async fn block(
        &self,
        cid: Cid,
        deadline: Instant,
    ) -> Result<(Vec<u8>, bool), Error> {
        if let Some(block) = self.here(cid.clone()).await? {
            return Ok((block, false));
        }
        let absent = |why: &str| Error::TimedOut(format!("block {cid} is not here, and {why}"));
        let Some(swarm) = self.files.swarm.get() else {
            return Err(absent("this node takes no part in its swarm"));
        };
        let block = match timeout_at(deadline, swarm.fetch(cid.clone(), Vec::new())).await {
            Ok(Ok(block)) => block,
            Ok(Err(FetchError::Closed)) => {
                return Err(Error::Unavailable("this node is stopping".into()));
            }
            Ok(Err(error @ (FetchError::NotFound | FetchError::TimedOut))) => {
                return Err(absent(&error.to_string()));
            }
            Err(_) => return Err(absent("it did not come in time")),
        };
        let kept = Arc::clone(&self.kept);
        off_task(move || kept.keep(&cid, &block).map(|()| (block, true))).await
    }

    /// A block, if it is here.
    async fn here(&self, cid: Cid) -> Result<Option<Vec<u8>>, Error> {
        let blocks = self.files.blocks();
        off_task(move || blocks.get(&cid)).await
    }
}

/// Blocks that were fetched and are not committed yet.
#[derive(Debug)]
struct Fetched {
    blocks: Arc<FileBlocks>,
    waiting: Mutex<Option<(Adding, usize)>>,
}

impl Fetched {
    fn keep(&self, cid: &Cid, block: &[u8]) -> Result<(), Error> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (adding, bytes) = waiting.get_or_insert_with(|| (self.blocks.add(), 0));
        adding.put(cid, block)?;
        *bytes += block.len();
        if *bytes >= FETCHED_KEPT_BYTES
            && let Some((adding, _)) = waiting.take()
        {
            adding.finish(&[], "", 0)?;
        }
        Ok(())
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let waiting = self.waiting.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some((adding, _)) = waiting else { return };
        // On a thread that may wait for the disk; what cannot be kept is fetched again.
        std::thread::spawn(move || {
            if let Err(error) = adding.finish(&[], "", 0) {
                tracing::warn!("what was fetched is not kept: {error}");
            }
        });
    }
}
