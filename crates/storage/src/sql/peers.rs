//! The way of peers' statements into a node: they read what is replicated, and nothing else.

use super::link::{Role, SqlPlaces};
use super::readers::ReaderPool;
use super::run::Prepared;
use super::statement::{SqlSink, SqlStatement, refused};
use super::tables::Audience;
use crate::error::Error;
use crate::stores::StoreId;
use std::collections::BTreeSet;

/// The door for peers. Its connections are not those of the users: where theirs have the users' tables,
/// these have an empty one in memory.
#[derive(Debug)]
pub struct PeerDoor(ReaderPool);

impl PeerDoor {
    /// At most `idle_max` connections are kept; the caller bounds how many there are at a time.
    pub fn new(places: SqlPlaces, idle_max: usize) -> PeerDoor {
        PeerDoor(ReaderPool::new(places, Role::PeerRead, idle_max))
    }

    /// Runs a statement over those of `stores` that are replicated. Answers whether there are more rows
    /// than were wanted.
    ///
    /// # Errors
    /// [`Error::Statement`] for one that names anything else or does not only read,
    /// [`Error::Interrupted`] at its deadline.
    pub fn read(
        &self,
        statement: &SqlStatement,
        stores: BTreeSet<StoreId>,
        sink: &mut dyn SqlSink,
    ) -> Result<bool, Error> {
        self.0.lend(&Audience::Peer(stores), |reader| match reader.read(statement, sink)? {
            Prepared::Read { more } => Ok(more),
            Prepared::Local | Prepared::Replicated(_) | Prepared::NeedsText => {
                Err(refused("a statement of a peer can only read"))
            }
        })
    }

    /// Whether a peer's node could run a statement: whether it only reads, and nothing that is this node's
    /// own. It is not run.
    pub fn could_run(&self, statement: &SqlStatement, stores: BTreeSet<StoreId>) -> bool {
        let reads = self.0.lend(&Audience::Peer(stores), |reader| reader.reads(statement));
        reads.unwrap_or(false)
    }
}
