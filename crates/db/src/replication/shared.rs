//! The stores that this node shares, and what it hands out of them to its peers.
//!
//! A read here never waits for a write. What is this node's own is not handed out, whoever asks.

use crate::limits::{HANDED_OUT_READS_MAX, HEADS_SENT_MAX, READ_MS_MAX};
use optimusdb_dag::sync;
use optimusdb_dag::{Address, Cid, LogCid};
use optimusdb_storage::{Readers, Scope, StoreRef, View};
use optimusdb_swarm::{BoxFuture, Local, PeerId};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The stores of this node that are replicated, by address. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedStores(Arc<RwLock<HashMap<Address, StoreRef>>>);

impl SharedStores {
    /// Adds a store; false if it is this node's own or there already.
    pub(crate) fn add(&self, store: &StoreRef) -> bool {
        if store.scope == Scope::Local {
            return false;
        }
        let mut stores = self.0.write().unwrap_or_else(PoisonError::into_inner);
        stores.insert(store.address, *store).is_none()
    }

    /// Whether a store is shared.
    pub(super) fn has(&self, log: &Address) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(log)
    }

    fn get(&self, log: &Address) -> Option<StoreRef> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(log).copied()
    }
}

/// What peers may ask of this node.
#[derive(Debug)]
pub(crate) struct Handout {
    readers: Arc<Readers>,
    stores: SharedStores,
    reads: Arc<Semaphore>,
}

impl Handout {
    pub(crate) fn new(readers: Arc<Readers>, stores: SharedStores) -> Handout {
        Handout { readers, stores, reads: Arc::new(Semaphore::new(HANDED_OUT_READS_MAX)) }
    }

    /// Reads on a thread that may wait for the disk, a bounded number at a time.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(View<'_>, &SharedStores) -> Result<T, optimusdb_storage::Error>
        + Send
        + 'static,
    ) -> Option<T> {
        let _turn = self.reads.acquire().await.ok()?;
        let (readers, stores) = (Arc::clone(&self.readers), self.stores.clone());
        let reading = tokio::task::spawn_blocking(move || {
            readers.read(Duration::from_millis(READ_MS_MAX), |view| read(view, &stores))
        });
        match reading.await.ok()? {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::warn!("a peer's question was not answered: {error}");
                None
            }
        }
    }
}

/// A block that may be handed out: not an entry of a store that is this node's own. No blocks but
/// those of logs are kept.
fn block_of(
    view: View<'_>,
    stores: &SharedStores,
    cid: &Cid,
) -> Result<Option<Vec<u8>>, optimusdb_storage::Error> {
    let Ok(cid) = LogCid::try_from(cid) else { return Ok(None) };
    match view.entry(&cid)? {
        Some(entry) if stores.has(entry.log()) => Ok(Some(entry.block().to_vec())),
        Some(_) => Ok(None),
        None => view.block(&cid),
    }
}

impl Local for Handout {
    fn block(&self, cid: Cid) -> BoxFuture<'_, Option<Vec<u8>>> {
        let read = self.read(move |view, stores| block_of(view, stores, &cid));
        Box::pin(async move { read.await.flatten() })
    }

    fn has(&self, cid: Cid) -> BoxFuture<'_, bool> {
        let read = self.read(move |view, stores| Ok(block_of(view, stores, &cid)?.is_some()));
        Box::pin(async move { read.await.unwrap_or(false) })
    }

    fn heads(&self, log: Address) -> BoxFuture<'_, Vec<Vec<u8>>> {
        let read = self.read(move |view, stores| {
            let Some(store) = stores.get(&log) else { return Ok(Vec::new()) };
            heads_of(view, &store)
        });
        Box::pin(async move { read.await.unwrap_or_default() })
    }

    fn sync(&self, _peer: PeerId, request: Vec<u8>) -> BoxFuture<'_, Vec<u8>> {
        let read = self.read(move |view, _| Ok(sync::serve(&view, &request)));
        Box::pin(async move {
            let busy = || sync::Reply::Declined(sync::Declined::Busy).encode();
            match read.await {
                Some(Ok(reply)) => reply,
                Some(Err(error)) => {
                    tracing::warn!("a peer's question was not answered: {error}");
                    busy()
                }
                None => busy(),
            }
        })
    }
}

/// The blocks of the newest heads of a store, newest first.
pub(crate) fn heads_of(
    view: View<'_>,
    store: &StoreRef,
) -> Result<Vec<Vec<u8>>, optimusdb_storage::Error> {
    let heads = view.heads(store)?;
    Ok(heads.iter().rev().take(HEADS_SENT_MAX).map(|head| head.block().to_vec()).collect())
}
