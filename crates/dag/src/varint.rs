//! Unsigned varints: seven bits a byte, lowest first, in no more bytes than necessary.

use crate::Error;

pub(crate) fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Takes a varint off the front.
///
/// # Errors
/// [`Error::Truncated`], [`Error::NotMinimal`], or [`Error::VarintRange`] beyond 64 bits.
pub(crate) fn take(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut n = 0u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Error::Truncated)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits.leading_zeros() < shift {
            return Err(Error::VarintRange);
        }
        n |= bits << shift;
        if *byte < 0x80 {
            return if *byte == 0 && shift > 0 { Err(Error::NotMinimal) } else { Ok(n) };
        }
    }
    Err(Error::VarintRange)
}
