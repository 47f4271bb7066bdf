//! What a transaction does about the stores themselves.

use super::batch::Batch;
use super::work::{AccessChange, WriteFailure, planning};
use crate::access;
use crate::clock::now_ms;
use crate::error::Error;
use crate::stores::{self, NewStore, STORE_LIST, access_name};
use optimusdb_dag::Address;
use optimusdb_storage::limits::STORES_MAX;
use optimusdb_storage::{StoreRow, View, beside};
use std::collections::{BTreeMap, BTreeSet};

impl Batch<'_> {
    /// Makes a store and, before it, the one that says who may write to it. What is there already
    /// under that name and address is the answer.
    pub(crate) fn create_store(&mut self, new: NewStore) -> Result<StoreRow, WriteFailure> {
        if let Some(existing) = self.existing(&new).map_err(planning)? {
            return Ok(existing);
        }
        let listed = new.listed;
        if listed {
            self.list().map_err(planning)?;
        }
        let store = self.make(new)?;
        if listed {
            self.offer(std::slice::from_ref(&store))?;
        }
        Ok(store)
    }

    /// Makes what no store has the name or the address of.
    fn make(&mut self, mut new: NewStore) -> Result<StoreRow, WriteFailure> {
        let access = new.access.take();
        self.room_for(1 + usize::from(access.is_some())).map_err(planning)?;
        if let Some(mut access) = access {
            let view = self.tx.view();
            // Stores of one name and different types may share it.
            if view.store_at(&access.address).map_err(|e| planning(e.into()))?.is_none() {
                access.name = free_name(view, &access.name, &access.address).map_err(planning)?;
                self.create(&access).map_err(|e| WriteFailure::Batch(e.into()))?;
            }
        }
        let store = self.create(&new).map_err(|e| WriteFailure::Batch(e.into()))?;
        if !new.grants.is_empty() {
            let grant = std::mem::take(&mut new.grants);
            self.change_access(&store, AccessChange { grant, revoke: Vec::new() })?;
        }
        Ok(store)
    }

    /// Offers stores in the swarm's list. Answers how many.
    pub(crate) fn offer(&mut self, stores: &[StoreRow]) -> Result<usize, WriteFailure> {
        let list = self.list().map_err(planning)?;
        for store in stores {
            let offer = stores::offer(&store.name, store.kind, &store.address);
            let payload = offer.into_payload(Some(now_ms()));
            self.append(&list, payload).map_err(WriteFailure::Batch)?;
        }
        Ok(stores.len())
    }

    /// The swarm's list, to be written to.
    fn list(&self) -> Result<StoreRow, Error> {
        let list = self.tx.view().store(STORE_LIST)?.filter(stores::is_list);
        let list = list.ok_or_else(|| {
            Error::Conflict(format!("this node's store {STORE_LIST} is no list of stores"))
        })?;
        self.may_write(&list)?;
        Ok(list)
    }

    /// Takes over a store, unless it is here by now, and gives the stores at these addresses these
    /// names; who has one of them and no other gets one beside it. Answers how many were changed.
    pub(crate) fn reconcile(
        &mut self,
        new: Option<NewStore>,
        names: &BTreeMap<Address, String>,
    ) -> Result<usize, WriteFailure> {
        let mut changed = 0;
        if let Some(mut new) = new
            && self.tx.view().store_at(&new.address).map_err(|e| planning(e.into()))?.is_none()
        {
            let name = names.get(&new.address).unwrap_or(&new.name).clone();
            if let Some(access) = &mut new.access {
                access.name = access_name(&name);
            }
            tracing::info!("taking over the store {name}, {} {}", new.kind, new.address);
            // A name that nobody has, until all get theirs below.
            new.name = beside("", &new.address, usize::MAX);
            self.make(new)?;
            changed += 1;
        }
        let renames = renames(self.tx.view(), names).map_err(WriteFailure::Batch)?;
        changed += renames.len();
        // In two steps, for two stores may change names with each other.
        for (store, _) in &renames {
            let nobodys = format!("~{}", store.id);
            self.tx.rename_store(store, &nobodys).map_err(|e| WriteFailure::Batch(e.into()))?;
        }
        for (store, name) in renames {
            if !store.name.starts_with('~') {
                tracing::warn!("the store {} {} is called {name} now", store.name, store.address);
            }
            self.tx.rename_store(&store, &name).map_err(|e| WriteFailure::Batch(e.into()))?;
            self.renamed.push(store.name);
        }
        Ok(changed)
    }

    fn existing(&self, new: &NewStore) -> Result<Option<StoreRow>, Error> {
        let view = self.tx.view();
        if let Some(existing) = view.store(&new.name)? {
            if existing.address == new.address {
                return Ok(Some(existing));
            }
            return Err(Error::Conflict(format!(
                "the name {} is taken here by the store {}, which is not {}",
                new.name, existing.address, new.address
            )));
        }
        match view.store_at(&new.address)? {
            None => Ok(None),
            Some(elsewhere) => Err(Error::Conflict(format!(
                "the store {} is here already, under the name {}",
                new.address, elsewhere.name
            ))),
        }
    }

    fn room_for(&self, stores: usize) -> Result<(), Error> {
        if self.tx.view().stores()?.len() + stores > STORES_MAX {
            return Err(Error::TooLarge(format!(
                "this node has {STORES_MAX} stores, which is its limit"
            )));
        }
        Ok(())
    }
}

/// The stores that get other names, with those. The stores that say who may write to them go along.
fn renames(
    view: View<'_>,
    names: &BTreeMap<Address, String>,
) -> Result<Vec<(StoreRow, String)>, Error> {
    let stores = view.stores()?;
    let named = |store: &StoreRow| {
        names.get(&store.address).filter(|_| stores::may_be_named(store)).cloned()
    };
    let mut taken: BTreeSet<String> = stores.iter().filter_map(named).collect();
    let claimed = taken.clone();
    taken.extend(stores.iter().map(|store| store.name.clone()));
    let mut renames = Vec::new();
    for store in stores {
        let name = match named(&store) {
            Some(name) => name,
            None if claimed.contains(&store.name) => {
                free_among(&taken, &store.name, &store.address)
            }
            None => continue,
        };
        if name == store.name {
            continue;
        }
        taken.insert(name.clone());
        if let Some(ruler) = access::ruler_of(view, &store)?
            && ruler.name == access_name(&store.name)
        {
            let name = free_among(&taken, &access_name(&name), &ruler.address);
            taken.insert(name.clone());
            renames.push((ruler, name));
        }
        renames.push((store, name));
    }
    Ok(renames)
}

/// `name` where no store has it, or as much of the address behind it as it takes.
fn free_name(view: View<'_>, name: &str, address: &Address) -> Result<String, Error> {
    let taken = view.stores()?.into_iter().map(|store| store.name).collect();
    Ok(free_among(&taken, name, address))
}

fn free_among(taken: &BTreeSet<String>, name: &str, address: &Address) -> String {
    let mut candidate = name.to_owned();
    for chars in [8, 16, usize::MAX] {
        if !taken.contains(&candidate) {
            break;
        }
        candidate = beside(name, address, chars);
    }
    candidate
}
