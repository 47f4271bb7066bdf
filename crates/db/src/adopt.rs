//! Taking over a store that was made elsewhere, by its address: the blocks that define it are had
//! from here or from peers, checked, and handed to the writer.

use crate::error::Error;
use crate::limits::ADOPT_MS_MAX;
use crate::new_store::{NewStore, access_name, scope_of};
use crate::node::Node;
use optimusdb_dag::{AccessController, Address, LogCid, Manifest, StoreKind};
use optimusdb_storage::Scope;
use optimusdb_swarm::BoxFuture;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Where blocks come from that are not here: the peers.
pub trait Fetch: Send + Sync + 'static {
    /// The bytes of a block. They need not be checked against its address, and the wait has to
    /// end by itself or not at all: whoever asks gives up in time.
    ///
    /// # Errors
    /// Why no peer gave it.
    fn fetch(&self, cid: LogCid) -> BoxFuture<'_, Result<Vec<u8>, Error>>;
}

/// The place for the source of blocks, empty while a node keeps to itself.
#[derive(Default)]
pub(crate) struct Source(RwLock<Option<Arc<dyn Fetch>>>);

impl Source {
    pub(crate) fn set(&self, fetch: Option<Arc<dyn Fetch>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = fetch;
    }

    fn get(&self) -> Option<Arc<dyn Fetch>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.get().is_some() { "Source(set)" } else { "Source(none)" })
    }
}

/// Gathers what defines the store at `address`, to be kept here under `name`.
///
/// # Errors
/// [`Error::Unavailable`] with the block that could not be had in time, [`Error::Invalid`] for a
/// store that this version cannot keep.
pub(crate) async fn gather(
    node: &Node,
    source: &Source,
    name: &str,
    address: Address,
) -> Result<NewStore, Error> {
    let gathering = Gathering { node, fetch: source.get(), address };
    let limit = Duration::from_millis(ADOPT_MS_MAX);
    let gathered = tokio::time::timeout(limit, gathering.store(name)).await;
    gathered.unwrap_or_else(|_| {
        Err(Error::Unavailable(format!(
            "what defines the store {address} could not be had from any peer within {ADOPT_MS_MAX} ms"
        )))
    })
}

struct Gathering<'n> {
    node: &'n Node,
    fetch: Option<Arc<dyn Fetch>>,
    /// The store that is asked for.
    address: Address,
}

impl Gathering<'_> {
    async fn store(&self, name: &str) -> Result<NewStore, Error> {
        let (manifest, block) = self.manifest("manifest", self.address).await?;
        let mut blocks = vec![block];
        let mut access = None;
        match manifest.access.parse::<Address>() {
            Err(_) => blocks.push(self.list("access controller", &manifest.access).await?),
            Ok(ruler) => access = Some(Box::new(self.ruler(name, ruler).await?)),
        }
        Ok(NewStore {
            name: name.to_owned(),
            kind: manifest.kind,
            address: self.address,
            scope: scope_of(manifest.kind),
            blocks,
            access,
            grants: Vec::new(),
            listed: false,
        })
    }

    /// The store that says who may write to it.
    async fn ruler(&self, name: &str, address: Address) -> Result<NewStore, Error> {
        let (manifest, block) = self.manifest("access store's manifest", address).await?;
        if manifest.kind != StoreKind::KeyValue {
            return Err(Error::Invalid(format!(
                "the store {} has an access store of type {}; that has to be keyvalue",
                self.address, manifest.kind
            )));
        }
        let list = self.list("access store's access controller", &manifest.access).await?;
        Ok(NewStore {
            name: access_name(name),
            kind: StoreKind::KeyValue,
            address,
            scope: Scope::Access,
            blocks: vec![block, list],
            access: None,
            grants: Vec::new(),
            listed: false,
        })
    }

    async fn manifest(
        &self,
        what: &str,
        address: Address,
    ) -> Result<(Manifest, (LogCid, Vec<u8>)), Error> {
        let cid = address.manifest();
        let block = self.block(what, cid).await?;
        let manifest = Manifest::decode(cid, &block).map_err(|e| self.unusable(what, cid, &e))?;
        Ok((manifest, (cid, block)))
    }

    async fn list(&self, what: &str, address: &str) -> Result<(LogCid, Vec<u8>), Error> {
        let cid = AccessController::block_of(address).map_err(|_| {
            Error::Invalid(format!(
                "the {what} of the store {} is {address}, of a kind that this version does not know",
                self.address
            ))
        })?;
        let block = self.block(what, cid).await?;
        AccessController::decode(cid, &block).map_err(|e| self.unusable(what, cid, &e))?;
        Ok((cid, block))
    }

    async fn block(&self, what: &str, cid: LogCid) -> Result<Vec<u8>, Error> {
        if let Some(block) = self.node.block(cid).await? {
            return Ok(block);
        }
        let not_had = |why: &str| {
            Error::Unavailable(format!(
                "block {cid}, the {what} of the store {}, could not be had from any peer{why}",
                self.address
            ))
        };
        match &self.fetch {
            None => Err(not_had(": this node has none")),
            Some(fetch) => fetch.fetch(cid).await.map_err(|e| not_had(&format!(": {e}"))),
        }
    }

    fn unusable(&self, what: &str, cid: LogCid, error: &optimusdb_dag::Error) -> Error {
        let text = format!("block {cid}, the {what} of the store {}: {error}", self.address);
        match error {
            // Whoever gave it is wrong, and another peer may be right.
            optimusdb_dag::Error::HashMismatch(_) => Error::Unavailable(text),
            _ => Error::Invalid(text),
        }
    }
}
