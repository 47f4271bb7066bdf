//! The few fields of an entry that fast sync needs before the entry is decoded.

use super::{VERSION, check_clock_range};
use crate::cbor::Reader;
use crate::limits::ENTRY_BYTES_MAX;
use crate::{Address, Error, LogCid};

/// The parts of an entry block by which fast sync orders and groups it.
///
/// Much cheaper than to decode the entry, and no proof that it could be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) log: Address,
    pub(crate) time: u64,
    pub(crate) identity: LogCid,
}

impl Glance {
    /// Reads them from a block of canonical CBOR with the fields of an entry.
    pub(crate) fn of(block: &[u8]) -> Result<Glance, Error> {
        crate::check_size("entry", block.len(), ENTRY_BYTES_MAX)?;
        let mut reader = Reader::new(block);
        let mut fields = reader.fields("entry")?;
        fields.field(&mut reader, "v")?;
        if reader.uint("v")? != VERSION {
            return Err(Error::EntryVersion);
        }
        fields.field(&mut reader, "id")?;
        let log = reader.text("id")?.parse()?;
        for skipped in ["key", "sig", "next", "refs"] {
            fields.field(&mut reader, skipped)?;
            reader.skip()?;
        }
        fields.field(&mut reader, "clock")?;
        let mut clock = reader.fields("clock")?;
        clock.field(&mut reader, "id")?;
        reader.skip()?;
        clock.field(&mut reader, "time")?;
        let time = reader.uint("clock.time")?;
        clock.end()?;
        check_clock_range(time)?;
        fields.field(&mut reader, "payload")?;
        reader.skip()?;
        fields.field(&mut reader, "identity")?;
        let identity = reader.text("identity")?.parse()?;
        fields.end()?;
        reader.end()?;
        Ok(Glance { log, time, identity })
    }
}
