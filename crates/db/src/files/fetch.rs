//! One block: from the disk, or from a peer.
//!
//! What is not here is fetched in a session of the root that is read, which begins with the first such
//! block. What was fetched is kept, so that the next reader and the next peer find it here: a thread
//! puts it on the disk, and the reader does not wait for it unless the disk is slower than the peers.
//! Nobody was promised it, so many blocks share a commit; and where files may take no more room, who reads gets
//! the blocks all the same, and they are not kept.

use super::add::{Failed, put};
use super::feed::Feed;
use super::{FilePeers, Files, off_task};
use crate::error::Error;
use crate::limits::{FETCHED_KEPT_BLOCKS_MAX, FETCHED_KEPT_BYTES};
use bytes::Bytes;
use optimusdb_dag::{Blocks as _, Cid};
use optimusdb_storage::Adding;
use optimusdb_swarm::{FetchError, FileSession};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OnceCell, mpsc};
use tokio::time::{Instant, timeout_at};

/// Where one who reads below a root gets blocks from. Clones are the same reader.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    files: Arc<Files>,
    reader: Arc<Reader>,
}

#[derive(Debug)]
struct Reader {
    root: Cid,
    session: OnceCell<FileSession>,
    keeper: tokio::sync::Mutex<Option<Feed<KeepStep, ()>>>,
    /// Whether something was not kept for want of room.
    lacks_room: Arc<AtomicBool>,
    figures: Mutex<FetchFigures>,
}

/// What a reader had to fetch.
#[derive(Debug, Default)]
struct FetchFigures {
    blocks: u64,
    bytes: u64,
    /// The peers that sent them.
    peers: HashSet<String>,
}

impl Fetcher {
    pub(super) fn new(files: &Arc<Files>, root: Cid) -> Fetcher {
        let reader = Reader {
            root,
            session: OnceCell::new(),
            keeper: tokio::sync::Mutex::default(),
            lacks_room: Arc::default(),
            figures: Mutex::default(),
        };
        Fetcher { files: Arc::clone(files), reader: Arc::new(reader) }
    }

    /// A block, which hashes to its address, and whether it had to be fetched.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when it is neither here nor with a peer that answers in time.
    pub(super) async fn block(&self, cid: Cid, deadline: Instant) -> Result<(Bytes, bool), Error> {
        if let Some(block) = self.here(cid.clone()).await? {
            return Ok((block, false));
        }
        let absent = |why: &str| Error::TimedOut(format!("block {cid} is not here, and {why}"));
        let fetching = async {
            let Some(session) = self.session().await else {
                return Err(absent("this node takes no part in its swarm"));
            };
            session.fetch(cid.clone()).await.map_err(|error| match error {
                FetchError::Closed => Error::Unavailable("this node is stopping".into()),
                FetchError::NotFound | FetchError::TimedOut => absent(&error.to_string()),
            })
        };
        let fetched = timeout_at(deadline, fetching).await;
        let (block, sender) = fetched.map_err(|_| absent("it did not come in time"))??;
        let block = Bytes::from(block);
        let sender = sender.map(|peer| peer.to_string());
        self.reader.count(block.len(), sender);
        self.keep(cid, block.clone()).await?;
        Ok((block, true))
    }

    /// Whether something was not kept for want of room. [`Fetcher::flush`] says so, too.
    pub(super) fn lacks_room(&self) -> bool {
        self.reader.lacks_room.load(Ordering::Relaxed)
    }

    /// Returns once what was fetched is on the disk.
    ///
    /// # Errors
    /// [`Error::NoRoom`] when not all of it was kept; when the disk does not take it.
    pub(super) async fn flush(&self) -> Result<(), Error> {
        let feed = self.reader.keeper.lock().await.take();
        match feed {
            Some(feed) => feed.finish(KeepStep::End).await,
            None => Ok(()),
        }
    }

    /// A block, if it is here.
    pub(super) async fn here(&self, cid: Cid) -> Result<Option<Bytes>, Error> {
        if let Some(block) = self.recent(&cid) {
            return Ok(Some(block));
        }
        let files = Arc::clone(&self.files);
        off_task(move || {
            let block = files.blocks.get(&cid)?.map(Bytes::from);
            if let Some(block) = &block {
                files.recent.put(cid, block.clone());
            }
            Ok::<_, Error>(block)
        })
        .await
    }

