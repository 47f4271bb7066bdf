//! Fetching all that is below an address.
//!
//! What is here is not fetched again, so a fetch that was cut off goes on where it was. Blocks come a few at a
//! time and go to the disk as they come. While it lasts, nothing that it has met is removed.

use super::fetch::Fetcher;
use super::transfers::{Running, TransferReason, Transfers};
use super::walk::{Place, Walk};
use super::{Files, off_task};
use crate::error::Error;
use crate::limits::{
    PROGRESS_MS, TRANSFER_AHEAD_BLOCKS, TRANSFER_BLOCK_MS_MAX, TRANSFER_MS_MAX,
    TRANSFER_STEP_BLOCKS,
};
use optimusdb_dag::unixfs::{Content, content_of};
use optimusdb_dag::{Blocks as _, Cid};
use optimusdb_storage::{Adding, Contributed, FileBlocks};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How a block was found here.
pub(super) enum Found {
    Missing,
    /// A leaf of so many bytes, which was not read.
    Leaf(u64),
    Block(Vec<u8>),
}

/// Fetches what is not here of all that is below `root`, which has at most `bytes_max` bytes. When this returns,
/// all of it is on the disk, and stays there if a pin or a reader holds `root`.
///
/// # Errors
/// [`Error::TimedOut`] for a block that could not be had, [`Error::NoRoom`], [`Error::TooLarge`] beyond the bounds
/// of a DAG, and what is wrong with it. What came until then stays, and is met by the next try.
pub(super) async fn gather(
    files: &Arc<Files>,
    root: &Cid,
    running: &Running,
    bytes_max: u64,
) -> Result<(), Error> {
    let time = Duration::from_millis(TRANSFER_MS_MAX);
    let gathering = gather_all(files, root, running, bytes_max);
    tokio::time::timeout(time, gathering).await.map_err(|_| {
        Error::TimedOut(format!("not all of it came within {} h", TRANSFER_MS_MAX / 3_600_000))
    })?
}

async fn gather_all(
    files: &Arc<Files>,
    root: &Cid,
    running: &Running,
    bytes_max: u64,
) -> Result<(), Error> {
    // As long as this add goes on, no sweep takes what was met.
    let hold = Arc::new(files.blocks.add());
    let fetcher = Fetcher::new(files, root.clone());
    let mut walk = Walk::new(root.clone(), bytes_max);
    let mut missing = VecDeque::new();
    let mut coming = JoinSet::new();
    let mut told = Instant::now();
    loop {
        while missing.is_empty() && coming.len() < TRANSFER_AHEAD_BLOCKS {
            let places: Vec<Place> =
                std::iter::from_fn(|| walk.next()).take(TRANSFER_STEP_BLOCKS).collect();
            if places.is_empty() {
                break;
            }
            for (place, found) in look(files.blocks(), Arc::clone(&hold), places, false).await? {
                match found {
                    Found::Missing => missing.push_back(place),
                    Found::Leaf(bytes) => {
                        walk.pass(bytes)?;
                        running.here(bytes);
                    }
                    Found::Block(block) => {
                        size_of(root, &place, &block, running);
                        walk.take(&place, &block)?;
                        running.here(block.len() as u64);
                    }
                }
            }
        }
        while coming.len() < TRANSFER_AHEAD_BLOCKS
            && let Some(place) = missing.pop_front()
        {
            let fetcher = fetcher.clone();
            coming.spawn(async move {
                let deadline = Instant::now() + Duration::from_millis(TRANSFER_BLOCK_MS_MAX);
                let block = fetcher.block(place.cid.clone(), deadline).await;
                block.map(|(block, _)| (place, block))
            });
        }
        if fetcher.lacks_room() {
            break;
        }
        let Some(came) = coming.join_next().await else { break };
        let (place, block) =
            came.map_err(|e| Error::Internal(format!("fetching a block: {e}")))??;
        size_of(root, &place, &block, running);
        if place.is_leaf() {
            walk.pass(block.len() as u64)?
        } else {
            walk.take(&place, &block)?
        }
        running.fetched(block.len() as u64);
        if told.elapsed() >= Duration::from_millis(PROGRESS_MS) {
            told = Instant::now();
            tracing::info!("fetching {}", running.progress());
        }
    }
    fetcher.flush().await
}

/// The root of a file says how large it is.
fn size_of(root: &Cid, place: &Place, block: &[u8], running: &Running) {
    if place.cid == *root
        && let Ok(Content::File(size)) = content_of(root, block)
    {
        running.total(size);
    }
}

/// Finds out which of these are here. Those that are stay as long as the add goes on.
pub(super) async fn look(
    blocks: Arc<FileBlocks>,
    hold: Arc<Adding>,
    places: Vec<Place>,
    reads_leaves: bool,
) -> Result<Vec<(Place, Found)>, Error> {
    off_task(move || {
        let look = |place: Place| {
            let found = match hold.meet(&place.cid)? {
                None => Found::Missing,
                Some(bytes) if place.is_leaf() && !reads_leaves => Found::Leaf(bytes),
                Some(_) => blocks.get(&place.cid)?.map_or(Found::Missing, Found::Block),
            };
            Ok((place, found))
        };
        places.into_iter().map(look).collect::<Result<_, optimusdb_storage::Error>>()
    })
    .await
}

impl Files {
    /// Fetches a file of at most so many bytes to look at it; nobody is promised that it stays.
    pub(crate) async fn fetch_to_judge(
        self: &Arc<Self>,
        file: &Contributed,
        bytes_max: u64,
    ) -> Result<(), Error> {
        let (cid, why) = (file.cid.clone(), TransferReason::Validation);
        let _reading = self.blocks.reading(&cid);
        let running = Transfers::begin(&self.transfers, cid, file.name.clone(), why, file.tries);
        gather(self, &file.cid, &running, bytes_max).await
    }
}
