//! Removing what no pin leads to, in steps that hold nobody up.
//!
//! First everything below the pins, and below what is being read, is marked; then the blocks that
//! were there when that began and are not marked are removed, and segments of which little is left
//! are written anew. Who wants something unmarked meanwhile ends the sweep.

use super::guard::{Mark, mark_of};
use super::pins::{Pin, PinState};
use super::segments::{Segment, Spot};
use super::{FileBlocks, tables};
use crate::error::Error;
use crate::limits::{SWEEP_MARKED_BLOCKS_MAX, SWEEP_STEP_BLOCKS};
use optimusdb_dag::unixfs::links_of;
use optimusdb_dag::{Blocks, Cid};
use rusqlite::TransactionBehavior;
use std::sync::Arc;

/// How a sweep is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepStep {
    /// There is more to do.
    More,
    /// Everything that could go is gone: so many blocks, of so many bytes.
    Done(u64, u64),
    /// Something was wanted that was about to go, or there is more to keep than can be marked. It is
    /// to begin anew later.
    Disturbed,
}

/// A sweep. There is one at a time.
#[derive(Debug)]
pub struct Sweep {
    blocks: Arc<FileBlocks>,
    /// Addresses whose blocks are still to be looked into.
    to_mark: Vec<Cid>,
    /// Rows up to this one are looked at, from the one after `row` on.
    last_row: i64,
    row: i64,
    removed_blocks: u64,
    removed_bytes: u64,
}

struct Candidate {
    row: i64,
    mark: Mark,
    length: i64,
}

