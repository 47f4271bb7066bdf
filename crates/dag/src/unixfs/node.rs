//! What a node is: the message of UnixFS inside its data.

use std::ops::Range;

use super::pb::{Field, Link, Node, put_bytes, put_number, take_field};
use crate::limits::{FILE_BLOCK_BYTES_MAX, HAMT_LINKS_MAX};
use crate::{Cid, Codec, Error, varint};

/// The number of murmur3 in its form for 64-bit machines, in the multicodec table.
pub(super) const MURMUR3: u64 = 0x22;

const RAW: u64 = 0;
const DIRECTORY: u64 = 1;
const FILE: u64 = 2;
const SYMLINK: u64 = 4;
const SHARD: u64 = 5;

/// What a block of a file or directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file, or a part of one, with its size in bytes.
    File(u64),
    /// A directory.
    Directory,
    /// A symbolic link, with its target as it was written.
    Symlink(Vec<u8>),
}

/// What the block of an address is.
///
/// # Errors
/// [`Error::PathIntoCodec`] for a block of a codec that holds no files, [`Error::DagPb`],
/// [`Error::UnixFs`] and what else is wrong with it.
pub fn content_of(cid: &Cid, block: &[u8]) -> Result<Content, Error> {
    Ok(match Part::read(cid, block)? {
        Part::File { size, .. } => Content::File(size),
        Part::Directory(_) | Part::Shard(_) => Content::Directory,
        Part::Symlink(target) => Content::Symlink(target.to_vec()),
    })
}

/// A block, taken apart.
#[derive(Debug)]
pub(super) enum Part<'b> {
    /// Of a file: where its own bytes are in the block, and the parts that follow them with their
    /// sizes. The size is the sum of all.
    File {
        size: u64,
        own: Range<usize>,
        parts: Vec<(Cid, u64)>,
    },
    Directory(Vec<Link>),
    Shard(Shard),
    Symlink(&'b [u8]),
}

/// A node of a HAMT.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) links: Vec<Link>,
    /// A power of two.
    pub(super) children_max: usize,
}

impl<'b> Part<'b> {
    /// Takes a block apart.
    pub(super) fn read(cid: &Cid, block: &'b [u8]) -> Result<Part<'b>, Error> {
        crate::check_size("file block", block.len(), FILE_BLOCK_BYTES_MAX)?;
        if cid.codec() == Codec::RAW {
            let size = block.len() as u64;
            return Ok(Part::File { size, own: 0..block.len(), parts: Vec::new() });
        }
        if cid.codec() != Codec::DAG_PB {
            return Err(Error::PathIntoCodec(cid.codec().code()));
        }
        let node = Node::decode(block)?;
        let data = node.data.ok_or(Error::UnixFs("a node has no data"))?;
        let message = Message::decode(data)?;
        match message.kind {
            RAW | FILE => file(block, node, &message),
            DIRECTORY => Ok(Part::Directory(node.links)),
            SYMLINK if node.links.is_empty() => Ok(Part::Symlink(message.data)),
            SYMLINK => Err(Error::UnixFs("a symbolic link has links to blocks")),
            SHARD => shard(node, &message).map(Part::Shard),
            _ => Err(Error::UnixFs("a node is of a type that is neither file nor directory")),
        }
    }
}

fn file<'b>(block: &[u8], node: Node<'_>, message: &Message<'_>) -> Result<Part<'b>, Error> {
    if node.links.len() != message.sizes.len() {
        return Err(Error::UnixFs("a file has another number of parts than of sizes"));
    }
    let sum =
        message.sizes.iter().try_fold(message.data.len() as u64, |sum, n| sum.checked_add(*n));
    let sum = sum.ok_or(Error::UnixFs("a file is larger than any can be"))?;
    if message.size.is_some_and(|size| size != sum) {
        return Err(Error::UnixFs("the size of a file is not the sum of its parts"));
    }
    // Both are slices of the same block.
    let start = match message.data.is_empty() {
        true => 0,
        false => message.data.as_ptr() as usize - block.as_ptr() as usize,
    };
    let cids = node.links.into_iter().map(|link| link.cid);
    Ok(Part::File {
        size: sum,
        own: start..start + message.data.len(),
        parts: cids.zip(message.sizes.iter().copied()).collect(),
    })
}

fn shard(node: Node<'_>, message: &Message<'_>) -> Result<Shard, Error> {
    if message.hash != Some(MURMUR3) {
        return Err(Error::UnixFs("a HAMT uses another hash than murmur3"));
    }
    let children = message.fanout.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    if !children.is_power_of_two() || !(8..=HAMT_LINKS_MAX).contains(&children) {
        return Err(Error::UnixFs("a HAMT has a fanout that is no power of two from 8 to 1,024"));
    }
    Ok(Shard { links: node.links, children_max: children })
}

/// The message of UnixFS.
#[derive(Debug, Default)]
struct Message<'b> {
    kind: u64,
    data: &'b [u8],
    size: Option<u64>,
    sizes: Vec<u64>,
    hash: Option<u64>,
    fanout: Option<u64>,
}

impl<'b> Message<'b> {
    fn decode(mut bytes: &'b [u8]) -> Result<Message<'b>, Error> {
        let mut message = Message { kind: u64::MAX, ..Message::default() };
        while !bytes.is_empty() {
            match take_field(&mut bytes)? {
                (1, Field::Number(kind)) => message.kind = kind,
                (2, Field::Bytes(data)) => message.data = data,
                (3, Field::Number(size)) => message.size = Some(size),
                (4, Field::Number(size)) => message.sizes.push(size),
                (4, Field::Bytes(mut packed)) => {
                    while !packed.is_empty() {
                        message.sizes.push(varint::take(&mut packed)?);
                    }
                }
                (5, Field::Number(hash)) => message.hash = Some(hash),
                (6, Field::Number(fanout)) => message.fanout = Some(fanout),
                // Modes and times, and what is to come: files are read without them.
                _ => {}
            }
        }
        Ok(message)
    }
}

/// The data of a node of a file with these bytes of its own and parts of these sizes.
pub(super) fn file_data(own: &[u8], sizes: &[u64]) -> Vec<u8> {
    let mut data = Vec::with_capacity(own.len() + 32 + sizes.len() * 4);
    put_number(&mut data, 1, FILE);
    if !own.is_empty() {
        put_bytes(&mut data, 2, own);
    }
    put_number(&mut data, 3, own.len() as u64 + sizes.iter().sum::<u64>());
    for size in sizes {
        put_number(&mut data, 4, *size);
    }
    data
}

/// The data of a directory in one node.
pub(super) fn directory_data() -> Vec<u8> {
    let mut data = Vec::with_capacity(2);
    put_number(&mut data, 1, DIRECTORY);
    data
}

/// The data of a node of a HAMT, `filled` being the bits of its children, the greatest first.
pub(super) fn shard_data(filled: &[u8], children_max: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(filled.len() + 16);
    put_number(&mut data, 1, SHARD);
    put_bytes(&mut data, 2, filled);
    put_number(&mut data, 5, MURMUR3);
    put_number(&mut data, 6, children_max as u64);
    data
}
