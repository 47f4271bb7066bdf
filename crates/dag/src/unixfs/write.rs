//! A file on its way into blocks.
//!
//! Bytes come in pieces of any size and leave as blocks as soon as these are full, so a file of any
//! size takes the memory of one chunk and of the links of one node a level. The tree is balanced:
//! all leaves are at one depth, and every node but the last of its level is full.

use super::node::file_data;
use super::pb::{Link, Node};
use super::profile::Profile;
use crate::{Cid, Codec, Error, HashCode};

/// What was written: a file or a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its address.
    pub cid: Cid,
    /// Bytes of a file; 0 for a directory.
    pub size: u64,
    /// Bytes of all its blocks, each counted as often as it is linked.
    pub blocks_bytes: u64,
}

/// Cuts a file into blocks.
#[derive(Debug)]
pub struct FileWriter {
    profile: Profile,
    chunk: Vec<u8>,
    /// Nodes that wait for their parent, the leaves first.
    levels: Vec<Vec<Written>>,
}

impl FileWriter {
    /// An empty file.
    pub fn new(profile: Profile) -> FileWriter {
        FileWriter { profile, chunk: Vec::new(), levels: Vec::new() }
    }

    /// Takes the next bytes, and hands over the blocks that are full.
    ///
    /// # Errors
    /// What `put` fails with.
    pub fn write<E: From<Error>>(
        &mut self,
        mut bytes: &[u8],
        put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let chunk_bytes = self.profile.chunk_bytes();
        while !bytes.is_empty() {
            if self.chunk.is_empty() && bytes.len() >= chunk_bytes {
                let (chunk, rest) = bytes.split_at(chunk_bytes);
                self.leaf(chunk, put)?;
                bytes = rest;
                continue;
            }
            let room = chunk_bytes - self.chunk.len();
            let (taken, rest) = bytes.split_at(room.min(bytes.len()));
            self.chunk.extend_from_slice(taken);
            bytes = rest;
            if self.chunk.len() == chunk_bytes {
                self.rest(put)?;
            }
        }
        Ok(())
    }

    /// Ends the file and hands over what is left of it, its root last.
    ///
    /// # Errors
    /// What `put` fails with.
    pub fn finish<E: From<Error>>(
        mut self,
        put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
    ) -> Result<Written, E> {
        if !self.chunk.is_empty() || self.levels.is_empty() {
            self.rest(put)?;
        }
        let mut level = 0;
        loop {
            let waiting = std::mem::take(&mut self.levels[level]);
            let top = level + 1 == self.levels.len();
            match waiting.as_slice() {
                [root] if top => return Ok(root.clone()),
                [] => {}
                parts => {
                    let node = self.node(parts, put)?;
                    self.push(level + 1, node, put)?;
                }
            }
            level += 1;
        }
    }

    /// Makes what waits in the chunk a leaf.
    fn rest<E: From<Error>>(
        &mut self,
        put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut chunk = std::mem::take(&mut self.chunk);
        self.leaf(&chunk, put)?;
        chunk.clear();
        self.chunk = chunk;
        Ok(())
    }

    fn leaf<E: From<Error>>(
        &mut self,
        chunk: &[u8],
        put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let size = chunk.len() as u64;
        let leaf = if self.profile.raw_leaves() {
            let cid = Cid::of(Codec::RAW, HashCode::Sha2_256, chunk)?;
            put(&cid, chunk)?;
            Written { cid, size, blocks_bytes: size }
        } else {
            let block = Node::encode(&[], &file_data(chunk, &[]));
            let cid = self.profile.node_cid(&block)?;
            put(&cid, &block)?;
            Written { cid, size, blocks_bytes: block.len() as u64 }
        };
        self.push(0, leaf, put)
    }

    /// Puts a node where it waits for its parent; full levels become nodes of the next.
    fn push<E: From<Error>>(
        &mut self,
        mut level: usize,
        mut node: Written,
        put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let waiting = &mut self.levels[level];
            waiting.push(node);
            if waiting.len() < self.profile.links_max() {
                return Ok(());
            }
            let full = std::mem::take(waiting);
            node = self.node(&full, put)?;
            level += 1;
        }
    }

    fn node<E: From<Error>>(
        &self,
        parts: &[Written],
        put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
    ) -> Result<Written, E> {
        let sizes: Vec<u64> = parts.iter().map(|part| part.size).collect();
        let link = |part: &Written| Link {
            cid: part.cid.clone(),
            name: Vec::new(),
            size: part.blocks_bytes,
        };
        let links: Vec<Link> = parts.iter().map(link).collect();
        put_node(self.profile, &links, &file_data(&[], &sizes), sizes.iter().sum(), put)
    }
}

/// Writes a node and hands it over.
pub(super) fn put_node<E: From<Error>>(
    profile: Profile,
    links: &[Link],
    data: &[u8],
    size: u64,
    put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
) -> Result<Written, E> {
    let block = Node::encode(links, data);
    let cid = profile.node_cid(&block)?;
    put(&cid, &block)?;
    let below: u64 = links.iter().map(|link| link.size).sum();
    Ok(Written { cid, size, blocks_bytes: block.len() as u64 + below })
}
