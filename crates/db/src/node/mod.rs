//! The node: the one struct through which the server uses this room.
//!
//! This file opens and closes it. Each file beside holds one part of its interface.

mod access;
mod documents;
mod files;
mod info;
mod journal;
mod list;
mod mending;
mod network;
mod pins;
mod sql;
mod stores;
mod tosca;
mod verdicts;

pub use info::{NodeConfig, NodeId, Readiness, StoreInfo};
pub use network::PeerShown;
pub use pins::PinShown;

use crate::access::AccessCache;
use crate::commits::Commits;
use crate::disk::DiskState;
use crate::documents::Scans;
use crate::error::Error;
use crate::files::Files;
use crate::journal::JournalThread;
use crate::limits::WRITE_MS_MAX;
use crate::lookup_pool::LookupPool;
use crate::metrics::WriterFigures;
use crate::replication::Replication;
use crate::space::DiskSpace;
use crate::sql::{PeerGate, SqlGate, sql_gates};
use crate::stores::{BlockSource, ListNews, StoreNames, make_builtin};
use crate::writer::{Done, Health, Lane, Work, Writer};
use crate::{keys, opening};
use optimusdb_dag::IdentityKeys;
use optimusdb_storage::{
    Database, Durability, FileBlocks, Fingerprints, Place, Repo, Snapshots, SqlPlaces,
};
use optimusdb_swarm::HostKey;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A running node. Clones are the same node.
#[derive(Debug, Clone)]
pub struct Node {
    inner: Arc<NodeInner>,
}

#[derive(Debug)]
struct NodeInner {
    id: NodeId,
    coordinator: bool,
    keys: IdentityKeys,
    names: Arc<StoreNames>,
    lookups: LookupPool,
    scans: Scans,
    sql: SqlGate,
    peer_sql: PeerGate,
    /// Where blocks come from that are not here.
    source: Arc<BlockSource>,
    list_news: Arc<ListNews>,
    files: Arc<Files>,
    writer: Arc<Writer>,
    accesses: Arc<AccessCache>,
    figures: WriterFigures,
    commits: Commits,
    disk: DiskState,
    space: DiskSpace,
    host: HostKey,
    replication: OnceLock<Replication>,
    journal: Mutex<Option<JournalThread>>,
    place: Place,
    fingerprints: Arc<Fingerprints>,
    snapshots: Arc<Snapshots>,
    journal_place: Place,
    // Last, so that the directory is unlocked after everything in it is closed.
    repo: Mutex<Option<Repo>>,
}

/// Opens the database with the stores that every node has, its index made again where that is due.
fn open_database(
    config: &NodeConfig,
    place: &Place,
    durability: Durability,
    identity: &IdentityKeys,
) -> Result<Database, Error> {
    let mut database = Database::open(place, durability)?;
    opening::bind_swarm(&mut database, &config.swarm)?;
    make_builtin(&mut database, &config.swarm, identity)?;
    if config.reindex || database.has_no_index()? {
        opening::reindex(&mut database, &config.opening)?;
    }
    Ok(database)
}

impl Node {
    /// Opens the node of a directory, making what is missing. Blocks; nothing runs on failure.
    pub fn open(config: NodeConfig) -> Result<Node, Error> {
        let repo = Repo::open(&config.repo)?;
        let identity = keys::identity(&repo)?;
        let host = keys::host(&repo)?;
        let place = Place::File(repo.database_path());
        let durability = if config.durable { Durability::Full } else { Durability::Relaxed };
        let database = open_database(&config, &place, durability, &identity)?;
        config.opening.begin("joining the swarm", None);
        let stores = database.view().stores()?;
        let disk = DiskState::new(database.damage(), database.lost_entries());
        disk.count(database.view());
        let figures = WriterFigures::new(&stores);
        let (fingerprints, snapshots) = (database.fingerprints(), database.snapshots());
        let (commits, accesses) = (Commits::default(), Arc::new(AccessCache::new()));
        let files = FileBlocks::open(&repo, durability, config.files.storage_max_bytes)?;
        let space = DiskSpace::new(repo.path(), config.disk_reserve_bytes, config.free_bytes);
        let files =
            Files::start(files, config.files, repo.path().join("downloads"), space.clone())?;
        let lookups = LookupPool::new(place.clone(), Arc::clone(&snapshots), disk.damage());
        let journal_place = Place::File(repo.journal_path());
        let journal = config
            .journal
            .map(|receiver| {
                JournalThread::start(receiver, &journal_place, config.journal_retention)
            })
            .transpose()?;
        let (node, user) = (place.clone(), Place::File(repo.user_path()));
        let sql_files = SqlPlaces { node, journal: journal_place.clone(), user };
        let (sql, peer_sql) = sql_gates(sql_files, Arc::clone(&snapshots))?;
        Ok(Node {
            inner: Arc::new(NodeInner {
                id: NodeId {
                    peer_id: host.peer_id(),
                    identity: identity.identity().id.clone(),
                    swarm: config.swarm,
                    version: config.version,
                    region: config.region,
                },
                source: Arc::new(BlockSource::new(lookups.clone())),
                list_news: Arc::default(),
                files: Arc::new(files),
                coordinator: config.coordinator,
                writer: Arc::new(Writer::start(
                    database,
                    identity.clone(),
                    Arc::clone(&accesses),
                    figures.clone(),
                    commits.clone(),
                    disk.clone(),
                )?),
                accesses,
                commits,
                disk: disk.clone(),
                space,
                host,
                replication: OnceLock::new(),
                keys: identity,
                names: Arc::new(StoreNames::new(stores)),
                lookups,
                scans: Scans::new(place.clone(), &snapshots, disk.damage()),
                sql,
                peer_sql,
                place,
                fingerprints,
                snapshots,
                figures,
                journal: Mutex::new(journal),
                journal_place,
                repo: Mutex::new(Some(repo)),
            }),
        })
    }

