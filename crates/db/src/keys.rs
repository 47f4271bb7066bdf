//! The node's private keys, made at its first start.

use crate::error::Error;
use optimusdb_dag::IdentityKeys;
use optimusdb_storage::Repo;
use optimusdb_swarm::HostKey;

/// The identity that signs entries: two secp256k1 keys of 32 bytes, in two files.
pub(crate) fn identity(repo: &Repo) -> Result<IdentityKeys, Error> {
    let id = secret(repo, "identity.key")?;
    let signing = secret(repo, "signing.key")?;
    IdentityKeys::from_bytes(&id, &signing)
        .map_err(|e| Error::Corrupt(format!("the identity keys cannot be used: {e}")))
}

/// The key of the libp2p host.
pub(crate) fn host(repo: &Repo) -> Result<HostKey, Error> {
    let unusable = |e: optimusdb_swarm::Error| Error::Corrupt(e.to_string());
    let bytes = repo.key_file("peer.key", || HostKey::generate().to_bytes().map_err(unusable))?;
    HostKey::from_bytes(&bytes).map_err(unusable)
}

fn secret(repo: &Repo, name: &str) -> Result<[u8; 32], Error> {
    let bytes = repo.key_file(name, || {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|e| Error::Internal(format!("the system gave no randomness: {e}")))?;
        Ok::<_, Error>(key.to_vec())
    })?;
    <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| {
        Error::Corrupt(format!("the key file {name} has {} bytes instead of 32", bytes.len()))
    })
}
