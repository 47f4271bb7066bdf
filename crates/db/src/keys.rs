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

const HOST: &str = "peer.key";

/// The key of the libp2p host. In a directory that was copied it is a new one: to everybody else
/// two hosts with one key would be one peer, and only one of them would be heard.
pub(crate) fn host(repo: &Repo) -> Result<HostKey, Error> {
    let unusable = |e: optimusdb_swarm::Error| Error::Corrupt(e.to_string());
    let copied = repo.put_copied_key_aside(HOST)?;
    let bytes = repo.key_file(HOST, || HostKey::generate().to_bytes().map_err(unusable))?;
    repo.note_key(HOST)?;
    let key = HostKey::from_bytes(&bytes).map_err(unusable)?;
    if copied {
        tracing::warn!(
            "{} is a copy of a data directory, or was restored from one: as the original may still \
             run, this node takes the new peer id {}, and the old key is kept as keys/{HOST}.copied",
            repo.path().display(),
            key.peer_id()
        );
    }
    Ok(key)
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
