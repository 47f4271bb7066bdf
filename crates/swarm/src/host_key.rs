//! The key of the libp2p host. Its public half is the peer id.

use libp2p_identity::{DecodingError, Keypair};

/// An Ed25519 key of a libp2p host.
#[derive(Debug, Clone)]
pub struct HostKey(Keypair);

/// Why bytes are not a host key.
#[derive(Debug, thiserror::Error)]
#[error("the host key cannot be read: {0}")]
pub struct Error(#[from] DecodingError);

impl HostKey {
    /// A new key from the system's randomness.
    pub fn generate() -> HostKey {
        HostKey(Keypair::generate_ed25519())
    }

    /// Reads what [`HostKey::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<HostKey, Error> {
        Ok(HostKey(Keypair::from_protobuf_encoding(bytes)?))
    }

    /// The private key in libp2p's protobuf form, as other libp2p programs store it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        Ok(self.0.to_protobuf_encoding()?)
    }

    /// The peer id as text: `12D3KooW…`.
    pub fn peer_id(&self) -> String {
        self.0.public().to_peer_id().to_string()
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
