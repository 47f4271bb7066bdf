//! The stores of a node.

use super::{Node, StoreInfo};
use crate::error::Error;
use crate::limits::STORE_NAME_BYTES_MAX;
use crate::opening;
use crate::writer::{Done, Work};
use optimusdb_dag::StoreKind;
use optimusdb_storage::{Scope, StoreRow};
use std::sync::PoisonError;

impl Node {
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
        // In a task of its own: a client that hangs up leaves no store that nobody knows.
        let node = self.clone();
        let making = tokio::spawn(async move {
            let Done::Store(store) = node.write(Work::CreateStore(new)).await? else {
                return Err(Error::Internal("the writer answered something else".into()));
            };
            let mut stores = node.inner.stores.write().unwrap_or_else(PoisonError::into_inner);
            stores.insert(store.name.clone(), store.clone());
            Ok(store)
        });
        let store = making.await.map_err(|e| Error::Internal(format!("making {name}: {e}")))??;
        Ok(store.into())
    }

    pub(super) fn store(&self, name: &str) -> Result<StoreRow, Error> {
        let stores = self.inner.stores.read().unwrap_or_else(PoisonError::into_inner);
        stores.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = stores.keys().map(String::as_str).collect();
            Error::NotFound(format!("no store {name:?}; the stores are {}", known.join(", ")))
        })
    }

    pub(super) fn event_log(&self, name: &str) -> Result<StoreRow, Error> {
        let store = self.store(name)?;
        if store.kind != StoreKind::Events {
            return Err(Error::Invalid(format!("store {name} is no event log")));
        }
        Ok(store)
    }

    pub(super) fn document_store(&self, name: &str) -> Result<StoreRow, Error> {
        let store = self.store(name)?;
        if store.kind != StoreKind::Documents {
            return Err(Error::Invalid(format!(
                "store {name} holds {}, not documents",
                store.kind
            )));
        }
        Ok(store)
    }

    pub(super) fn writable_store(&self, name: &str) -> Result<StoreRow, Error> {
        let store = self.document_store(name)?;
        if store.scope == Scope::Local {
            return Err(Error::Denied(format!("store {name} is written by the node alone")));
        }
        Ok(store)
    }
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