impl Sweep {
    /// Begins a sweep; none if one goes on.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub fn begin(blocks: &Arc<FileBlocks>) -> Result<Option<Sweep>, Error> {
        let Some(mut to_mark) = blocks.guard.begin_sweep() else { return Ok(None) };
        let mut sweep = Sweep {
            blocks: Arc::clone(blocks),
            to_mark: Vec::new(),
            last_row: 0,
            row: 0,
            removed_blocks: 0,
            removed_bytes: 0,
        };
        // What is added from now on is behind this row.
        sweep.last_row = blocks.read(|link| {
            let last = "SELECT coalesce(max(row), 0) FROM blocks";
            Ok(link.db.query_row(last, [], |row| row.get(0))?)
        })?;
        // What came of a replica before there was no more room for it is wanted by nobody.
        let wanted = |pin: &Pin| !pin.replica || pin.outcome.state != PinState::Skipped;
        to_mark.extend(blocks.pins()?.into_iter().filter(wanted).map(|pin| pin.cid));
        sweep.to_mark = sweep.mark(&to_mark);
        Ok(Some(sweep))
    }

    /// Does a bounded part of the work.
    ///
    /// # Errors
    /// When the disk cannot be used; a block that is damaged keeps what is marked so far, and ends
    /// the sweep.
    pub fn step(&mut self) -> Result<SweepStep, Error> {
        if self.blocks.guard.state().is_disturbed() {
            return Ok(SweepStep::Disturbed);
        }
        if !self.to_mark.is_empty() {
            return self.mark_some();
        }
        let candidates = self.candidates()?;
        let Some(last) = candidates.last() else {
            let segment = self.blocks.thinned().pop_first();
            let Some(segment) = segment else {
                return Ok(SweepStep::Done(self.removed_blocks, self.removed_bytes));
            };
            if let Err(error) = self.tidy(segment) {
                // The next sweep tries again.
                self.blocks.thinned().insert(segment);
                return Err(error);
            }
            return Ok(SweepStep::More);
        };
        let last = last.row;
        if !self.remove(&candidates)? {
            return Ok(SweepStep::Disturbed);
        }
        self.row = last;
        Ok(SweepStep::More)
    }

    /// Marks addresses; answers those below which nobody has looked yet.
    fn mark(&self, cids: &[Cid]) -> Vec<Cid> {
        let mut state = self.blocks.guard.state();
        cids.iter().filter(|cid| state.mark(cid)).cloned().collect()
    }

    fn mark_some(&mut self) -> Result<SweepStep, Error> {
        for _ in 0..SWEEP_STEP_BLOCKS {
            let Some(cid) = self.to_mark.pop() else { break };
            // What is not here leads nowhere.
            let Some(block) = self.blocks.get(&cid)? else { continue };
            let links = links_of(cid.codec(), &block).unwrap_or_default();
            self.to_mark.extend(self.mark(&links));
        }
        let marked = self.blocks.guard.state().marked();
        Ok(if marked > SWEEP_MARKED_BLOCKS_MAX { SweepStep::Disturbed } else { SweepStep::More })
    }

    fn candidates(&self) -> Result<Vec<Candidate>, Error> {
        self.blocks.read(|link| {
            let mut statement = link.db.prepare_cached(
                "SELECT row, hash, length FROM blocks
                 WHERE row > ?1 AND row <= ?2 AND adding NOT IN (SELECT id FROM adds)
                 ORDER BY row LIMIT ?3",
            )?;
            let rows = statement.query_map(
                (self.row, self.last_row, SWEEP_STEP_BLOCKS as i64),
                |row| {
                    let mark = mark_of(row.get_ref(1)?.as_blob()?);
                    Ok(Candidate { row: row.get(0)?, mark, length: row.get(2)? })
                },
            )?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Removes those of the candidates that may go; false when something came in between.
    fn remove(&mut self, candidates: &[Candidate]) -> Result<bool, Error> {
        let mut writer = self.blocks.writer();
        // Held until they are gone: whoever wants one of them waits, and finds out.
        let state = self.blocks.guard.state();
        if state.is_disturbed() {
            return Ok(false);
        }
        let going: Vec<_> = candidates.iter().filter(|block| !state.stays(block.mark)).collect();
        if going.is_empty() {
            return Ok(true);
        }
        let tx = writer.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut delete =
                tx.prepare_cached("DELETE FROM blocks WHERE row = ?1 RETURNING segment")?;
            for block in &going {
                let segment: Option<i64> = delete.query_row([block.row], |row| row.get(0))?;
                self.blocks.thinned().extend(segment);
            }
        }
        tx.commit()?;
        let bytes = going.iter().map(|block| block.length as u64).sum();
        self.removed_blocks += going.len() as u64;
        self.removed_bytes += bytes;
        self.blocks.room.give_back(bytes);
        Ok(true)
    }

    /// Removes a segment of which nothing is left, and writes one anew of which little is.
    fn tidy(&self, segment: i64) -> Result<(), Error> {
        let blocks = &self.blocks;
        let left = blocks.read(|link| {
            let mut statement = link.db.prepare_cached(
                "SELECT row, segment, at, length FROM blocks WHERE segment = ?1 ORDER BY at",
            )?;
            let mut rows = statement.query([segment])?;
            let mut left: Vec<(i64, Spot)> = Vec::new();
            while let Some(row) = rows.next()? {
                let number = row.get(0)?;
                left.extend(tables::spot(row, 1)?.map(|spot| (number, spot)));
            }
            Ok::<_, Error>(left)
        })?;
        let bytes: u64 = left.iter().map(|(_, spot)| spot.length).sum();
        if bytes * 2 > blocks.segments.length(segment) {
            return Ok(());
        }
        if !left.is_empty() {
            let mut anew = blocks.segments.begin()?;
            if let Err(error) = self.move_to(&mut anew, &left) {
                blocks.segments.remove(anew.number);
                return Err(error);
            }
        }
        blocks.segments.remove(segment);
        Ok(())
    }

    /// Only a sweep removes rows, and there is one: the rows are those that were read.
    fn move_to(&self, anew: &mut Segment, left: &[(i64, Spot)]) -> Result<(), Error> {
        let mut moved = Vec::with_capacity(left.len());
        for (row, spot) in left {
            let bytes = self.blocks.segments.read(*spot)?;
            let bytes =
                bytes.ok_or_else(|| Error::Corrupt(format!("segment {} is gone", spot.segment)))?;
            moved.push((row, anew.append(&bytes)?));
        }
        anew.sync(self.blocks.durability)?;
        let mut writer = self.blocks.writer();
        let tx = writer.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (row, spot) in moved {
            tx.prepare_cached("UPDATE blocks SET segment = ?2, at = ?3 WHERE row = ?1")?
                .execute((row, spot.segment, spot.at as i64))?;
        }
        Ok(tx.commit()?)
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        self.blocks.guard.end_sweep();
    }
}
