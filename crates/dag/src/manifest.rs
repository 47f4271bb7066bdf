//! Manifests and addresses: what makes a store the same store everywhere.
//!
//! The address of a store is the address of its manifest, so it depends on its
//! name, its kind, its access controller and nothing else: two nodes that create
//! the same store have the same store.

use std::fmt;
use std::str::FromStr;

use ipld_core::ipld::Ipld;

use crate::cbor::{self, Reader};
use crate::limits::MANIFEST_BYTES_MAX;
use crate::log_cid::CID_TEXT_BYTES;
use crate::{AccessController, Error, LogCid, StoreKind};

const PREFIX: &str = "/orbitdb/";
/// Characters of an address.
pub(crate) const ADDRESS_TEXT_BYTES: usize = PREFIX.len() + CID_TEXT_BYTES;

/// The address of a store, which is also the id of its log:
/// `/orbitdb/zdpu…`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(LogCid);

impl Address {
    /// The address of the store with this manifest block.
    pub fn of_manifest(cid: LogCid) -> Address {
        Address(cid)
    }

    /// The address of the manifest block.
    pub fn manifest(&self) -> LogCid {
        self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Accepts exactly the text that [`Address`] displays.
    fn from_str(text: &str) -> Result<Address, Error> {
        let cid = text.strip_prefix(PREFIX).ok_or(Error::AddressText)?;
        cid.parse().map(Address).map_err(|_| Error::AddressText)
    }
}

impl Address {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        cbor::put_head(out, cbor::TEXT, ADDRESS_TEXT_BYTES as u64);
        out.extend_from_slice(PREFIX.as_bytes());
        out.extend_from_slice(&self.0.text());
    }
}

/// What a store is.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The name it was created with.
    pub name: String,
    /// What its operations mean.
    pub kind: StoreKind,
    /// The address of its access controller: `/ipfs/zdpu…` or `/orbitdb/zdpu…`.
    pub access: String,
    /// Anything its creator attached.
    pub meta: Option<Ipld>,
}

impl Manifest {
    /// The block of this manifest and its address.
    ///
    /// # Errors
    /// [`Error::AccessAddress`], [`Error::BlockTooLarge`], or why `meta` has no
    /// canonical form.
    pub fn encode(&self) -> Result<(LogCid, Vec<u8>), Error> {
        check_access(&self.access)?;
        let mut out = Vec::with_capacity(128);
        cbor::put_head(&mut out, cbor::MAP, if self.meta.is_some() { 4 } else { 3 });
        if let Some(meta) = &self.meta {
            cbor::put_text(&mut out, "meta");
            cbor::put_value(&mut out, meta, 0)?;
        }
        for text in
            ["name", &self.name, "type", self.kind.as_str(), "accessController", &self.access]
        {
            cbor::put_text(&mut out, text);
        }
        crate::check_size("manifest", out.len(), MANIFEST_BYTES_MAX)?;
        Ok((LogCid::of(&out), out))
    }

    /// Reads a manifest block.
    ///
    /// # Errors
    /// [`Error::HashMismatch`] if the bytes are not those of `cid`; otherwise
    /// the rule that is broken.
    pub fn decode(cid: LogCid, block: &[u8]) -> Result<Manifest, Error> {
        crate::check_block("manifest", cid, block, MANIFEST_BYTES_MAX)?;
        let mut reader = Reader::new(block);
        let mut fields = reader.fields("manifest")?;
        let meta = match fields.optional(&mut reader, "meta")? {
            true => Some(reader.value()?),
            false => None,
        };
        fields.field(&mut reader, "name")?;
        let name = reader.text("name")?.to_owned();
        fields.field(&mut reader, "type")?;
        let kind = reader.text("type")?.parse()?;
        fields.field(&mut reader, "accessController")?;
        let access = reader.text("accessController")?.to_owned();
        fields.end()?;
        reader.end()?;
        check_access(&access)?;
        Ok(Manifest { name, kind, access, meta })
    }

    /// The address of the store.
    ///
    /// # Errors
    /// As [`Manifest::encode`].
    pub fn address(&self) -> Result<Address, Error> {
        self.encode().map(|(cid, _)| Address(cid))
    }
}

fn check_access(address: &str) -> Result<(), Error> {
    if AccessController::block_of(address).is_ok() || address.parse::<Address>().is_ok() {
        Ok(())
    } else {
        Err(Error::AccessAddress)
    }
}
