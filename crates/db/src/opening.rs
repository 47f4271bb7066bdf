//! From a directory to a database with its stores: what happens before a node is ready.

use crate::builtin::BUILTIN_STORES;
use crate::error::Error;
use crate::writer::NewStore;
use optimusdb_dag::{AccessController, IdentityKeys, Ipld, Manifest, StoreKind};
use optimusdb_storage::{Database, Scope};
use std::collections::BTreeMap;

/// Binds the repository to its swarm, which it keeps for good: the addresses of its stores
/// depend on it.
pub(crate) fn bind_swarm(database: &mut Database, swarm: &str) -> Result<(), Error> {
    match database.view().fact("swarm")? {
        Some(bound) if bound == swarm => Ok(()),
        Some(bound) => Err(Error::Conflict(format!(
            "the data directory belongs to the swarm {bound:?}, not {swarm:?}; start with \
             -swarm={bound} or choose another -repo"
        ))),
        None => {
            let mut tx = database.begin()?;
            tx.set_fact("swarm", swarm)?;
            Ok(tx.commit()?)
        }
    }
}

/// Makes the built-in stores that are missing, all in one transaction.
pub(crate) fn builtin_stores(
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
        let new = new_store(builtin.name, builtin.kind, builtin.scope, swarm, keys)?;
        for (cid, block) in &new.blocks {
            tx.put_block(cid, block)?;
        }
        tx.create_store(&new.name, new.kind, &new.address, new.scope)?;
    }
    Ok(tx.commit()?)
}

/// Makes everything derived from the logs again, store by store.
pub(crate) fn reindex(database: &mut Database) -> Result<(), Error> {
    for store in database.view().stores()? {
        tracing::info!("making the index of {} again from {} entries", store.name, store.entries);
        database.reindex(&store)?;
    }
    Ok(())
}

/// The blocks and the address of a store.
///
/// A replicated store is writable by every member of its swarm; this node's own by itself alone.
/// The manifest names the swarm, so that equal names in two swarms are two stores.
pub(crate) fn new_store(
    name: &str,
    kind: StoreKind,
    scope: Scope,
    swarm: &str,
    keys: &IdentityKeys,
) -> Result<NewStore, Error> {
    let identity = keys.identity();
    let writers = match scope {
        Scope::Local => identity.id.clone(),
        Scope::Resource | Scope::Catalog | Scope::Plain => "*".into(),
    };
    let access = AccessController::ipfs(vec![writers]);
    let manifest = Manifest {
        name: name.into(),
        kind,
        access: access.address(),
        meta: Some(Ipld::Map(BTreeMap::from([("swarm".into(), Ipld::String(swarm.into()))]))),
    };
    let unusable = |e: optimusdb_dag::Error| Error::Internal(format!("store {name}: {e}"));
    let address = manifest.address().map_err(unusable)?;
    let manifest = manifest.encode().map_err(unusable)?;
    let blocks = vec![access.encode(), manifest, (identity.cid, identity.block.clone())];
    Ok(NewStore { name: name.into(), kind, address, scope, blocks })
}
