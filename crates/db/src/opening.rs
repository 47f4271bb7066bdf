//! From a directory to a database with its stores: what happens before a node is ready.

use crate::error::Error;
use crate::stores::{BUILTIN_STORES, NewAccess, new_store};
use optimusdb_dag::IdentityKeys;
use optimusdb_storage::{Database, Scope};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// How far the opening of a node is, for those who wait for it. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Opening(Arc<Mutex<OpeningStep>>);

/// What a node that is being opened is at. Shown, it is a text such as "making the index again, 3 of 10
/// entries".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningStep {
    /// What it does, in words.
    pub what: &'static str,
    /// How many entries are behind it, of how many; None where they cannot be counted.
    pub entries: Option<(u64, u64)>,
}

impl Default for OpeningStep {
    fn default() -> Self {
        // After a crash what was written last is read, and what an older version left is migrated.
        OpeningStep { what: "opening the data directory", entries: None }
    }
}

impl fmt::Display for OpeningStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entries {
            None => f.write_str(self.what),
            Some((done, of)) => write!(f, "{}, {done} of {of} entries", self.what),
        }
    }
}

impl Opening {
    /// What it is at now.
    pub fn step(&self) -> OpeningStep {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a step: of so many entries, if it counts any.
    pub(crate) fn begin(&self, what: &'static str, of: Option<u64>) {
        let entries = of.map(|of| (0, of));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = OpeningStep { what, entries };
    }

    fn one_more(&self) {
        let mut step = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((done, _)) = &mut step.entries {
            *done += 1;
        }
    }
}

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
pub(crate) fn reindex(database: &mut Database, opening: &Opening) -> Result<(), Error> {
    let stores = database.view().stores()?;
    opening.begin("making the index again", Some(stores.iter().map(|store| store.entries).sum()));
    for store in stores {
        tracing::info!("making the index of {} again from {} entries", store.name, store.entries);
        database.reindex(&store, || opening.one_more())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::NodeConfig;
    use crate::{Node, log_channel};

    #[tokio::test]
    async fn the_index_is_made_again_entry_by_entry() {
        let dir = tempfile::tempdir().unwrap();
        let opening = Opening::default();
        assert_eq!(opening.step().to_string(), "opening the data directory");
        let node = Node::open(NodeConfig {
            repo: dir.path().to_owned(),
            swarm: "test".into(),
            region: None,
            coordinator: true,
            durable: false,
            reindex: false,
            version: "0".into(),
            logs: Some(log_channel().1),
            log_retention: std::time::Duration::ZERO,
            opening: opening.clone(),
        })
        .unwrap();
        let documents = (0..7).map(|n| serde_json::json!({"_id": n.to_string()})).collect();
        node.put("dsswres", documents).await.unwrap();
        node.close().await;
        let place = optimusdb_storage::Place::File(dir.path().join("optimusdb.sqlite"));
        let mut database = Database::open(&place, optimusdb_storage::Durability::Relaxed).unwrap();
        let entries = database.view().stores().unwrap().iter().map(|store| store.entries).sum();
        reindex(&mut database, &opening).unwrap();
        let step = opening.step();
        assert_eq!(step.entries, Some((entries, entries)));
        assert_eq!(
            step.to_string(),
            format!("making the index again, {entries} of {entries} entries")
        );
        assert!(entries >= 7);
    }
}
