//! A file on its way out of blocks, from any byte to any other.
//!
//! Only the blocks that hold what is asked for are wanted, and those above them. Parts that claim
//! no bytes are never looked at, so a tree that holds little cannot keep its reader busy.

use std::ops::Range;

use super::node::Part;
use crate::limits::{FILE_LEVELS_MAX, FILE_WAITING_PARTS_MAX};
use crate::{Cid, Error};

/// Reads a range of a file.
#[derive(Debug)]
pub struct FileReader {
    range: Range<u64>,
    /// What is still to be read, the next part last.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    cid: Cid,
    /// Where its first byte is in the file.
    start: u64,
    size: u64,
    level: usize,
}

impl FileReader {
    /// Reads `range` of the file at `cid`, which is `size` bytes long. Beyond its end is nothing.
    pub fn new(cid: Cid, size: u64, range: Range<u64>) -> FileReader {
        let mut reader = FileReader { range, waiting: Vec::new() };
        reader.wait(Waiting { cid, start: 0, size, level: 0 });
        reader
    }

    /// The block that is wanted next; none at the end.
    pub fn wanted(&self) -> Option<&Cid> {
        self.waiting.last().map(|part| &part.cid)
    }

    /// The blocks that are known to be wanted, in their order, the next one first.
    pub fn upcoming(&self) -> impl Iterator<Item = &Cid> {
        self.waiting.iter().rev().map(|part| &part.cid)
    }

    /// Takes the block that is wanted, and answers which of its bytes come next in the range.
    ///
    /// # Errors
    /// [`Error::UnixFs`] when it is no part of a file, or of another size than was claimed,
    /// [`Error::TooDeep`], [`Error::FilesTooLarge`] for more parts than a reader keeps in mind.
    pub fn take(&mut self, block: &[u8]) -> Result<Range<usize>, Error> {
        let Some(Waiting { cid, start, size: claimed, level }) = self.waiting.pop() else {
            return Ok(0..0);
        };
        let Part::File { size, own, parts } = Part::read(&cid, block)? else {
            return Err(Error::UnixFs("a part of a file is no file"));
        };
        if size != claimed {
            return Err(Error::UnixFs("a part of a file has another size than the file says"));
        }
        if level == FILE_LEVELS_MAX && !parts.is_empty() {
            return Err(Error::TooDeep);
        }
        let mut end = start + size;
        for (cid, size) in parts.into_iter().rev() {
            end -= size;
            self.wait(Waiting { cid, start: end, size, level: level + 1 });
        }
        if self.waiting.len() > FILE_WAITING_PARTS_MAX {
            return Err(Error::FilesTooLarge(
                "a node of a file has more parts beside one another than 65,536",
            ));
        }
        Ok(self.within(start, own))
    }

    /// Keeps a part in mind if it has bytes in the range.
    fn wait(&mut self, part: Waiting) {
        if part.start < self.range.end && part.start + part.size > self.range.start {
            self.waiting.push(part);
        }
    }

    /// Which of the bytes of a block that begin at `start` of the file are in the range.
    fn within(&self, start: u64, own: Range<usize>) -> Range<usize> {
        let length = own.len() as u64;
        let from = self.range.start.saturating_sub(start).min(length);
        let to = self.range.end.saturating_sub(start).min(length).max(from);
        // Neither is above the length of a block.
        own.start + from as usize..own.start + to as usize
    }
}
