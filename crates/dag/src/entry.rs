//! Entries: the signed nodes of a log.
//!
//! An [`Entry`] holds its exact bytes and what they say. To have one means: the
//! bytes hash to its address, are canonical, have exactly the fields of an entry,
//! and obey every rule that needs nothing but the entry itself. Whether it may be
//! in a given log depends on its identity and signature ([`crate::join::Proven`]),
//! on the access to the log ([`crate::Access`]) and on its parents
//! ([`Entry::verify_clock`]). The payload is decoded when it is first asked for, so
//! entries that only wait hold no tree of values.
//!
//! The signed bytes are a map of six of the nine fields in the same order, so
//! they are hashed from two spans of the block and never assembled.

mod glance;
mod outline;
mod stored;
mod write;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use ipld_core::ipld::Ipld;
use k256::ecdsa::Signature;

pub(crate) use glance::Glance;
pub(crate) use outline::Outline;
pub use stored::StoredEntry;

use crate::cbor::Reader;
use crate::limits::{
    CLOCK_JUMP_TICKS_MAX, CLOCK_TICKS_MAX, ENTRY_BYTES_MAX, NEXT_LINKS_MAX, REFS_MAX,
};
use crate::{Address, Clock, EntryLinks, Error, Identity, LogCid, OrderKey, keys};

/// The only version of entry there is.
const VERSION: u64 = 2;
/// The head of a map of the six signed fields.
const SIGNED_HEAD: u8 = 0xa6;

/// An entry of a log with its exact bytes.
#[derive(Clone)]
pub struct Entry {
    cid: LogCid,
    block: Arc<[u8]>,
    spans: Spans,
    log: Address,
    signature: Signature,
    next: Vec<LogCid>,
    refs: Vec<LogCid>,
    clock: Clock,
    identity: LogCid,
    payload: OnceLock<Ipld>,
}

/// Where in the block things are.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Spans {
    /// `v` and `id`: the first of the two signed spans.
    log: Range<usize>,
    /// `next`, `refs`, `clock` and `payload`: the second of the signed spans.
    body: Range<usize>,
    /// The value of `payload`.
    payload: Range<usize>,
}

impl Entry {
    /// Reads an entry block.
    ///
    /// # Errors
    /// [`Error::BlockTooLarge`], [`Error::HashMismatch`], or the rule that is
    /// broken: encoding, fields, version, keys and signature by their form,
    /// clock range, fan-out.
    pub fn decode(cid: LogCid, block: &[u8]) -> Result<Entry, Error> {
        crate::check_block("entry", cid, block, ENTRY_BYTES_MAX)?;
        let mut reader = Reader::new(block);
        let mut fields = reader.fields("entry")?;
        let log_start = reader.at();
        fields.field(&mut reader, "v")?;
        if reader.uint("v")? != VERSION {
            return Err(Error::EntryVersion);
        }
        fields.field(&mut reader, "id")?;
        let log = reader.text("id")?.parse()?;
        let log_end = reader.at();
        fields.field(&mut reader, "key")?;
        let key = reader.text("key")?;
        if key.len() != keys::PUBLIC_KEY_TEXT_BYTES || !keys::is_lower_hex(key) {
            return Err(Error::PublicKey);
        }
        fields.field(&mut reader, "sig")?;
        let signature_text = reader.text("sig")?;
        let signature_end = reader.at();
        let signature = keys::signature(signature_text)?;
        fields.field(&mut reader, "next")?;
        let next = cids(&mut reader, "next", NEXT_LINKS_MAX, Error::TooManyNext)?;
        check_distinct(&next)?;
        fields.field(&mut reader, "refs")?;
        let refs = cids(&mut reader, "refs", REFS_MAX, Error::TooManyRefs)?;
        fields.field(&mut reader, "clock")?;
        let clock = clock(&mut reader, key)?;
        fields.field(&mut reader, "payload")?;
        let payload_start = reader.at();
        reader.skip()?;
        let payload_end = reader.at();
        fields.field(&mut reader, "identity")?;
        let identity = reader.text("identity")?.parse()?;
        fields.end()?;
        reader.end()?;

        let spans = Spans {
            log: log_start..log_end,
            body: signature_end..payload_end,
            payload: payload_start..payload_end,
        };
        let payload = OnceLock::new();
        Ok(Entry {
            cid,
            block: block.into(),
            spans,
            log,
            signature,
            next,
            refs,
            clock,
            identity,
            payload,
        })
    }

    /// Checks everything that needs neither its parents nor the access to its log: that it names
    /// that log and this identity, that its key is that identity's key, and its signature.
    pub(crate) fn prove(&self, log: &Address, identity: &Identity) -> Result<(), Error> {
        self.verify_binding(log, identity)?;
        self.verify_signature(identity)
    }

    /// Checks that this entry names that log and this identity, and that its key
    /// is that identity's key.
    pub(crate) fn verify_binding(&self, log: &Address, identity: &Identity) -> Result<(), Error> {
        if self.log != *log {
            return Err(Error::WrongLog);
        }
        if self.identity != identity.cid {
            return Err(Error::WrongIdentity);
        }
        if *self.clock.id != *identity.public_key {
            return Err(Error::KeyNotBound);
        }
        Ok(())
    }

