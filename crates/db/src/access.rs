//! Who may write to a store: read from its manifest, its access controller and, where that is a
//! store itself, from the log of that one.
//!
//! What was read is kept until an entry of an access store is committed. It is kept by address, for
//! numbers of stores that were never committed may be given again.

use crate::error::Error;
use crate::limits::READ_MS_MAX;
use optimusdb_dag::{
    Access, AccessController, Address, Capabilities, Capability, Identity, Manifest, Standing,
    StoreKind,
};
use optimusdb_storage::{Readers, StoreId, StoreRow, View};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Who may write to a store, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessInfo {
    /// `ipfs`, which never changes, or `orbitdb`, which admins change.
    pub kind: &'static str,
    /// `/ipfs/zdpu…`, or `/orbitdb/zdpu…`: the address of the access store.
    pub address: String,
    /// The identities that may write beside the admins; `*` is every one.
    pub write: Vec<String>,
    /// The identities that may change that; none where it never changes.
    pub admin: Vec<String>,
    /// This node's own identity.
    pub me: String,
    /// Whether this node may write.
    pub writable: bool,
}

/// What decides who may write to a store.
#[derive(Debug)]
pub(crate) struct Control {
    address: String,
    pub(crate) rule: Rule,
}

#[derive(Debug)]
pub(crate) enum Rule {
    /// A list that never changes.
    Fixed(AccessController),
    /// The log of an access store.
    Mutable(Capabilities, StoreRow),
}

impl Control {
    /// Reads what decides about `store`.
    pub(crate) fn of(view: View<'_>, store: &StoreRow) -> Result<Control, Error> {
        let address = manifest_of(view, store)?.access;
        let rule = match address.parse::<Address>() {
            Err(_) => Rule::Fixed(controller(view, store, &address)?),
            Ok(ruler) => {
                let ruler = view.store_at(&ruler)?.ok_or_else(|| missing(store, "access store"))?;
                let owners = manifest_of(view, &ruler)?.access;
                let mut capabilities = Capabilities::new(controller(view, &ruler, &owners)?);
                view.log(&ruler, |entry| {
                    capabilities.add(&entry.order(), entry.payload());
                    ControlFlow::Continue(())
                })?;
                Rule::Mutable(capabilities, ruler)
            }
        };
        Ok(Control { address, rule })
    }

    /// The store whose log decides.
    pub(crate) fn ruler(&self) -> Option<StoreId> {
        match &self.rule {
            Rule::Fixed(_) => None,
            Rule::Mutable(_, ruler) => Some(ruler.id),
        }
    }

    /// As the join asks it.
    pub(crate) fn into_access(self) -> Access {
        match self.rule {
            Rule::Fixed(list) => Access::fixed(list),
            Rule::Mutable(capabilities, _) => Access::mutable(capabilities),
        }
    }

    /// As it is shown to people.
    pub(crate) fn into_info(self, me: &Identity) -> AccessInfo {
        let (kind, write, admin) = match &self.rule {
            Rule::Fixed(list) => ("ipfs", list.write.clone(), Vec::new()),
            // What others granted as `admin` lets its holder write, and grant nothing.
            Rule::Mutable(capabilities, _) => {
                let held = [Capability::Write, Capability::Admin]
                    .into_iter()
                    .flat_map(|capability| capabilities.holders(capability).iter().cloned());
                ("orbitdb", each_once(held), capabilities.owners().write.clone())
            }
        };
        let address = self.address.clone();
        let writable = self.into_access().judge(me) == Standing::Allowed;
        AccessInfo { kind, address, write, admin, me: me.id.clone(), writable }
    }
}

/// The store that decides who may write to `store`, if one does and is here.
pub(crate) fn ruler_of(view: View<'_>, store: &StoreRow) -> Result<Option<StoreRow>, Error> {
    match manifest_of(view, store)?.access.parse() {
        Ok(ruler) => Ok(view.store_at(&ruler)?),
        Err(_) => Ok(None),
    }
}

