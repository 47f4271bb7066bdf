//! The ranges of clock time that the tree is made of.

use crate::limits::{CLOCK_TICKS_MAX, SYNC_CHILD_CELLS_MAX, SYNC_LEAF_TICKS, SYNC_LEVELS_MAX};

/// Bits of a clock time that a leaf does not tell apart.
const LEAF_BITS: u32 = SYNC_LEAF_TICKS.ilog2();
/// Bits of a clock time that one level adds.
const LEVEL_BITS: u32 = SYNC_CHILD_CELLS_MAX.ilog2();

/// A range of clock time: from `from` to before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first tick.
    pub from: u64,
    /// The tick after the last.
    pub until: u64,
}

impl Span {
    /// Whether it holds that time.
    pub fn contains(&self, time: u64) -> bool {
        (self.from..self.until).contains(&time)
    }
}

/// One node of the tree: all entries of a range of clock time.
///
/// A cell of level 0, a leaf, is 16 ticks; one of level L is 64 cells of level L - 1. Cells of a
/// level do not overlap, and the order of `(from, level)` is that of [`Ord`] within a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    level: u8,
    index: u64,
}

impl Cell {
    /// The `index`-th cell of a level, if it begins at a time that a clock can have.
    pub fn new(level: u8, index: u64) -> Option<Cell> {
        let fits = level < SYNC_LEVELS_MAX && index <= CLOCK_TICKS_MAX >> bits(level);
        fits.then_some(Cell { level, index })
    }

    /// The cell of a level that holds this time; times beyond the greatest count as that one.
    ///
    /// # Panics
    /// If there is no such level.
    pub fn at(level: u8, time: u64) -> Cell {
        assert!(level < SYNC_LEVELS_MAX, "invariant: there is no level {level}");
        Cell { level, index: time.min(CLOCK_TICKS_MAX) >> bits(level) }
    }

    /// The root of a log whose newest entry has this time: the smallest cell that begins at 0 and
    /// holds it. Of an empty log, the first leaf.
    pub fn root(newest: Option<u64>) -> Cell {
        let newest = newest.unwrap_or(0).min(CLOCK_TICKS_MAX);
        let level = (0..SYNC_LEVELS_MAX).find(|level| newest >> bits(*level) == 0);
        Cell { level: level.unwrap_or(SYNC_LEVELS_MAX - 1), index: 0 }
    }

    /// Its level: 0 for a leaf.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Its number within the level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The times that it holds.
    pub fn span(&self) -> Span {
        let bits = bits(self.level);
        let until = ((self.index + 1) << bits).min(CLOCK_TICKS_MAX + 1);
        Span { from: self.index << bits, until }
    }

    /// Its place among its parent's children.
    pub fn slot(&self) -> u8 {
        (self.index % SYNC_CHILD_CELLS_MAX) as u8
    }

    /// The cell one level up that it is a part of; `None` at the top level.
    pub fn parent(&self) -> Option<Cell> {
        let level = self.level + 1;
        (level < SYNC_LEVELS_MAX)
            .then_some(Cell { level, index: self.index / SYNC_CHILD_CELLS_MAX })
    }

    /// Its child in that place; `None` if it is a leaf or the place is beyond the last.
    pub fn child(&self, slot: u8) -> Option<Cell> {
        let level = self.level.checked_sub(1)?;
        if u64::from(slot) >= SYNC_CHILD_CELLS_MAX {
            return None;
        }
        Cell::new(level, self.index * SYNC_CHILD_CELLS_MAX + u64::from(slot))
    }
}

fn bits(level: u8) -> u32 {
    LEAF_BITS + LEVEL_BITS * u32::from(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry() {
        let leaf = Cell::at(0, 1_000_000);
        assert_eq!(leaf.span(), Span { from: 1_000_000, until: 1_000_016 });
        let up = leaf.parent().unwrap();
        assert_eq!(up.child(leaf.slot()), Some(leaf));
        assert_eq!(up.span().until - up.span().from, 1_024);
        assert_eq!(Cell::root(None), Cell::at(0, 0));
        assert_eq!(Cell::root(Some(15)).level(), 0);
        assert_eq!(Cell::root(Some(16)).level(), 1);
        assert_eq!(Cell::root(Some(1_024)).level(), 2);
        // The top level holds every time.
        let top = Cell::root(Some(CLOCK_TICKS_MAX));
        assert!(top.level() == SYNC_LEVELS_MAX - 1 && top.span().contains(CLOCK_TICKS_MAX));
        assert_eq!(top.parent(), None);
        let last = Cell::at(0, CLOCK_TICKS_MAX);
        assert!(last.span().contains(CLOCK_TICKS_MAX));
        assert_eq!(Cell::new(0, last.index()), Some(last));
        assert_eq!(Cell::new(0, last.index() + 1), None);
        assert_eq!(Cell::new(SYNC_LEVELS_MAX, 0), None);
        assert_eq!(leaf.child(0), None);
        assert_eq!(up.child(64), None);
    }
}
