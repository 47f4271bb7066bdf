//! The node: one struct, built bottom-up, that everything else is asked through.
//!
//! Here is its life; what it does with stores, documents and logs is in the files beside.

mod documents;
mod info;
mod log;
mod stores;

pub use info::{NodeConfig, NodeId, Readiness, StoreInfo};

use crate::documents::Scans;
use crate::error::Error;
use crate::limits::{POINT_READERS_MAX, READ_MS_MAX, WRITE_MS_MAX};
use crate::logs::LogKeeper;
use crate::metrics::WriterFigures;
use crate::writer::{Done, Health, Lane, Work, Writer};
use crate::{keys, opening};
use optimusdb_dag::IdentityKeys;
use optimusdb_storage::{Database, Durability, Place, Readers, Repo, StoreRow};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

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
    points: Arc<Readers>,
    scans: Scans,
    writer: Writer,
    figures: WriterFigures,
    logs: Mutex<Option<LogKeeper>>,
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
            opening::reindex(&mut database)?;
        }
        let stores = database.view().stores()?;
        let figures = WriterFigures::new(&stores);
        let log_place = Place::File(repo.log_database_path());
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
                coordinator: config.coordinator,
                writer: Writer::start(database, identity.clone(), figures.clone())?,
                keys: identity,
                stores: RwLock::new(stores.into_iter().map(|s| (s.name.clone(), s)).collect()),
                points: Arc::new(Readers::new(place.clone(), POINT_READERS_MAX)),
                scans: Scans::new(place),
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
        match &*self.inner.writer.health().borrow() {
            Health::Good => Readiness { ready: true, writable: true, reason: None },
            Health::Refusing(reason) => {
                Readiness { ready: true, writable: false, reason: Some(reason.clone()) }
            }
            Health::Ended(reason) => Readiness {
                ready: false,
                writable: false,
                reason: Some(reason.as_ref().map_or("stopping".into(), Error::to_string)),
            },
        }
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
    }

    /// Finishes what was let in, moves it into the database file and lets the directory go.
    pub async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        // A thread of its own: long reads may hold every one of the blocking pool.
        let (closed, closing) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            inner.writer.close();
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

    async fn read<T: Send + 'static>(
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
