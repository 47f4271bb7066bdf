//! Files: added, read, kept and handed to whoever asks.
//!
//! How a file lies in blocks is `dag`'s to say, and where blocks rest is `storage`'s. Here they are
//! put together: a file comes in as a stream and is on the disk, whole, before its address is told
//! ([`FileAdd`], [`CarAdd`]); it goes out as a stream, and blocks that are not here are fetched from
//! peers ([`Located`], [`FoundFile`], [`FileStream`]); with its blocks as they are ([`CarStream`]), or as
//! a tree ([`TreeStream`]). What is pinned and not all here is fetched (`keep`, `gather`); what nobody
//! pinned goes away again (`sweep`). A file that a client posts becomes a contribution
//! (`contributions`), which goes through the writer like any other write, and which every node reads
//! (`follow`). Nothing here holds a whole file in memory.

mod add;
mod ahead;
mod car;
mod car_stream;
mod check;
pub(crate) mod contributions;
mod feed;
mod fetch;
mod figures;
mod follow;
mod gather;
mod held;
mod keep;
mod locate;
mod read;
mod recent;
mod save;
mod sweep;
mod transfers;
mod tree_stream;
mod walk;

pub use add::{AddedFile, AddedFiles, FileAdd};
pub use car::{AddedCar, CarAdd};
pub use car_stream::CarStream;
pub(crate) use check::Finding;
pub(crate) use follow::root_of;
pub use locate::{Located, Reach};
pub use read::{FileStream, FoundFile};
pub use transfers::{TransferReason, TransferShown};
pub use tree_stream::{TreeItem, TreeStream};

use crate::error::Error;
use crate::limits::{DISTANT_READS_MAX, FILE_ADDS_MAX, FILE_READS_MAX, FILE_SAVES_MAX};
use crate::space::DiskSpace;
use keep::Keeping;
use optimusdb_dag::unixfs::Profile;
use optimusdb_dag::{Blocks as _, Cid};
use optimusdb_storage::{FileBlocks, PinState};
use optimusdb_swarm::{BoxFuture, FileHolder, Swarm};
use recent::Recent;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use sweep::Sweeper;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use transfers::Transfers;

/// With whom blocks of files are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FilePeers {
    /// Whoever connects, plain IPFS nodes too.
    #[default]
    All,
    /// Peers that say that they are nodes of this swarm.
    Swarm,
}

/// What a node is told of its files.
#[derive(Debug, Clone, Default)]
pub struct FilesConfig {
    /// With whom their blocks are exchanged.
    pub peers: FilePeers,
    /// The name that contributions bear.
    pub agent_name: String,
    /// Where files are saved for the user; in the data directory when absent.
    pub download_dir: Option<PathBuf>,
    /// Whether everything that the swarm contributes is fetched and pinned.
    pub full_replica: bool,
    /// Bytes that blocks of files may take; absent when only the disk sets an end.
    pub storage_max_bytes: Option<u64>,
    /// How files are cut when nothing else is said.
    pub profile: Profile,
}

/// Finds out who is said to have what is below a root.
pub(crate) type HolderLookup =
    Box<dyn Fn(Cid) -> BoxFuture<'static, Vec<FileHolder>> + Send + Sync>;

/// What there is to ask once this node takes part in its swarm.
struct Joined {
    swarm: Swarm,
    holders: HolderLookup,
}

impl fmt::Debug for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined").field("swarm", &self.swarm).finish_non_exhaustive()
    }
}

/// The files of a node.
#[derive(Debug)]
pub(crate) struct Files {
    blocks: Arc<FileBlocks>,
    recent: Arc<Recent>,
    /// Whom to ask for blocks that are not here, once this node takes part in its swarm.
    joined: OnceLock<Joined>,
    peers: FilePeers,
    /// Whether there is room for what peers send.
    space: DiskSpace,
    adds: Arc<Semaphore>,
    /// For reading what is here, or begins here.
    reads: Arc<Semaphore>,
    /// For what has to be looked for first: waiting for it takes no turn from what is here.
    distant_reads: Arc<Semaphore>,
    saves: Arc<Semaphore>,
    sweeper: Sweeper,
    keeping: Keeping,
    transfers: Arc<Transfers>,
    /// The store of the contributions has grown.
    news: Notify,
    /// They are to be read from the start.
    from_the_start: AtomicBool,
    /// Something may be judged.
    judging: Notify,
    full_replica: bool,
    pub(crate) profile: Profile,
    pub(crate) agent_name: String,
    download_dir: PathBuf,
}

