//! A tree over ids in memory.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::{Cell, Id, Span, Summary, Summing, Tree, Unreadable};
use crate::LogCid;

/// A set of ids as a [`Tree`]. It keeps no summaries: each is computed when asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdTree {
    ids: BTreeSet<Id>,
}

impl IdTree {
    /// An empty tree.
    pub fn new() -> IdTree {
        IdTree::default()
    }

    /// Adds an entry; answers whether it is new.
    pub fn insert(&mut self, id: Id) -> bool {
        self.ids.insert(id)
    }

    /// Whether that entry is there.
    pub fn contains(&self, id: &Id) -> bool {
        self.ids.contains(id)
    }

    /// All of them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &Id> {
        self.ids.iter()
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn after(&self, span: Span, after: Option<Id>) -> impl Iterator<Item = &Id> {
        let first = Id { time: span.from, cid: LogCid::from_digest([0; 32]) };
        let from = match after {
            Some(after) if after >= first => Bound::Excluded(after),
            _ => Bound::Included(first),
        };
        self.ids.range((from, Bound::Unbounded)).take_while(move |id| id.time < span.until)
    }
}

impl FromIterator<Id> for IdTree {
    fn from_iter<I: IntoIterator<Item = Id>>(ids: I) -> IdTree {
        IdTree { ids: ids.into_iter().collect() }
    }
}

impl Tree for IdTree {
    fn newest(&self) -> Result<Option<u64>, Unreadable> {
        Ok(self.ids.last().map(|id| id.time))
    }

    fn summary(&self, cell: Cell) -> Result<Summary, Unreadable> {
        let mut summing = Summing::new(cell);
        for id in self.after(cell.span(), None) {
            summing.add(id, &mut |_, _| {});
        }
        Ok(summing.finish(&mut |_, _| {}))
    }

    fn children(&self, cell: Cell) -> Result<Vec<(Cell, Summary)>, Unreadable> {
        let mut children = Vec::new();
        let mut keep = |closed: Cell, summary| {
            if closed.level() + 1 == cell.level() {
                children.push((closed, summary));
            }
        };
        let mut summing = Summing::new(cell);
        for id in self.after(cell.span(), None) {
            summing.add(id, &mut keep);
        }
        summing.finish(&mut keep);
        Ok(children)
    }

    fn ids(&self, span: Span, after: Option<Id>, ids_max: usize) -> Result<Vec<Id>, Unreadable> {
        Ok(self.after(span, after).take(ids_max).copied().collect())
    }
}
