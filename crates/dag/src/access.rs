//! Access controllers: who may append to a log.
//!
//! The immutable kind (`ipfs`): a list of identity ids, or `*` for anyone. It
//! decides by `identity.id`, never by an entry's key.

use crate::cbor::{self, Reader};
use crate::limits::{ACCESS_BYTES_MAX, ACCESS_WRITERS_MAX};
use crate::{Cid, Error, Identity};

/// The only type of access controller there is.
const TYPE: &str = "ipfs";
/// In the list of writers: anyone.
const ANYONE: &str = "*";
const ADDRESS_PREFIX: &str = "/ipfs/";

/// The identities that may append to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessController {
    /// Identity ids, or `*`. The order is part of the address.
    pub write: Vec<String>,
}

impl AccessController {
    /// An access controller that lets these identity ids append, `*` for anyone.
    pub fn ipfs(write: Vec<String>) -> AccessController {
        AccessController { write }
    }

    /// The block of this access controller and its address.
    pub fn encode(&self) -> (Cid, Vec<u8>) {
        let mut out = Vec::with_capacity(32 + 70 * self.write.len());
        cbor::put_head(&mut out, cbor::MAP, 2);
        for text in ["type", TYPE, "write"] {
            cbor::put_text(&mut out, text);
        }
        cbor::put_head(&mut out, cbor::LIST, self.write.len() as u64);
        for id in &self.write {
            cbor::put_text(&mut out, id);
        }
        (Cid::of(&out), out)
    }

    /// Reads an access controller block.
    ///
    /// # Errors
    /// [`Error::HashMismatch`] if the bytes are not those of `cid`; otherwise
    /// the rule that is broken.
    pub fn decode(cid: Cid, block: &[u8]) -> Result<AccessController, Error> {
        crate::check_block("access controller", cid, block, ACCESS_BYTES_MAX)?;
        let mut reader = Reader::new(block);
        let mut fields = reader.fields("access controller")?;
        fields.field(&mut reader, "type")?;
        if reader.text("type")? != TYPE {
            return Err(Error::AccessType);
        }
        fields.field(&mut reader, "write")?;
        let writers = reader.list("write")?;
        if writers > ACCESS_WRITERS_MAX as u64 {
            return Err(Error::TooManyWriters);
        }
        let write = (0..writers)
            .map(|_| reader.text("write").map(str::to_owned))
            .collect::<Result<_, _>>()?;
        fields.end()?;
        reader.end()?;
        Ok(AccessController { write })
    }

    /// The address a manifest names: `/ipfs/` and the content address.
    pub fn address(&self) -> String {
        format!("{ADDRESS_PREFIX}{}", self.encode().0)
    }

    /// The block an address of this kind names.
    ///
    /// # Errors
    /// [`Error::AccessAddress`] for other text, also for the address of an
    /// access controller of another kind.
    pub fn block_of(address: &str) -> Result<Cid, Error> {
        let text = address.strip_prefix(ADDRESS_PREFIX).ok_or(Error::AccessAddress)?;
        text.parse().map_err(|_| Error::AccessAddress)
    }

    /// Whether this identity may append.
    pub fn allows(&self, identity: &Identity) -> bool {
        self.write.iter().any(|id| id == ANYONE || *id == identity.id)
    }
}
