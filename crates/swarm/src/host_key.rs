//! The key of the libp2p host. Its public half is the peer id.

use libp2p_identity::{Keypair, PeerId};

use crate::Error;

/// An Ed25519 key of a libp2p host.
#[derive(Debug, Clone)]
pub struct HostKey(Keypair);

impl HostKey {
    /// A new key from the system's randomness.
    pub fn generate() -> HostKey {
        HostKey(Keypair::generate_ed25519())
    }

    /// Reads what [`HostKey::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Error::HostKey`] if the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<HostKey, Error> {
        Ok(HostKey(Keypair::from_protobuf_encoding(bytes)?))
    }

    /// The private key in libp2p's protobuf form, as other libp2p programs store it.
    ///
    /// # Errors
    /// [`Error::HostKey`] if the key has no such form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        Ok(self.0.to_protobuf_encoding()?)
    }

    /// The peer id as text: `12D3KooW…`.
    pub fn peer_id(&self) -> String {
        self.id().to_string()
    }

    /// The peer id.
    pub fn id(&self) -> PeerId {
        self.0.public().to_peer_id()
    }

    pub(crate) fn keypair(&self) -> &Keypair {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_with_its_peer_id() {
        let key = HostKey::generate();
        let back = HostKey::from_bytes(&key.to_bytes().unwrap()).unwrap();
        assert_eq!(back.peer_id(), key.peer_id());
        assert!(key.peer_id().starts_with("12D3KooW"));
    }

    #[test]
    fn other_bytes_are_an_error() {
        assert!(HostKey::from_bytes(b"not a key").is_err());
        assert!(HostKey::from_bytes(&[]).is_err());
    }
}
