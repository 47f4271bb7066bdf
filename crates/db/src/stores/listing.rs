//! Which of a node's stores the swarm's list is about.

use super::builtin::{BUILTIN_STORES, STORE_LIST};
use optimusdb_dag::StoreKind;
use optimusdb_storage::{Scope, StoreRow};

/// Whether the list may give this store a name: not the built-in ones, and none that says who may
/// write to another.
pub(crate) fn may_be_named(store: &StoreRow) -> bool {
    matches!(store.scope, Scope::Resource | Scope::Plain)
        && BUILTIN_STORES.iter().all(|builtin| builtin.name != store.name)
}

/// Whether this is the list.
pub(crate) fn is_list(store: &StoreRow) -> bool {
    store.name == STORE_LIST && store.kind == StoreKind::KeyValue
}
