//! Hashes of blocks: which one, and the digest.

use std::fmt;
use std::sync::Arc;

use blake2::Blake2b256;
use sha2::{Digest as _, Sha256, Sha512};

use crate::limits::CID_IDENTITY_BYTES_MAX;
use crate::{Error, varint};

/// A hash that can be checked here, by its number in the multicodec table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashCode {
    /// The bytes themselves, at most [`CID_IDENTITY_BYTES_MAX`].
    Identity,
    /// SHA-256.
    Sha2_256,
    /// SHA-512.
    Sha2_512,
    /// BLAKE3 with 32 bytes.
    Blake3,
    /// BLAKE2b with 32 bytes.
    Blake2b256,
}

impl HashCode {
    /// Its number.
    pub fn code(self) -> u64 {
        match self {
            HashCode::Identity => 0x00,
            HashCode::Sha2_256 => 0x12,
            HashCode::Sha2_512 => 0x13,
            HashCode::Blake3 => 0x1e,
            HashCode::Blake2b256 => 0xb220,
        }
    }

    fn from_code(code: u64) -> Result<HashCode, Error> {
        match code {
            0x00 => Ok(HashCode::Identity),
            0x12 => Ok(HashCode::Sha2_256),
            0x13 => Ok(HashCode::Sha2_512),
            0x1e => Ok(HashCode::Blake3),
            0xb220 => Ok(HashCode::Blake2b256),
            other => Err(Error::CidHash(other)),
        }
    }

    /// Whether its digests may have this length. None is cut short: half of a digest is half of the
    /// work for who looks for other bytes.
    fn has_length(self, bytes: usize) -> bool {
        match self {
            HashCode::Identity => bytes <= CID_IDENTITY_BYTES_MAX,
            HashCode::Sha2_512 => bytes == 64,
            HashCode::Sha2_256 | HashCode::Blake3 | HashCode::Blake2b256 => bytes == 32,
        }
    }
}

/// Takes the number of a hash and the length of its digest off the front.
pub(super) fn take_head(bytes: &mut &[u8]) -> Result<(HashCode, u8), Error> {
    let code = HashCode::from_code(varint::take(bytes)?)?;
    let length = u8::try_from(varint::take(bytes)?).map_err(|_| Error::CidDigest)?;
    if code.has_length(length.into()) { Ok((code, length)) } else { Err(Error::CidDigest) }
}

/// The hash of a block. Those of 32 bytes are held in place, others on the heap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(Digest);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Digest {
    Identity(Arc<[u8]>),
    Sha2_256([u8; 32]),
    Sha2_512(Arc<[u8; 64]>),
    Blake3([u8; 32]),
    Blake2b256([u8; 32]),
}

impl Hash {
    /// The hash of these bytes.
    ///
    /// # Errors
    /// [`Error::CidDigest`] if they are more than an identity holds.
    pub fn of(code: HashCode, block: &[u8]) -> Result<Hash, Error> {
        Ok(Hash(match code {
            HashCode::Identity => return Hash::new(code, block),
            HashCode::Sha2_256 => Digest::Sha2_256(Sha256::digest(block).into()),
            HashCode::Sha2_512 => {
                let digest: [u8; 64] = Sha512::digest(block).into();
                Digest::Sha2_512(digest.into())
            }
            HashCode::Blake3 => Digest::Blake3(*blake3::hash(block).as_bytes()),
            HashCode::Blake2b256 => Digest::Blake2b256(Blake2b256::digest(block).into()),
        }))
    }

    /// The hash with this digest.
    ///
    /// # Errors
    /// [`Error::CidDigest`] if the digest has another length than the hash.
    pub fn new(code: HashCode, digest: &[u8]) -> Result<Hash, Error> {
        if !code.has_length(digest.len()) {
            return Err(Error::CidDigest);
        }
        let words = || digest.try_into().map_err(|_| Error::CidDigest);
        Ok(Hash(match code {
            HashCode::Identity => Digest::Identity(digest.into()),
            HashCode::Sha2_256 => Digest::Sha2_256(words()?),
            HashCode::Sha2_512 => {
                let digest: [u8; 64] = digest.try_into().map_err(|_| Error::CidDigest)?;
                Digest::Sha2_512(digest.into())
            }
            HashCode::Blake3 => Digest::Blake3(words()?),
            HashCode::Blake2b256 => Digest::Blake2b256(words()?),
        }))
    }

    pub(super) fn sha2_256(digest: [u8; 32]) -> Hash {
        Hash(Digest::Sha2_256(digest))
    }

    pub(super) fn as_sha2_256(&self) -> Option<&[u8; 32]> {
        match &self.0 {
            Digest::Sha2_256(digest) => Some(digest),
            _ => None,
        }
    }

    /// Which hash it is.
    pub fn code(&self) -> HashCode {
        match &self.0 {
            Digest::Identity(_) => HashCode::Identity,
            Digest::Sha2_256(_) => HashCode::Sha2_256,
            Digest::Sha2_512(_) => HashCode::Sha2_512,
            Digest::Blake3(_) => HashCode::Blake3,
            Digest::Blake2b256(_) => HashCode::Blake2b256,
        }
    }

    /// The digest.
    pub fn digest(&self) -> &[u8] {
        match &self.0 {
            Digest::Identity(digest) => digest,
            Digest::Sha2_512(digest) => digest.as_slice(),
            Digest::Sha2_256(digest) | Digest::Blake3(digest) | Digest::Blake2b256(digest) => {
                digest
            }
        }
    }

    /// Whether it is the hash of these bytes.
    pub fn verifies(&self, block: &[u8]) -> bool {
        Hash::of(self.code(), block).is_ok_and(|hash| hash == *self)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.code(), hex::encode(self.digest()))
    }
}
