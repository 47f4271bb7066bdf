//! The key of a private swarm: 32 bytes that every member has, in the file format of go-ipfs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libp2p::pnet::PreSharedKey;

use crate::Error;

const KIND: &str = "/key/swarm/psk/1.0.0/";
const KEY_BYTES: usize = 32;
/// The digits that 32 bytes have in base64, the padding among them.
const BASE64_DIGITS: usize = 44;
const TOO_SHORT: Error = Error::SwarmKey("the key has less than 32 bytes");

/// The key of a private swarm. Hosts without it cannot even begin to speak with those that have it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SwarmKey([u8; KEY_BYTES]);

impl SwarmKey {
    /// Reads the text of a swarm key file: a line `/key/swarm/psk/1.0.0/`, a line `/base16/` or
    /// `/base64/`, and the key in that encoding. What follows is passed over, as IPFS does.
    ///
    /// # Errors
    /// [`Error::SwarmKey`] if it is something else.
    pub fn parse(text: &str) -> Result<SwarmKey, Error> {
        SwarmKey::from_file(text.as_bytes())
    }

    /// Reads the bytes of a swarm key file, which may also hold the key as it is, after a line
    /// `/bin/`.
    ///
    /// # Errors
    /// [`Error::SwarmKey`] if they are something else.
    pub fn from_file(bytes: &[u8]) -> Result<SwarmKey, Error> {
        let (kind, rest) = line(bytes);
        if kind != KIND.as_bytes() {
            return Err(Error::SwarmKey("its first line is not /key/swarm/psk/1.0.0/"));
        }
        let (encoding, rest) = line(rest);
        let key = match encoding {
            b"/base16/" => hex::decode(first(rest, 2 * KEY_BYTES)?)
                .map_err(|_| Error::SwarmKey("its third line is not base16"))?,
            b"/base64/" => {
                let digits: Vec<u8> =
                    rest.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
                STANDARD
                    .decode(first(&digits, BASE64_DIGITS)?)
                    .map_err(|_| Error::SwarmKey("its third line is not base64"))?
            }
            b"/bin/" => rest.to_vec(),
            _ => {
                let why = "its second line is none of /base16/, /base64/ and /bin/";
                return Err(Error::SwarmKey(why));
            }
        };
        let key = first(&key, KEY_BYTES)?;
        Ok(SwarmKey(key.try_into().map_err(|_| TOO_SHORT)?))
    }

    /// What two operators can compare without showing the key.
    pub fn fingerprint(&self) -> String {
        self.shared().fingerprint().to_string()
    }

    pub(crate) fn shared(&self) -> PreSharedKey {
        PreSharedKey::new(self.0)
    }
}

impl fmt::Debug for SwarmKey {
    /// Shows the fingerprint alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SwarmKey({})", self.fingerprint())
    }
}

/// The first line without its end, and what follows.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, rest) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    (line.trim_ascii_end(), rest)
}

/// Bytes of a key. IPFS looks at so many, and nodes of one swarm must agree.
fn first(bytes: &[u8], count: usize) -> Result<&[u8], Error> {
    bytes.get(..count).ok_or(TOO_SHORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

    #[test]
    fn the_three_encodings_are_one_key() {
        let raw = hex::decode(HEX).unwrap();
        let base16 = SwarmKey::parse(&format!("{KIND}\n/base16/\n{HEX}\n")).unwrap();
        let windows = SwarmKey::parse(&format!("{KIND}\r\n/base16/\r\n{HEX}")).unwrap();
        let base64 =
            SwarmKey::parse(&format!("{KIND}\n/base64/\n{}\n", STANDARD.encode(&raw))).unwrap();
        let mut file = format!("{KIND}\n/bin/\n").into_bytes();
        file.extend_from_slice(&raw);
        let bin = SwarmKey::from_file(&file).unwrap();
        file.push(b'\n');
        assert_eq!(SwarmKey::from_file(&file).unwrap(), bin);
        assert_eq!(base16, windows);
        assert_eq!(base16, base64);
        assert_eq!(base16, bin);
        // What IPFS takes, with something behind the key or lines within it.
        for more in ["\n# of the site in the north\n", HEX] {
            let text = format!("{KIND}\n/base16/\n{HEX}{more}");
            assert_eq!(SwarmKey::parse(&text).unwrap(), base16);
            file.extend_from_slice(more.as_bytes());
            assert_eq!(SwarmKey::from_file(&file).unwrap(), bin);
        }
        let text = STANDARD.encode(&raw);
        let (one, two) = text.split_at(20);
        let lines = format!("{KIND}\n/base64/\n{one}\r\n{two}\nmore");
        assert_eq!(SwarmKey::parse(&lines).unwrap(), base64);
        assert!(!format!("{base16:?}").contains("0011"));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "".to_owned(),
            HEX.to_owned(),
            format!("{KIND}\n/base16/\n"),
            format!("{KIND}\n/base16/\n{}\n", &HEX[2..]),
            format!("{KIND}\n/base16/\nü{}\n", &HEX[2..]),
            format!("{KIND}\n/base32/\n{HEX}\n"),
            format!("/key/swarm/psk/2.0.0/\n/base16/\n{HEX}\n"),
            format!("{KIND}\n/base64/\n%%%\n"),
            format!("{KIND}\n/bin/\nshort"),
        ] {
            assert!(matches!(SwarmKey::parse(&text), Err(Error::SwarmKey(_))), "{text:?}");
        }
    }
}
