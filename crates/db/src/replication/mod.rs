//! Replication: what keeps the stores of this node level with those of its peers.
//!
//! The swarm brings announcements, heads, blocks and answers; a replicator per store, a machine
//! without IO, decides what to do with them; the keeper's thread owns all replicators and carries
//! out what they decide. What is ready goes through the writer like any other write. What peers ask
//! of this node is answered from the committed state, without the keeper.

mod acts;
mod figures;
mod host;
mod keeper;
mod lines;
mod peers;
mod progress;
mod shared;
mod status;

pub(crate) use status::StoreStatus;

use crate::access::AccessCache;
use crate::commits::Committed;
use crate::error::Error;
use crate::limits::{KEEPER_INPUTS_MAX, SWARM_STOP_MS_MAX};
use crate::writer::Writer;
use figures::Figures;
use keeper::{Input, Keeper};
use optimusdb_storage::{Readers, StoreRow};
use optimusdb_swarm::{Swarm, SwarmConfig};
use prometheus_client::registry::Registry;
use shared::{Handout, SharedStores};
use status::Status;
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
    /// The public key that this node signs entries with.
    pub(crate) own_key: String,
}

/// Told when a peer has come. Called on the replication thread, so it never waits.
pub(crate) type OnPeer = Box<dyn Fn() + Send>;

/// The running replication of a node.
#[derive(Debug)]
pub(crate) struct Replication {
    swarm: Swarm,
    shared: SharedStores,
    status: Status,
    inputs: Sender<Input>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Replication {
    /// Starts the libp2p host and the keeper, who shares nothing yet.
    pub(crate) async fn start(
        config: SwarmConfig,
        sources: Sources,
        on_peer: OnPeer,
    ) -> Result<Replication, Error> {
        let shared = SharedStores::default();
        let handout = Handout::new(Arc::clone(&sources.readers), shared.clone());
        let (swarm, events) = Swarm::start(config, Arc::new(handout)).await?;
        let (inputs, received) = channel(KEEPER_INPUTS_MAX);
        let status = Status::default();
        let keeper = Keeper::new(
            swarm.clone(),
            sources,
            status.clone(),
            inputs.clone(),
            Handle::current(),
            on_peer,
        );
        let thread = std::thread::Builder::new()
            .name("replication".into())
            .spawn(move || keeper.run(received, events))
            .map_err(|e| Error::Internal(format!("the replication thread did not start: {e}")))?;
        Ok(Replication { swarm, shared, status, inputs, thread: Mutex::new(Some(thread)) })
    }

    /// The libp2p host.
    pub(crate) fn swarm(&self) -> &Swarm {
        &self.swarm
    }

    /// Shares a store from now on, unless it is this node's own.
    pub(crate) async fn share(&self, store: &StoreRow) -> Result<(), Error> {
        if self.shared.add(store) {
            let ended = |_| Error::Unavailable("this node is stopping".into());
            self.inputs.send(Input::StoreAdded(store.clone())).await.map_err(ended)?;
            self.swarm.open_store(store.address).await?;
        }
        Ok(())
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
        registry.register_collector(Box::new(Figures { swarm, status }));
    }

    /// How level the shared stores are with the peers, by name.
    pub(crate) fn status(&self) -> Vec<StoreStatus> {
        self.status.stores()
    }

    /// Leaves the swarm and waits until nothing more is written for it, for a bounded time.
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
