//! Who may write to a store: read from its manifest, its access controller and, where that is a
//! store itself, from the log of that one.
//!
//! What was read is kept until an entry of an access store is committed. It is kept under the address
//! of the store: the number of a store whose making was not committed may go to another one.

use crate::error::Error;
use crate::limits::READ_MS_MAX;
use crate::stores::name_of;
use optimusdb_dag::{
    Access, AccessController, Address, Capabilities, Capability, Identity, Manifest, Standing,
    StoreKind,
};
use optimusdb_storage::{Readers, StoreId, StoreRef, StoreRow, View};
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
pub(crate) struct AccessControl {
    address: String,
    pub(crate) rule: ControlRule,
}

#[derive(Debug)]
pub(crate) enum ControlRule {
    /// A list that never changes.
    Fixed(AccessController),
    /// The log of an access store.
    Mutable(Capabilities, StoreRef),
}

impl AccessControl {
    /// Reads what decides about `store`.
    pub(crate) fn of(view: View<'_>, store: &StoreRef) -> Result<AccessControl, Error> {
        let address = manifest_of(view, store)?.access;
        let rule = match address.parse::<Address>() {
            Err(_) => ControlRule::Fixed(controller(view, store, &address)?),
            Ok(ruler) => {
                let ruler = view.store_at(&ruler)?;
                let ruler = ruler.ok_or_else(|| missing(view, store, "access store"))?.store;
                // Without an entry that is damaged, somebody might have a right that was taken away.
                if view.set_aside_counts()?.iter().any(|(id, _)| *id == ruler.id) {
                    return Err(Error::Corrupt(format!(
                        "who may write to {} is not known: an entry that says so is damaged on the \
                         disk, and peers are asked for it",
                        name_of(view, store)
                    )));
                }
                let owners = manifest_of(view, &ruler)?.access;
                let mut capabilities = Capabilities::new(controller(view, &ruler, &owners)?);
                view.log(&ruler, |entry| {
                    capabilities.add(&entry.order(), entry.payload());
                    ControlFlow::Continue(())
                })?;
                ControlRule::Mutable(capabilities, ruler)
            }
        };
        Ok(AccessControl { address, rule })
    }

    /// The store whose log decides.
    pub(crate) fn ruler(&self) -> Option<StoreId> {
        match &self.rule {
            ControlRule::Fixed(_) => None,
            ControlRule::Mutable(_, ruler) => Some(ruler.id),
        }
    }

    /// As the join asks it.
    pub(crate) fn into_access(self) -> Access {
        match self.rule {
            ControlRule::Fixed(list) => Access::fixed(list),
            ControlRule::Mutable(capabilities, _) => Access::mutable(capabilities),
        }
    }

    /// As it is shown to people.
    pub(crate) fn into_info(self, me: &Identity) -> AccessInfo {
        let (kind, write, admin) = match &self.rule {
            ControlRule::Fixed(list) => ("ipfs", list.write.clone(), Vec::new()),
            // An `admin` that was granted may write, and grants nothing.
            ControlRule::Mutable(capabilities, _) => {
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
pub(crate) fn ruler_of(view: View<'_>, store: &StoreRef) -> Result<Option<StoreRow>, Error> {
    match manifest_of(view, store)?.access.parse() {
        Ok(ruler) => Ok(view.store_at(&ruler)?),
        Err(_) => Ok(None),
    }
}

/// The identities that administer a store: those that its own list names, and none where everybody may.
pub(crate) fn admins_of(view: View<'_>, store: &StoreRef) -> Result<Vec<String>, Error> {
    let named = match AccessControl::of(view, store)?.rule {
        ControlRule::Fixed(list) => list.write,
        ControlRule::Mutable(capabilities, _) => capabilities.owners().write.clone(),
    };
    Ok(if named.iter().any(|id| id == "*") { Vec::new() } else { named })
}

fn each_once(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    ids.filter(|id| seen.insert(id.clone())).collect()
}

fn manifest_of(view: View<'_>, store: &StoreRef) -> Result<Manifest, Error> {
    let cid = store.address.manifest();
    let block = view.block(&cid)?.ok_or_else(|| missing(view, store, "manifest"))?;
    Manifest::decode(cid, &block).map_err(|e| unusable(view, store, &e))
}

fn controller(view: View<'_>, store: &StoreRef, address: &str) -> Result<AccessController, Error> {
    let cid = AccessController::block_of(address).map_err(|e| unusable(view, store, &e))?;
    let block = view.block(&cid)?.ok_or_else(|| missing(view, store, "access controller"))?;
    AccessController::decode(cid, &block).map_err(|e| unusable(view, store, &e))
}

fn missing(view: View<'_>, store: &StoreRef, what: &str) -> Error {
    Error::Corrupt(format!("store {} has no {what}", name_of(view, store)))
}

fn unusable(view: View<'_>, store: &StoreRef, error: &optimusdb_dag::Error) -> Error {
    Error::Corrupt(format!("store {}: {error}", name_of(view, store)))
}

/// What is known of who may write where.
#[derive(Debug)]
pub(crate) struct AccessCache {
    known: Mutex<CachedAccesses>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct CachedAccesses {
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
    pub(crate) fn read(&self, readers: &Readers, store: &StoreRef) -> Result<Access, Error> {
        let generation = {
            let known = self.lock();
            if let Some((access, _)) = known.of.get(&store.address) {
                return Ok(access.clone());
            }
            known.generation
        };
        let wait = Duration::from_millis(READ_MS_MAX);
        let control = readers.read(wait, |view| Ok(AccessControl::of(view, store)))??;
        let ruler = control.ruler();
        let access = control.into_access();
        let mut known = self.lock();
        // A commit since then may have changed it.
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
        store: &StoreRef,
        touched: impl Fn(StoreId) -> bool,
    ) -> Result<Access, Error> {
        if let Some((access, ruler)) = self.lock().of.get(&store.address)
            && !ruler.is_some_and(&touched)
        {
            return Ok(access.clone());
        }
        let control = AccessControl::of(view, store)?;
        let ruler = control.ruler();
        let access = control.into_access();
        if !ruler.is_some_and(touched) {
            self.lock().keep(store.address, access.clone(), ruler);
        }
        Ok(access)
    }

    /// Entries of these stores were committed.
    pub(crate) fn committed<'s>(&self, stores: impl Iterator<Item = &'s StoreRef>) {
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

    fn lock(&self) -> MutexGuard<'_, CachedAccesses> {
        // A panic ends the process, so a poisoned lock is never seen with a torn map.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CachedAccesses {
    fn keep(&mut self, store: Address, access: Access, ruler: Option<StoreId>) {
        self.rulers.extend(ruler);
        self.of.insert(store, (access, ruler));
    }
}
