//! Entries in compact parts.
//!
//! Most of an entry block is hexadecimal and base58 text. Storage keeps the
//! binary parts instead, a third of the size, and the exact block is rebuilt
//! from them. The hash proves that the rebuilt bytes are the original ones.

use std::sync::Arc;

use super::{Entry, write};
use crate::{Address, Clock, Error, LogCid};

/// An entry as the columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// The content address of the block.
    pub cid: LogCid,
    /// The log it belongs to.
    pub log: Address,
    /// The public key that signed it, in hexadecimal; also its clock's id.
    pub key: String,
    /// The address of its writer's identity block.
    pub identity: LogCid,
    /// The signature in DER.
    pub sig_der: Vec<u8>,
    /// Its parents, in the order of the block.
    pub next: Vec<LogCid>,
    /// Its references, in the order of the block.
    pub refs: Vec<LogCid>,
    /// Its clock time.
    pub time: u64,
    /// The payload's bytes.
    pub payload_cbor: Vec<u8>,
}

impl StoredEntry {
    /// The entry block these parts make. Whether it is the block of `cid` is
    /// checked by [`Entry::from_stored`] and not here.
    pub fn block(&self) -> Vec<u8> {
        let clock = Clock { time: self.time, id: Arc::from(self.key.as_str()) };
        let signature_text = hex::encode(&self.sig_der);
        write::block(
            &self.log,
            &clock,
            &signature_text,
            &self.next,
            &self.refs,
            &self.payload_cbor,
            &self.identity,
        )
    }
}

impl Entry {
    /// The compact parts of this entry.
    pub fn to_stored(&self) -> StoredEntry {
        StoredEntry {
            cid: self.cid,
            log: self.log,
            key: self.key().to_owned(),
            identity: self.identity,
            sig_der: self.sig_der(),
            next: self.next.clone(),
            refs: self.refs.clone(),
            time: self.clock.time,
            payload_cbor: self.payload_cbor().to_vec(),
        }
    }

    /// Rebuilds an entry from its parts.
    ///
    /// # Errors
    /// [`Error::HashMismatch`] if any part is not what it was, or
    /// [`Error::BlockTooLarge`].
    pub fn from_stored(parts: &StoredEntry) -> Result<Entry, Error> {
        Entry::decode(parts.cid, &parts.block())
    }
}
