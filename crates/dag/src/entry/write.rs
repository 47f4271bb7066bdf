//! Writing entries.
//!
//! The payload comes encoded and is copied into the block; the signed bytes are
//! spans of it. What remains beside the signature is a few kilobytes of copying.

use std::ops::Range;
use std::sync::OnceLock;

use ipld_core::ipld::Ipld;

use super::{Entry, SIGNED_HEAD, Spans, VERSION, check_clock_range, check_distinct};
use crate::cbor;
use crate::limits::{ENTRY_BYTES_MAX, NEXT_LINKS_MAX, REFS_MAX};
use crate::{Address, Clock, Error, IdentityKeys, Links, LogCid, Payload, keys};

/// The signed part of an entry, encoded.
struct SignedFields {
    bytes: Vec<u8>,
    /// Where in `bytes` the payload is.
    payload: Range<usize>,
}

impl Entry {
    /// Writes and signs an entry.
    ///
    /// # Errors
    /// Why the payload has no canonical form, [`Error::BlockTooLarge`],
    /// [`Error::ClockRange`], [`Error::TooManyNext`], [`Error::TooManyRefs`] or
    /// [`Error::NextRepeated`].
    pub fn sign(
        keys: &IdentityKeys,
        log: Address,
        links: Links,
        payload: Ipld,
    ) -> Result<Entry, Error> {
        Entry::sign_encoded(keys, log, links, Payload::new(payload)?)
    }

    /// As [`Entry::sign`], of a payload that is encoded already.
    ///
    /// # Errors
    /// As [`Entry::sign`], but for the payload.
    pub fn sign_encoded(
        keys: &IdentityKeys,
        log: Address,
        links: Links,
        payload: Payload,
    ) -> Result<Entry, Error> {
        let Links { next, refs, time } = links;
        let clock = Clock { time, id: keys.clock_id().clone() };
        check_links(&next, &refs, &clock)?;
        let body = SignedFields::new(&next, &refs, &clock, &payload.cbor);
        let log_field = log_field(&log);
        let digest = keys::message_digest(&[&[SIGNED_HEAD], &log_field, &body.bytes]);
        let signature = keys::sign(keys.signing_key(), &digest);
        let identity = keys.identity().cid;
        let (block, spans) =
            assemble(&log_field, &clock.id, &keys::signature_text(&signature), &body, &identity);
        crate::check_size("entry", block.len(), ENTRY_BYTES_MAX)?;
        let (cid, block) = (LogCid::of(&block), block.into());
        let payload = OnceLock::from(payload.value);
        let entry =
            Entry { cid, block, spans, log, signature, next, refs, clock, identity, payload };
        debug_assert_eq!(
            Entry::decode(cid, entry.block()).map(|read| read.to_stored()),
            Ok(entry.to_stored()),
            "an entry is read as it was written"
        );
        Ok(entry)
    }
}

impl SignedFields {
    fn new(next: &[LogCid], refs: &[LogCid], clock: &Clock, payload: &[u8]) -> SignedFields {
        let mut out = Vec::with_capacity(256 + 51 * (next.len() + refs.len()) + payload.len());
        for (name, cids) in [("next", next), ("refs", refs)] {
            cbor::put_text(&mut out, name);
            cbor::put_head(&mut out, cbor::LIST, cids.len() as u64);
            for cid in cids {
                cbor::put_cid_text(&mut out, cid);
            }
        }
        cbor::put_text(&mut out, "clock");
        cbor::put_head(&mut out, cbor::MAP, 2);
        for text in ["id", &clock.id, "time"] {
            cbor::put_text(&mut out, text);
        }
        cbor::put_head(&mut out, cbor::UINT, clock.time);
        cbor::put_text(&mut out, "payload");
        let start = out.len();
        out.extend_from_slice(payload);
        let end = out.len();
        SignedFields { bytes: out, payload: start..end }
    }
}

/// The block of an entry of which everything is known.
pub(super) fn block(
    log: &Address,
    clock: &Clock,
    signature_text: &str,
    next: &[LogCid],
    refs: &[LogCid],
    payload_cbor: &[u8],
    identity: &LogCid,
) -> Vec<u8> {
    let body = SignedFields::new(next, refs, clock, payload_cbor);
    assemble(&log_field(log), &clock.id, signature_text, &body, identity).0
}

/// The fields `v` and `id`, which begin both the block and the signed bytes.
fn log_field(log: &Address) -> Vec<u8> {
    let mut out = Vec::with_capacity(72);
    cbor::put_text(&mut out, "v");
    cbor::put_head(&mut out, cbor::UINT, VERSION);
    cbor::put_text(&mut out, "id");
    log.put(&mut out);
    out
}

fn assemble(
    log_field: &[u8],
    key: &str,
    signature_text: &str,
    body: &SignedFields,
    identity: &LogCid,
) -> (Vec<u8>, Spans) {
    let mut out = Vec::with_capacity(body.bytes.len() + 384);
    cbor::put_head(&mut out, cbor::MAP, 9);
    let log = out.len()..out.len() + log_field.len();
    out.extend_from_slice(log_field);
    for text in ["key", key, "sig", signature_text] {
        cbor::put_text(&mut out, text);
    }
    let start = out.len();
    out.extend_from_slice(&body.bytes);
    let spans = Spans {
        log,
        body: start..out.len(),
        payload: start + body.payload.start..start + body.payload.end,
    };
    cbor::put_text(&mut out, "identity");
    cbor::put_cid_text(&mut out, identity);
    (out, spans)
}

fn check_links(next: &[LogCid], refs: &[LogCid], clock: &Clock) -> Result<(), Error> {
    if next.len() > NEXT_LINKS_MAX {
        return Err(Error::TooManyNext);
    }
    if refs.len() > REFS_MAX {
        return Err(Error::TooManyRefs);
    }
    check_distinct(next)?;
    check_clock_range(clock.time)
}
