//! The stores of a node.

use super::{Node, StoreInfo};
use crate::error::Error;
use crate::limits::HEADS_SHOWN_MAX;
use crate::stores::{self, NewAccess, NewStore, check_store_name, new_store, scope_of};
use crate::writer::{Done, Work};
use optimusdb_dag::{Address, LogCid, StoreKind};
use optimusdb_storage::{Scope, StoreRef, StoreRow};
use std::collections::HashMap;

impl Node {
    /// Every store with its figures: those that every node has, then the others by name. Each is
    /// there for every other request, too, under the name that it has here.
    pub async fn stores(&self) -> Result<Vec<StoreInfo>, Error> {
        // A store is committed a moment before it can be named.
        let names = self.inner.names.all().into_iter();
        let mut names: HashMap<Address, String> =
            names.map(|(name, store)| (store.address, name)).collect();
        let read = self.read(move |view| {
            let named =
                |row: StoreRow| names.remove(&row.address).map(|name| StoreRow { name, ..row });
            let mut stores: Vec<StoreRow> = view.stores()?.into_iter().filter_map(named).collect();
            stores.sort_by_cached_key(|store| (stores::place_of(&store.name), store.name.clone()));
            stores
                .into_iter()
                .map(|store| {
                    let (count, heads) = view.newest_heads(&store, HEADS_SHOWN_MAX)?;
                    Ok(StoreInfo {
                        head_count: (count > heads.len()).then_some(count),
                        heads: heads.iter().map(LogCid::to_string).collect(),
                        ..StoreInfo::from(store)
                    })
                })
                .collect()
        });
        let mut stores: Vec<StoreInfo> = read.await?;
        for store in &mut stores {
            if let Ok(address) = store.address.parse() {
                let others = self.inner.names.contested(&address);
                store.contested_by = others.iter().map(Address::to_string).collect();
            }
        }
        Ok(stores)
    }

    /// Makes a store. If there is one of that name already, it is the answer; its access is compared
    /// only if `access` asks for one.
    pub async fn create_store(
        &self,
        name: &str,
        kind: StoreKind,
        access: Option<NewAccess>,
    ) -> Result<StoreInfo, Error> {
        check_store_name(name)?;
        let asked = access.is_some();
        let (swarm, keys) = (&self.inner.id.swarm, &self.inner.keys);
        let access = access.unwrap_or_default();
        let mut new = new_store(name, kind, scope_of(kind), access, swarm, keys)?;
        if let Ok(existing) = self.store(name) {
            if existing.kind != kind {
                return Err(Error::Conflict(format!(
                    "store {name} exists already with type {}",
                    existing.kind
                )));
            }
            if asked && existing.address != new.address {
                return Err(Error::Conflict(format!(
                    "store {name} exists already with another access, as {}; with this one it would \
                     be {}",
                    existing.address, new.address
                )));
            }
            let row = self.read(move |view| view.store_at(&existing.address)).await?;
            let gone = || Error::Corrupt(format!("store {name} is not in the database"));
            return row.map(StoreInfo::from).ok_or_else(gone);
        }
        if !self.inner.coordinator {
            return Err(Error::Denied(
                "this node runs with -coordinator=false and makes no stores".into(),
            ));
        }
        new.listed = true;
        Ok(self.make_store(new).await?.into())
    }

    /// Takes over the store at an address; peers give the blocks that are missing here. If the store
    /// is here under that name already, it is the answer.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the name or the address is taken, or the store is of another type
    /// than `kind`; [`Error::Unavailable`] with the block that could not be had.
    pub async fn adopt_store(
        &self,
        name: &str,
        address: Address,
        kind: Option<StoreKind>,
    ) -> Result<StoreInfo, Error> {
        check_store_name(name)?;
        if let Some(existing) = self.here(name, &address).await? {
            return same_kind(name, existing.kind, kind).map(|()| existing.into());
        }
        let mut new = stores::gather(&self.inner.source, name, address).await?;
        same_kind(name, new.kind, kind)?;
        new.listed = self.inner.coordinator;
        Ok(self.make_store(new).await?.into())
    }

    /// The store of that name and address. Refuses a name or an address of two different ones.
    async fn here(&self, name: &str, address: &Address) -> Result<Option<StoreRow>, Error> {
        let stores = self.read(|view| view.stores()).await?;
        match stores.into_iter().find(|store| store.name == name || store.address == *address) {
            Some(store) if store.address != *address => Err(Error::Conflict(format!(
                "the name {name} is taken here by the store {}, which is not {address}",
                store.address
            ))),
            Some(store) if store.name != name => Err(Error::Conflict(format!(
                "the store {address} is here already, under the name {}",
                store.name
            ))),
            found => Ok(found),
        }
    }

    /// Makes a store and what belongs to it, and lets everybody here know.
    async fn make_store(&self, new: NewStore) -> Result<StoreRow, Error> {
        // In a task of its own: a client that hangs up leaves no store that nobody knows.
        let node = self.clone();
        let making = tokio::spawn(async move {
            let Done::Store(store) = node.write(Work::CreateStore(Box::new(new))).await? else {
                return Err(Error::Internal("the writer answered something else".into()));
            };
            node.inner.names.read_again(&node.inner.lookups).await?;
            node.inner.list_news.changed();
            Ok(store)
        });
        making.await.map_err(|e| Error::Internal(format!("making a store: {e}")))?
    }

    pub(super) fn store(&self, name: &str) -> Result<StoreRef, Error> {
        self.inner.names.get(name)
    }

    pub(super) fn changeable_store(&self, name: &str) -> Result<StoreRef, Error> {
        let store = self.writable_store(name)?;
        if store.kind == StoreKind::Events {
            return Err(Error::Invalid(format!(
                "store {name} is an event log, which only grows: crudput adds events, and none is \
                 ever changed or deleted"
            )));
        }
        Ok(store)
    }

    pub(super) fn writable_store(&self, name: &str) -> Result<StoreRef, Error> {
        let store = self.store(name)?;
        match store.scope {
            Scope::Local => {
                Err(Error::Denied(format!("store {name} is written by the node alone")))
            }
            Scope::Access => Err(Error::Denied(format!(
                "store {name} says who may write to another store, and is changed by granting and \
                 revoking"
            ))),
            Scope::Resource | Scope::Catalog | Scope::Plain => Ok(store),
        }
    }
}

fn same_kind(name: &str, found: StoreKind, asked: Option<StoreKind>) -> Result<(), Error> {
    match asked {
        Some(asked) if asked != found => {
            Err(Error::Conflict(format!("store {name} is of type {found}, not {asked}")))
        }
        _ => Ok(()),
    }
}
