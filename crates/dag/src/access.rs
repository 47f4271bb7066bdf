//! Access: who may append to a log.
//!
//! Two kinds. The immutable one (`ipfs`) is an [`AccessController`]: a list of
//! identity ids, or `*` for anyone. The mutable one (`orbitdb`) is a log of its
//! own, of which [`Capabilities`] are the fold. [`Access`] is either of them, in
//! the form that a join asks. All decide by `identity.id`, never by an entry's key.
//! `docs/access.md` says what follows for each case.

mod capabilities;

use std::sync::Arc;

pub use capabilities::{Capabilities, Capability};

use crate::cbor::{self, Reader};
use crate::limits::{ACCESS_BYTES_MAX, ACCESS_WRITERS_MAX};
use crate::{Error, Identity, LogCid};

/// The type of an access controller with a block of its own.
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
    pub fn encode(&self) -> (LogCid, Vec<u8>) {
        let mut out = Vec::with_capacity(32 + 70 * self.write.len());
        cbor::put_head(&mut out, cbor::MAP, 2);
        for text in ["type", TYPE, "write"] {
            cbor::put_text(&mut out, text);
        }
        cbor::put_head(&mut out, cbor::LIST, self.write.len() as u64);
        for id in &self.write {
            cbor::put_text(&mut out, id);
        }
        (LogCid::of(&out), out)
    }

    /// Reads an access controller block.
    ///
    /// # Errors
    /// [`Error::HashMismatch`] if the bytes are not those of `cid`; otherwise
    /// the rule that is broken.
    pub fn decode(cid: LogCid, block: &[u8]) -> Result<AccessController, Error> {
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
    pub fn block_of(address: &str) -> Result<LogCid, Error> {
        let text = address.strip_prefix(ADDRESS_PREFIX).ok_or(Error::AccessAddress)?;
        text.parse().map_err(|_| Error::AccessAddress)
    }

    /// Whether this identity may append.
    pub fn allows(&self, identity: &Identity) -> bool {
        self.write.iter().any(|id| id == ANYONE || *id == identity.id)
    }
}

/// What a log says of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It may append now.
    Allowed,
    /// It was allowed to append once, and is no more. What it wrote stays where a writer that is
    /// allowed has built on it.
    Former,
    /// It was never allowed, as far as is known here.
    Never,
}

/// What a join asks about writers. A value, cheap to clone: when the access log changes, a new one
/// is made and handed to [`crate::join::Join::set_access`].
#[derive(Debug, Clone)]
pub struct Access(WriteRule);

#[derive(Debug, Clone)]
enum WriteRule {
    Fixed(Arc<AccessController>),
    Mutable(Arc<Capabilities>),
}

impl Access {
    /// An immutable list: an identity that is not in it never was and never will be.
    pub fn fixed(access: AccessController) -> Access {
        Access(WriteRule::Fixed(Arc::new(access)))
    }

    /// What is known of an access log.
    pub fn mutable(capabilities: Capabilities) -> Access {
        Access(WriteRule::Mutable(Arc::new(capabilities)))
    }

    /// What is known of this writer.
    pub fn judge(&self, identity: &Identity) -> Standing {
        match &self.0 {
            WriteRule::Fixed(access) if access.allows(identity) => Standing::Allowed,
            WriteRule::Fixed(_) => Standing::Never,
            WriteRule::Mutable(capabilities) => capabilities.judge(&identity.id),
        }
    }

    /// Whether a revoke named this entry as one that was there before it.
    pub fn vouches(&self, cid: &LogCid) -> bool {
        match &self.0 {
            WriteRule::Fixed(_) => false,
            WriteRule::Mutable(capabilities) => capabilities.vouches(cid),
        }
    }

    /// Whether a standing may be another one later.
    pub fn is_mutable(&self) -> bool {
        matches!(self.0, WriteRule::Mutable(_))
    }
}

impl From<AccessController> for Access {
    fn from(access: AccessController) -> Access {
        Access::fixed(access)
    }
}
