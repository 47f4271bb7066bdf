//! Addresses as text: a letter for the base, then the digits (multibase).
//!
//! Each letter has one spelling of an address: digits of the other case, or bits left over at the end
//! that are not zero, are refused. Upper-case letters are read, and never written.

use multibase::Base as Multibase;

use super::Version;
use crate::Error;
use crate::limits::CID_TEXT_BYTES_MAX;

/// Characters of version 0, and how they begin: 34 bytes that begin with `12 20`, in base58btc.
const V0_TEXT_BYTES: usize = 46;
const V0_BEGINS: &str = "Qm";

/// In which digits an address of version 1 is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// `f…`, hexadecimal.
    Base16,
    /// `b…`, the usual one.
    Base32,
    /// `k…`, which fits the names of hosts: usual for keys.
    Base36,
    /// `z…`, base58btc.
    Base58,
    /// `u…`, base64 for URLs.
    Base64Url,
}

impl Base {
    fn multibase(self) -> Multibase {
        match self {
            Base::Base16 => Multibase::Base16Lower,
            Base::Base32 => Multibase::Base32Lower,
            Base::Base36 => Multibase::Base36Lower,
            Base::Base58 => Multibase::Base58Btc,
            Base::Base64Url => Multibase::Base64Url,
        }
    }

    pub(super) fn write(self, bytes: &[u8]) -> String {
        multibase::encode(self.multibase(), bytes)
    }
}

/// The digits that a letter stands for.
fn digits_of(letter: u8) -> Option<Multibase> {
    Some(match letter {
        b'f' => Multibase::Base16Lower,
        b'F' => Multibase::Base16Upper,
        b'b' => Multibase::Base32Lower,
        b'B' => Multibase::Base32Upper,
        b'k' => Multibase::Base36Lower,
        b'K' => Multibase::Base36Upper,
        b'z' => Multibase::Base58Btc,
        b'u' => Multibase::Base64Url,
        _ => return None,
    })
}

/// The text of version 0.
pub(super) fn write_v0(bytes: &[u8]) -> String {
    Multibase::Base58Btc.encode(bytes)
}

/// The bytes that a text stands for, and the version that its form says.
///
/// # Errors
/// [`Error::CidText`].
pub(super) fn read(text: &str) -> Result<(Vec<u8>, Version), Error> {
    // Before any digit is looked at: some bases take time with the square of the length.
    if text.len() > CID_TEXT_BYTES_MAX {
        return Err(Error::CidText);
    }
    if text.len() == V0_TEXT_BYTES && text.starts_with(V0_BEGINS) {
        let bytes = Multibase::Base58Btc.decode(text).map_err(|_| Error::CidText)?;
        return Ok((bytes, Version::V0));
    }
    let digits = text.bytes().next().and_then(digits_of).ok_or(Error::CidText)?;
    // The library reads more than one spelling of the same bytes; it writes one.
    match digits.decode(&text[1..]) {
        Ok(bytes) if digits.encode(&bytes) == text[1..] => Ok((bytes, Version::V1)),
        _ => Err(Error::CidText),
    }
}
