//! Values: what documents and payloads are made of, and their canonical bytes.
//!
//! A signature is checked over a re-encoding of the decoded value by other
//! implementations, so a value that does not survive that round trip in
//! JavaScript must never be written and is refused when read. Encoding brings a
//! value to its normal form as it writes; decoding accepts nothing else.

use ipld_core::ipld::Ipld;

use crate::Error;
use crate::cbor::{self, Reader};
use crate::limits::VALUE_DEPTH_MAX;

/// The canonical bytes of a value, which are those of its normal form.
///
/// # Errors
/// As [`normalise`].
pub fn encode(value: &Ipld) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(256);
    cbor::put_value(&mut out, value, 0)?;
    Ok(out)
}

/// The value with these canonical bytes.
///
/// # Errors
/// A variant of its own for each deviation from the canonical form, for what
/// JavaScript could not encode again, and for values that are too deep or have
/// too many parts.
pub fn decode(bytes: &[u8]) -> Result<Ipld, Error> {
    let mut reader = Reader::new(bytes);
    let value = reader.value()?;
    reader.end()?;
    Ok(value)
}

/// Brings a value to its normal form: whole floats within 2^53 - 1 become
/// integers, minus zero becomes zero.
///
/// # Errors
/// [`Error::FloatNotFinite`], [`Error::KeyProto`], [`Error::IntegerRange`]
/// (beyond -2^64 ..= 2^64 - 1) or [`Error::TooDeep`].
pub fn normalise(mut value: Ipld) -> Result<Ipld, Error> {
    normalise_within(&mut value, 0)?;
    Ok(value)
}

fn normalise_within(value: &mut Ipld, depth: usize) -> Result<(), Error> {
    const RANGE: std::ops::RangeInclusive<i128> = -(1 << 64)..=(1 << 64) - 1;
    match value {
        Ipld::Integer(integer) if !RANGE.contains(integer) => Err(Error::IntegerRange),
        Ipld::Float(float) if !float.is_finite() => Err(Error::FloatNotFinite),
        Ipld::Float(float) if cbor::is_integral(*float) => {
            *value = Ipld::Integer(*float as i128);
            Ok(())
        }
        Ipld::List(_) | Ipld::Map(_) if depth == VALUE_DEPTH_MAX => Err(Error::TooDeep),
        Ipld::List(list) => {
            list.iter_mut().try_for_each(|value| normalise_within(value, depth + 1))
        }
        Ipld::Map(map) if map.contains_key(cbor::PROTO) => Err(Error::KeyProto),
        Ipld::Map(map) => map.values_mut().try_for_each(|value| normalise_within(value, depth + 1)),
        _ => Ok(()),
    }
}