    /// Who this node is.
    pub fn id(&self) -> NodeId {
        self.inner.id.clone()
    }

    /// Whether it can do its work now.
    pub fn ready(&self) -> Readiness {
        let (ready, writable, reason) = match &*self.inner.writer.health().borrow() {
            Health::Good => {
                let held = self.inner.disk.holds_writes();
                (true, held.is_none(), held)
            }
            Health::Refusing(reason) => (true, false, Some(reason.clone())),
            Health::Ended(reason) => {
                (false, false, Some(reason.as_ref().map_or("stopping".into(), Error::to_string)))
            }
        };
        let (behind, mut degraded) = (self.behind(), self.inner.disk.degraded());
        degraded.extend(self.inner.space.degraded());
        Readiness { ready, writable, reason, behind, degraded }
    }

    /// Waits until the node has ended by itself, and answers why.
    pub async fn failed(&self) -> Error {
        let mut health = self.inner.writer.health();
        let ended = health.wait_for(|health| matches!(health, Health::Ended(Some(_)))).await;
        match ended.as_deref() {
            Ok(Health::Ended(Some(error))) => error.clone(),
            // The node was closed: its end has no reason.
            _ => std::future::pending().await,
        }
    }

    /// Adds the node's figures to a registry.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.inner.figures.register(registry);
        self.inner.files.register(registry);
        self.inner.disk.register(registry);
        self.inner.space.register(registry);
        if let Some(replication) = self.inner.replication.get() {
            replication.register(registry);
        }
    }

    /// Commits the writes that were let in, moves the write-ahead log into the database file, and
    /// unlocks the directory.
    pub async fn close(&self) {
        if let Some(replication) = self.inner.replication.get() {
            replication.close().await;
        }
        let inner = Arc::clone(&self.inner);
        // A thread of its own: long reads may hold every one of the blocking pool.
        let (closed, closing) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            inner.writer.close();
            // The follower of the list sees that nothing more is written, and ends.
            inner.list_news.changed();
            inner.files.close();
            let journal = inner.journal.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(mut journal) = journal {
                journal.close();
            }
            drop(inner.repo.lock().unwrap_or_else(PoisonError::into_inner).take());
            let _ = closed.send(());
        });
        // A panic in there has ended the process already.
        let _ = closing.await;
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(optimusdb_storage::View<'_>) -> Result<T, optimusdb_storage::Error>
        + Send
        + 'static,
    ) -> Result<T, Error> {
        self.inner.lookups.read(read).await
    }

    async fn write(&self, work: Work) -> Result<Done, Error> {
        let deadline = Instant::now() + Duration::from_millis(WRITE_MS_MAX);
        self.write_until(work, deadline).await
    }

    /// Every write of a client passes here.
    async fn write_until(&self, work: Work, deadline: Instant) -> Result<Done, Error> {
        if work.makes_entries()
            && let Some(why) = self.inner.disk.holds_writes()
        {
            return Err(Error::Unavailable(why));
        }
        self.inner.writer.write(Lane::Local, work, deadline).await
    }

    async fn count(&self, work: Work) -> Result<usize, Error> {
        match self.write(work).await? {
            Done::Count(count) => Ok(count),
            Done::Store(_) | Done::Sql(_) | Done::Outdated => {
                Err(Error::Internal("the writer answered something else".into()))
            }
        }
    }
}