impl Files {
    /// The files of `blocks`, with a thread that removes what nobody wants.
    pub(crate) fn start(
        blocks: FileBlocks,
        config: FilesConfig,
        default_download_dir: PathBuf,
        space: DiskSpace,
    ) -> Result<Files, Error> {
        let (blocks, recent) = (Arc::new(blocks), Arc::<Recent>::default());
        Ok(Files {
            sweeper: Sweeper::start(Arc::clone(&blocks), Arc::clone(&recent))?,
            blocks,
            recent,
            joined: OnceLock::new(),
            peers: config.peers,
            space,
            keeping: Keeping::default(),
            transfers: Arc::default(),
            news: Notify::new(),
            from_the_start: AtomicBool::new(false),
            judging: Notify::new(),
            full_replica: config.full_replica,
            profile: config.profile,
            adds: Arc::new(Semaphore::new(FILE_ADDS_MAX)),
            reads: Arc::new(Semaphore::new(FILE_READS_MAX)),
            distant_reads: Arc::new(Semaphore::new(DISTANT_READS_MAX)),
            saves: Arc::new(Semaphore::new(FILE_SAVES_MAX)),
            agent_name: config.agent_name,
            download_dir: config.download_dir.unwrap_or(default_download_dir),
        })
    }

    /// The blocks, for peers that ask for them.
    pub(crate) fn blocks(&self) -> Arc<FileBlocks> {
        Arc::clone(&self.blocks)
    }

    /// With whom blocks are exchanged.
    pub(crate) fn peers(&self) -> FilePeers {
        self.peers
    }

    /// From now on peers are asked for what is not here, and told what is.
    pub(crate) async fn joined(&self, swarm: Swarm, holders: HolderLookup) -> Result<(), Error> {
        let _ = self.joined.set(Joined { swarm, holders });
        let blocks = self.blocks();
        let pins = off_task(move || blocks.pins()).await?;
        for pin in pins.into_iter().filter(|pin| pin.outcome.state == PinState::Here) {
            self.provide(pin.cid, true).await;
        }
        Ok(())
    }

    /// Tells the swarm that all of a DAG is here, or is no longer.
    pub(crate) async fn provide(&self, root: Cid, here: bool) {
        if let Some(joined) = self.joined.get() {
            joined.swarm.provide(root, here).await;
        }
    }

    /// Something is not wanted any more.
    pub(crate) fn unwanted(&self) {
        self.sweeper.soon();
    }

    /// A pin was taken away.
    pub(crate) fn unpinned(&self, cid: &Cid) {
        self.keeping.cancel(cid);
        self.unwanted();
    }

    /// Something was pinned. What is answered changes whenever a try to bring a pin has ended.
    pub(crate) fn pinned(&self) -> watch::Receiver<()> {
        let outcomes = self.keeping.outcomes();
        self.keeping.wake();
        outcomes
    }

    /// Waits until something may be judged.
    pub(crate) async fn to_judge(&self) {
        self.judging.notified().await;
    }

    /// Whether a pin is being brought.
    pub(crate) fn is_fetching(&self, cid: &Cid) -> bool {
        self.keeping.is_running(cid)
    }

    /// Ends what goes on by itself.
    pub(crate) fn close(&self) {
        self.keeping.cancel_all();
        self.sweeper.close();
    }

    /// Tells peers that wait for these blocks that they are here.
    fn told(&self, cids: &[Cid]) {
        if let Some(joined) = self.joined.get() {
            joined.swarm.stored(cids);
        }
    }

    /// Whether a block is here.
    pub(crate) async fn has(self: &Arc<Self>, cid: &Cid) -> Result<bool, Error> {
        if self.recent.get(cid).is_some() {
            return Ok(true);
        }
        let (blocks, cid) = (self.blocks(), cid.clone());
        off_task(move || blocks.has(&cid)).await
    }

    fn turn(turns: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, Error> {
        let turn = Arc::clone(turns).try_acquire_owned();
        turn.map_err(|_| Error::Unavailable(format!("too many files are being {what}; try again")))
    }
}

/// Runs what waits for the disk on a thread that may.
pub(crate) async fn off_task<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Error>
where
    T: Send + 'static,
    E: Into<Error> + Send + 'static,
{
    let worked = tokio::task::spawn_blocking(work).await;
    worked.map_err(|e| Error::Internal(format!("files: {e}")))?.map_err(Into::into)
}

/// What went wrong with a block of a file, said to who asked for it.
fn of_block(error: optimusdb_dag::Error) -> Error {
    use optimusdb_dag::Error as Dag;
    let text = error.to_string();
    match error {
        Dag::NoEntry(_) | Dag::NotADirectory(_) => Error::NotFound(text),
        Dag::PathIntoCodec(_) => Error::NotBuilt(text),
        Dag::FilesTooLarge(_) | Dag::BlockTooLarge { .. } => Error::TooLarge(text),
        _ => Error::Invalid(text),
    }
}
