//! Why bytes are not a bitswap message, one variant per reason.

#[cfg(doc)]
use super::limits::{
    BLOCK_BYTES_MAX, CID_BYTES_MAX, MESSAGE_ANSWERS_MAX, MESSAGE_BYTES_MAX, MESSAGE_ENTRIES_MAX,
};

/// Why bytes are not a bitswap message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageError {
    /// The message is over [`MESSAGE_BYTES_MAX`].
    #[error("the message is too large")]
    TooLarge,
    /// A number is not a varint of 64 bits.
    #[error("a number is not a varint")]
    Varint,
    /// A length points past the end.
    #[error("a field is cut off")]
    Truncated,
    /// A field has a wire type that the format does not have.
    #[error("a field has an unknown wire type")]
    WireType,
    /// A field has the number 0.
    #[error("a field has the number 0")]
    FieldNumber,
    /// A known field has another wire type than it should.
    #[error("a field has another type than it should")]
    FieldType,
    /// A content address is over [`CID_BYTES_MAX`].
    #[error("a content address is too long")]
    CidTooLong,
    /// A block is over [`BLOCK_BYTES_MAX`].
    #[error("a block is too large")]
    BlockTooLarge,
    /// More than [`MESSAGE_ENTRIES_MAX`] wants, or [`MESSAGE_ANSWERS_MAX`] blocks and presences.
    #[error("the message lists too much")]
    TooMany,
}
