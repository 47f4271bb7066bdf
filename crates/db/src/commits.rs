//! Telling of commits: whoever announces entries, or follows a store, hears of every one.
//!
//! The writer never waits for a listener. One that is slow loses notices, and the periodic
//! comparison with peers makes up for them.

use crate::limits::COMMITS_WAITING_MAX;
use optimusdb_storage::StoreRow;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// What a transaction did to one store.
#[derive(Debug)]
pub(crate) struct Committed {
    /// The store as it was before.
    pub(crate) store: StoreRow,
    /// The newest entries made here, oldest first, at most
    /// [`ANNOUNCED_ENTRIES_MAX`](crate::limits::ANNOUNCED_ENTRIES_MAX).
    pub(crate) made: VecDeque<Arc<[u8]>>,
}

/// Where the writer tells of its commits; nobody need listen. Clones are the same place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commits(Arc<OnceLock<Sender<Committed>>>);

impl Commits {
    /// What is committed from now on. None but the first caller gets it.
    pub(crate) fn listen(&self) -> Option<Receiver<Committed>> {
        let (sender, receiver) = channel(COMMITS_WAITING_MAX);
        self.0.set(sender).ok().map(|()| receiver)
    }

    pub(crate) fn tell(&self, commits: impl Iterator<Item = Committed>) {
        let Some(listener) = self.0.get() else { return };
        for committed in commits {
            // Full, or stopping: see above.
            let _ = listener.try_send(committed);
        }
    }
}
