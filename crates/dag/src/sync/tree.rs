//! What is compared: one summary per cell, the same wherever the same entries are.

use sha2::{Digest, Sha256};

use super::{Cell, Span};
use crate::LogCid;

/// Before the ids of a leaf.
const LEAF: u8 = 0;
/// Before the children of an inner cell.
const INNER: u8 = 1;

/// The place of an entry in the order of sync: by clock time, then by address.
///
/// An ancestor's time is below that of its descendants, so this order has parents before children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Its clock time.
    pub time: u64,
    /// Its address.
    pub cid: LogCid,
}

/// How many entries a cell holds, and a hash that only these entries have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Summary {
    /// Entries.
    pub count: u64,
    /// SHA-256 over the ids of a leaf or the children of an inner cell; zeros when empty.
    pub hash: [u8; 32],
}

impl Summary {
    /// The summary of a cell without entries.
    pub const EMPTY: Summary = Summary { count: 0, hash: [0; 32] };

    /// Whether the cell holds nothing.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The summary of an inner cell with these children, ascending. Empty ones count as absent.
    pub fn of_children(children: impl IntoIterator<Item = (Cell, Summary)>) -> Summary {
        let mut hashing = Hashing::inner();
        for (cell, summary) in children {
            hashing.add_child(cell.slot(), &summary);
        }
        hashing.finish()
    }
}

/// A summary in the making.
#[derive(Debug, Clone)]
pub(super) struct Hashing {
    count: u64,
    hasher: Sha256,
}

impl Hashing {
    pub(super) fn leaf() -> Hashing {
        Hashing::new(LEAF)
    }

    pub(super) fn inner() -> Hashing {
        Hashing::new(INNER)
    }

    fn new(sort: u8) -> Hashing {
        Hashing { count: 0, hasher: Sha256::new_with_prefix([sort]) }
    }

    pub(super) fn add_id(&mut self, id: &Id) {
        self.count += 1;
        self.hasher.update(id.cid.digest());
    }

    pub(super) fn add_child(&mut self, slot: u8, summary: &Summary) {
        if summary.is_empty() {
            return;
        }
        self.count = self.count.saturating_add(summary.count);
        self.hasher.update([slot]);
        self.hasher.update(summary.count.to_be_bytes());
        self.hasher.update(summary.hash);
    }

    pub(super) fn finish(self) -> Summary {
        match self.count {
            0 => Summary::EMPTY,
            count => Summary { count, hash: self.hasher.finalize().into() },
        }
    }
}

/// The entries of a store could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the entries could not be read: {0}")]
pub struct Unreadable(pub String);

/// The entries of one store that are applied here, as a tree over clock time.
///
/// Entries that were passed over are not in it. All answers come from one state of the store.
pub trait Tree {
    /// The greatest clock time, when there is an entry.
    ///
    /// # Errors
    /// [`Unreadable`], as every method here.
    fn newest(&self) -> Result<Option<u64>, Unreadable>;

    /// The summary of a cell.
    fn summary(&self, cell: Cell) -> Result<Summary, Unreadable>;

    /// The children of an inner cell that are not empty, ascending.
    fn children(&self, cell: Cell) -> Result<Vec<(Cell, Summary)>, Unreadable>;

    /// The first `ids_max` ids in a range, ascending, that come after `after`.
    fn ids(&self, span: Span, after: Option<Id>, ids_max: usize) -> Result<Vec<Id>, Unreadable>;
}

/// A store whose entries can be served: the entries of its tree, with their blocks.
pub trait Holding {
    /// The tree of its entries, in the state that the blocks are read from.
    fn tree(&self) -> &dyn Tree;

    /// The blocks of the first entries in a range, ascending by [`Id`], that come after `after`: at
    /// most `entries_max` and, but for the first, `bytes_max`. Fewer only at the end of the range
    /// or because of these.
    fn entries(
        &self,
        span: Span,
        after: Option<Id>,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, Unreadable>;

    /// The block of an entry of this store, by its address.
    fn entry(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Unreadable>;

    /// The block of the identity of a writer of this store.
    fn identity(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Unreadable>;
}

impl<H: Holding + ?Sized> Holding for &H {
    fn tree(&self) -> &dyn Tree {
        (**self).tree()
    }

    fn entries(
        &self,
        span: Span,
        after: Option<Id>,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, Unreadable> {
        (**self).entries(span, after, entries_max, bytes_max)
    }

    fn entry(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Unreadable> {
        (**self).entry(cid)
    }

    fn identity(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Unreadable> {
        (**self).identity(cid)
    }
}
