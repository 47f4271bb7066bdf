//! Identities: who writes. An id key that names a writer and a signing key that
//! signs its entries, bound to each other by two signatures.
//!
//! An [`Identity`] always has been verified: it comes either from its own keys or
//! through [`Identity::decode`], which checks both signatures. Its block is an
//! ordinary block that a node must serve, or nobody can verify its entries.

use std::fmt;
use std::sync::Arc;

use k256::ecdsa::SigningKey;
use secp256k1::PublicKey;

use crate::cbor::{self, Reader};
use crate::limits::IDENTITY_BYTES_MAX;
use crate::{Error, LogCid, keys};

/// The only type of identity there is.
const TYPE: &str = "publickey";

/// A verified identity.
#[derive(Clone)]
pub struct Identity {
    /// The address of its block: what entries name as `identity`.
    pub cid: LogCid,
    /// Its exact bytes.
    pub block: Vec<u8>,
    /// The public key of the id key in hexadecimal: what access lists name.
    pub id: String,
    /// The public key of the signing key in hexadecimal: what entries name as `key`.
    pub public_key: String,
    /// The signing key's signature over `id`.
    pub id_signature: String,
    /// The id key's signature over `public_key` and `id_signature`.
    pub key_signature: String,
    /// `public_key`, parsed once.
    verifying_key: PublicKey,
}

impl Identity {
    /// Reads an identity block and verifies both its signatures.
    ///
    /// # Errors
    /// [`Error::HashMismatch`] if the bytes are not those of `cid`; otherwise
    /// the rule that is broken.
    pub fn decode(cid: LogCid, block: &[u8]) -> Result<Identity, Error> {
        crate::check_block("identity", cid, block, IDENTITY_BYTES_MAX)?;
        let mut reader = Reader::new(block);
        let mut fields = reader.fields("identity")?;
        fields.field(&mut reader, "id")?;
        let id = reader.text("id")?;
        fields.field(&mut reader, "type")?;
        if reader.text("type")? != TYPE {
            return Err(Error::IdentityType);
        }
        fields.field(&mut reader, "publicKey")?;
        let public_key = reader.text("publicKey")?;
        fields.field(&mut reader, "signatures")?;
        let mut signatures = reader.fields("signatures")?;
        signatures.field(&mut reader, "id")?;
        let id_signature = reader.text("signatures.id")?;
        signatures.field(&mut reader, "publicKey")?;
        let key_signature = reader.text("signatures.publicKey")?;
        signatures.end()?;
        fields.end()?;
        reader.end()?;

        let verifying_key = keys::public_key(public_key)?;
        let id_key = keys::public_key(id)?;
        let digest = keys::message_digest(&[id.as_bytes()]);
        keys::verify(&verifying_key, &digest, &keys::signature(id_signature)?)
            .map_err(|_| Error::IdentityIdSignature)?;
        let digest = keys::message_digest(&[public_key.as_bytes(), id_signature.as_bytes()]);
        keys::verify(&id_key, &digest, &keys::signature(key_signature)?)
            .map_err(|_| Error::IdentityKeySignature)?;

        Ok(Identity {
            cid,
            block: block.to_vec(),
            id: id.to_owned(),
            public_key: public_key.to_owned(),
            id_signature: id_signature.to_owned(),
            key_signature: key_signature.to_owned(),
            verifying_key,
        })
    }

    /// The public key that verifies this identity's entries, parsed.
    pub(crate) fn verifying_key(&self) -> &PublicKey {
        &self.verifying_key
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Identity) -> bool {
        self.cid == other.cid
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("cid", &self.cid)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The private keys of this node's identity, and the identity they make.
#[derive(Clone)]
pub struct IdentityKeys {
    signing_key: SigningKey,
    identity: Arc<Identity>,
    /// `identity.public_key` in the form clocks share.
    clock_id: Arc<str>,
}

impl IdentityKeys {
    /// Makes the identity of an id key and a signing key, each of 32 bytes.
    /// The same keys always make the same identity.
    ///
    /// # Errors
    /// [`Error::PrivateKey`] if one of them is zero or not below the group order.
    pub fn from_bytes(id: &[u8; 32], signing: &[u8; 32]) -> Result<IdentityKeys, Error> {
        let id_key = keys::private_key(id)?;
        let signing_key = keys::private_key(signing)?;
        let id = keys::public_key_text(&id_key);
        let public_key = keys::public_key_text(&signing_key);
        let digest = keys::message_digest(&[id.as_bytes()]);
        let id_signature = keys::signature_text(&keys::sign(&signing_key, &digest));
        let digest = keys::message_digest(&[public_key.as_bytes(), id_signature.as_bytes()]);
        let key_signature = keys::signature_text(&keys::sign(&id_key, &digest));
        let block = block(&id, &public_key, &id_signature, &key_signature);
        let verifying_key = keys::public_key(&public_key)?;
        let clock_id = Arc::from(public_key.as_str());
        let identity = Identity {
            cid: LogCid::of(&block),
            block,
            id,
            public_key,
            id_signature,
            key_signature,
            verifying_key,
        };
        Ok(IdentityKeys { signing_key, identity: Arc::new(identity), clock_id })
    }

    /// The identity these keys make.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    pub(crate) fn clock_id(&self) -> &Arc<str> {
        &self.clock_id
    }

    pub(crate) fn signing_key(&self) -> &SigningKey {
        &self.signing_key
    }
}

/// Shows no private key.
impl fmt::Debug for IdentityKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityKeys").field("identity", &self.identity).finish_non_exhaustive()
    }
}

fn block(id: &str, public_key: &str, id_signature: &str, key_signature: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    cbor::put_head(&mut out, cbor::MAP, 4);
    for text in ["id", id, "type", TYPE, "publicKey", public_key, "signatures"] {
        cbor::put_text(&mut out, text);
    }
    cbor::put_head(&mut out, cbor::MAP, 2);
    for text in ["id", id_signature, "publicKey", key_signature] {
        cbor::put_text(&mut out, text);
    }
    out
}
