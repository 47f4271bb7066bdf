//! Fetching the blocks of one file, or of whatever else lies below a root.
//!
//! Connected peers are asked first. If they do not have a block, those are dialled that somebody named,
//! and the swarm's table is asked who has the root.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};
use optimusdb_dag::Cid;
use tokio::sync::mpsc;

use crate::FetchError;
use crate::command::Command;
use crate::limits::SEARCH_INTERVAL;
use crate::peering::target::DialTarget;
use crate::protocols::bitswap::limits::LOOK_FARTHER_MS;
use crate::protocols::bitswap::session::BlockSession;

/// Somebody who is said to have a file: a peer id, and the multiaddrs where it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHolder {
    /// Its id.
    pub peer: PeerId,
    /// Where it may be. Text that is no multiaddr is passed over.
    pub addresses: Vec<String>,
}

/// Fetches the blocks below one root. Clones are the same session.
#[derive(Clone)]
pub struct FileSession {
    root: Cid,
    blocks: BlockSession,
    commands: mpsc::WeakSender<Command>,
    /// When those who may have it were last looked for.
    searched: Arc<Mutex<Option<Instant>>>,
}

impl fmt::Debug for FileSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSession").field("root", &self.root).finish_non_exhaustive()
    }
}

impl FileSession {
    pub(crate) fn new(
        root: Cid,
        holders: &[FileHolder],
        blocks: BlockSession,
        commands: mpsc::WeakSender<Command>,
    ) -> FileSession {
        let session = FileSession { root, blocks, commands, searched: Arc::default() };
        for holder in holders {
            let multiaddr = |text: &String| match DialTarget::parse(text) {
                Ok(DialTarget::Address(address)) => Some(address),
                Ok(DialTarget::Host { .. }) | Err(_) => None,
            };
            let addresses: Vec<Multiaddr> = holder.addresses.iter().filter_map(multiaddr).collect();
            session.tell(Command::Reach { peer: holder.peer, addresses });
        }
        session
    }

    /// Gets a block below the root and says who sent it. Its bytes hash to `cid`. Dropping the future ends the fetch.
    ///
    /// # Errors
    /// [`FetchError`]: nobody has it, it did not come in time, or the host has stopped.
    pub async fn fetch(&self, cid: Cid) -> Result<(Vec<u8>, Option<PeerId>), FetchError> {
        let fetching = self.blocks.fetch(cid);
        tokio::pin!(fetching);
        let soon = Duration::from_millis(LOOK_FARTHER_MS);
        if let Ok(fetched) = tokio::time::timeout(soon, &mut fetching).await {
            return fetched;
        }
        self.search();
        fetching.await
    }

    /// Asks the table who has the root, unless it was asked lately.
    fn search(&self) {
        let now = Instant::now();
        let mut searched = self.searched.lock().unwrap_or_else(PoisonError::into_inner);
        if searched.is_none_or(|at| now.saturating_duration_since(at) >= SEARCH_INTERVAL) {
            *searched = Some(now);
            self.tell(Command::FindProviders { root: self.root.clone() });
        }
    }

    /// A host that has too much else to do looks for nobody.
    fn tell(&self, command: Command) {
        if let Some(commands) = self.commands.upgrade() {
            let _ = commands.try_send(command);
        }
    }
}
