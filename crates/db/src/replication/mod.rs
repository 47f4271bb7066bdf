//! Replication: what keeps the stores of this node level with those of its peers.
//!
//! The swarm brings announcements, heads, blocks and answers; a replicator per store, a machine
//! without IO, decides what to do with them; the driver's thread owns all replicators and carries
//! out what they decide. Entries that are ready go through the writer like any other write. Questions
//! of peers are answered from the committed state, without the driver.

mod catch_up;
mod connected_peers;
mod driver;
mod effects;
mod figures;
mod input;
mod shared;
mod snapshot;
mod status;
mod sync_streams;

use crate::access::AccessCache;
use crate::commits::Committed;
use crate::error::Error;
use crate::files::FilePeers;
use crate::limits::{DRIVER_INPUTS_MAX, SWARM_STOP_MS_MAX};
use crate::space::DiskSpace;
use crate::sql::PeerGate;
use crate::stores::StoreNames;
use crate::writer::Writer;
use driver::Driver;
use figures::ReplicationFigures;
use input::Input;
use optimusdb_dag::Identity;
use optimusdb_storage::{FileBlocks, Readers, StoreId, StoreRef};
use optimusdb_swarm::{Swarm, SwarmConfig};
use prometheus_client::registry::Registry;
use shared::{Handout, OwnVotes, SharedStores};
use status::Status;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Sender, channel};

/// What replication reads from and writes to.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) readers: Arc<Readers>,
    pub(crate) writer: Arc<Writer>,
    pub(crate) accesses: Arc<AccessCache>,
    pub(crate) names: Arc<StoreNames>,
    /// Whom this node signs entries and votes as.
    pub(crate) identity: Arc<Identity>,
    /// Blocks of files.
    pub(crate) files: Arc<FileBlocks>,
    /// What peers may ask in SQL.
    pub(crate) sql: PeerGate,
    /// The verdicts of this node.
    pub(crate) validations: StoreRef,
    /// Whom they are handed out to.
    pub(crate) file_peers: FilePeers,
    /// Whether there is room for what peers send.
    pub(crate) space: DiskSpace,
}

/// Told when a peer has come. Called on the replication thread, so it never waits.
pub(crate) type OnPeer = Box<dyn Fn() + Send>;

/// The running replication of a node.
#[derive(Debug)]
pub(crate) struct Replication {
    swarm: Swarm,
    shared: SharedStores,
    names: Arc<StoreNames>,
    status: Status,
    inputs: Sender<Input>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Replication {
    /// Starts the libp2p host and the driver, who shares nothing yet.
    pub(crate) async fn start(
        config: SwarmConfig,
        sources: Sources,
        on_peer: OnPeer,
    ) -> Result<Replication, Error> {
        let shared = SharedStores::default();
        let handout = Handout::new(
            Arc::clone(&sources.readers),
            shared.clone(),
            Arc::clone(&sources.files),
            sources.sql.clone(),
            sources.file_peers,
            OwnVotes { validations: sources.validations, voter: Arc::clone(&sources.identity) },
        );
        let (swarm, events) = Swarm::start(config, Arc::new(handout)).await?;
        let (inputs, received) = channel(DRIVER_INPUTS_MAX);
        let (status, names) = (Status::default(), Arc::clone(&sources.names));
        let driver = Driver::new(
            swarm.clone(),
            sources,
            status.clone(),
            inputs.clone(),
            Handle::current(),
            on_peer,
        );
        let thread = std::thread::Builder::new()
            .name("replication".into())
            .spawn(move || driver.run(received, events))
            .map_err(|e| Error::Internal(format!("the replication thread did not start: {e}")))?;
        let thread = Mutex::new(Some(thread));
        Ok(Replication { swarm, shared, names, status, inputs, thread })
    }

    /// The libp2p host.
    pub(crate) fn swarm(&self) -> &Swarm {
        &self.swarm
    }

    /// Shares a store from now on, unless it is this node's own.
    pub(crate) async fn share(&self, store: StoreRef) -> Result<(), Error> {
        if self.shared.add(&store) {
            let ended = |_| Error::Unavailable("this node is stopping".into());
            self.inputs.send(Input::StoreAdded(store)).await.map_err(ended)?;
            self.swarm.open_store(store.address).await?;
        }
        Ok(())
    }

    /// The stores that are shared.
    pub(crate) fn shared_ids(&self) -> BTreeSet<StoreId> {
        self.shared.ids()
    }

    /// Announces what was made here, if the store is shared. Never waits: the writer calls it.
    pub(crate) fn announce(&self, committed: Committed) {
        let log = committed.store.address;
        if !self.shared.has(&log) {
            return;
        }
        for block in committed.made {
            if let Err(error) = self.swarm.publish(log, &block) {
                tracing::debug!("an entry of {log} was not announced: {error}");
            }
        }
    }

    /// Adds the figures of replication to a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let (swarm, status) = (self.swarm.clone(), self.status.clone());
        let names = Arc::clone(&self.names);
        registry.register_collector(Box::new(ReplicationFigures { swarm, status, names }));
    }

    /// How many entries of peers the stores are known to lack, by name; level ones are left out.
    pub(crate) fn behind(&self) -> BTreeMap<String, u64> {
        let stores = self.names.all().into_iter();
        let behind = stores.filter_map(|(name, store)| {
            let entries = self.status.behind(&store.address)?;
            (entries > 0).then_some((name, entries))
        });
        behind.collect()
    }

    /// Whether a peer has been heard of every shared store, and none of what it has is missing.
    pub(crate) fn is_level(&self) -> bool {
        self.status.is_level()
    }

    /// Leaves the swarm, and waits for a bounded time until the driver has ended.
    pub(crate) async fn close(&self) {
        let _ = self.inputs.send(Input::Stop).await;
        self.swarm.shutdown().await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let ended = tokio::task::spawn_blocking(move || {
            // A panic of the thread has ended the process already.
            let _ = thread.join();
        });
        if tokio::time::timeout(Duration::from_millis(SWARM_STOP_MS_MAX), ended).await.is_err() {
            tracing::warn!("replication did not stop within {SWARM_STOP_MS_MAX} ms: leaving it");
        }
    }
}
