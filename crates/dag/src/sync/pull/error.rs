//! Why a pull fails: one variant for each rule that the peer may break.

use crate::sync::{Cell, Declined, Unreadable};
use crate::{Error, LogCid};

/// Why a pull ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PullError {
    // Nobody's fault.
    /// The peer does not answer the question.
    #[error("the peer declines: {0:?}")]
    Declined(Declined),
    /// Our own entries could not be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// As many requests as a pull may make brought no entry.
    #[error("{0} requests brought no entry")]
    NothingNew(u64),
    /// The pull is over, or has not begun.
    #[error("no reply is awaited")]
    NotAwaited,

    // Rules that the peer breaks.
    /// The reply cannot be read.
    #[error(transparent)]
    Malformed(#[from] Error),
    /// The reply answers another question.
    #[error("the reply answers another question")]
    OtherQuestion,
    /// Not as many cells are answered as were asked for.
    #[error("{answered} cells are answered, {asked} were asked for")]
    CellsAnswered {
        /// Cells asked for.
        asked: usize,
        /// Cells answered.
        answered: usize,
    },
    /// A cell holds fewer entries than its summary said.
    #[error("{cell:?} has {found} entries, and its summary said {said}")]
    CountShrank {
        /// The cell, or the first of several.
        cell: Cell,
        /// What its summary said.
        said: u64,
        /// What it holds.
        found: u64,
    },
    /// What a cell holds does not have the hash of its summary.
    #[error("what {cell:?} holds is not what its summary said")]
    SummaryWrong {
        /// The cell.
        cell: Cell,
    },
    /// More is promised and nothing comes.
    #[error("the reply brings nothing")]
    NoProgress,
    /// Entries or ids do not ascend.
    #[error("entry {0} is out of order")]
    OutOfOrder(LogCid),
    /// An entry or id outside the ranges asked for, or one that was not asked for by name.
    #[error("entry {0} was not asked for")]
    NotAsked(LogCid),
    /// A block that is no entry.
    #[error("block {cid} is no entry: {why}")]
    NotAnEntry {
        /// The block.
        cid: LogCid,
        /// What is wrong with it.
        why: Error,
    },
    /// An entry of another log.
    #[error("entry {0} is of another log")]
    OtherLog(LogCid),
    /// An entry was listed under another time than its own.
    #[error("entry {0} was listed under another time")]
    TimeWrong(LogCid),
    /// The identity of an entry does not come with it.
    #[error("identity {0} does not come with its entry")]
    IdentityMissing(LogCid),
    /// A block among the identities that no entry names, or one that comes twice.
    #[error("identity {0} is not named by an entry, or comes twice")]
    IdentityNotAsked(LogCid),
}

impl PullError {
    /// Whether the peer broke a rule. Of the others, the same question may do better later.
    pub fn is_offence(&self) -> bool {
        !matches!(
            self,
            PullError::Declined(_)
                | PullError::Unreadable(_)
                | PullError::NothingNew(_)
                | PullError::NotAwaited
        )
    }
}
