//! The summaries of a cell and of all cells in it, out of its ids in ascending order.

use super::tree::Hashing;
use super::{Cell, Id, Summary};

/// Computes summaries in one pass, with one unfinished cell a level in memory.
///
/// Ids and cells are given in ascending order and lie in the cell; otherwise the summaries mean
/// nothing.
#[derive(Debug)]
pub struct Summing {
    // The cell itself and the unfinished cells inside it, each a child of the one before.
    open: Vec<(Cell, Hashing)>,
}

impl Summing {
    /// Begins with an empty cell.
    pub fn new(cell: Cell) -> Summing {
        Summing { open: vec![(cell, hashing(cell))] }
    }

    /// Adds an entry. `closed` is told of every cell that is complete with that, children before
    /// parents; cells without entries are not mentioned.
    pub fn add(&mut self, id: &Id, closed: &mut impl FnMut(Cell, Summary)) {
        debug_assert!(
            self.open.first().is_some_and(|(cell, _)| cell.span().contains(id.time)),
            "{id:?} is not in the cell"
        );
        self.descend(id.time, 0, closed);
        if let Some((_, leaf)) = self.open.last_mut() {
            leaf.add_id(id);
        }
    }

    /// Adds a cell whose summary is known already. Its own children are not mentioned.
    pub fn add_cell(
        &mut self,
        cell: Cell,
        summary: Summary,
        closed: &mut impl FnMut(Cell, Summary),
    ) {
        self.descend(cell.span().from, cell.level() + 1, closed);
        if let Some((_, parent)) = self.open.last_mut() {
            parent.add_child(cell.slot(), &summary);
        }
        if !summary.is_empty() {
            closed(cell, summary);
        }
    }

    /// The summary of the whole cell, after those of all others that were unfinished.
    pub fn finish(mut self, closed: &mut impl FnMut(Cell, Summary)) -> Summary {
        while self.open.len() > 1 {
            self.close(closed);
        }
        match self.open.pop() {
            Some((cell, hashing)) => {
                let summary = hashing.finish();
                if !summary.is_empty() {
                    closed(cell, summary);
                }
                summary
            }
            None => Summary::EMPTY,
        }
    }

    /// Makes the cell of `level` that holds `time` the innermost unfinished one.
    fn descend(&mut self, time: u64, level: u8, closed: &mut impl FnMut(Cell, Summary)) {
        while self.open.len() > 1
            && self
                .open
                .last()
                .is_some_and(|(cell, _)| cell.level() < level || !cell.span().contains(time))
        {
            self.close(closed);
        }
        while let Some((cell, _)) = self.open.last()
            && cell.level() > level
        {
            let child = Cell::at(cell.level() - 1, time);
            debug_assert_eq!(child.parent(), Some(*cell), "the way down to {time}");
            self.open.push((child, hashing(child)));
        }
        debug_assert!(
            self.open.last().is_some_and(|(cell, _)| cell.level() == level),
            "a cell of level {level} is open"
        );
    }

    fn close(&mut self, closed: &mut impl FnMut(Cell, Summary)) {
        let Some((cell, hashing)) = self.open.pop() else { return };
        let summary = hashing.finish();
        if let Some((_, parent)) = self.open.last_mut() {
            parent.add_child(cell.slot(), &summary);
        }
        if !summary.is_empty() {
            closed(cell, summary);
        }
    }
}

fn hashing(cell: Cell) -> Hashing {
    if cell.level() == 0 { Hashing::leaf() } else { Hashing::inner() }
}
