//! Files and directories on their way out: listed, and read from any byte to any other.

use super::ahead::Ahead;
use super::fetch::Fetcher;
use super::held::Held;
use super::of_block;
use crate::error::Error;
use crate::limits::LISTED_ENTRIES_MAX;
use bytes::Bytes;
use optimusdb_dag::Cid;
use optimusdb_dag::unixfs::{Content, FileReader, ListedEntry, Lister};
use std::ops::Range;
use tokio::time::Instant;

/// A file or directory. While it lives nothing below the root of its path is removed.
#[derive(Debug)]
pub struct FoundFile {
    /// Its address.
    pub cid: Cid,
    /// What it is.
    pub content: Content,
    fetcher: Fetcher,
    held: Held,
}

impl FoundFile {
    pub(super) fn new(cid: Cid, content: Content, fetcher: Fetcher, held: Held) -> FoundFile {
        FoundFile { cid, content, fetcher, held }
    }

    /// What is in a directory, by name.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more entries than one answer lists; what is wrong with it, or missing.
    pub async fn list(&self, deadline: Instant) -> Result<Vec<ListedEntry>, Error> {
        let mut lister = Lister::new(self.cid.clone());
        let mut entries = Vec::new();
        while let Some(cid) = lister.wanted() {
            let (block, _) = self.fetcher.block(cid.clone(), deadline).await?;
            entries.extend(lister.take(&block).map_err(of_block)?);
            if entries.len() > LISTED_ENTRIES_MAX {
                return Err(Error::TooLarge(format!(
                    "the directory has more than {LISTED_ENTRIES_MAX} entries; ask for them by name"
                )));
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Reads a range of a file of `size` bytes.
    pub fn read(self, size: u64, range: Range<u64>) -> FileStream {
        let reader = FileReader::new(self.cid, size, range);
        FileStream { reader, ahead: Ahead::new(self.fetcher), _held: self.held }
    }
}

/// Bytes of a file, in pieces no larger than a block.
#[derive(Debug)]
pub struct FileStream {
    reader: FileReader,
    ahead: Ahead,
    _held: Held,
}

impl FileStream {
    /// The next bytes; nothing at the end.
    ///
    /// # Errors
    /// A block that is missing, damaged, or no part of a file of the size that was told. What was
    /// given before is right, and not all of the file.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(block) = self.ahead.next(self.reader.upcoming()).await? {
            let own = self.reader.take(&block).map_err(of_block)?;
            if !own.is_empty() {
                return Ok(Some(block.slice(own)));
            }
        }
        Ok(None)
    }
}
