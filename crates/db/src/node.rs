//! The node: one struct, built bottom-up, that everything else is asked through.

use crate::builtin::DEFAULT_STORE;
use crate::document;
use crate::documents::Documents;
use crate::error::Error;
use crate::limits::{POINT_READERS_MAX, READ_MS_MAX, SCAN_READERS_MAX, STORE_NAME_BYTES_MAX};
use crate::logs::{self, LogKeeper, LogReceiver, LogRecord};
use crate::metrics::WriterFigures;
use crate::query::{Criteria, Query};
use crate::reading;
use crate::receive::{self, Joined};
use crate::upload::{self, ToscaReceipt, ToscaUpload};
use crate::writer::{Done, Health, Lane, Work, Writer};
use crate::{keys, opening};
use optimusdb_dag::{Blocks, Cid, IdentityKeys, StoreKind};
use optimusdb_storage::{Database, Durability, Place, Readers, Repo, Scope, StoreRow};
use prometheus_client::registry::Registry;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How a node is to be opened.
#[derive(Debug)]
pub struct NodeConfig {
    /// Its data directory.
    pub repo: PathBuf,
    /// The swarm that it belongs to.
    pub swarm: String,
    /// A tag for people, shown beside the node.
    pub region: Option<String>,
    /// Whether it may make stores.
    pub coordinator: bool,
    /// Whether an acknowledged write survives a power cut, or only the end of the process.
    pub durable: bool,
    /// The name under which it writes contributions.
    pub agent_name: String,
    /// The version of the program.
    pub version: String,
    /// The log records to be kept.
    pub logs: Option<LogReceiver>,
    /// How long they are kept.
    pub log_retention: Duration,
}

/// Who a node is.
#[derive(Debug, Clone, Serialize)]
pub struct NodeId {
    /// The id of its libp2p host.
    pub peer_id: String,
    /// The id that it signs entries with.
    pub identity: String,
    /// Its swarm.
    pub swarm: String,
    /// The version of the program.
    pub version: String,
    /// Its region, where it has one.
    pub region: Option<String>,
}

/// Whether a node can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Reads are served.
    pub ready: bool,
    /// Writes are stored.
    pub writable: bool,
    /// What is wrong, where something is.
    pub reason: Option<String>,
}

