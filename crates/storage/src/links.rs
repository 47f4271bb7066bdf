//! How an entry's `next` and `refs` are kept: as distances between rows.
//!
//! A link in the log is 51 bytes of text, and an entry has up to 16 + h of them, most of which name
//! the entries just before it. Here a link to a stored entry is the distance to its row, one or two
//! bytes, and a link to an entry that is not stored is a zero and the 32 bytes of its digest. The
//! bytes are described in `docs/format.md`.

use crate::error::Error;
use optimusdb_dag::LogCid;

/// Appends `links` to `out`, as seen from row `seq`; `row_of` finds the row of a stored entry.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    seq: i64,
    links: &[LogCid],
    mut row_of: impl FnMut(&LogCid) -> Result<Option<i64>, Error>,
) -> Result<(), Error> {
    let from = out.len();
    let mut rows = Vec::new();
    put_varint(out, links.len() as u64);
    for cid in links {
        match row_of(cid)? {
            // A row is never its own ancestor, so a distance is at least one.
            Some(row) if row < seq => {
                put_varint(out, (seq - row) as u64);
                if cfg!(debug_assertions) {
                    rows.push((row, *cid));
                }
            }
            _ => {
                put_varint(out, 0);
                out.extend_from_slice(cid.digest());
            }
        }
    }
    if cfg!(debug_assertions) {
        check(&out[from..], seq, links, rows);
    }
    Ok(())
}

/// What was written reads as `links` again; `rows` are those that it names, in order.
fn check(mut bytes: &[u8], seq: i64, links: &[LogCid], rows: Vec<(i64, LogCid)>) {
    let mut rows = rows.into_iter();
    let read = decode(&mut bytes, seq, |at| {
        let (row, cid) = rows.next().ok_or_else(damaged)?;
        debug_assert_eq!(row, at, "the row of a link to {cid}, as seen from row {seq}");
        Ok(cid)
    });
    debug_assert_eq!(read.ok().as_deref(), Some(links), "the links of the entry in row {seq}");
    debug_assert!(bytes.is_empty(), "bytes behind the links of the entry in row {seq}");
}

/// Reads one list of links from the front of `bytes`; `cid_of` finds the digest of a row.
pub(crate) fn decode(
    bytes: &mut &[u8],
    seq: i64,
    mut cid_of: impl FnMut(i64) -> Result<LogCid, Error>,
) -> Result<Vec<LogCid>, Error> {
    let count = take_varint(bytes)?;
    let mut links = Vec::with_capacity(count.min(64) as usize);
    for _ in 0..count {
        let distance = take_varint(bytes)?;
        if distance == 0 {
            let (digest, rest) = bytes.split_first_chunk::<32>().ok_or_else(damaged)?;
            links.push(LogCid::from_digest(*digest));
            *bytes = rest;
        } else {
            let row = i64::try_from(distance)
                .ok()
                .and_then(|d| seq.checked_sub(d))
                .ok_or_else(damaged)?;
            links.push(cid_of(row)?);
        }
    }
    Ok(links)
}

fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n as u8) | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut n = 0u64;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(damaged)?;
        *bytes = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(n);
        }
    }
    Err(damaged())
}

fn damaged() -> Error {
    Error::Corrupt("the links of an entry cannot be read".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn links_come_back(rows in proptest::collection::vec(proptest::option::of(1i64..1_000_000), 0..40)) {
            let seq = 1_000_000;
            let cids: Vec<LogCid> = (0..rows.len()).map(|i| LogCid::of(&i.to_be_bytes())).collect();
            let mut bytes = Vec::new();
            encode(&mut bytes, seq, &cids, |c| {
                Ok(rows[cids.iter().position(|x| x == c).unwrap()])
            }).unwrap();
            // Two links may share a row here, so look the digest up by position.
            let mut known = rows.iter().zip(&cids).filter(|(r, _)| r.is_some()).map(|(_, c)| *c);
            let mut rest = bytes.as_slice();
            let back = decode(&mut rest, seq, |_| Ok(known.next().unwrap())).unwrap();
            prop_assert_eq!(back, cids);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&mut bytes.as_slice(), 5, |_| Ok(LogCid::of(b"x")));
        }
    }
}
