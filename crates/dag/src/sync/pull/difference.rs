//! Cells in which the peer has something else than we.

use std::collections::BTreeMap;

use crate::limits::{SYNC_CELLS_MAX, SYNC_IDS_FIRST_ENTRIES, SYNC_SPANS_MAX};
use crate::sync::{Cell, Span, Summary};

/// A cell whose summaries differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) cell: Cell,
    pub(super) theirs: Summary,
    /// Entries that we have there.
    pub(super) ours: u64,
}

impl Difference {
    /// Whether its children are compared before any of its entries are asked for.
    fn is_divided(&self) -> bool {
        self.ours > 0 && self.cell.level() > 0 && self.theirs.count > SYNC_IDS_FIRST_ENTRIES
    }

    /// Entries of theirs that we lack, as far as the counts tell: at least one.
    pub(super) fn lacking(&self) -> u64 {
        self.theirs.count.saturating_sub(self.ours).max(1)
    }
}

/// What is looked into next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Compare the children of these cells.
    Children(Vec<Difference>),
    /// List the entries of these cells.
    Ids(Vec<Difference>),
    /// Get all entries of a range.
    Range {
        /// The range, which begins and ends with cells.
        span: Span,
        /// Its first cell.
        first: Cell,
        /// How many entries their summaries say that it holds.
        said: u64,
    },
}

/// The differences that are not looked into yet, by time. They do not overlap.
#[derive(Debug, Default)]
pub(super) struct Frontier {
    cells: BTreeMap<u64, Difference>,
}

impl Frontier {
    pub(super) fn add(&mut self, difference: Difference) {
        let span = difference.cell.span();
        debug_assert!(
            self.cells
                .range(..span.from)
                .next_back()
                .is_none_or(|(_, d)| d.cell.span().until <= span.from),
            "{difference:?} overlaps one before it"
        );
        debug_assert!(
            self.cells.range(span.from..span.until).next().is_none(),
            "{difference:?} overlaps one behind it"
        );
        self.cells.insert(span.from, difference);
    }

    pub(super) fn lacking(&self) -> u64 {
        self.cells.values().fold(0, |sum, d| sum.saturating_add(d.lacking()))
    }

    /// Takes the next cell to examine. Comparisons come first, so that they share a request; above
    /// `cells_max` the oldest cell comes first.
    pub(super) fn take(&mut self, cells_max: usize) -> Option<Next> {
        let is_full = self.cells.len() >= cells_max;
        let first = *self.cells.values().next()?;
        let divided = self.cells.values().filter(|d| d.is_divided()).copied();
        let divided: Vec<Difference> = match is_full {
            true => divided.take_while(|d| d.cell == first.cell).collect(),
            false => divided.take(SYNC_CELLS_MAX).collect(),
        };
        if !divided.is_empty() {
            self.remove(&divided);
            return Some(Next::Children(divided));
        }
        let (absent, said) = self.absent_from(first.cell.span().from);
        if said > SYNC_IDS_FIRST_ENTRIES {
            self.remove(&absent);
            let until = absent.last().unwrap_or(&first).cell.span().until;
            let span = Span { from: first.cell.span().from, until };
            return Some(Next::Range { span, first: first.cell, said });
        }
        let listed = self.listed();
        debug_assert!(listed.first() == Some(&first), "the oldest difference is looked into first");
        self.remove(&listed);
        Some(Next::Ids(listed))
    }

    /// The cells to be listed together: from the first on, up to one that is to be compared or
    /// fetched as a range.
    fn listed(&self) -> Vec<Difference> {
        let mut listed = Vec::new();
        let mut absent_until = 0;
        for (from, difference) in &self.cells {
            if difference.is_divided() || listed.len() == SYNC_SPANS_MAX {
                break;
            }
            if difference.ours == 0 && *from >= absent_until {
                let (absent, said) = self.absent_from(*from);
                if said > SYNC_IDS_FIRST_ENTRIES {
                    break;
                }
                absent_until = absent.last().map_or(0, |last| last.cell.span().until);
            }
            listed.push(*difference);
        }
        listed
    }

    /// The cells from that time on that are empty here, up to the first that is not or that does not
    /// follow at once; and how many entries the peer says that they hold.
    fn absent_from(&self, from: u64) -> (Vec<Difference>, u64) {
        let mut end = from;
        let mut said = 0u64;
        let mut absent = Vec::new();
        for (from, difference) in self.cells.range(from..) {
            if *from != end || difference.ours > 0 {
                break;
            }
            end = difference.cell.span().until;
            said = said.saturating_add(difference.theirs.count);
            absent.push(*difference);
        }
        (absent, said)
    }

    fn remove(&mut self, taken: &[Difference]) {
        for difference in taken {
            let was = self.cells.remove(&difference.cell.span().from);
            debug_assert_eq!(was.as_ref(), Some(difference), "what is taken was there");
        }
    }
}
