//! The blocks of files: where they rest, which are pinned, and how what nobody wants goes away.
//!
//! Small blocks are rows of `files.sqlite`, large ones lie one behind the other in segments, files
//! under `blocks/`; [`SMALL_BLOCK_BYTES_MAX`] decides, in one place. A database of its own, so that
//! a large file never waits for documents nor they for it. What belongs together is added together
//! ([`Adding`]): its blocks are seen by nobody before [`Adding::finish`], and from then on they are
//! on the disk; if it never gets there, nothing of it stays. Blocks go by their hash alone: the same
//! bytes under another codec, or in an address of version 0, are the same block.
//!
//! A [`Sweep`] removes what no pin leads to, a few blocks at a time. It never takes a block that is
//! being added, or below what is being read ([`Reading`]). The bytes on disk are described in
//! `docs/format-files.md`.

mod adding;
mod contributed;
mod guard;
mod pins;
mod room;
mod segments;
mod sweep;
mod tables;

pub use adding::Adding;
pub use contributed::{Contributed, ReadUpTo};
pub use guard::Reading;
pub use pins::{Pin, PinOutcome, PinState};
pub use room::RoomFigures;
pub use sweep::{Sweep, SweepStep};

use crate::connection::{Durability, Link, Place, read_only, read_write_paged};
use crate::error::Error;
use crate::limits::{FILE_READERS_MAX, FILES_PAGE_BYTES, SMALL_BLOCK_BYTES_MAX};
use crate::repo::Repo;
use guard::Guard;
use optimusdb_dag::{Blocks, Cid};
use pins::PinCount;
use room::Room;
use rusqlite::OptionalExtension;
use segments::Segments;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The blocks of files of one node. Every call may wait for the disk.
#[derive(Debug)]
pub struct FileBlocks {
    place: Place,
    writer: Mutex<Link>,
    readers: Mutex<Vec<Link>>,
    segments: Segments,
    guard: Arc<Guard>,
    room: Room,
    pins: PinCount,
    /// Segments that blocks were removed from, until a sweep has looked at what is left of them.
    thinned: Mutex<BTreeSet<i64>>,
    durability: Durability,
    next_add: AtomicI64,
}

impl FileBlocks {
    /// Opens what the directory of a node holds of files, and removes what was added by halves. Of blocks
    /// it takes as many bytes as it is told.
    ///
    /// # Errors
    /// When the disk cannot be used, or a newer version wrote it.
    pub fn open(
        repo: &Repo,
        durability: Durability,
        bytes_max: Option<u64>,
    ) -> Result<FileBlocks, Error> {
        FileBlocks::open_at(repo.path(), durability, bytes_max)
    }

    fn open_at(
        directory: &Path,
        durability: Durability,
        bytes_max: Option<u64>,
    ) -> Result<FileBlocks, Error> {
        let place = Place::File(directory.join("files.sqlite"));
        let mut writer = read_write_paged(&place, durability, FILES_PAGE_BYTES)?;
        tables::prepare(&mut writer.db, &place)?;
        tables::forget_unfinished(&mut writer.db)?;
        let segments = Segments::open(&directory.join("blocks"))?;
        let known = tables::segments(&writer.db)?;
        segments.keep_only(&known)?;
        let thinned = known.iter().filter(|segment| segment.bytes * 2 <= segment.end);
        let thinned = Mutex::new(thinned.map(|segment| segment.number).collect());
        let next_add = AtomicI64::new(tables::next_add(&writer.db)?);
        let room = Room::new(tables::block_bytes(&writer.db)?, bytes_max);
        let pins = PinCount::of(&writer.db)?;
        Ok(FileBlocks {
            place,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            segments,
            guard: Arc::default(),
            room,
            pins,
            thinned,
            durability,
            next_add,
        })
    }

    /// Begins to add blocks that belong together.
    pub fn add(self: &Arc<Self>) -> Adding {
        Adding::new(Arc::clone(self))
    }

    /// While the answer lives, nothing below this address is removed.
    pub fn reading(&self, root: &Cid) -> Reading {
        Guard::reading(&self.guard, root)
    }

    /// What the blocks take, and may take.
    pub fn room(&self) -> RoomFigures {
        self.room.figures()
    }

    fn thinned(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.thinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Link> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the tables on a connection of its own.
    fn read<T>(&self, read: impl FnOnce(&Link) -> Result<T, Error>) -> Result<T, Error> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let link = match kept {
            Some(link) => link,
            None => read_only(&self.place)?,
        };
        let outcome = read(&link);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < FILE_READERS_MAX {
            readers.push(link);
        }
        outcome
    }

    fn stored(&self, cid: &Cid) -> Result<Option<Vec<u8>>, Error> {
        let row = self.read(|link| {
            let mut statement = link.db.prepare_cached(
                "SELECT bytes, segment, at, length FROM blocks
                 WHERE hash = ?1 AND adding NOT IN (SELECT id FROM adds) LIMIT 1",
            )?;
            let found = statement.query_row([tables::key(cid)], |row| {
                Ok((row.get::<_, Option<Vec<u8>>>(0)?, tables::spot(row, 1)?))
            });
            Ok(found.optional()?)
        })?;
        match row {
            None => Ok(None),
            Some((Some(bytes), _)) => Ok(Some(bytes)),
            Some((None, Some(spot))) => self.segments.read(spot),
            Some((None, None)) => Err(Error::Corrupt(format!("block {cid} is nowhere"))),
        }
    }

    /// Whether a block of this size lies in a segment.
    fn is_large(bytes: usize) -> bool {
        bytes > SMALL_BLOCK_BYTES_MAX
    }
}

impl Blocks for FileBlocks {
    type Error = Error;

    /// Checks what it read. The empty block and identities are always there.
    fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, Error> {
        if cid.is_identity() {
            return Ok(Some(cid.hash().digest().to_vec()));
        }
        let mut found = self.stored(cid)?;
        if found.is_none() {
            // A segment may just have been written anew, and its blocks be elsewhere.
            found = self.stored(cid)?;
        }
        match found {
            Some(bytes) if cid.verifies(&bytes) => Ok(Some(bytes)),
            Some(_) => Err(Error::Corrupt(format!("block {cid} has other bytes"))),
            None if cid.verifies(&[]) => Ok(Some(Vec::new())),
            None => Ok(None),
        }
    }

    fn has(&self, cid: &Cid) -> Result<bool, Error> {
        if cid.is_identity() || cid.verifies(&[]) {
            return Ok(true);
        }
        self.read(|link| tables::is_there(&link.db, &tables::key(cid), 0))
    }
}

#[cfg(test)]
mod tests;
