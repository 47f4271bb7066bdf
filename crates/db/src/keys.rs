//! The node's private keys, made at its first start.

use crate::error::Error;
use optimusdb_dag::IdentityKeys;
use optimusdb_storage::Repo;
use optimusdb_swarm::HostKey;

const IDENTITY: &str = "identity.key";
const SIGNING: &str = "signing.key";
const HOST: &str = "peer.key";

/// The identity that signs entries: two secp256k1 keys of 32 bytes, in two files.
pub(crate) fn identity(repo: &Repo) -> Result<IdentityKeys, Error> {
    let [id, signing] = [IDENTITY, SIGNING];
    match (repo.has_key(id)?, repo.has_key(signing)?) {
        (true, false) => return Err(missing(repo, signing, id)),
        (false, true) => return Err(missing(repo, id, signing)),
        (false, false) if repo.database_path().exists() => tracing::warn!(
            "{} has data and no keys: this node writes as a new identity from now on, and stores that \
             only the old one may write to are closed to it",
            repo.path().display()
        ),
        _ => {}
    }
    let (id, signing) = (secret(repo, id)?, secret(repo, signing)?);
    IdentityKeys::from_bytes(&id, &signing)
        .map_err(|e| Error::Corrupt(format!("the identity keys cannot be used: {e}")))
}

/// One half of an identity is no identity, and another half would make it somebody else.
fn missing(repo: &Repo, absent: &str, present: &str) -> Error {
    let keys = repo.path().join("keys");
    Error::Corrupt(format!(
        "{} is missing, and {present} alone cannot sign: put it back from a backup; or move {present} \
         away, too, and the node writes as a new identity",
        keys.join(absent).display()
    ))
}

/// Closes a key to others, and says so: who has read it can do what the node can.
fn close(repo: &Repo, name: &str) -> Result<(), Error> {
    if let Some(mode) = repo.close_key(name)? {
        tracing::warn!(
            "{} could be read by other users (mode {mode:04o}) and is closed to them now; if somebody \
             may have read it, revoke this identity and take a new one",
            repo.path().join("keys").join(name).display()
        );
    }
    Ok(())
}

/// The key of the libp2p host. In a directory that was copied it is a new one: to everybody else
/// two hosts with one key would be one peer, and only one of them would be heard.
pub(crate) fn host(repo: &Repo) -> Result<HostKey, Error> {
    let unusable = |e: optimusdb_swarm::Error| Error::Corrupt(e.to_string());
    let copied = repo.put_copied_key_aside(HOST)?;
    close(repo, HOST)?;
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
    close(repo, name)?;
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
