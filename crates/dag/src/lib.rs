//! What the bytes mean: content addresses, signed entries, heads, the join.
//!
//! Everything here is a pure function of its arguments: no IO, no wall clock, no
//! randomness, no threads. The format is that of OrbitDB 4 (`docs/format-log.md`);
//! the test vectors beside the tests were produced by its JavaScript
//! implementation. Input is hostile until proven otherwise: it yields an
//! [`Error`] of its own for each rule, never a panic.
//!
//! In reading order: an address of bytes ([`Cid`], and [`LogCid`] in a log), a [`value`], who writes
//! ([`Identity`]) and who may ([`Access`]), what a store is ([`Manifest`]), what an [`Entry`] says
//! ([`Operation`]), how entries are ordered ([`OrderKey`]) and linked ([`plan_append`], [`LogTip`]),
//! how the log of another node comes into ours ([`join`]), how two copies find out what one of them
//! lacks ([`sync`]), and how a store keeps level with its peers ([`replicator`]). Files are apart from logs:
//! how they lie in blocks ([`unixfs`]), which links other blocks have ([`ipld`]), and how blocks are handed over in
//! one stream ([`car`]).

pub mod limits;

mod access;
mod blocks;
pub mod car;
mod cbor;
mod cid;
mod entry;
mod error;
mod heads;
mod identity;
pub mod ipld;
pub mod join;
mod keys;
mod kind;
mod log_cid;
mod manifest;
mod operation;
mod order;
pub mod replicator;
pub mod sync;
mod tip;
pub mod unixfs;
pub mod value;
mod varint;
mod vote;

pub use access::{Access, AccessController, Capabilities, Capability, Standing};
pub use blocks::Blocks;
pub use cid::{Base, Cid, Codec, Hash, HashCode, Prefix, Version};
pub use entry::{Entry, StoredEntry};
pub use error::{Error, Kind};
pub use heads::{Heads, Recent, plan_append};
pub use identity::{Identity, IdentityKeys};
pub use ipld_core::ipld::Ipld;
pub use kind::StoreKind;
pub use log_cid::LogCid;
pub use manifest::{Address, Manifest};
pub use operation::{Operation, OperationRef, Payload};
pub use order::{Clock, EntryLinks, Links, OrderKey};
pub use tip::LogTip;
pub use vote::{Vote, VoteSubject};

fn check_size(what: &'static str, bytes: usize, bytes_max: usize) -> Result<(), Error> {
    if bytes > bytes_max { Err(Error::BlockTooLarge { what, bytes, bytes_max }) } else { Ok(()) }
}

/// A block is no larger than its sort allows, and is the one its address names.
fn check_block(
    what: &'static str,
    cid: LogCid,
    block: &[u8],
    bytes_max: usize,
) -> Result<(), Error> {
    check_size(what, block.len(), bytes_max)?;
    if LogCid::of(block) == cid { Ok(()) } else { Err(Error::HashMismatch(cid)) }
}
