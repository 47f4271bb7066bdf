//! The node: one struct, built bottom-up, that everything else is asked through.
//!
//! Here is its life; what it does with stores, documents and logs is in the files beside.

mod access;
mod documents;
mod info;
mod list;
mod log;
mod network;
mod stores;

pub(crate) use stores::check_store_name;

pub use info::{NodeConfig, NodeId, Readiness, StoreInfo};
pub use network::{NetworkConfig, PeerInfo};

use crate::access::AccessCache;
use crate::adopt::Source;
use crate::commits::Commits;
use crate::documents::Scans;
use crate::error::Error;
use crate::limits::{POINT_READERS_MAX, READ_MS_MAX, WRITE_MS_MAX};
use crate::logs::LogKeeper;
use crate::metrics::WriterFigures;
use crate::replication::Replication;
use crate::writer::{Done, Health, Lane, Work, Writer};
use crate::{keys, opening};
use list::ListNews;
use optimusdb_dag::IdentityKeys;
use optimusdb_storage::{Database, Durability, Fingerprints, Place, Readers, Repo, StoreRow};
use optimusdb_swarm::HostKey;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A running node. Clones are the same node.
#[derive(Debug, Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: NodeId,
    coordinator: bool,
    keys: IdentityKeys,
    stores: RwLock<BTreeMap<String, StoreRow>>,
    /// Held while the names of the stores are read again, so that no older reading comes last.
    knowing_stores: tokio::sync::Mutex<()>,
    points: Arc<Readers>,
    scans: Scans,
    /// Where blocks come from that are not here.
    source: Source,
    list: ListNews,
    /// Changes with the stores that there are and their names.
    stores_changed: watch::Sender<()>,
    writer: Arc<Writer>,
    accesses: Arc<AccessCache>,
    figures: WriterFigures,
    commits: Commits,
    host: HostKey,
    replication: OnceLock<Replication>,
    logs: Mutex<Option<LogKeeper>>,
    place: Place,
    fingerprints: Arc<Fingerprints>,
    log_place: Place,
    // Last, so that the directory is let go after everything in it.
    repo: Mutex<Option<Repo>>,
}

impl Node {
    /// Opens the node of a directory, making what is missing. Blocks; nothing runs on failure.
    pub fn open(config: NodeConfig) -> Result<Node, Error> {
        let repo = Repo::open(&config.repo)?;
        let identity = keys::identity(&repo)?;
        let host = keys::host(&repo)?;
        let place = Place::File(repo.database_path());
        let durability = if config.durable { Durability::Full } else { Durability::Relaxed };
        let mut database = Database::open(&place, durability)?;
        opening::bind_swarm(&mut database, &config.swarm)?;
        opening::builtin_stores(&mut database, &config.swarm, &identity)?;
        if config.reindex {
            opening::reindex(&mut database, &config.opening)?;
        }
        config.opening.begin("joining the swarm", None);
        let stores = database.view().stores()?;
        let figures = WriterFigures::new(&stores);
        let fingerprints = database.fingerprints();
        let commits = Commits::default();
        let accesses = Arc::new(AccessCache::new());
        let log_place = Place::File(repo.journal_path());
        let logs = config
            .logs
            .map(|receiver| LogKeeper::start(receiver, &log_place, config.log_retention))
            .transpose()?;
        Ok(Node {
            inner: Arc::new(Inner {
                id: NodeId {
                    peer_id: host.peer_id(),
                    identity: identity.identity().id.clone(),
                    swarm: config.swarm,
                    version: config.version,
                    region: config.region,
                },
                source: Source::default(),
                list: ListNews::default(),
                stores_changed: watch::Sender::new(()),
                coordinator: config.coordinator,
                writer: Arc::new(Writer::start(
                    database,
                    identity.clone(),
                    Arc::clone(&accesses),
                    figures.clone(),
                    commits.clone(),
                )?),
                accesses,
                commits,
                host,
                replication: OnceLock::new(),
                keys: identity,
                stores: RwLock::new(stores.into_iter().map(|s| (s.name.clone(), s)).collect()),
                knowing_stores: tokio::sync::Mutex::new(()),
                points: Arc::new(Readers::new(place.clone(), POINT_READERS_MAX)),
                scans: Scans::new(place.clone()),
                place,
                fingerprints,
                figures,
                logs: Mutex::new(logs),
                log_place,
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
            Health::Good => (true, true, None),
            Health::Refusing(reason) => (true, false, Some(reason.clone())),
            Health::Ended(reason) => {
                (false, false, Some(reason.as_ref().map_or("stopping".into(), Error::to_string)))
            }
        };
        Readiness { ready, writable, reason, behind: self.behind() }
    }

    /// Waits until the node has ended by itself, and answers why.
    pub async fn failed(&self) -> Error {
        let mut health = self.inner.writer.health();
        let ended = health.wait_for(|health| matches!(health, Health::Ended(Some(_)))).await;
        match ended.as_deref() {
            Ok(Health::Ended(Some(error))) => error.clone(),
            // The thread is gone with its place for telling.
            _ => std::future::pending().await,
        }
    }

    /// Adds the node's figures to a registry.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.inner.figures.register(registry);
        if let Some(replication) = self.inner.replication.get() {
            replication.register(registry);
        }
    }

    /// Finishes what was let in, moves it into the database file and lets the directory go.
    pub async fn close(&self) {
        if let Some(replication) = self.inner.replication.get() {
            replication.close().await;
        }
        let inner = Arc::clone(&self.inner);
        // A thread of its own: long reads may hold every one of the blocking pool.
        let (closed, closing) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            inner.writer.close();
            // Whoever follows the list sees that nothing more is written, and ends.
            inner.list.news.notify_one();
            inner.source.set(None);
            let keeper = inner.logs.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(mut keeper) = keeper {
                keeper.close();
            }
            drop(inner.repo.lock().unwrap_or_else(PoisonError::into_inner).take());
            let _ = closed.send(());
        });
        // A panic in there has ended the process already.
        let _ = closing.await;
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(optimusdb_storage::View<'_>) -> Result<T, optimusdb_storage::Error>
        + Send
        + 'static,
    ) -> Result<T, Error> {
        let points = Arc::clone(&self.inner.points);
        tokio::task::spawn_blocking(move || {
            points.read(Duration::from_millis(READ_MS_MAX), read).map_err(Error::from)
        })
        .await
        .map_err(|e| Error::Internal(format!("reading: {e}")))?
    }

    async fn write(&self, work: Work) -> Result<Done, Error> {
        let deadline = Instant::now() + Duration::from_millis(WRITE_MS_MAX);
        self.inner.writer.write(Lane::Local, work, deadline).await
    }

    async fn count(&self, work: Work) -> Result<usize, Error> {
        match self.write(work).await? {
            Done::Count(count) => Ok(count),
            Done::Store(_) => Err(Error::Internal("the writer answered something else".into())),
        }
    }
}
