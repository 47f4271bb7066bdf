//! Carrying out what the replicators decide: each act is a task of its own, and what came of it goes
//! back to the keeper.

use super::Sources;
use super::keeper::Input;
use super::lines::Lines;
use crate::limits::{FETCHES_MAX, WRITE_MS_MAX};
use crate::writer::{Done, Lane, Received, Work};
use optimusdb_dag::replicator::Peer;
use optimusdb_dag::{Address, LogCid};
use optimusdb_storage::StoreRow;
use optimusdb_swarm::{PeerId, Swarm};
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;

/// Whatever waits for a peer or for the disk. Clones are the same.
#[derive(Clone)]
pub(super) struct Acts {
    swarm: Swarm,
    sources: Sources,
    inputs: Sender<Input>,
    runtime: Handle,
    fetches: Arc<Semaphore>,
    lines: Lines,
}

impl Acts {
    pub(super) fn new(
        swarm: Swarm,
        sources: Sources,
        inputs: Sender<Input>,
        runtime: Handle,
    ) -> Acts {
        let fetches = Arc::new(Semaphore::new(FETCHES_MAX));
        let lines = Lines::new(swarm.clone());
        Acts { swarm, sources, inputs, runtime, fetches, lines }
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
        let lines = self.lines.clone();
        self.spawn(async move {
            let reply = match id {
                Some(id) => lines.request(id, request).await,
                // It left meanwhile.
                None => None,
            };
            Input::Replied { log, peer, number, reply }
        });
    }

    /// Lets go of what is kept of a peer that left.
    pub(super) fn forget(&self, id: PeerId) {
        self.lines.forget(id);
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
    pub(super) fn store(&self, store: StoreRow, received: Received) {
        let (swarm, writer) = (self.swarm.clone(), Arc::clone(&self.sources.writer));
        self.begin(async move {
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

    /// Does an act here until it waits for the first time, and the rest of it in a task. So the
    /// writer has what it is handed without a third thread that must wake up for it first.
    fn begin(&self, act: impl Future<Output = Input> + Send + 'static) {
        let _context = self.runtime.enter();
        let mut act = Box::pin(act);
        // The task asks again, so nobody need be woken for this.
        match act.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => self.spawn(std::future::ready(outcome)),
            Poll::Pending => self.spawn(act),
        }
    }

    fn spawn(&self, act: impl Future<Output = Input> + Send + 'static) {
        let inputs = self.inputs.clone();
        self.runtime.spawn(async move {
            let outcome = act.await;
            // Fails when the keeper has ended.
            let _ = inputs.send(outcome).await;
        });
    }
}
