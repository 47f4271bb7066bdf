//! What a transaction does about access: whether this node may write, and who else may.

use super::batch::Batch;
use super::work::{AccessChange, WriteFailure, planning};
use crate::access::{AccessControl, ControlRule};
use crate::clock::now_ms;
use crate::error::Error;
use crate::stores::name_of;
use optimusdb_dag::limits::ACCESS_WRITERS_MAX;
use optimusdb_dag::{Capabilities, Capability, LogCid, Standing};
use optimusdb_storage::StoreRef;

impl Batch<'_> {
    /// Refuses a store that this node's identity may not write to.
    pub(crate) fn may_write(&self, store: &StoreRef) -> Result<(), Error> {
        let access = self.accesses.within(self.tx.view(), store, |id| self.has_touched(id))?;
        let me = self.keys.identity();
        if access.judge(me) == Standing::Allowed {
            return Ok(());
        }
        Err(Error::Denied(format!(
            "this node's identity {} may not write to store {}",
            me.id,
            name_of(self.tx.view(), store)
        )))
    }

    /// Grants and revokes what is not so already. Answers how many entries that took.
    pub(crate) fn change_access(
        &mut self,
        store: &StoreRef,
        change: AccessChange,
    ) -> Result<usize, WriteFailure> {
        let control = AccessControl::of(self.tx.view(), store).map_err(planning)?;
        let (mut capabilities, ruler) =
            self.changeable(store, control).map_err(WriteFailure::Own)?;
        let name = name_of(self.tx.view(), store);
        check(&capabilities, &name, &change).map_err(WriteFailure::Own)?;
        let before = self.heads(store).map_err(WriteFailure::Batch)?;
        let mut entries = 0;
        for id in &change.grant {
            if !holds(&capabilities, Capability::Write, id) {
                let operation = capabilities.grant(Capability::Write, id);
                let operation = operation.map_err(|e| WriteFailure::Batch(internal(&e)))?;
                let payload = operation.into_payload(Some(now_ms()));
                let entry = self.append(&ruler, payload).map_err(WriteFailure::Batch)?;
                capabilities.add(&entry.order(), entry.payload());
                entries += 1;
            }
        }
        for id in &change.revoke {
            for capability in [Capability::Write, Capability::Admin] {
                if holds(&capabilities, capability, id) {
                    let now = Some(now_ms());
                    let payload = capabilities.revoke(capability, id, &before, now);
                    let entry = self.append(&ruler, payload).map_err(WriteFailure::Batch)?;
                    capabilities.add(&entry.order(), entry.payload());
                    entries += 1;
                }
            }
        }
        Ok(entries)
    }

    /// What decides about `store`, if this node may change it.
    fn changeable(
        &self,
        store: &StoreRef,
        control: AccessControl,
    ) -> Result<(Capabilities, StoreRef), Error> {
        let (name, me) = (name_of(self.tx.view(), store), self.keys.identity());
        match control.rule {
            ControlRule::Fixed(_) => Err(Error::Conflict(format!(
                "the access of store {name} is of the kind ipfs, which never changes; make another \
                 store with {{\"access\":{{\"kind\":\"orbitdb\"}}}} and put its documents there"
            ))),
            ControlRule::Mutable(capabilities, _) if !capabilities.owners().allows(me) => {
                Err(Error::Denied(format!(
                    "this node's identity {} is no admin of store {name}",
                    me.id
                )))
            }
            ControlRule::Mutable(capabilities, ruler) => Ok((capabilities, ruler)),
        }
    }

    /// The heads of a log, what this transaction added included.
    fn heads(&mut self, store: &StoreRef) -> Result<Vec<LogCid>, Error> {
        Ok(self.tip(store)?.heads().iter().map(|head| head.cid).collect())
    }
}

fn check(capabilities: &Capabilities, store: &str, change: &AccessChange) -> Result<(), Error> {
    let admins = &capabilities.owners().write;
    if let Some(id) = change.revoke.iter().find(|id| admins.contains(id)) {
        return Err(Error::Conflict(format!(
            "{id} is an admin of store {store}, and who is that was fixed when the store was made"
        )));
    }
    let held = capabilities.holders(Capability::Write);
    let new = change.grant.iter().filter(|id| !held.contains(id)).count();
    if held.len() + new > ACCESS_WRITERS_MAX {
        return Err(Error::TooLarge(format!(
            "store {store} would have {} writers; {ACCESS_WRITERS_MAX} are allowed",
            held.len() + new
        )));
    }
    Ok(())
}

fn holds(capabilities: &Capabilities, capability: Capability, id: &str) -> bool {
    capabilities.holders(capability).iter().any(|held| held == id)
}

fn internal(error: &optimusdb_dag::Error) -> Error {
    Error::Internal(format!("a grant could not be made: {error}"))
}
