//! What nodes send each other.

use std::sync::Arc;

use optimusdb_dag::LogCid;

#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// Pubsub: an entry, under a number that stays the same while it is passed on.
    Announce { id: u64, block: Arc<[u8]> },
    /// Heads. A node that gets them unasked answers with its own.
    Heads { answer: bool, blocks: Vec<Arc<[u8]>> },
    /// Asks for a block.
    Want { cid: LogCid },
    /// A block.
    Block { block: Arc<[u8]> },
    /// The block is not here.
    DontHave { cid: LogCid },
    /// A request of fast sync. The number tells connections apart.
    Ask { number: u64, frame: Arc<[u8]> },
    /// Its answer.
    Reply { number: u64, frame: Arc<[u8]> },
}

impl Message {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Message::Announce { .. } => Kind::Announce,
            Message::Heads { .. } => Kind::Heads,
            Message::Want { .. } => Kind::Want,
            Message::Block { .. } | Message::DontHave { .. } => Kind::Block,
            Message::Ask { .. } => Kind::Ask,
            Message::Reply { .. } => Kind::Reply,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Message::Announce { block, .. } | Message::Block { block } => block.len(),
            Message::Heads { blocks, .. } => blocks.iter().map(|block| block.len()).sum(),
            Message::Want { .. } | Message::DontHave { .. } => 36,
            Message::Ask { frame, .. } | Message::Reply { frame, .. } => frame.len(),
        }
    }
}

/// A sort of message, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Pubsub.
    Announce,
    /// An exchange of heads.
    Heads,
    /// A block is asked for.
    Want,
    /// A block, or that it is not there.
    Block,
    /// A request of fast sync.
    Ask,
    /// Its answer.
    Reply,
}