fn each_once(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    ids.filter(|id| seen.insert(id.clone())).collect()
}

fn manifest_of(view: View<'_>, store: &StoreRow) -> Result<Manifest, Error> {
    let cid = store.address.manifest();
    let block = view.block(&cid)?.ok_or_else(|| missing(store, "manifest"))?;
    Manifest::decode(cid, &block).map_err(|e| unusable(store, &e))
}

fn controller(view: View<'_>, store: &StoreRow, address: &str) -> Result<AccessController, Error> {
    let cid = AccessController::block_of(address).map_err(|e| unusable(store, &e))?;
    let block = view.block(&cid)?.ok_or_else(|| missing(store, "access controller"))?;
    AccessController::decode(cid, &block).map_err(|e| unusable(store, &e))
}

fn missing(store: &StoreRow, what: &str) -> Error {
    Error::Corrupt(format!("store {} has no {what}", store.name))
}

fn unusable(store: &StoreRow, error: &optimusdb_dag::Error) -> Error {
    Error::Corrupt(format!("store {}: {error}", store.name))
}

/// What is known of who may write where.
#[derive(Debug)]
pub(crate) struct AccessCache {
    known: Mutex<Known>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Known {
    /// Grows with every commit that may have changed an access.
    generation: u64,
    of: HashMap<Address, (Access, Option<StoreId>)>,
    /// The stores that were ever seen to decide about another.
    rulers: BTreeSet<StoreId>,
}

impl AccessCache {
    pub(crate) fn new() -> AccessCache {
        AccessCache { known: Mutex::default(), changes: watch::Sender::new(0) }
    }

    /// Who may write to `store`, on a connection for reading. Blocks.
    pub(crate) fn read(&self, readers: &Readers, store: &StoreRow) -> Result<Access, Error> {
        let generation = {
            let known = self.lock();
            if let Some((access, _)) = known.of.get(&store.address) {
                return Ok(access.clone());
            }
            known.generation
        };
        let wait = Duration::from_millis(READ_MS_MAX);
        let control = readers.read(wait, |view| Ok(Control::of(view, store)))??;
        let ruler = control.ruler();
        let access = control.into_access();
        let mut known = self.lock();
        // What was committed since then may not have been seen.
        if known.generation == generation {
            known.keep(store.address, access.clone(), ruler);
        }
        Ok(access)
    }

    /// The same within the writer's transaction, which has entries for the stores that `touched`
    /// names.
    pub(crate) fn within(
        &self,
        view: View<'_>,
        store: &StoreRow,
        touched: impl Fn(StoreId) -> bool,
    ) -> Result<Access, Error> {
        if let Some((access, ruler)) = self.lock().of.get(&store.address)
            && !ruler.is_some_and(&touched)
        {
            return Ok(access.clone());
        }
        let control = Control::of(view, store)?;
        let ruler = control.ruler();
        let access = control.into_access();
        if !ruler.is_some_and(touched) {
            self.lock().keep(store.address, access.clone(), ruler);
        }
        Ok(access)
    }

    /// Entries of these stores were committed.
    pub(crate) fn committed<'s>(&self, stores: impl Iterator<Item = &'s StoreRow>) {
        let mut known = self.lock();
        let mut changed = false;
        for store in stores.filter(|store| store.kind == StoreKind::KeyValue) {
            known.generation += 1;
            known.of.retain(|_, (_, ruler)| *ruler != Some(store.id));
            changed |= known.rulers.contains(&store.id);
        }
        let generation = known.generation;
        drop(known);
        if changed {
            self.changes.send_replace(generation);
        }
    }

    /// Changes whenever who may write to some store may have.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // A panic ends the process, so a poisoned lock is never seen with a torn map.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn keep(&mut self, store: Address, access: Access, ruler: Option<StoreId>) {
        self.rulers.extend(ruler);
        self.of.insert(store, (access, ruler));
    }
}
