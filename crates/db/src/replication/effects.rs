//! Carrying out the effects of the replicators: each is a task of its own, which sends its outcome
//! back to the driver.

use super::Sources;
use super::input::Input;
use super::sync_streams::SyncStreams;
use crate::limits::{FETCHES_MAX, WRITE_MS_MAX};
use crate::writer::{Done, Lane, ReceivedEntries, Work};
use optimusdb_dag::replicator::Peer;
use optimusdb_dag::{Address, LogCid};
use optimusdb_storage::StoreRef;
use optimusdb_swarm::{PeerId, Swarm};
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;

/// Starts the tasks that wait for a peer or for the disk. Clones share everything.
#[derive(Clone)]
pub(super) struct Effects {
    swarm: Swarm,
    sources: Sources,
    inputs: Sender<Input>,
    runtime: Handle,
    fetches: Arc<Semaphore>,
    streams: SyncStreams,
}

impl Effects {
    pub(super) fn new(
        swarm: Swarm,
        sources: Sources,
        inputs: Sender<Input>,
        runtime: Handle,
    ) -> Effects {
        let fetches = Arc::new(Semaphore::new(FETCHES_MAX));
        let streams = SyncStreams::new(swarm.clone());
        Effects { swarm, sources, inputs, runtime, fetches, streams }
    }

    /// Fetches a block, from these peers first.
    pub(super) fn fetch(&self, log: Address, cid: LogCid, from: Vec<PeerId>) {
        let (swarm, fetches) = (self.swarm.clone(), Arc::clone(&self.fetches));
        self.spawn(async move {
            let _turn = fetches.acquire().await;
            let block = match swarm.fetch(cid, from).await {
                Ok(block) => Some(block),
                Err(error) => {
                    tracing::debug!("block {cid}: {error}");
                    None
                }
            };
            Input::Fetched { log, cid, block }
        });
    }

    /// Sends a peer a request of fast sync.
    pub(super) fn ask(
        &self,
        log: Address,
        (peer, id): (Peer, Option<PeerId>),
        number: u64,
        request: Vec<u8>,
    ) {
        let streams = self.streams.clone();
        self.spawn(async move {
            let reply = match id {
                Some(id) => streams.request(id, request).await,
                // It left meanwhile.
                None => None,
            };
            Input::Replied { log, peer, number, reply }
        });
    }

    /// Lets go of what is kept of a peer that left.
    pub(super) fn forget(&self, id: PeerId) {
        self.streams.forget(id);
    }

    /// Exchanges heads with a peer in OrbitDB's protocol.
    pub(super) fn exchange_heads(&self, log: Address, peer: Peer, id: PeerId) {
        let swarm = self.swarm.clone();
        self.spawn(async move {
            let blocks = match swarm.exchange_heads(id, log).await {
                Ok(blocks) => blocks,
                Err(error) => {
                    tracing::debug!("heads of {log} with {id}: {error}");
                    Vec::new()
                }
            };
            Input::Heads { log, peer, blocks }
        });
    }

    /// Hands entries to the writer, all or none. Peers that asked for one too early get it then.
    pub(super) fn store(&self, store: StoreRef, received: ReceivedEntries) {
        let (swarm, writer) = (self.swarm.clone(), Arc::clone(&self.sources.writer));
        let space = self.sources.space.clone();
        self.begin(async move {
            // Meanwhile the replicator's queue fills, and it asks for nothing more.
            if space.is_low() {
                space.until_enough().await;
            }
            let cids = received.cids();
            let log = store.address;
            let deadline = Instant::now() + Duration::from_millis(WRITE_MS_MAX);
            let work = Work::Join { store, received };
            let stored = match writer.write(Lane::Remote, work, deadline).await {
                Ok(Done::Count(new)) => {
                    swarm.stored(&cids);
                    Some(new)
                }
                Ok(_) => None,
                Err(error) => {
                    tracing::warn!("received entries of {log} were not stored: {error}");
                    None
                }
            };
            Input::Stored { log, stored }
        });
    }

    /// Begins an effect here until it waits for the first time, and the rest of it in a task. So the
    /// writer has what it is handed without a third thread that must wake up for it first.
    fn begin(&self, effect: impl Future<Output = Input> + Send + 'static) {
        let _context = self.runtime.enter();
        let mut effect = Box::pin(effect);
        // The task asks again, so nobody need be woken for this.
        match effect.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => self.spawn(std::future::ready(outcome)),
            Poll::Pending => self.spawn(effect),
        }
    }

    fn spawn(&self, effect: impl Future<Output = Input> + Send + 'static) {
        let inputs = self.inputs.clone();
        self.runtime.spawn(async move {
            let outcome = effect.await;
            // Fails when the driver has ended.
            let _ = inputs.send(outcome).await;
        });
    }
}
