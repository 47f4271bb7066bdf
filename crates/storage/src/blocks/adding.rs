//! Blocks on their way in, all or none.
//!
//! Syncs are batched: whatever was put since the last one is made durable by one sync of the
//! segment and one commit, every [`ADD_FLUSH_BYTES`] and at the end. Until the end the rows belong
//! to an unfinished add, which nobody else sees, and which a start after a crash removes.

use super::pins::{self, PinState};
use super::segments::{Segment, Spot};
use super::{FileBlocks, tables};
use crate::error::Error;
use crate::limits::{ADD_FLUSH_BYTES, ADD_FLUSH_SMALL_BYTES, SEGMENT_BYTES_MAX};
use optimusdb_dag::Cid;
use rusqlite::{Connection, TransactionBehavior};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Blocks that are added together. Dropped before [`Adding::finish`], nothing of them stays.
#[derive(Debug)]
pub struct Adding {
    blocks: Arc<FileBlocks>,
    id: i64,
    /// Whether the tables know of it.
    begun: bool,
    finished: bool,
    /// Blocks that no table names yet, by their key.
    pending: HashMap<Vec<u8>, Pending>,
    small_bytes: u64,
    large_bytes: u64,
    /// Room that it has taken.
    taken: u64,
    segment: Option<Segment>,
    /// Segments that were written to.
    segments: Vec<i64>,
}

#[derive(Debug)]
enum Pending {
    Small(Vec<u8>),
    Large(Spot),
}

impl Adding {
    pub(super) fn new(blocks: Arc<FileBlocks>) -> Adding {
        blocks.guard.begin_add();
        let id = blocks.next_add.fetch_add(1, Ordering::Relaxed);
        Adding {
            blocks,
            id,
            begun: false,
            finished: false,
            pending: HashMap::new(),
            small_bytes: 0,
            large_bytes: 0,
            taken: 0,
            segment: None,
            segments: Vec::new(),
        }
    }

    /// Takes a block. One that is there already is not written again; an identity is in its address.
    ///
    /// # Errors
    /// [`Error::Full`] when the disk is, [`Error::NoRoom`] when blocks may take no more.
    pub fn put(&mut self, cid: &Cid, bytes: &[u8]) -> Result<(), Error> {
        debug_assert!(cid.verifies(bytes), "block {cid} has other bytes");
        if cid.is_identity() {
            return Ok(());
        }
        let key = tables::key(cid);
        if self.pending.contains_key(&key) {
            return Ok(());
        }
        // First it is kept from being removed, then it is looked for.
        self.blocks.guard.touch(cid);
        if self.blocks.read(|link| tables::is_there(&link.db, &key, self.id))? {
            return Ok(());
        }
        let size = bytes.len() as u64;
        self.blocks.room.take(size)?;
        self.taken += size;
        if FileBlocks::is_large(bytes.len()) {
            let spot = self.append(bytes)?;
            self.large_bytes += size;
            self.pending.insert(key, Pending::Large(spot));
        } else {
            self.small_bytes += size;
            self.pending.insert(key, Pending::Small(bytes.to_vec()));
        }
        if self.large_bytes >= ADD_FLUSH_BYTES || self.small_bytes >= ADD_FLUSH_SMALL_BYTES {
            self.flush(false, |_| Ok(()))?;
        }
        Ok(())
    }

    /// The bytes of a block that is there. It stays there until this and every other add that goes on has
    /// ended.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub fn meet(&self, cid: &Cid) -> Result<Option<u64>, Error> {
        if cid.is_identity() {
            return Ok(Some(cid.hash().digest().len() as u64));
        }
        if cid.verifies(&[]) {
            return Ok(Some(0));
        }
        self.blocks.guard.touch(cid);
        self.blocks.read(|link| tables::length(&link.db, &tables::key(cid)))
    }

    /// Makes all of it durable and lets it be seen, and pins these addresses under a name in the same
    /// moment. All below them is here.
    ///
    /// # Errors
    /// As [`Adding::put`]; nothing of it stays then.
    pub fn finish(self, pins: &[Cid], name: &str, now_ms: u64) -> Result<(), Error> {
        self.end(pins, name, now_ms, PinState::Here)
    }

    /// The same when not all below them need be here.
    ///
    /// # Errors
    /// As [`Adding::finish`].
    pub fn finish_in_part(self, pins: &[Cid], name: &str, now_ms: u64) -> Result<(), Error> {
        self.end(pins, name, now_ms, PinState::Wanted)
    }

    fn end(mut self, pins: &[Cid], name: &str, now_ms: u64, state: PinState) -> Result<(), Error> {
        let blocks = Arc::clone(&self.blocks);
        let pin = |db: &Connection, cid| pins::put(db, &blocks.pins, cid, name, now_ms, state);
        self.flush(true, |db| pins.iter().try_for_each(|cid| pin(db, cid)))?;
        for cid in pins {
            self.blocks.guard.wanted(cid);
        }
        self.finished = true;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<Spot, Error> {
        if self.segment.as_ref().is_some_and(|segment| segment.length >= SEGMENT_BYTES_MAX) {
            self.flush(false, |_| Ok(()))?;
            self.segment = None;
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => {
                let segment = self.blocks.segments.begin()?;
                self.segments.push(segment.number);
                none.insert(segment)
            }
        };
        segment.append(bytes)
    }

    /// Names in the tables what is pending, once the disk has it.
    fn flush(
        &mut self,
        last: bool,
        also: impl FnOnce(&Connection) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(segment) = self.segment.as_mut().filter(|_| self.large_bytes > 0) {
            segment.sync(self.blocks.durability)?;
        }
        let mut writer = self.blocks.writer();
        let tx = writer.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = tx.prepare_cached(
                "INSERT INTO blocks (hash, adding, length, segment, at, bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for (key, block) in &self.pending {
                match block {
                    Pending::Small(bytes) => {
                        let (none, length) = (None::<i64>, bytes.len() as i64);
                        insert.execute((key, self.id, length, none, none, Some(bytes)))?;
                    }
                    Pending::Large(spot) => {
                        let (at, length) = (spot.at as i64, spot.length as i64);
                        let none = None::<&Vec<u8>>;
                        insert.execute((key, self.id, length, spot.segment, at, none))?;
                    }
                }
            }
        }
        match (self.begun, last) {
            (false, false) => tx.execute("INSERT INTO adds (id) VALUES (?1)", [self.id])?,
            (true, true) => tx.execute("DELETE FROM adds WHERE id = ?1", [self.id])?,
            _ => 0,
        };
        also(&tx)?;
        tx.commit()?;
        drop(writer);
        self.begun = true;
        self.pending.clear();
        (self.small_bytes, self.large_bytes) = (0, 0);
        Ok(())
    }

    fn undo(&mut self) -> Result<(), Error> {
        let mut writer = self.blocks.writer();
        let tx = writer.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute("DELETE FROM blocks WHERE adding = ?1", [self.id])?;
        tx.execute("DELETE FROM adds WHERE id = ?1", [self.id])?;
        Ok(tx.commit()?)
    }
}

impl Drop for Adding {
    fn drop(&mut self) {
        self.blocks.guard.end_add();
        if self.finished {
            return;
        }
        // The segments first: on a full disk there is no room to undo before they are gone. Nobody sees rows
        // that lead into them, and what cannot be undone now is at the next start.
        for segment in &self.segments {
            self.blocks.segments.remove(*segment);
        }
        if self.begun {
            let _ = self.undo();
        }
        self.blocks.room.give_back(self.taken);
    }
}
