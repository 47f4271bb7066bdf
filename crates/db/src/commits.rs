//! News of commits: the writer tells one listener of every commit, which hands it on to the swarm and
//! to the follower of the store list.

use optimusdb_storage::StoreRow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What a transaction did to one store.
#[derive(Debug)]
pub(crate) struct Committed {
    /// The store as it was before.
    pub(crate) store: StoreRow,
    /// The newest entries made here, oldest first, at most
    /// [`ANNOUNCED_ENTRIES_MAX`](crate::limits::ANNOUNCED_ENTRIES_MAX).
    pub(crate) made: VecDeque<Arc<[u8]>>,
    /// Whether an entry that was set aside is back in a row that was passed by, so that who reads the log
    /// row by row reads it again.
    pub(crate) put_back: bool,
}

/// What a transaction has changed.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// The stores with new entries, and by how many documents and entries each has grown.
    pub(crate) grown: Vec<(Committed, (i64, i64))>,
    /// The stores that were made.
    pub(crate) made: Vec<StoreRow>,
    /// The names that stores had before they got others.
    pub(crate) renamed: Vec<String>,
    /// New entries, local and remote ones.
    pub(crate) entries: [u64; 2],
    /// Entries that were set aside and are back.
    pub(crate) put_back: u64,
}

/// The listener. It is called on the writer's thread, so it never waits.
pub(crate) type Listener = Box<dyn Fn(Committed) + Send + Sync>;

/// The place of the listener; without one, the news are dropped. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Commits(Arc<OnceLock<Listener>>);

impl Commits {
    /// Tells `listener` of every commit from now on. False if there is a listener already.
    pub(crate) fn listen(&self, listener: Listener) -> bool {
        self.0.set(listener).is_ok()
    }

    pub(crate) fn tell(&self, commits: impl Iterator<Item = Committed>) {
        if let Some(listener) = self.0.get() {
            commits.for_each(listener);
        }
    }
}

impl fmt::Debug for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Commits").field(&self.0.get().is_some()).finish()
    }
}
