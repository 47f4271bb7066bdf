//! Addresses of a log's blocks: CIDv1, dag-cbor, sha2-256, and nothing else.
//!
//! All blocks of the log's format use one codec and one hash, so their address
//! is held as its 32-byte digest: it is kept by the hundred thousand, as a key of
//! maps and in rows. The text form is base58btc with its `z` prefix: 49
//! characters that always begin with `zdpu`. Text is written and parsed for
//! every link of every entry, so both work on whole words instead of digits.
//!
//! Nothing here fails with an error. Reading text that may be another address is in `cid.rs`.

use std::fmt;

use sha2::{Digest, Sha256};

/// Version 1, codec dag-cbor, hash sha2-256 of 32 bytes.
const PREFIX: [u8; 4] = [0x01, 0x71, 0x12, 0x20];
const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// The value of each digit, 255 for characters that are no digits.
const DIGITS: [u8; 256] = digits();
/// 58^5, the greatest power that fits a 32-bit word.
const FIVE_DIGITS: u64 = 58 * 58 * 58 * 58 * 58;
const WORDS: usize = 9;

/// Characters of a content address.
pub(crate) const CID_TEXT_BYTES: usize = 49;

/// The address of a block: the SHA-256 of its bytes.
///
/// Ordered by the bytes of the digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogCid([u8; 32]);

impl LogCid {
    /// The address of these bytes.
    pub fn of(block: &[u8]) -> LogCid {
        LogCid(Sha256::digest(block).into())
    }

    /// The SHA-256 digest.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// The address with this SHA-256 digest.
    pub fn from_digest(digest: [u8; 32]) -> LogCid {
        LogCid(digest)
    }

    /// The binary form: `01 71 12 20` and the digest.
    pub fn to_bytes(&self) -> [u8; 36] {
        let mut bytes = [0; 36];
        bytes[..4].copy_from_slice(&PREFIX);
        bytes[4..].copy_from_slice(&self.0);
        bytes
    }

    /// The text form, as ASCII.
    pub(crate) fn text(&self) -> [u8; CID_TEXT_BYTES] {
        let mut words = words_of(&self.to_bytes());
        let mut text = [b'z'; CID_TEXT_BYTES];
        let mut end = CID_TEXT_BYTES;
        while end > 1 {
            let mut group = divide(&mut words, FIVE_DIGITS);
            for _ in 0..5.min(end - 1) {
                end -= 1;
                text[end] = ALPHABET[(group % 58) as usize];
                group /= 58;
            }
        }
        text
    }

    /// Reads the text form, given as ASCII.
    pub(crate) fn parse(text: &[u8]) -> Option<LogCid> {
        if text.len() != CID_TEXT_BYTES || text[0] != b'z' {
            return None;
        }
        // 48 digits are a group of three and nine groups of five.
        let (first, rest) = text[1..].split_at(3);
        let mut words = [0; WORDS];
        for group in std::iter::once(first).chain(rest.chunks_exact(5)) {
            let (mut value, mut scale) = (0u64, 1u64);
            for character in group {
                let digit = DIGITS[usize::from(*character)];
                if digit == 255 {
                    return None;
                }
                value = value * 58 + u64::from(digit);
                scale *= 58;
            }
            if multiply_add(&mut words, scale, value) != 0 {
                return None;
            }
        }
        let mut bytes = [0; 36];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        bytes.strip_prefix(&PREFIX)?.try_into().ok().map(LogCid)
    }
}

impl fmt::Display for LogCid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        f.pad(std::str::from_utf8(&text).expect("invariant: base58 is ASCII"))
    }
}

impl fmt::Debug for LogCid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const fn digits() -> [u8; 256] {
    let mut table = [255; 256];
    let mut digit = 0;
    while digit < 58 {
        table[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
}

/// The bytes as a big-endian number of 32-bit words.
fn words_of(bytes: &[u8; 36]) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_be_bytes(chunk.try_into().expect("invariant: chunks of four"));
    }
    words
}

/// Divides the number in place and returns the remainder.
fn divide(words: &mut [u32; WORDS], divisor: u64) -> u64 {
    let mut remainder = 0;
    for word in words {
        let value = (remainder << 32) | u64::from(*word);
        *word = (value / divisor) as u32;
        remainder = value % divisor;
    }
    remainder
}

/// Multiplies the number in place, adds, and returns what did not fit.
fn multiply_add(words: &mut [u32; WORDS], factor: u64, addend: u64) -> u64 {
    let mut carry = addend;
    for word in words.iter_mut().rev() {
        let value = u64::from(*word) * factor + carry;
        *word = value as u32;
        carry = value >> 32;
    }
    carry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_agrees_with_a_general_base58() {
        let mut digest = [0u8; 32];
        for round in 0..2_000u32 {
            digest.copy_from_slice(LogCid::of(&round.to_be_bytes()).digest());
            if round == 0 {
                digest = [0; 32];
            } else if round == 1 {
                digest = [255; 32];
            }
            let cid = LogCid(digest);
            let expected = format!("z{}", bs58::encode(cid.to_bytes()).into_string());
            assert_eq!(cid.to_string(), expected);
            assert_eq!(LogCid::parse(expected.as_bytes()), Some(cid));
        }
    }
}
