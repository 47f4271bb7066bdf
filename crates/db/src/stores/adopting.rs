//! Taking over a store that was made elsewhere, by its address: gathering and checking the blocks
//! that define it. The writer makes the store from them.

use super::block_source::BlockSource;
use super::names::access_name;
use super::new_store::{NewStore, scope_of};
use crate::error::Error;
use crate::limits::ADOPT_MS_MAX;
use optimusdb_dag::{AccessController, Address, LogCid, Manifest, StoreKind};
use optimusdb_storage::Scope;
use std::time::Duration;

/// Gathers what defines the store at `address`, to be kept here under `name`.
///
/// # Errors
/// [`Error::Unavailable`] with the block that could not be had in time, [`Error::Invalid`] for a
/// store that this version cannot keep.
pub(crate) async fn gather(
    source: &BlockSource,
    name: &str,
    address: Address,
) -> Result<NewStore, Error> {
    let gathering = Gathering { source, address };
    let limit = Duration::from_millis(ADOPT_MS_MAX);
    let gathered = tokio::time::timeout(limit, gathering.store(name)).await;
    gathered.unwrap_or_else(|_| {
        Err(Error::Unavailable(format!(
            "what defines the store {address} could not be had from any peer within {ADOPT_MS_MAX} ms"
        )))
    })
}

struct Gathering<'s> {
    source: &'s BlockSource,
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
        self.source.block(cid).await.map_err(|error| match error {
            Error::Unavailable(why) => Error::Unavailable(format!(
                "block {cid}, the {what} of the store {}, could not be had from any peer: {why}",
                self.address
            )),
            other => other,
        })
    }

    fn unusable(&self, what: &str, cid: LogCid, error: &optimusdb_dag::Error) -> Error {
        let text = format!("block {cid}, the {what} of the store {}: {error}", self.address);
        match error {
            // The peer that gave it is wrong; another one may give the right bytes.
            optimusdb_dag::Error::HashMismatch(_) => Error::Unavailable(text),
            _ => Error::Invalid(text),
        }
    }
}
