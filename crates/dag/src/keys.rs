//! ECDSA over secp256k1 and SHA-256: deterministic (RFC 6979), low s, DER, in
//! lower-case hexadecimal.
//!
//! Other forms of the same signature (high s, compact, upper case) are refused:
//! there is one text for one signature. Keys are given as bytes; this crate
//! makes no randomness.
//!
//! Two implementations of the curve, each for what it does faster: `k256` signs
//! and reads signatures, libsecp256k1 reads public keys and verifies.

use k256::ecdsa::signature::hazmat::PrehashSigner;
use k256::ecdsa::{Signature, SigningKey};
use secp256k1::{Message, PublicKey};
use sha2::{Digest, Sha256};

use crate::Error;

/// Characters of a public key: 33 bytes in hexadecimal.
pub(crate) const PUBLIC_KEY_TEXT_BYTES: usize = 66;

/// Parses a compressed public key from lower-case hexadecimal.
pub(crate) fn public_key(text: &str) -> Result<PublicKey, Error> {
    if text.len() != PUBLIC_KEY_TEXT_BYTES || !is_lower_hex(text) {
        return Err(Error::PublicKey);
    }
    let mut bytes = [0; PUBLIC_KEY_TEXT_BYTES / 2];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| Error::PublicKey)?;
    PublicKey::from_byte_array_compressed(bytes).map_err(|_| Error::PublicKey)
}

/// A private key from its 32 bytes.
pub(crate) fn private_key(bytes: &[u8; 32]) -> Result<SigningKey, Error> {
    SigningKey::from_slice(bytes).map_err(|_| Error::PrivateKey)
}

/// The public key in lower-case hexadecimal.
pub(crate) fn public_key_text(key: &SigningKey) -> String {
    hex::encode(key.verifying_key().to_sec1_point(true).as_bytes())
}

/// The SHA-256 of the parts one after the other.
pub(crate) fn message_digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Signs the digest of a message.
pub(crate) fn sign(key: &SigningKey, digest: &[u8; 32]) -> Signature {
    // The curve's signer already picks the low s.
    key.sign_prehash(digest).expect("invariant: a digest of 32 bytes can be signed")
}

/// Checks a signature over the digest of a message.
pub(crate) fn verify(
    key: &PublicKey,
    digest: &[u8; 32],
    signature: &Signature,
) -> Result<(), Error> {
    let signature = secp256k1::ecdsa::Signature::from_compact(&signature.to_bytes())
        .map_err(|_| Error::SignatureWrong)?;
    signature.verify(Message::from_digest(*digest), key).map_err(|_| Error::SignatureWrong)
}

/// The text of a signature.
pub(crate) fn signature_text(signature: &Signature) -> String {
    hex::encode(signature.to_der().as_bytes())
}

/// Parses the text of a signature.
pub(crate) fn signature(text: &str) -> Result<Signature, Error> {
    if !is_lower_hex(text) {
        return Err(Error::SignatureText);
    }
    // 72 bytes are the longest DER form: 144 characters.
    let mut der = [0; 72];
    let der = der.get_mut(..text.len() / 2).ok_or(Error::SignatureDer)?;
    hex::decode_to_slice(text, der).map_err(|_| Error::SignatureText)?;
    let signature = Signature::from_der(der).map_err(|_| Error::SignatureDer)?;
    if signature.to_der().as_bytes() != &*der {
        return Err(Error::SignatureDer);
    }
    if signature.normalize_s() != signature {
        return Err(Error::SignatureHighS);
    }
    Ok(signature)
}

pub(crate) fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector() -> serde_json::Value {
        serde_json::from_str(include_str!("../tests/vectors/signature.json")).unwrap()
    }

    #[test]
    fn signs_as_the_vector() {
        let vector = vector();
        let field = |name: &str| vector[name].as_str().unwrap().to_owned();
        let bytes: [u8; 32] = hex::decode(field("privateKeyHex")).unwrap().try_into().unwrap();
        let key = private_key(&bytes).unwrap();
        assert_eq!(public_key_text(&key), field("publicKeyHex"));
        let message = field("messageUtf8");
        let (first, second) = message.as_bytes().split_at(7);
        let digest = message_digest(&[first, second]);
        assert_eq!(hex::encode(digest), field("digestSha256"));
        let signed = sign(&key, &digest);
        assert_eq!(signature_text(&signed), field("sigDerLowS"));
        let parsed = signature(&field("sigDerLowS")).unwrap();
        let public = public_key(&field("publicKeyHex")).unwrap();
        assert_eq!(verify(&public, &digest, &parsed), Ok(()));
        assert_eq!(verify(&public, &[0; 32], &parsed), Err(Error::SignatureWrong));
    }

    #[test]
    fn other_forms_are_refused() {
        let low = vector()["sigDerLowS"].as_str().unwrap().to_owned();
        let padded = format!("3046{}022100{}", &low[4..74], &low[78..]);
        let cases = [
            (vector()["sigDerHighS"].as_str().unwrap().to_owned(), Error::SignatureHighS),
            (low.to_uppercase(), Error::SignatureText),
            ("é".repeat(70), Error::SignatureText),
            (String::new(), Error::SignatureDer),
            (low[..low.len() - 1].to_owned(), Error::SignatureText),
            (low[..low.len() - 2].to_owned(), Error::SignatureDer),
            (format!("{low}00"), Error::SignatureDer),
            (padded, Error::SignatureDer),
            ("30".repeat(500), Error::SignatureDer),
            ("3006020100020100".to_owned(), Error::SignatureDer),
        ];
        for (text, why) in cases {
            assert_eq!(signature(&text), Err(why), "{text}");
        }
    }

    #[test]
    fn only_compressed_public_keys() {
        let good = vector()["publicKeyHex"].as_str().unwrap().to_owned();
        assert!(public_key(&good).is_ok());
        let off_curve = format!("02{}", "ff".repeat(32));
        for text in [
            "",
            &good[2..],
            &good.to_uppercase(),
            &format!("04{}", &good[2..]),
            &off_curve,
            &"é".repeat(33),
        ] {
            assert_eq!(public_key(text).err(), Some(Error::PublicKey), "{text}");
        }
        assert_eq!(private_key(&[0; 32]).err(), Some(Error::PrivateKey));
        assert_eq!(private_key(&[255; 32]).err(), Some(Error::PrivateKey));
    }
}
