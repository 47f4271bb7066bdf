//! Files on their way out: found by a path, then read from any byte to any other.

use super::fetch::Fetcher;
use super::{Files, of_block};
use crate::error::Error;
use crate::limits::{FETCH_AHEAD_BLOCKS, FILE_BLOCK_MS_MAX, LISTED_ENTRIES_MAX, READ_AHEAD_BLOCKS};
use bytes::Bytes;
use optimusdb_dag::Cid;
use optimusdb_dag::unixfs::{
    Content, FileReader, ListedEntry, Lister, Resolver, content_of, path_segments,
};
use optimusdb_storage::Reading;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What a path leads to. While it lives nothing below the path's root is removed.
#[derive(Debug)]
pub struct FoundFile {
    /// Its address.
    pub cid: Cid,
    /// What it is.
    pub content: Content,
    fetcher: Fetcher,
    held: Held,
}

/// What a reader holds.
#[derive(Debug)]
struct Held {
    _reading: Reading,
    _turn: OwnedSemaphorePermit,
}

impl FoundFile {
    /// Follows a path from a root, a block at a time.
    pub(crate) async fn find(
        files: &Arc<Files>,
        root: Cid,
        path: &str,
        deadline: Instant,
    ) -> Result<FoundFile, Error> {
        let turn = Files::turn(&files.reads, "read")?;
        let names = path_segments(path).map_err(of_block)?;
        let held = Held { _reading: files.blocks.reading(&root), _turn: turn };
        let fetcher = Fetcher::new(files, root.clone());
        let mut resolver = Resolver::new(root, names);
        while let Some(cid) = resolver.wanted() {
            let (block, _) = fetcher.block(cid.clone(), deadline).await?;
            resolver.take(&block).map_err(of_block)?;
        }
        let cid = resolver.into_cid();
        let (block, _) = fetcher.block(cid.clone(), deadline).await?;
        let content = content_of(&cid, &block).map_err(of_block)?;
        Ok(FoundFile { cid, content, fetcher, held })
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
        let (fetcher, _held) = (self.fetcher, self.held);
        FileStream { reader, fetcher, _held, ahead: HashMap::new(), window: READ_AHEAD_BLOCKS }
    }
}

/// Bytes of a file, in pieces no larger than a block.
#[derive(Debug)]
pub struct FileStream {
    reader: FileReader,
    fetcher: Fetcher,
    _held: Held,
    /// Blocks that are on their way before they are wanted.
    ahead: HashMap<Cid, Ahead>,
    /// How many.
    window: usize,
}

/// A block on its way; what is no longer waited for is not fetched further.
#[derive(Debug)]
struct Ahead(JoinHandle<Result<(Bytes, bool), Error>>);

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl FileStream {
    /// The next bytes; nothing at the end.
    ///
    /// # Errors
    /// A block that is missing, damaged, or no part of a file of the size that was told. What was
    /// given before is right, and not all of the file.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(cid) = self.reader.wanted().cloned() {
            self.look_ahead();
            let block = match self.ahead.get_mut(&cid) {
                Some(Ahead(coming)) => {
                    let came = coming.await;
                    self.ahead.remove(&cid);
                    came.map_err(|e| Error::Internal(format!("reading a file: {e}")))??
                }
                None => self.fetcher.block(cid, deadline()).await?,
            };
            let (block, fetched) = block;
            if fetched {
                self.window = FETCH_AHEAD_BLOCKS;
            }
            let own = self.reader.take(&block).map_err(of_block)?;
            if !own.is_empty() {
                return Ok(Some(block.slice(own)));
            }
        }
        Ok(None)
    }

    /// Lets the blocks come that are wanted next.
    fn look_ahead(&mut self) {
        for cid in self.reader.upcoming().take(self.window) {
            if self.ahead.len() >= self.window {
                break;
            }
            if !self.ahead.contains_key(cid) {
                let (fetcher, wanted) = (self.fetcher.clone(), cid.clone());
                let coming = async move { fetcher.block(wanted, deadline()).await };
                self.ahead.insert(cid.clone(), Ahead(tokio::spawn(coming)));
            }
        }
    }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_millis(FILE_BLOCK_MS_MAX)
}
