//! The stores that every node of a swarm has from its first start.

use super::new_store::{NewAccess, new_store};
use crate::error::Error;
use optimusdb_dag::{IdentityKeys, StoreKind};
pub use optimusdb_storage::DEFAULT_STORE;
use optimusdb_storage::{Database, Scope};

/// The swarm's list of stores: which store has which name.
pub const STORE_LIST: &str = "swarm_stores";

/// A store that is there from the start.
pub(super) struct Builtin {
    pub(super) name: &'static str,
    kind: StoreKind,
    scope: Scope,
}

const fn store(name: &'static str, kind: StoreKind, scope: Scope) -> Builtin {
    Builtin { name, kind, scope }
}

/// The list. Its order is the order of `GET /stores`.
pub(super) const BUILTIN_STORES: [Builtin; 13] = [
    store(DEFAULT_STORE, StoreKind::Documents, Scope::Resource),
    store("dsswresaloc", StoreKind::Documents, Scope::Resource),
    store("kbdata", StoreKind::Documents, Scope::Resource),
    store("kbmetadata", StoreKind::Documents, Scope::Catalog),
    store("whoiswho", StoreKind::Documents, Scope::Plain),
    store("tosca_imported", StoreKind::Documents, Scope::Resource),
    store("tosca_adt", StoreKind::Documents, Scope::Resource),
    store("tosca_capacities", StoreKind::Documents, Scope::Resource),
    store("tosca_deploymentplan", StoreKind::Documents, Scope::Resource),
    store("tosca_eventhistory", StoreKind::Documents, Scope::Plain),
    store("contributions", StoreKind::Events, Scope::Plain),
    store("validations", StoreKind::Documents, Scope::Local),
    store(STORE_LIST, StoreKind::KeyValue, Scope::Plain),
];

/// Makes the built-in stores that are missing, all in one transaction.
pub(crate) fn make_builtin(
    database: &mut Database,
    swarm: &str,
    keys: &IdentityKeys,
) -> Result<(), Error> {
    let present = database.view().stores()?;
    let missing = BUILTIN_STORES
        .iter()
        .filter(|builtin| present.iter().all(|store| store.name != builtin.name));
    let mut tx = database.begin()?;
    for builtin in missing {
        // What all members share is writable by all of them, what is this node's own by itself.
        let access = match builtin.scope {
            Scope::Local => NewAccess::Fixed { write: Vec::new() },
            _ => NewAccess::Anyone,
        };
        let new = new_store(builtin.name, builtin.kind, builtin.scope, access, swarm, keys)?;
        for (cid, block) in &new.blocks {
            tx.put_block(cid, block)?;
        }
        tx.create_store(&new.name, new.kind, &new.address, new.scope)?;
    }
    Ok(tx.commit()?)
}

/// The place of a store in this list; every other store comes after all of them.
pub(crate) fn place_of(name: &str) -> usize {
    BUILTIN_STORES.iter().position(|store| store.name == name).unwrap_or(BUILTIN_STORES.len())
}
