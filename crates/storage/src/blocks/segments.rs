//! Segments: files in which large blocks lie one behind the other, without anything between them.
//!
//! A segment is written once, by one who adds, and then only read or removed. What it holds is in
//! the tables; bytes that no row names are left over from a stop in the middle.

use crate::connection::Durability;
use crate::error::Error;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

/// Where a block lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) segment: i64,
    pub(super) at: u64,
    pub(super) length: u64,
}

/// A segment that holds blocks, as the tables know it.
pub(super) struct KnownSegment {
    pub(super) number: i64,
    /// Where its last block ends.
    pub(super) end: u64,
    /// Bytes of its blocks.
    pub(super) bytes: u64,
}

/// The directory of the segments.
#[derive(Debug)]
pub(super) struct Segments {
    directory: PathBuf,
    next: AtomicI64,
}

impl Segments {
    pub(super) fn open(directory: &Path) -> Result<Segments, Error> {
        let fail = |e| Error::io("cannot make", directory, e);
        match fs::create_dir(directory) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            made => {
                made.map_err(fail)?;
                directory.parent().map_or(Ok(()), sync_directory).map_err(fail)?;
            }
        }
        Ok(Segments { directory: directory.to_owned(), next: AtomicI64::new(1) })
    }

    /// Removes every file but these, and what of these lies behind their end.
    pub(super) fn keep_only(&self, known: &[KnownSegment]) -> Result<(), Error> {
        let known: BTreeMap<i64, u64> = known.iter().map(|one| (one.number, one.end)).collect();
        self.next.store(known.keys().max().map_or(1, |last| last + 1), Ordering::Relaxed);
        let fail = |e| Error::io("cannot read", &self.directory, e);
        for entry in fs::read_dir(&self.directory).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<i64>().ok());
            let Some(end) = number.and_then(|number| known.get(&number)) else {
                fs::remove_file(&path).map_err(|e| Error::io("cannot remove", &path, e))?;
                continue;
            };
            let fail = |e| Error::io("cannot shorten", &path, e);
            if fs::metadata(&path).map_err(fail)?.len() > *end {
                let file = OpenOptions::new().write(true).open(&path).map_err(fail)?;
                file.set_len(*end).map_err(fail)?;
            }
        }
        Ok(())
    }

    /// Begins a segment.
    pub(super) fn begin(&self) -> Result<Segment, Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path(number);
        let mut options = OpenOptions::new();
        options.create_new(true).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(&path).map_err(|e| Error::io("cannot make", &path, e))?;
        Ok(Segment { number, path, file, length: 0, named: false })
    }

    /// The bytes at a spot; none when the segment is gone.
    pub(super) fn read(&self, spot: Spot) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(spot.segment);
        let fail = |e| Error::io("cannot read", &path, e);
        let mut file = match File::open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(fail)?,
        };
        file.seek(SeekFrom::Start(spot.at)).map_err(fail)?;
        let mut bytes = Vec::with_capacity(usize::try_from(spot.length).unwrap_or_default());
        file.take(spot.length).read_to_end(&mut bytes).map_err(fail)?;
        Ok(Some(bytes))
    }

    /// Bytes of a segment, 0 when it is gone.
    pub(super) fn length(&self, segment: i64) -> u64 {
        fs::metadata(self.path(segment)).map_or(0, |metadata| metadata.len())
    }

    /// Removes a segment. What is open is still read to its end.
    pub(super) fn remove(&self, segment: i64) {
        let path = self.path(segment);
        // What is left is removed at the next start: no row names it.
        let _ = fs::remove_file(path);
    }

    fn path(&self, number: i64) -> PathBuf {
        self.directory.join(format!("{number}.blocks"))
    }
}

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: i64,
    path: PathBuf,
    file: File,
    pub(super) length: u64,
    /// Whether the directory that names it is on the disk.
    named: bool,
}

impl Segment {
    /// Writes a block behind the others.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<Spot, Error> {
        let spot = Spot { segment: self.number, at: self.length, length: bytes.len() as u64 };
        self.file.write_all(bytes).map_err(|e| Error::io("cannot write", &self.path, e))?;
        self.length += spot.length;
        Ok(spot)
    }

    /// Returns once the disk has all of it.
    pub(super) fn sync(&mut self, durability: Durability) -> Result<(), Error> {
        if durability == Durability::Relaxed {
            return Ok(());
        }
        let fail = |e| Error::io("cannot write", &self.path, e);
        self.file.sync_data().map_err(fail)?;
        if !self.named {
            self.path.parent().map_or(Ok(()), sync_directory).map_err(fail)?;
            self.named = true;
        }
        Ok(())
    }
}

fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}
