//! Lists of ids, as they come page by page, checked against the summaries of their cells.

use std::collections::VecDeque;

use super::PullError;
use super::difference::Difference;
use crate::LogCid;
use crate::limits::SYNC_IDS_MAX;
use crate::sync::{Ask, Id, Span, Summing, Tree, Unreadable};

/// The ids of a few cells, being listed.
#[derive(Debug)]
pub(super) struct IdListing {
    // Cells whose end has not come yet; the first is being listed.
    cells: VecDeque<Difference>,
    summing: Option<Summing>,
    last: Option<Id>,
}

impl IdListing {
    pub(super) fn new(cells: Vec<Difference>) -> IdListing {
        let summing = cells.first().map(|d| Summing::new(d.cell));
        IdListing { cells: cells.into(), summing, last: None }
    }

    pub(super) fn ask(&self) -> Ask {
        let spans: Vec<Span> = self.cells.iter().map(|d| d.cell.span()).collect();
        let after = self.last.filter(|last| spans.first().is_some_and(|s| s.contains(last.time)));
        Ask::Ids { spans, after }
    }

    /// Entries of theirs that we lack in what is still to come, as far as the counts tell.
    pub(super) fn lacking(&self) -> u64 {
        self.cells.iter().fold(0, |sum, d| sum.saturating_add(d.lacking()))
    }

    /// Whether everything has been listed.
    pub(super) fn is_over(&self) -> bool {
        self.cells.is_empty()
    }

    /// Takes the next page, and gives the ids that `tree` lacks and that are not known.
    pub(super) fn take(
        &mut self,
        tree: &dyn Tree,
        is_known: &dyn Fn(&LogCid) -> bool,
        page: &[Id],
        more: bool,
    ) -> Result<Vec<Id>, PullError> {
        if more && page.is_empty() {
            return Err(PullError::NoProgress);
        }
        let before = self.last;
        for id in page {
            if self.last.is_some_and(|last| *id <= last) {
                return Err(PullError::OutOfOrder(id.cid));
            }
            self.last = Some(*id);
            self.place(id)?;
        }
        if !more {
            while !self.cells.is_empty() {
                self.close()?;
            }
        }
        let mut lacking = lacking(tree, page, before)?;
        lacking.retain(|id| !is_known(&id.cid));
        Ok(lacking)
    }

    /// Counts an id in the cell that it lies in, closing those before it.
    fn place(&mut self, id: &Id) -> Result<(), PullError> {
        loop {
            let Some(span) = self.cells.front().map(|d| d.cell.span()) else {
                return Err(PullError::NotAsked(id.cid));
            };
            if id.time < span.from {
                return Err(PullError::NotAsked(id.cid));
            }
            if span.contains(id.time) {
                if let Some(summing) = &mut self.summing {
                    summing.add(id, &mut |_, _| {});
                }
                return Ok(());
            }
            self.close()?;
        }
    }

    /// The first cell is complete: it holds what its summary said, or more.
    fn close(&mut self) -> Result<(), PullError> {
        let (Some(Difference { cell, theirs, .. }), Some(summing)) =
            (self.cells.pop_front(), self.summing.take())
        else {
            return Ok(());
        };
        self.summing = self.cells.front().map(|d| Summing::new(d.cell));
        let found = summing.finish(&mut |_, _| {});
        super::check_grown(cell, theirs, found)
    }
}

/// Those of `page`, which ascends and comes after `before`, that the tree lacks.
fn lacking(tree: &dyn Tree, page: &[Id], before: Option<Id>) -> Result<Vec<Id>, Unreadable> {
    let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(Vec::new()) };
    let span = Span { from: first.time, until: last.time + 1 };
    let mut after = before.filter(|id| span.contains(id.time));
    let mut lacking = Vec::new();
    let mut page = page.iter().peekable();
    // What we have there may be more than a page, too.
    loop {
        let ours = tree.ids(span, after, SYNC_IDS_MAX)?;
        for id in &ours {
            while let Some(theirs) = page.next_if(|theirs| *theirs < id) {
                lacking.push(*theirs);
            }
            page.next_if(|theirs| *theirs == id);
        }
        after = ours.last().copied();
        if ours.len() < SYNC_IDS_MAX || page.peek().is_none() {
            break;
        }
    }
    lacking.extend(page);
    Ok(lacking)
}
