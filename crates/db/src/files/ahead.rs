//! Blocks on their way before they are wanted.

use super::fetch::Fetcher;
use crate::error::Error;
use crate::limits::{FETCH_AHEAD_BLOCKS, FILE_AHEAD_MS_MAX, FILE_BLOCK_MS_MAX, READ_AHEAD_BLOCKS};
use bytes::Bytes;
use optimusdb_dag::Cid;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Brings the blocks of one reader, some of them early.
#[derive(Debug)]
pub(super) struct Ahead {
    fetcher: Fetcher,
    coming: HashMap<Cid, Coming>,
    /// How many may be on their way.
    window: usize,
}

/// A block on its way; what is no longer waited for is not fetched further.
#[derive(Debug)]
struct Coming(JoinHandle<Result<(Bytes, bool), Error>>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ahead {
    pub(super) fn new(fetcher: Fetcher) -> Ahead {
        Ahead { fetcher, coming: HashMap::new(), window: READ_AHEAD_BLOCKS }
    }

    /// The first of these blocks; those after it may be brought meanwhile. None where there is none.
    ///
    /// # Errors
    /// As [`Fetcher::block`].
    pub(super) async fn next<'c>(
        &mut self,
        upcoming: impl Iterator<Item = &'c Cid>,
    ) -> Result<Option<Bytes>, Error> {
        let mut first = None;
        for cid in upcoming.take(self.window) {
            first = first.or(Some(cid));
            if self.coming.len() >= self.window {
                break;
            }
            if !self.coming.contains_key(cid) && self.fetcher.recent(cid).is_none() {
                let (fetcher, wanted) = (self.fetcher.clone(), cid.clone());
                let coming =
                    async move { fetcher.block(wanted, deadline(FILE_AHEAD_MS_MAX)).await };
                self.coming.insert(cid.clone(), Coming(tokio::spawn(coming)));
            }
        }
        let Some(cid) = first else { return Ok(None) };
        let (block, fetched) = match self.coming.get_mut(cid) {
            Some(Coming(coming)) => {
                let came = timeout_at(deadline(FILE_BLOCK_MS_MAX), coming).await;
                let late = || Error::TimedOut(format!("block {cid} did not come in time"));
                let came = came.map_err(|_| late())?;
                self.coming.remove(cid);
                came.map_err(|e| Error::Internal(format!("reading a file: {e}")))??
            }
            None => self.fetcher.block(cid.clone(), deadline(FILE_BLOCK_MS_MAX)).await?,
        };
        if fetched {
            self.window = FETCH_AHEAD_BLOCKS;
        }
        Ok(Some(block))
    }
}

fn deadline(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}
