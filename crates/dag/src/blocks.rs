//! A place that holds blocks.

use crate::Cid;

/// A place that holds blocks by their addresses.
///
/// What `get` returns hashes to the address it was asked for.
pub trait Blocks {
    /// Why a block could not be read.
    type Error;

    /// The bytes of a block, `None` if it is not held.
    ///
    /// # Errors
    /// If the place cannot be read. A block that is merely absent is no error.
    fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Whether a block is held.
    ///
    /// # Errors
    /// If the place cannot be read.
    fn has(&self, cid: &Cid) -> Result<bool, Self::Error>;
}
