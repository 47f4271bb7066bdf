//! The protobuf wire format, as far as bitswap needs it: varints and length-delimited fields.
//!
//! Reading borrows from the input and allocates nothing. Whatever the bytes are, every step takes
//! at least one of them or fails.

use super::error::MessageError;

/// The most bytes of a varint of 64 bits.
const VARINT_BYTES: usize = 10;

/// What stands in a field.
pub(super) enum FieldValue<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Eight or four fixed bytes: nothing here has them, so they are passed over.
    Fixed,
}

/// The fields of one protobuf message, in their order.
pub(super) struct MessageFields<'a>(pub(super) &'a [u8]);

impl<'a> MessageFields<'a> {
    /// The number and value of the next field, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, FieldValue<'a>)>, MessageError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let value = match key & 7 {
            0 => FieldValue::Number(self.number()?),
            1 => self.take(8).map(|_| FieldValue::Fixed)?,
            2 => {
                let length = self.number()?;
                FieldValue::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| FieldValue::Fixed)?,
            _ => return Err(MessageError::WireType),
        };
        match key >> 3 {
            0 => Err(MessageError::FieldNumber),
            field => Ok(Some((field, value))),
        }
    }

    fn number(&mut self) -> Result<u64, MessageError> {
        let (number, rest) = read_varint(self.0)?.ok_or(MessageError::Truncated)?;
        self.0 = rest;
        Ok(number)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], MessageError> {
        let length = usize::try_from(length).map_err(|_| MessageError::Truncated)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(MessageError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// The number at the beginning of `bytes` and what follows; `None` if it goes on after their end.
pub(super) fn read_varint(bytes: &[u8]) -> Result<Option<(u64, &[u8])>, MessageError> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(VARINT_BYTES) {
        let digit = u64::from(byte & 0x7f);
        if index == VARINT_BYTES - 1 && digit > 1 {
            return Err(MessageError::Varint);
        }
        number |= digit << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((number, &bytes[index + 1..])));
        }
    }
    if bytes.len() >= VARINT_BYTES { Err(MessageError::Varint) } else { Ok(None) }
}

pub(super) fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

pub(super) fn varint_bytes(number: usize) -> usize {
    let bits = (usize::BITS - number.leading_zeros()).max(1) as usize;
    bits.div_ceil(7)
}

/// Bytes of a length-delimited field with a number below 16 and this much inside.
pub(super) fn field_bytes(inside: usize) -> usize {
    1 + varint_bytes(inside) + inside
}

pub(super) fn write_head(bytes: &mut Vec<u8>, field: u8, inside: usize) {
    bytes.push(field << 3 | 2);
    write_varint(bytes, inside as u64);
}

pub(super) fn write_bytes(bytes: &mut Vec<u8>, field: u8, inside: &[u8]) {
    write_head(bytes, field, inside.len());
    bytes.extend_from_slice(inside);
}

/// A number that takes one byte, such as a flag.
pub(super) fn write_small(bytes: &mut Vec<u8>, field: u8, number: u8) {
    debug_assert!(number < 0x80);
    bytes.extend_from_slice(&[field << 3, number]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_end_in_time() {
        for number in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, number);
            assert_eq!(varint_bytes(number as usize), bytes.len());
            assert_eq!(read_varint(&bytes[..bytes.len() - 1]), Ok(None));
            bytes.push(9);
            assert_eq!(read_varint(&bytes), Ok(Some((number, [9].as_slice()))));
        }
        assert_eq!(read_varint(&[0xff; 10]), Err(MessageError::Varint));
        assert_eq!(read_varint(&[0xff; 9]), Ok(None));
        let mut over = [0xff; 10];
        over[9] = 2;
        assert_eq!(read_varint(&over), Err(MessageError::Varint));
    }
}
