//! How files are cut, by name: the same bytes under the same profile have the same address.

use std::fmt;
use std::str::FromStr;

use crate::{Cid, Error, Prefix};

/// A set of choices that an address depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// What `ipfs add --cid-version=1` makes: chunks of 256 KiB as raw blocks, 174 links a node.
    #[default]
    Kubo,
    /// IPIP-499 for new files: chunks of 1 MiB as raw blocks, 1,024 links a node.
    UnixFsV1_2025,
    /// IPIP-499 for addresses of version 0: chunks of 256 KiB inside dag-pb nodes, 174 links a node.
    UnixFsV0_2015,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Profile; 3] = [Profile::Kubo, Profile::UnixFsV1_2025, Profile::UnixFsV0_2015];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Kubo => "kubo",
            Profile::UnixFsV1_2025 => "unixfs-v1-2025",
            Profile::UnixFsV0_2015 => "unixfs-v0-2015",
        }
    }

    /// Bytes of a chunk; the last one of a file may be shorter.
    pub fn chunk_bytes(self) -> usize {
        match self {
            Profile::Kubo | Profile::UnixFsV0_2015 => 256 * 1024,
            Profile::UnixFsV1_2025 => 1024 * 1024,
        }
    }

    /// Links of a node of a file.
    pub(super) fn links_max(self) -> usize {
        match self {
            Profile::Kubo | Profile::UnixFsV0_2015 => 174,
            Profile::UnixFsV1_2025 => 1_024,
        }
    }

    /// Whether a chunk is a block as it is, without a node around it.
    pub(super) fn raw_leaves(self) -> bool {
        self != Profile::UnixFsV0_2015
    }

    /// Whether the size that makes a directory a HAMT is that of its whole block.
    pub(super) fn weighs_block(self) -> bool {
        self == Profile::UnixFsV1_2025
    }

    /// The address of a node.
    pub(super) fn node_cid(self, block: &[u8]) -> Result<Cid, Error> {
        let version = u8::from(self != Profile::UnixFsV0_2015);
        Prefix::from_bytes(&[version, 0x70, 0x12, 0x20])?.address(block)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = Error;

    fn from_str(name: &str) -> Result<Profile, Error> {
        Profile::ALL.into_iter().find(|profile| profile.name() == name).ok_or(Error::UnixFs(
            "no such profile: kubo, unixfs-v1-2025 and unixfs-v0-2015 are known",
        ))
    }
}
