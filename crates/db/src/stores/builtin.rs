//! The stores that every node of a swarm has from its first start.

use optimusdb_dag::StoreKind;
pub use optimusdb_storage::DEFAULT_STORE;
use optimusdb_storage::Scope;

/// The swarm's list of stores: which store has which name.
pub const STORE_LIST: &str = "swarm_stores";

/// A store that is there from the start.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) kind: StoreKind,
    pub(crate) scope: Scope,
}

const fn store(name: &'static str, kind: StoreKind, scope: Scope) -> Builtin {
    Builtin { name, kind, scope }
}

/// The list. Its order is the order of `GET /stores`.
pub(crate) const BUILTIN_STORES: [Builtin; 13] = [
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

/// Where a store stands among these; one that is none of them, behind all.
pub(crate) fn place_of(name: &str) -> usize {
    BUILTIN_STORES.iter().position(|store| store.name == name).unwrap_or(BUILTIN_STORES.len())
}
