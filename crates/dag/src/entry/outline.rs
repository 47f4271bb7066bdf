//! Outlines: the fields of an entry that must be readable although it breaks a rule,
//! so that its links can be followed in its place.

use ipld_core::ipld::Ipld;

use crate::limits::{ENTRY_BYTES_MAX, NEXT_LINKS_MAX};
use crate::{Address, Error, LogCid};

/// The place of an entry in its log, as its block claims it. None of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Its parents, each once.
    pub(crate) next: Vec<LogCid>,
    /// Its clock time, whatever it is.
    pub(crate) time: u64,
    /// The identity it names, if that is an address.
    pub(crate) identity: Option<LogCid>,
}

impl Outline {
    /// Reads a block that is canonical, a map, names this log, its parents and a
    /// time. Signature, keys, version and further fields may be anything.
    ///
    /// # Errors
    /// The rule that is broken even so.
    pub(crate) fn read(cid: LogCid, block: &[u8], log: &Address) -> Result<Outline, Error> {
        crate::check_block("entry", cid, block, ENTRY_BYTES_MAX)?;
        let Ipld::Map(mut fields) = crate::value::decode(block)? else {
            return Err(Error::FieldSort("entry"));
        };
        match fields.remove("id") {
            Some(Ipld::String(id)) if id.parse() == Ok(*log) => {}
            _ => return Err(Error::WrongLog),
        }
        let Some(Ipld::List(next)) = fields.remove("next") else {
            return Err(Error::FieldSort("next"));
        };
        if next.len() > NEXT_LINKS_MAX {
            return Err(Error::TooManyNext);
        }
        let mut next = next.iter().map(cid_of).collect::<Result<Vec<LogCid>, Error>>()?;
        next.sort_unstable();
        next.dedup();
        let time = match fields.remove("clock") {
            Some(Ipld::Map(clock)) => match clock.get("time") {
                Some(Ipld::Integer(time)) => u64::try_from(*time).ok(),
                _ => None,
            },
            _ => None,
        };
        let time = time.ok_or(Error::FieldSort("clock.time"))?;
        let identity = fields.get("identity").and_then(|identity| cid_of(identity).ok());
        Ok(Outline { next, time, identity })
    }
}

fn cid_of(value: &Ipld) -> Result<LogCid, Error> {
    match value {
        Ipld::String(text) => text.parse(),
        _ => Err(Error::FieldSort("next")),
    }
}
