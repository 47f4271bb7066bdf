//! What is asked and answered. The bytes are in `wire.rs`, the protocol in `docs/format-sync.md`.

use super::{Cell, Id, Span, Summary};
use crate::{Address, LogCid};

/// A question about one store. It stands alone: a server keeps nothing between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The store.
    pub log: Address,
    /// The question.
    pub ask: Ask,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// What do you have? Answered by [`Reply::Root`].
    Open {
        /// The version of the protocol that the asker speaks.
        version: u64,
    },
    /// The children of these inner cells, ascending and apart: [`Reply::Children`].
    Children(Vec<Cell>),
    /// The ids in these ranges, ascending and apart: [`Reply::Ids`].
    Ids {
        /// The ranges.
        spans: Vec<Span>,
        /// Begin after this one, which lies in the first range.
        after: Option<Id>,
    },
    /// The entries of a range: [`Reply::Blocks`].
    Range {
        /// The range.
        span: Span,
        /// Begin after this one, which lies in the range.
        after: Option<Id>,
    },
    /// These entries: [`Reply::Blocks`] with as many of them as fit, from the first on.
    Blocks(Vec<LogCid>),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To [`Ask::Open`].
    Root {
        /// The newest time, and with it the level of the root; `None` when the store is empty.
        newest: Option<u64>,
        /// The root's summary.
        summary: Summary,
    },
    /// To [`Ask::Children`]: for each cell, its children that are not empty.
    Children(Vec<Vec<(u8, Summary)>>),
    /// To [`Ask::Ids`].
    Ids {
        /// Ascending.
        ids: Vec<Id>,
        /// Whether the ranges hold more after the last.
        more: bool,
    },
    /// To [`Ask::Range`] and [`Ask::Blocks`].
    Blocks {
        /// Entries: ascending by [`Id`], or in the order in which they were asked for.
        entries: Vec<Vec<u8>>,
        /// The identities that these entries name, each once.
        identities: Vec<Vec<u8>>,
        /// Whether the range holds more after the last.
        more: bool,
    },
    /// The question is not answered.
    Declined(Declined),
}

/// Why a question is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Declined {
    /// The store is not here, or not shared.
    Unknown,
    /// Not now.
    Busy,
    /// The version of the protocol is not known.
    Version,
    /// The question breaks a rule.
    Malformed,
}
