//! The names of the stores: which ones there are here, and what a name may look like.

use crate::error::Error;
use crate::limits::{CONTESTED_SHOWN_STORES_MAX, CONTESTED_TOLD_STORES_MAX, STORE_NAME_BYTES_MAX};
use crate::lookup_pool::LookupPool;
use optimusdb_dag::Address;
use optimusdb_storage::{StoreRef, StoreRow, View};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};
use tokio::sync::{Mutex, watch};

/// The stores of this node by name, as they were committed when they last changed.
#[derive(Debug)]
pub(crate) struct StoreNames {
    known: RwLock<BTreeMap<String, StoreRef>>,
    /// Held while they are read again, so that no older reading comes last.
    reading: Mutex<()>,
    /// The stores whose name is offered for others, too, with those.
    contested: RwLock<BTreeMap<Address, BTreeSet<Address>>>,
    changes: watch::Sender<()>,
}

impl StoreNames {
    pub(crate) fn new(stores: Vec<StoreRow>) -> StoreNames {
        StoreNames {
            known: RwLock::new(by_name(stores)),
            reading: Mutex::new(()),
            contested: RwLock::default(),
            changes: watch::Sender::new(()),
        }
    }

    /// The store of a name, or at an address: names may differ from node to node, addresses never do.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the names that there are.
    pub(crate) fn get(&self, name: &str) -> Result<StoreRef, Error> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if name.starts_with('/')
            && let Ok(address) = name.parse::<Address>()
        {
            let at = known.values().find(|store| store.address == address).copied();
            return at.ok_or_else(|| Error::NotFound(format!("the store {address} is not here")));
        }
        known.get(name).copied().ok_or_else(|| {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            Error::NotFound(format!("no store {name:?}; the stores are {}", names.join(", ")))
        })
    }

    /// The name of the store at an address, for messages: the address where it has no name here.
    pub(crate) fn name_at(&self, address: &Address) -> String {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let named = known.iter().find(|(_, store)| store.address == *address);
        named.map_or_else(|| address.to_string(), |(name, _)| name.clone())
    }

    /// All of them, with their names.
    pub(crate) fn all(&self) -> Vec<(String, StoreRef)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(name, store)| (name.clone(), *store)).collect()
    }

    /// Reads them again, after a commit that made or renamed a store.
    pub(crate) async fn read_again(&self, lookups: &LookupPool) -> Result<(), Error> {
        let _alone = self.reading.lock().await;
        let committed = lookups.read(|view| view.stores()).await?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = by_name(committed);
        self.changes.send_replace(());
        Ok(())
    }

    /// Takes note of the stores whose name is offered for others, too, and tells the journal of new ones.
    pub(crate) fn contest(&self, stores: BTreeMap<Address, BTreeSet<Address>>) {
        let mut contested = self.contested.write().unwrap_or_else(PoisonError::into_inner);
        for (address, others) in &stores {
            for other in others
                .iter()
                .filter(|o| !contested.get(address).is_some_and(|c| c.contains(o)))
                .take(CONTESTED_TOLD_STORES_MAX)
            {
                tracing::warn!(
                    "the name {} is offered for the store {other}, too; here it stays with {address}",
                    self.name_at(address)
                );
            }
        }
        *contested = stores;
    }

    /// The other stores that the name of this one is offered for.
    pub(crate) fn contested(&self, address: &Address) -> Vec<Address> {
        let contested = self.contested.read().unwrap_or_else(PoisonError::into_inner);
        contested.get(address).map_or_else(Vec::new, |others| {
            others.iter().take(CONTESTED_SHOWN_STORES_MAX).copied().collect()
        })
    }

    /// Changes whenever a store is made, taken over or renamed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

fn by_name(stores: Vec<StoreRow>) -> BTreeMap<String, StoreRef> {
    stores.into_iter().map(|row| (row.name, row.store)).collect()
}

/// The name of a store, for messages: its address where the name cannot be read.
pub(crate) fn name_of(view: View<'_>, store: &StoreRef) -> String {
    match view.store_at(&store.address) {
        Ok(Some(row)) => row.name,
        _ => store.address.to_string(),
    }
}

/// The local name of the store that says who may write to the store `name`.
pub(crate) fn access_name(name: &str) -> String {
    format!("{name}/access")
}

/// Refuses what cannot be the name of a store that is made or taken over.
pub(crate) fn check_store_name(name: &str) -> Result<(), Error> {
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
