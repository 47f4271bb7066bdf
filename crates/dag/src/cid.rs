//! Content addresses: the codec in which a block is to be read, and the hash of its bytes.
//!
//! [`Cid`] is any address that files have, in version 0 or 1. A codec may be any number, for
//! a node that passes a block on need not read it. A hash is one of those of [`HashCode`]: bytes whose
//! hash cannot be computed cannot be checked, so an address with another hash is refused.
//!
//! [`LogCid`] is the address of a log's block: always dag-cbor and sha2-256, so 32 bytes hold it.
//! A log holds hundreds of thousands of them, and a [`Cid`] takes 56. Entries, identities and manifests
//! are read under a `LogCid`; the exchange of blocks names every block by its `Cid`.

mod hash;
mod text;

use std::fmt;
use std::str::FromStr;

pub use hash::{Hash, HashCode};
pub use text::Base;

use crate::{Error, LogCid, varint};

/// In which form a block's bytes are written: a number of the multicodec table. Ordered by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Codec(u64);

impl Codec {
    /// Bytes of any form.
    pub const RAW: Codec = Codec(0x55);
    /// Nodes of files and directories.
    pub const DAG_PB: Codec = Codec(0x70);
    /// Values with links, in CBOR: all blocks of a log.
    pub const DAG_CBOR: Codec = Codec(0x71);
    /// Values with links, in JSON.
    pub const DAG_JSON: Codec = Codec(0x0129);

    /// The codec with this number, whether this node can read it or not.
    ///
    /// # Errors
    /// [`Error::VarintRange`] beyond 63 bits, the greatest number that an address may hold.
    pub fn new(code: u64) -> Result<Codec, Error> {
        if code < 1 << 63 { Ok(Codec(code)) } else { Err(Error::VarintRange) }
    }

    /// Its number.
    pub fn code(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codec({:#x})", self.0)
    }
}

/// The version of an address. The same block may be named in both; the names are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// Only dag-pb with sha2-256; the bytes are those of the hash.
    V0,
    /// Any codec and hash.
    V1,
}

/// What an address says beside the digest: enough to compute it from a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    version: Version,
    codec: Codec,
    hash: HashCode,
    /// Bytes of the digest, which only the identity leaves open.
    digest_bytes: u8,
}

impl Prefix {
    /// The prefix with this binary form: version, codec, hash and length of the digest.
    ///
    /// # Errors
    /// As [`Cid::from_bytes`].
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Prefix, Error> {
        let prefix = Prefix::take(&mut bytes)?;
        if bytes.is_empty() { Ok(prefix) } else { Err(Error::Trailing) }
    }

    fn take(bytes: &mut &[u8]) -> Result<Prefix, Error> {
        let version = match varint::take(bytes)? {
            0 => Version::V0,
            1 => Version::V1,
            other => return Err(Error::CidVersion(other)),
        };
        let codec = Codec::new(varint::take(bytes)?)?;
        let (hash, digest_bytes) = hash::take_head(bytes)?;
        if version == Version::V0 && (codec, hash) != (Codec::DAG_PB, HashCode::Sha2_256) {
            return Err(Error::CidVersion(0));
        }
        Ok(Prefix { version, codec, hash, digest_bytes })
    }

    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8);
        varint::put(&mut out, u64::from(self.version == Version::V1));
        varint::put(&mut out, self.codec.0);
        varint::put(&mut out, self.hash.code());
        varint::put(&mut out, self.digest_bytes.into());
        out
    }

    /// The address with this prefix whose block these bytes are.
    ///
    /// # Errors
    /// [`Error::CidDigest`] if the bytes do not fit an identity of this length.
    pub fn address(&self, block: &[u8]) -> Result<Cid, Error> {
        let hash = Hash::of(self.hash, block)?;
        if hash.digest().len() != usize::from(self.digest_bytes) {
            return Err(Error::CidDigest);
        }
        Ok(Cid { version: self.version, codec: self.codec, hash })
    }
}

/// The address of a block.
///
/// Its text is base58btc in version 0, and base32 (`b…`) in version 1.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cid {
    version: Version,
    codec: Codec,
    hash: Hash,
}

impl Cid {
    /// The address of version 1.
    pub fn new(codec: Codec, hash: Hash) -> Cid {
        Cid { version: Version::V1, codec, hash }
    }

    /// The address of these bytes, of version 1.
    ///
    /// # Errors
    /// [`Error::CidDigest`] if the bytes are more than an identity holds.
    pub fn of(codec: Codec, hash: HashCode, block: &[u8]) -> Result<Cid, Error> {
        Ok(Cid::new(codec, Hash::of(hash, block)?))
    }

