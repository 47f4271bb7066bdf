//! Where the blocks come from that define a store: from this node if it has them, else from its
//! peers.

use crate::error::Error;
use crate::lookup_pool::LookupPool;
use optimusdb_dag::LogCid;
use optimusdb_swarm::Swarm;
use std::sync::OnceLock;

/// A source of blocks: this node alone at first, and its peers, too, once it takes part in its swarm.
#[derive(Debug)]
pub(crate) struct BlockSource {
    lookups: LookupPool,
    swarm: OnceLock<Swarm>,
}

impl BlockSource {
    /// The blocks that are here.
    pub(crate) fn new(lookups: LookupPool) -> BlockSource {
        BlockSource { lookups, swarm: OnceLock::new() }
    }

    /// Asks peers, too, from now on.
    pub(crate) fn ask_peers(&self, swarm: Swarm) {
        // A node takes part in one swarm, once.
        let _ = self.swarm.set(swarm);
    }

    /// The bytes of a block, which a caller checks against its address. The wait may be long.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with the reason why no peer gave it.
    pub(crate) async fn block(&self, cid: LogCid) -> Result<Vec<u8>, Error> {
        if let Some(block) = self.lookups.read(move |view| view.block(&cid)).await? {
            return Ok(block);
        }
        let Some(swarm) = self.swarm.get() else {
            return Err(Error::Unavailable("this node has none".into()));
        };
        let fetched = swarm.fetch(cid, Vec::new()).await;
        fetched.map_err(|error| Error::Unavailable(error.to_string()))
    }
}
