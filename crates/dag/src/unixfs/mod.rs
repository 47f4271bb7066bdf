//! UnixFS: how files and directories lie in blocks.
//!
//! A file is cut into chunks ([`Profile`] says how), which are the leaves of a balanced tree; a
//! directory is one node with links by name, or a HAMT of nodes when it is large. The bytes are
//! described in `docs/format-files.md`; they are those of Kubo, so the same file has the same
//! address everywhere.
//!
//! Everything works on one block at a time: who writes hands chunks in and is given blocks
//! ([`FileWriter`], [`TreeWriter`]); who reads is told which block is wanted next and hands it in
//! ([`Resolver`], [`FileReader`], [`Lister`]). That a block's bytes hash to its address is for whoever
//! hands it in to see to, as everywhere ([`crate::Blocks`]). What it claims is checked here, as far as
//! it is read: sizes against the sums of their parts, names against their places in a HAMT, depth
//! against limits. Nothing here recurses along a path that a stranger made.

mod directory;
mod hamt;
mod links;
mod list;
mod murmur;
mod node;
mod pb;
mod profile;
mod read;
mod resolve;
mod tree;
mod write;

pub use directory::{Child, write_directory};
pub use links::{exact_links_of, links_of};
pub use list::{ListedEntry, Lister};
pub use node::{Content, content_of};
pub use profile::Profile;
pub use read::FileReader;
pub use resolve::{Resolver, path_segments};
pub use tree::TreeWriter;
pub use write::{FileWriter, Written};

#[cfg(test)]
mod tests;
