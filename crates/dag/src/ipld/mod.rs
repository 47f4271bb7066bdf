//! Links in blocks of dag-cbor and dag-json: all of them, and the one that a path leads to.
//!
//! Blocks are walked and not built: a block of nothing but brackets takes no more memory than one of
//! text. What is read may be anybody's, so it is held to the forms of IPLD and not to what JavaScript
//! can hold, as values of a log are ([`crate::value`]).

mod cbor;
mod json;

use crate::{Cid, Codec, Error};

/// Where a path leads within one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To a link, after so many of its names.
    Link(Cid, usize),
    /// To a value of the block itself, or nowhere else than the block.
    Inside,
    /// Nowhere: the name at this place is not there.
    Missing(usize),
}

/// Whether the values of a codec can be walked here.
pub fn is_walked(codec: Codec) -> bool {
    matches!(codec, Codec::DAG_CBOR | Codec::DAG_JSON)
}

/// Follows names through the maps and lists of a block, up to the first link.
///
/// # Errors
/// [`Error::PathIntoCodec`] for a codec that is not walked, and what is wrong with the block.
pub fn step(codec: Codec, block: &[u8], names: &[String]) -> Result<Step, Error> {
    match codec {
        Codec::DAG_CBOR => cbor::follow(block, names),
        Codec::DAG_JSON => json::follow(block, names),
        _ => Err(Error::PathIntoCodec(codec.code())),
    }
}

/// The links in a block, in their order.
///
/// # Errors
/// [`Error::PathIntoCodec`] for a codec that is not walked, and what is wrong with the block.
pub fn links(codec: Codec, block: &[u8]) -> Result<Vec<Cid>, Error> {
    match codec {
        Codec::DAG_CBOR => cbor::links(block),
        Codec::DAG_JSON => json::links(block),
        _ => Err(Error::PathIntoCodec(codec.code())),
    }
}

#[cfg(test)]
mod tests;
