//! What a path leads to, whatever it is: the blocks on the way, and the one at its end.

use super::car_stream::CarStream;
use super::fetch::Fetcher;
use super::held::Held;
use super::read::FoundFile;
use super::tree_stream::TreeStream;
use super::{Files, of_block};
use crate::error::Error;
use bytes::Bytes;
use optimusdb_dag::Cid;
use optimusdb_dag::car::{CarScope, CarWalk};
use optimusdb_dag::unixfs::{
    Content, FileReader, Resolver, content_of, exact_links_of, path_segments,
};
use std::sync::Arc;
use tokio::time::Instant;

/// Where a block may be taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// From what is here alone.
    Here,
    /// From peers as well.
    Peers,
}

/// What a path leads to. While it lives nothing below the path's root is removed.
#[derive(Debug)]
pub struct Located {
    /// Its address.
    pub cid: Cid,
    /// The addresses that the root and each name of the path stand for; the last one is `cid`.
    pub roots: Vec<Cid>,
    /// Its block.
    pub block: Bytes,
    /// The blocks on the way.
    way: Vec<Cid>,
    fetcher: Fetcher,
    held: Held,
}

impl Located {
    /// Follows a path from a root, a block at a time.
    pub(crate) async fn find(
        files: &Arc<Files>,
        root: Cid,
        path: &str,
        reach: Reach,
        deadline: Instant,
    ) -> Result<Located, Error> {
        let turns = if files.has(&root).await? { &files.reads } else { &files.distant_reads };
        let turn = Files::turn(turns, "read")?;
        let names = path_segments(path).map_err(of_block)?;
        let held = Held::new(files.blocks.reading(&root), turn);
        let fetcher = Fetcher::new(files, root.clone());
        Located::follow(fetcher, held, root, names, reach, deadline).await
    }

    async fn follow(
        fetcher: Fetcher,
        held: Held,
        root: Cid,
        names: Vec<String>,
        reach: Reach,
        deadline: Instant,
    ) -> Result<Located, Error> {
        let mut resolver = Resolver::new(root, names);
        while let Some(cid) = resolver.wanted() {
            let block = block(&fetcher, cid.clone(), reach, deadline).await?;
            resolver.take(&block).map_err(of_block)?;
        }
        let (way, roots) = resolver.into_way();
        let cid = roots.last().cloned();
        let cid = cid.ok_or_else(|| Error::Internal("a path without a root".into()))?;
        let block = block(&fetcher, cid.clone(), reach, deadline).await?;
        Ok(Located { cid, roots, block, way, fetcher, held })
    }

    /// What it is, where it is a file or directory.
    ///
    /// # Errors
    /// [`Error::NotBuilt`] for what holds no files, and what is wrong with the block.
    pub fn content(&self) -> Result<Content, Error> {
        content_of(&self.cid, &self.block).map_err(of_block)
    }

    /// The links in its block, in their order.
    ///
    /// # Errors
    /// What is wrong with the block.
    pub fn links(&self) -> Result<Vec<Cid>, Error> {
        exact_links_of(self.cid.codec(), &self.block).map_err(of_block)
    }

    /// The entry of this name, where it is a directory that has one.
    ///
    /// # Errors
    /// A block that is missing or damaged.
    pub async fn entry(
        &self,
        name: &str,
        reach: Reach,
        deadline: Instant,
    ) -> Result<Option<Located>, Error> {
        let (fetcher, held) = (self.fetcher.clone(), self.held.clone());
        let (root, names) = (self.cid.clone(), vec![name.to_owned()]);
        match Located::follow(fetcher, held, root, names, reach, deadline).await {
            Err(Error::NotFound(_)) => Ok(None),
            found => found.map(Some),
        }
    }

    /// The file or directory that it is.
    ///
    /// # Errors
    /// As [`Located::content`].
    pub fn into_file(self) -> Result<FoundFile, Error> {
        let content = self.content()?;
        Ok(FoundFile::new(self.cid, content, self.fetcher, self.held))
    }

    /// The first bytes of the file of this size, as far as they are at hand: in its block, or in the
    /// part that holds them, if that is here.
    pub async fn first_bytes(&self, size: u64, bytes_max: u64) -> Option<Bytes> {
        let mut reader = FileReader::new(self.cid.clone(), size, 0..bytes_max);
        let mut block = self.block.clone();
        loop {
            let own = reader.take(&block).ok()?;
            if !own.is_empty() {
                return Some(block.slice(own));
            }
            block = self.fetcher.here(reader.wanted()?.clone()).await.ok()??;
        }
    }

    /// A CAR of the blocks on the way and of what is at its end, as far as the scope says. With
    /// `twice`, a block is sent as often as it is met.
    pub fn into_car(self, scope: CarScope, twice: bool) -> CarStream {
        let walk = CarWalk::new(self.way, self.cid.clone(), scope, twice);
        CarStream::new(self.cid, walk, self.fetcher, self.held)
    }

    /// The file or directory, with all that is below it, under this name.
    pub fn into_tree(self, name: String) -> TreeStream {
        TreeStream::new(self.cid, name, self.fetcher, self.held)
    }
}

async fn block(
    fetcher: &Fetcher,
    cid: Cid,
    reach: Reach,
    deadline: Instant,
) -> Result<Bytes, Error> {
    match reach {
        Reach::Peers => fetcher.block(cid, deadline).await.map(|(block, _)| block),
        Reach::Here => {
            let absent = Error::TimedOut(format!("block {cid} is not here"));
            fetcher.here(cid).await?.ok_or(absent)
        }
    }
}
