//! Content addresses.

mod log;

pub(crate) use log::CID_TEXT_BYTES;
pub use log::LogCid;
