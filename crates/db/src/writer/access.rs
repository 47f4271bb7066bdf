//! What a transaction does about access: whether this node may write, and who else may.

use super::batch::Batch;
use super::work::{Failure, planning};
use crate::access::{Control, Rule};
use crate::error::Error;
use optimusdb_dag::limits::ACCESS_WRITERS_MAX;
use optimusdb_dag::{Capabilities, Capability, LogCid, Standing};
use optimusdb_storage::StoreRow;

/// A change of who may write to a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AccessChange {
    /// The identities that may from now on.
    pub(crate) grant: Vec<String>,
    /// Those that may no more.
    pub(crate) revoke: Vec<String>,
}

impl Batch<'_> {
    /// Refuses a store that this node's identity may not write to.
    pub(crate) fn may_write(&self, store: &StoreRow) -> Result<(), Error> {
        let access = self.accesses.within(self.tx.view(), store, |id| self.has_touched(id))?;
        let me = self.keys.identity();
        if access.judge(me) == Standing::Allowed {
            return Ok(());
        }
        Err(Error::Denied(format!(
            "this node's identity {} may not write to store {}",
            me.id, store.name
        )))
    }

    /// Grants and revokes what is not so already. Answers how many entries that took.
    pub(crate) fn change_access(
        &mut self,
        store: &StoreRow,
        change: AccessChange,
    ) -> Result<usize, Failure> {
        let control = Control::of(self.tx.view(), store).map_err(planning)?;
        let (mut capabilities, ruler) = self.changeable(store, control).map_err(Failure::Own)?;
        check(&capabilities, store, &change).map_err(Failure::Own)?;
        let before = self.heads(store).map_err(Failure::Batch)?;
        let mut entries = 0;
        for id in &change.grant {
            if !holds(&capabilities, Capability::Write, id) {
                let operation = capabilities.grant(Capability::Write, id);
                let operation = operation.map_err(|e| Failure::Batch(internal(&e)))?;
                let payload = operation.into_payload(Some(super::now_ms()));
                let entry = self.append(&ruler, payload).map_err(Failure::Batch)?;
                capabilities.add(&entry.order(), entry.payload());
                entries += 1;
            }
        }
        for id in &change.revoke {
            for capability in [Capability::Write, Capability::Admin] {
                if holds(&capabilities, capability, id) {
                    let now = Some(super::now_ms());
                    let payload = capabilities.revoke(capability, id, &before, now);
                    let entry = self.append(&ruler, payload).map_err(Failure::Batch)?;
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
        store: &StoreRow,
        control: Control,
    ) -> Result<(Capabilities, StoreRow), Error> {
        let (name, me) = (&store.name, self.keys.identity());
        match control.rule {
            Rule::Fixed(_) => Err(Error::Conflict(format!(
                "the access of store {name} is of the kind ipfs, which never changes; make another \
                 store with {{\"access\":{{\"kind\":\"orbitdb\"}}}} and put its documents there"
            ))),
            Rule::Mutable(capabilities, _) if !capabilities.owners().allows(me) => {
                Err(Error::Denied(format!(
                    "this node's identity {} is no admin of store {name}",
                    me.id
                )))
            }
            Rule::Mutable(capabilities, ruler) => Ok((capabilities, ruler)),
        }
    }

    /// The heads of a log, what this transaction added included.
    fn heads(&mut self, store: &StoreRow) -> Result<Vec<LogCid>, Error> {
        Ok(self.tip(store)?.heads().iter().map(|head| head.cid).collect())
    }
}

fn check(
    capabilities: &Capabilities,
    store: &StoreRow,
    change: &AccessChange,
) -> Result<(), Error> {
    let admins = &capabilities.owners().write;
    if let Some(id) = change.revoke.iter().find(|id| admins.contains(id)) {
        return Err(Error::Conflict(format!(
            "{id} is an admin of store {}, and who is that was settled when the store was made",
            store.name
        )));
    }
    let held = capabilities.holders(Capability::Write);
    let new = change.grant.iter().filter(|id| !held.contains(id)).count();
    if held.len() + new > ACCESS_WRITERS_MAX {
        return Err(Error::TooLarge(format!(
            "store {} would have {} writers; {ACCESS_WRITERS_MAX} are allowed",
            store.name,
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
