//! From a directory to a database with its stores: what happens before a node is ready.

use crate::error::Error;
use optimusdb_storage::Database;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// How far the opening of a node is. The opening writes it, and others read it meanwhile. Clones
/// share one state.
#[derive(Debug, Clone, Default)]
pub struct NodeOpening(Arc<Mutex<OpeningStep>>);

/// One step of the opening of a node. Shown, it is a text such as "making the index again, 3 of 10
/// entries".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningStep {
    /// The step, in words.
    pub what: &'static str,
    /// How many entries are done, of how many; None for a step that counts none.
    pub entries: Option<(u64, u64)>,
}

impl Default for OpeningStep {
    fn default() -> Self {
        // This reads the write-ahead log after a crash, and migrates the database of an older version.
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

impl NodeOpening {
    /// The present step.
    pub fn step(&self) -> OpeningStep {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a step, which goes through `of` entries if it counts them.
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

/// Makes everything derived from the logs again, store by store. Tables that cannot be read are given up
/// for new ones.
pub(crate) fn reindex(database: &mut Database, opening: &NodeOpening) -> Result<(), Error> {
    match reindex_all(database, opening) {
        Err(optimusdb_storage::Error::Unreadable(why)) => {
            tracing::error!("the tables of the index cannot be read ({why}): new ones are made");
            database.give_up_index()?;
            reindex_all(database, opening)?;
        }
        done => done?,
    }
    Ok(database.index_is_made()?)
}

fn reindex_all(
    database: &mut Database,
    opening: &NodeOpening,
) -> Result<(), optimusdb_storage::Error> {
    let stores = database.view().stores()?;
    opening.begin("making the index again", Some(stores.iter().map(|store| store.entries).sum()));
    if let Err(error) = database.reindex_log() {
        tracing::error!("the indexes of the logs cannot be made again: {error}");
    }
    for store in stores {
        tracing::info!("making the index of {} again from {} entries", store.name, store.entries);
        let mended = database.reindex(&store, || opening.one_more())?;
        if !mended.entries.is_empty() {
            tracing::error!(
                "{} entries of {} are damaged on the disk: its index was made without them, and \
                 peers are asked for them",
                mended.entries.len(),
                store.name
            );
        }
        if mended.unreadable > 0 {
            tracing::error!(
                "{} entries of {} are in a part of the database that cannot be read: its index was \
                 made without them",
                mended.unreadable,
                store.name
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::make_builtin;
    use optimusdb_dag::{IdentityKeys, Ipld, LogTip, Operation};
    use optimusdb_storage::{Durability, Place};

    const ENTRIES: u64 = 7;

    #[test]
    fn the_index_is_made_again_entry_by_entry() {
        let keys = IdentityKeys::from_bytes(&[1; 32], &[2; 32]).unwrap();
        let mut database = Database::open(&Place::memory(), Durability::Relaxed).unwrap();
        make_builtin(&mut database, "test", &keys).unwrap();
        let mut tx = database.begin().unwrap();
        let store = tx.view().store("dsswres").unwrap().unwrap();
        let mut tip = LogTip::new(store.address, Vec::new());
        for n in 0..ENTRIES {
            let key = n.to_string();
            let value = Ipld::Map([("_id".to_owned(), Ipld::String(key.clone()))].into());
            let payload = Operation::Put { key, value }.into_payload(None);
            let entry = tip.append(&keys, payload, &mut |_| None).unwrap();
            tx.put_entry(&store, &entry).unwrap();
        }
        tx.set_heads(&store, tip.heads().iter().map(|head| &head.cid)).unwrap();
        tx.commit().unwrap();

        let opening = NodeOpening::default();
        assert_eq!(opening.step().to_string(), "opening the data directory");
        reindex(&mut database, &opening).unwrap();
        let step = opening.step();
        assert_eq!(step.entries, Some((ENTRIES, ENTRIES)));
        assert_eq!(step.to_string(), "making the index again, 7 of 7 entries");
    }
}