/// A store as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreInfo {
    /// Its name.
    pub name: String,
    /// `documents`, `events` or `keyvalue`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `/orbitdb/zdpu…`.
    pub address: String,
    /// Documents that are there now.
    pub documents: u64,
    /// Entries of its log.
    pub entries: u64,
    /// The entries that no other names.
    pub heads: Vec<String>,
}

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
    scans: Arc<Readers>,
    writer: Writer,
    figures: WriterFigures,
    logs: Mutex<Option<LogKeeper>>,
    log_place: Place,
    // Last, so that the directory is let go after everything in it.
    _repo: Repo,
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
                scans: Arc::new(Readers::new(place, SCAN_READERS_MAX)),
                figures,
                logs: Mutex::new(logs),
                log_place,
                _repo: repo,
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
            let _ = closed.send(());
        });
        // A panic in there has ended the process already.
        let _ = closing.await;
    }

    /// Every store with its figures.
    pub async fn stores(&self) -> Result<Vec<StoreInfo>, Error> {
        self.read(|view| {
            view.stores()?
                .into_iter()
                .map(|store| {
                    let heads = view.heads(&store)?;
                    Ok(StoreInfo {
                        heads: heads.iter().map(|head| head.cid().to_string()).collect(),
                        ..StoreInfo::from(store)
                    })
                })
                .collect()
        })
        .await
    }

    /// Makes a document store; one of that name that is there already is the answer.
    pub async fn create_store(&self, name: &str, kind: StoreKind) -> Result<StoreInfo, Error> {
        check_store_name(name)?;
        if kind != StoreKind::Documents {
            return Err(Error::NotBuilt(format!(
                "stores of type {kind} cannot be made over HTTP in this version; make a store of \
                 type documents"
            )));
        }
        if let Ok(existing) = self.store(name) {
            if existing.kind == kind {
                return Ok(existing.into());
            }
            return Err(Error::Conflict(format!(
                "store {name} exists already with type {}",
                existing.kind
            )));
        }
        if !self.inner.coordinator {
            return Err(Error::Denied(
                "this node runs with -coordinator=false and makes no stores".into(),
            ));
        }
        let swarm = &self.inner.id.swarm;
        let new = opening::new_store(name, kind, Scope::Resource, swarm, &self.inner.keys)?;
        let Done::Store(store) = self.write(Work::CreateStore(new), None).await? else {
            return Err(Error::Internal("the writer answered something else".into()));
        };
        self.inner
            .stores
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(store.name.clone(), store.clone());
        Ok(store.into())
    }

    /// Inserts or replaces documents, all or none. Answers how many after equal `_id`s were merged.
    pub async fn put(&self, store: &str, documents: Vec<Value>) -> Result<usize, Error> {
        let store = self.writable_store(store)?;
        if documents.len() > crate::limits::WRITE_DOCUMENTS_MAX {
            return Err(Error::TooLarge(format!(
                "{} documents in one request; {} are allowed",
                documents.len(),
                crate::limits::WRITE_DOCUMENTS_MAX
            )));
        }
        let documents = document::check_all(documents)?;
        if documents.is_empty() {
            return Ok(0);
        }
        self.count(Work::Put { store, documents }).await
    }

    /// The documents that a query asks for, as a stream.
    pub async fn find(&self, store: &str, query: Query) -> Result<Documents, Error> {
        let store = self.document_store(store)?;
        let time = query.time_budget_ms.map_or(READ_MS_MAX, |ms| ms.min(READ_MS_MAX));
        let deadline = Instant::now() + Duration::from_millis(time);
        if query.criteria.by_id().is_none() || !query.sort.is_empty() {
            return Documents::scan(Arc::clone(&self.inner.scans), store, query, deadline).await;
        }
        let found = self
            .read(move |view| {
                let mut text = String::new();
                let read = reading::documents(view, &store, &query, deadline, |json| {
                    if !text.is_empty() {
                        text.push(',');
                    }
                    text.push_str(json);
                    ControlFlow::Continue(())
                });
                Ok(read.map(|()| text))
            })
            .await??;
        Ok(Documents::at_hand(found))
    }

    /// Sets `fields` in every document that matches, against no other writer in between.
    pub async fn update(
        &self,
        store: &str,
        criteria: Criteria,
        mut fields: Map<String, Value>,
    ) -> Result<usize, Error> {
        let store = self.writable_store(store)?;
        named_on_purpose(&criteria)?;
        if let Some(id) = fields.remove("_id")
            && criteria.by_id().is_none_or(|ids| ids.iter().any(|known| id != **known))
        {
            return Err(Error::Invalid("_id cannot be changed; put a new document".into()));
        }
        if fields.is_empty() {
            return Err(Error::Invalid("UpdateData names no field to set".into()));
        }
        let fields = document::to_ipld_map(fields);
        self.count(Work::Update { store, criteria, fields }).await
    }

    /// Deletes every document that matches.
    pub async fn delete(&self, store: &str, criteria: Criteria) -> Result<usize, Error> {
        let store = self.writable_store(store)?;
        named_on_purpose(&criteria)?;
        self.count(Work::Delete { store, criteria }).await
    }

    /// Reads a TOSCA file and puts it in place of earlier ones of its name.
    pub async fn upload(&self, upload: ToscaUpload) -> Result<ToscaReceipt, Error> {
        let target = upload.target_store.as_deref().filter(|name| !name.is_empty());
        let store = self.writable_store(target.unwrap_or(DEFAULT_STORE))?;
        if store.scope != Scope::Resource {
            return Err(Error::Invalid(format!(
                "store {} takes no TOSCA files, for its documents have no entry in the catalog",
                store.name
            )));
        }
        let (size, full) = (upload.bytes.len(), upload.store_full_structure);
        let (template, document) = tokio::task::spawn_blocking(move || upload::read(&upload))
            .await
            .map_err(|e| Error::Internal(format!("reading the file: {e}")))??;
        let filename = template.filename.clone();
        let name = store.name.clone();
        self.count(Work::Upload { store, filename, document }).await?;
        Ok(upload::receipt(template, &name, size, full))
    }

    /// Adds an event to an event log.
    pub async fn append(&self, store: &str, event: Value) -> Result<(), Error> {
        let store = self.event_log(store)?;
        let document::Checked { value, bytes, .. } =
            document::check_value("event".into(), document::to_ipld(event))?;
        self.count(Work::Append { store, event: value, bytes }).await?;
        Ok(())
    }

    /// The newest events of an event log in its order, newest first, with the address of each.
    pub async fn events(
        &self,
        store: &str,
        limit: u64,
        skip: u64,
    ) -> Result<Vec<(Cid, Value)>, Error> {
        let store = self.event_log(store)?;
        let events = self.read(move |view| view.events(&store, limit, skip)).await?;
        events
            .into_iter()
            .map(|(cid, json)| {
                let event = serde_json::from_str(&json)
                    .map_err(|e| Error::Corrupt(format!("event {cid}: {e}")))?;
                Ok((cid, event))
            })
            .collect()
    }

    /// The bytes of a block that this node holds: entry, identity, manifest or access controller.
    pub async fn block(&self, cid: Cid) -> Result<Option<Vec<u8>>, Error> {
        self.read(move |view| view.block(&cid)).await
    }

    /// Joins the log of a store with another replica's, whose heads and blocks are given.
    ///
    /// What is complete and verified is stored; what is refused is answered, and stops nothing else.
    pub async fn join<B>(&self, store: &str, heads: Vec<Cid>, source: B) -> Result<Joined, Error>
    where
        B: Blocks<Error: std::fmt::Display> + Send + 'static,
    {
        let store = self.store(store)?;
        let (inner, runtime) = (Arc::clone(&self.inner), Handle::current());
        tokio::task::spawn_blocking(move || {
            receive::join(&inner.writer, &inner.points, &runtime, &store, &heads, &source)
        })
        .await
        .map_err(|e| Error::Internal(format!("joining: {e}")))?
    }

    /// The log records of one hour (UTC), newest first. `date` is `YYYY-MM-DD`.
    pub async fn log_records(&self, date: &str, hour: u8) -> Result<Vec<LogRecord>, Error> {
        let (place, date) = (self.inner.log_place.clone(), date.to_owned());
        tokio::task::spawn_blocking(move || logs::records_of_hour(&place, &date, hour))
            .await
            .map_err(|e| Error::Internal(format!("reading the log: {e}")))?
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

    async fn write(&self, work: Work, deadline: Option<Instant>) -> Result<Done, Error> {
        let deadline =
            deadline.unwrap_or_else(|| Instant::now() + Duration::from_millis(READ_MS_MAX));
        self.inner.writer.write(Lane::Local, work, deadline).await
    }

    async fn count(&self, work: Work) -> Result<usize, Error> {
        match self.write(work, None).await? {
            Done::Count(count) => Ok(count),
            Done::Store(_) => Err(Error::Internal("the writer answered something else".into())),
        }
    }

    fn store(&self, name: &str) -> Result<StoreRow, Error> {
        let stores = self.inner.stores.read().unwrap_or_else(PoisonError::into_inner);
        stores.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = stores.keys().map(String::as_str).collect();
            Error::NotFound(format!("no store {name:?}; the stores are {}", known.join(", ")))
        })
    }

    fn event_log(&self, name: &str) -> Result<StoreRow, Error> {
        let store = self.store(name)?;
        if store.kind != StoreKind::Events {
            return Err(Error::Invalid(format!("store {name} is no event log")));
        }
        Ok(store)
    }

    fn document_store(&self, name: &str) -> Result<StoreRow, Error> {
        let store = self.store(name)?;
        if store.kind != StoreKind::Documents {
            return Err(Error::Invalid(format!(
                "store {name} holds {}, not documents",
                store.kind
            )));
        }
        Ok(store)
    }

    fn writable_store(&self, name: &str) -> Result<StoreRow, Error> {
        let store = self.document_store(name)?;
        if store.scope == Scope::Local {
            return Err(Error::Denied(format!("store {name} is written by the node alone")));
        }
        Ok(store)
    }
}

impl From<StoreRow> for StoreInfo {
    fn from(store: StoreRow) -> StoreInfo {
        StoreInfo {
            name: store.name,
            kind: store.kind.to_string(),
            address: store.address.to_string(),
            documents: store.documents,
            entries: store.entries,
            heads: Vec::new(),
        }
    }
}

/// Changing everything has to be said: `[{}]`, not by leaving the criteria out.
fn named_on_purpose(criteria: &Criteria) -> Result<(), Error> {
    if criteria.is_absent() {
        return Err(Error::Invalid(
            "criteria is missing; name the documents, or send [{}] to mean all of them".into(),
        ));
    }
    Ok(())
}

fn check_store_name(name: &str) -> Result<(), Error> {
    let valid = (2..=STORE_NAME_BYTES_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
    if valid {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "store name {name:?} must have 2 to {STORE_NAME_BYTES_MAX} of a-z, 0-9, _ and -, and start \
         with a letter or digit"
    )))
}
