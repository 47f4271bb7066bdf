//! From a directory to a database with its stores: what happens before a node is ready.

use crate::builtin::BUILTIN_STORES;
use crate::error::Error;
use crate::new_store::{NewAccess, new_store};
use optimusdb_dag::IdentityKeys;
use optimusdb_storage::{Database, Scope};

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

/// Makes everything derived from the logs again, store by store.
pub(crate) fn reindex(database: &mut Database) -> Result<(), Error> {
    for store in database.view().stores()? {
        tracing::info!("making the index of {} again from {} entries", store.name, store.entries);
        database.reindex(&store)?;
    }
    Ok(())
}