    pub(crate) fn verify_signature(&self, identity: &Identity) -> Result<(), Error> {
        let digest = keys::message_digest(&[
            &[SIGNED_HEAD],
            &self.block[self.spans.log.clone()],
            &self.block[self.spans.body.clone()],
        ]);
        keys::verify(identity.verifying_key(), &digest, &self.signature)
    }

    /// Checks this entry's clock against the times of all its parents: above
    /// every one, and at most `CLOCK_JUMP_TICKS_MAX` above the newest. Without
    /// parents the newest counts as 0.
    ///
    /// # Errors
    /// [`Error::ClockNotAfter`] or [`Error::ClockJump`].
    pub fn verify_clock(&self, parents: &[u64]) -> Result<(), Error> {
        let newest = parents.iter().copied().max().unwrap_or(0);
        check_clock(self.clock.time, newest)
    }

    /// The content address.
    pub fn cid(&self) -> LogCid {
        self.cid
    }

    /// The exact bytes: what is stored, announced and served.
    pub fn block(&self) -> &[u8] {
        &self.block
    }

    /// The exact bytes, shared.
    pub fn block_shared(&self) -> Arc<[u8]> {
        Arc::clone(&self.block)
    }

    /// The log it belongs to.
    pub fn log(&self) -> &Address {
        &self.log
    }

    /// The public key that signed it, in hexadecimal; also its clock's id.
    pub fn key(&self) -> &str {
        &self.clock.id
    }

    /// Its parents: the heads its writer knew.
    pub fn next(&self) -> &[LogCid] {
        &self.next
    }

    /// Older entries it names as hints.
    pub fn refs(&self) -> &[LogCid] {
        &self.refs
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The operation it carries, or the bytes of one that is encrypted.
    pub fn payload(&self) -> &Ipld {
        self.payload.get_or_init(|| {
            crate::value::decode(self.payload_cbor()).expect("invariant: checked when decoded")
        })
    }

    /// As [`Entry::payload`], of an entry that nothing else is wanted of.
    pub fn into_payload(self) -> Ipld {
        self.payload();
        self.payload.into_inner().expect("invariant: decoded just now")
    }

    /// The payload's bytes.
    pub fn payload_cbor(&self) -> &[u8] {
        &self.block[self.spans.payload.clone()]
    }

    /// The address of its writer's identity block.
    pub fn identity(&self) -> LogCid {
        self.identity
    }

    /// Its place in the total order.
    pub fn order(&self) -> OrderKey {
        OrderKey { time: self.clock.time, id: Arc::clone(&self.clock.id), cid: self.cid }
    }

    /// What it claims of its place in the log.
    pub(crate) fn outline(&self) -> Outline {
        let (next, time, identity) = (self.next.clone(), self.clock.time, Some(self.identity));
        Outline { next, time, identity }
    }

    /// The signature in DER.
    pub fn sig_der(&self) -> Vec<u8> {
        self.signature.to_der().as_bytes().to_vec()
    }

    /// Its address, clock and parents.
    pub fn links(&self) -> EntryLinks {
        EntryLinks { cid: self.cid, clock: self.clock.clone(), next: self.next.clone() }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cid == other.cid
    }
}

impl Eq for Entry {}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("cid", &self.cid)
            .field("time", &self.clock.time)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// The time by which an entry counts for those above it: its own, as far as the
/// rule allows. A stored entry is always within it; one that is passed over can
/// then neither carry the clock away nor hide how far it has come.
pub(crate) fn counted_time(time: u64, newest: u64) -> u64 {
    time.clamp(newest, newest.saturating_add(CLOCK_JUMP_TICKS_MAX))
}

pub(crate) fn check_clock(time: u64, newest: u64) -> Result<(), Error> {
    if time <= newest {
        return Err(Error::ClockNotAfter { time, newest });
    }
    if time - newest > CLOCK_JUMP_TICKS_MAX {
        return Err(Error::ClockJump { time, newest });
    }
    Ok(())
}

fn cids(
    reader: &mut Reader<'_>,
    what: &'static str,
    max: usize,
    over: Error,
) -> Result<Vec<LogCid>, Error> {
    let n = reader.list(what)?;
    if n > max as u64 {
        return Err(over);
    }
    (0..n).map(|_| reader.text(what)?.parse()).collect()
}

fn check_distinct(next: &[LogCid]) -> Result<(), Error> {
    let mut sorted = next.to_vec();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) { Err(Error::NextRepeated) } else { Ok(()) }
}

fn clock(reader: &mut Reader<'_>, key: &str) -> Result<Clock, Error> {
    let mut fields = reader.fields("clock")?;
    fields.field(reader, "id")?;
    let id = reader.text("clock.id")?;
    if id != key {
        return Err(Error::ClockNotOwn);
    }
    fields.field(reader, "time")?;
    let time = reader.uint("clock.time")?;
    fields.end()?;
    check_clock_range(time)?;
    Ok(Clock { time, id: id.into() })
}

fn check_clock_range(time: u64) -> Result<(), Error> {
    if (1..=CLOCK_TICKS_MAX).contains(&time) { Ok(()) } else { Err(Error::ClockRange(time)) }
}
