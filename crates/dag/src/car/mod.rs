//! CAR: blocks with their addresses in one stream, of versions 1 and 2.
//!
//! [`CarReader`] takes the stream in pieces of any size and answers blocks that hash to their
//! addresses. It keeps no more than one section. [`header`] and [`section`] write version 1,
//! and [`CarWalk`] says which blocks are written.
//! The form is that of the IPLD specifications; `docs/format-files.md` says what is taken of it.

mod read;
mod walk;
mod write;

pub use read::CarReader;
pub use walk::{CarScope, CarWalk, EntityBytes};
pub use write::{header, section};

#[cfg(test)]
mod tests;