    /// A block, if it was read lately.
    pub(super) fn recent(&self, cid: &Cid) -> Option<Bytes> {
        self.files.recent.get(cid)
    }

    async fn session(&self) -> Option<&FileSession> {
        let joined = self.files.joined.get()?;
        let begun = self.reader.session.get_or_init(async || {
            let root = self.reader.root.clone();
            let holders = (joined.holders)(root.clone()).await;
            let members_only = self.files.peers == FilePeers::Swarm;
            joined.swarm.file_session(root, &holders, members_only)
        });
        Some(begun.await)
    }

    /// Hands a block to the thread that keeps it.
    async fn keep(&self, cid: Cid, block: Bytes) -> Result<(), Error> {
        let mut keeper = self.reader.keeper.lock().await;
        let feed = match keeper.take() {
            Some(feed) => keeper.insert(feed),
            None => {
                let files = Arc::clone(&self.files);
                let lacks_room = Arc::clone(&self.reader.lacks_room);
                keeper.insert(Feed::start(move |steps| keep_all(&files, &lacks_room, steps))?)
            }
        };
        let sent = feed.send(KeepStep::Block(cid, block)).await;
        if sent.is_err() {
            // The thread has given up; another one may fare better.
            *keeper = None;
        }
        sent
    }
}

impl Reader {
    fn count(&self, bytes: usize, sender: Option<String>) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.blocks += 1;
        figures.bytes += bytes as u64;
        figures.peers.extend(sender);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let FetchFigures { blocks, bytes, peers } =
            self.figures.get_mut().unwrap_or_else(PoisonError::into_inner);
        if *blocks > 0 {
            let (root, peers) = (&self.root, peers.len());
            tracing::debug!(%root, blocks, bytes, peers, "what was not here of a file was fetched");
        }
    }
}

#[derive(Debug)]
enum KeepStep {
    Block(Cid, Bytes),
    /// Somebody waits until the disk has all of it.
    End,
}

/// Puts what comes on the disk, until nobody sends any more, or waits for the end.
fn keep_all(
    files: &Files,
    lacks_room: &AtomicBool,
    mut steps: mpsc::Receiver<KeepStep>,
) -> Result<Option<()>, Error> {
    let (mut waiting, mut bytes, mut cids) = (None::<Adding>, 0, Vec::new());
    let mut refused = None;
    while let Some(step) = steps.blocking_recv() {
        let (end, full) = match step {
            KeepStep::End => (true, false),
            KeepStep::Block(..) if refused.is_some() => continue,
            KeepStep::Block(..) if files.space.is_low() => {
                lacks_room.store(true, Ordering::Relaxed);
                refused = Some(files.space.refusal());
                (false, false)
            }
            KeepStep::Block(cid, block) => {
                let adding = waiting.get_or_insert_with(|| files.blocks.add());
                match put(files, adding)(&cid, &block).map_err(Failed::into_error) {
                    Err(error @ Error::NoRoom(_)) => {
                        lacks_room.store(true, Ordering::Relaxed);
                        refused = Some(error);
                    }
                    put => {
                        put?;
                        bytes += block.len();
                        cids.push(cid);
                    }
                }
                (false, bytes >= FETCHED_KEPT_BYTES || cids.len() >= FETCHED_KEPT_BLOCKS_MAX)
            }
        };
        if (end || full || refused.is_some())
            && let Some(adding) = waiting.take()
        {
            adding.finish(&[], "", 0)?;
            files.told(&std::mem::take(&mut cids));
            bytes = 0;
        }
        if end {
            return refused.map_or(Ok(Some(())), Err);
        }
    }
    let Some(adding) = waiting else { return Ok(None) };
    match adding.finish(&[], "", 0) {
        Ok(()) => files.told(&cids),
        // Nobody waits for it; what cannot be kept is fetched again.
        Err(error) => tracing::warn!("what was fetched is not kept: {error}"),
    }
    Ok(None)
}
