//! Taking in another replica's log: the join machine of the log, fed with blocks from wherever they
//! come, and its answers stored through the writer's one door.

use crate::access::AccessCache;
use crate::error::Error;
use crate::limits::{READ_MS_MAX, WRITE_MS_MAX};
use crate::writer::{Done, Lane, Received, Work, Writer};
use optimusdb_dag::join::{Join, JoinEffect, Replica};
use optimusdb_dag::{Blocks, Identity, LogCid};
use optimusdb_storage::{Readers, StoreRow, View};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// What became of the heads of another replica.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// Entries that were new here.
    pub entries: usize,
    /// Entries that were refused, each with the rule that it breaks.
    pub refused: Vec<(LogCid, String)>,
}

/// Joins the log of `store` with the one under `heads`. Blocks, and calls `source` in between.
pub(crate) fn join<E: std::fmt::Display>(
    writer: &Writer,
    readers: &Readers,
    accesses: &AccessCache,
    runtime: &Handle,
    store: &StoreRow,
    heads: &[LogCid],
    source: &dyn Blocks<Error = E>,
) -> Result<Joined, Error> {
    let replica = Stored { readers };
    let access = accesses.read(readers, store)?;
    let mut join = Join::new(store.address, access);
    let mut joined = Joined::default();
    let mut effects = VecDeque::from(join.on_heads(&replica, heads));
    while let Some(effect) = effects.pop_front() {
        match effect {
            JoinEffect::Fetch { cid } => {
                let block = source
                    .get(&cid.into())
                    .map_err(|e| Error::Unavailable(format!("block {cid}: {e}")))?;
                effects.extend(match block {
                    Some(block) => join.on_block(&replica, cid, &block),
                    None => join.on_missing(&replica, cid),
                });
            }
            // There is one source, and it has shown what it has.
            JoinEffect::Mismatch { cid } => effects.extend(join.on_missing(&replica, cid)),
            // Only a change of access in the middle restores, and this join is told of none.
            JoinEffect::Restored { .. } => {}
            JoinEffect::Reject { cid, why } | JoinEffect::Deferred { cid, why } => {
                joined.refused.push((cid, why.to_string()))
            }
            JoinEffect::Ready { entries, identities, passed } => {
                let received = Received { entries, identities, passed, ..Received::default() };
                let work = Work::Join { store: store.clone(), received };
                let deadline = Instant::now() + Duration::from_millis(WRITE_MS_MAX);
                if let Done::Count(new) =
                    runtime.block_on(writer.write(Lane::Remote, work, deadline))?
                {
                    joined.entries += new;
                }
            }
        }
    }
    Ok(joined)
}

/// What is committed here, as the join machine asks for it.
struct Stored<'r> {
    readers: &'r Readers,
}

impl Stored<'_> {
    fn read<T>(&self, read: impl FnOnce(View<'_>) -> T) -> Result<T, Error> {
        let wait = Duration::from_millis(READ_MS_MAX);
        Ok(self.readers.read(wait, |view| Ok(read(view)))?)
    }
}

impl Replica for Stored<'_> {
    // An entry that cannot be read is treated as absent: it is then fetched, and storing it again
    // fails where the damage can be reported.
    fn time_of(&self, cid: &LogCid) -> Option<u64> {
        self.read(|view| view.time_of(cid)).ok()?.ok()?
    }

    fn identity(&self, cid: &LogCid) -> Option<Arc<Identity>> {
        let block = self.read(|view| view.block(cid)).ok()?.ok()??;
        Identity::decode(*cid, &block).ok().map(Arc::new)
    }
}