    /// In which form the block is written.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The hash of the block.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// The version of the address.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether the address holds its block in place of a hash.
    pub fn is_identity(&self) -> bool {
        self.hash.code() == HashCode::Identity
    }

    /// Whether these bytes are the block.
    pub fn verifies(&self, block: &[u8]) -> bool {
        self.hash.verifies(block)
    }

    /// What the address says beside the digest.
    pub fn prefix(&self) -> Prefix {
        let (hash, digest) = (self.hash.code(), self.hash.digest());
        // No digest is longer than `CID_IDENTITY_BYTES_MAX`.
        Prefix { version: self.version, codec: self.codec, hash, digest_bytes: digest.len() as u8 }
    }

    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let prefix = self.prefix().to_bytes();
        // Version 0 has neither version nor codec in front.
        let skipped = if self.version == Version::V0 { 2 } else { 0 };
        [&prefix[skipped..], self.hash.digest()].concat()
    }

    /// The address with this binary form.
    ///
    /// # Errors
    /// [`Error::CidVersion`], [`Error::CidHash`] for a hash that cannot be checked here,
    /// [`Error::CidDigest`] for a digest of another length than its hash has; [`Error::Truncated`],
    /// [`Error::Trailing`], [`Error::NotMinimal`] or [`Error::VarintRange`] if it is no address.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Cid, Error> {
        let cid = Cid::take(&mut bytes)?;
        if bytes.is_empty() { Ok(cid) } else { Err(Error::Trailing) }
    }

    /// Takes an address in its binary form off the front. What follows it is left there.
    ///
    /// # Errors
    /// As [`Cid::from_bytes`], but for what follows.
    pub(crate) fn take(bytes: &mut &[u8]) -> Result<Cid, Error> {
        let prefix = match *bytes {
            // A varint of 0x12 would be a version that there is not.
            [0x12, 0x20, digest @ ..] => {
                *bytes = digest;
                Prefix {
                    version: Version::V0,
                    codec: Codec::DAG_PB,
                    hash: HashCode::Sha2_256,
                    digest_bytes: 32,
                }
            }
            _ => match Prefix::take(bytes)? {
                prefix if prefix.version == Version::V1 => prefix,
                _ => return Err(Error::CidVersion(0)),
            },
        };
        let digest_bytes = usize::from(prefix.digest_bytes);
        let (digest, rest) = bytes.split_at_checked(digest_bytes).ok_or(Error::Truncated)?;
        *bytes = rest;
        let hash = Hash::new(prefix.hash, digest)?;
        Ok(Cid { version: prefix.version, codec: prefix.codec, hash })
    }

    /// The text of the address in a base. Version 0 has base58btc alone, without a letter for it.
    pub fn text_in(&self, base: Base) -> String {
        match self.version {
            Version::V0 => text::write_v0(&self.to_bytes()),
            Version::V1 => base.write(&self.to_bytes()),
        }
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text_in(Base::Base32))
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cid {
    type Err = Error;

    /// Accepts the texts of [`Cid::text_in`] and no other spelling of them.
    fn from_str(text: &str) -> Result<Cid, Error> {
        let (bytes, version) = text::read(text)?;
        match Cid::from_bytes(&bytes) {
            Ok(cid) if cid.version == version => Ok(cid),
            // It is an address, so the caller is told why it cannot be used here.
            Err(error @ (Error::CidHash(_) | Error::CidDigest)) => Err(error),
            _ => Err(Error::CidText),
        }
    }
}

impl From<LogCid> for Cid {
    fn from(cid: LogCid) -> Cid {
        Cid::new(Codec::DAG_CBOR, Hash::sha2_256(*cid.digest()))
    }
}

impl TryFrom<&Cid> for LogCid {
    type Error = Error;

    /// # Errors
    /// [`Error::CidForeign`] unless it is of version 1, dag-cbor and sha2-256.
    fn try_from(cid: &Cid) -> Result<LogCid, Error> {
        match (cid.version, cid.codec, cid.hash.as_sha2_256()) {
            (Version::V1, Codec::DAG_CBOR, Some(digest)) => Ok(LogCid::from_digest(*digest)),
            _ => Err(Error::CidForeign),
        }
    }
}

impl FromStr for LogCid {
    type Err = Error;

    /// Accepts exactly the text that [`LogCid`] displays.
    ///
    /// # Errors
    /// [`Error::CidForeign`] for the text of an address that no block of a log has, otherwise
    /// [`Error::CidText`].
    fn from_str(text: &str) -> Result<LogCid, Error> {
        LogCid::parse(text.as_bytes()).ok_or_else(|| match text.parse::<Cid>() {
            Ok(cid) if LogCid::try_from(&cid).is_err() => Error::CidForeign,
            _ => Error::CidText,
        })
    }
}

#[cfg(test)]
mod tests;
