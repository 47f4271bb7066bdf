//! A store to be made: from what was asked for to the blocks that define it.

use super::names::access_name;
use crate::error::Error;
use optimusdb_dag::limits::ACCESS_WRITERS_MAX;
use optimusdb_dag::{AccessController, Address, IdentityKeys, Ipld, LogCid, Manifest, StoreKind};
use optimusdb_storage::Scope;
use std::collections::BTreeMap;

/// In lists of identities: every one.
const ANYONE: &str = "*";
/// Characters of the id of an identity: a public key in hexadecimal.
const IDENTITY_CHARS: usize = 66;

/// Who is to write to a new store. The node that makes it always may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NewAccess {
    /// Every member of the swarm.
    #[default]
    Anyone,
    /// These identities, for good.
    Fixed {
        /// Ids of identities, or `*`.
        write: Vec<String>,
    },
    /// These identities, until an admin changes it. The node that makes the store is an admin.
    Mutable {
        /// Ids of identities, or `*`.
        write: Vec<String>,
        /// Further admins, for good.
        admin: Vec<String>,
    },
}

/// A store to be made, with the blocks that define it.
#[derive(Debug, Clone)]
pub(crate) struct NewStore {
    pub(crate) name: String,
    pub(crate) kind: StoreKind,
    pub(crate) address: Address,
    pub(crate) scope: Scope,
    pub(crate) blocks: Vec<(LogCid, Vec<u8>)>,
    /// The store that says who may write to it, made before it.
    pub(crate) access: Option<Box<NewStore>>,
    /// Whom that store grants writing from the start.
    pub(crate) grants: Vec<String>,
    /// Whether the swarm's list of stores names it from now on.
    pub(crate) listed: bool,
}

/// The part that a store made or adopted here plays.
pub(crate) fn scope_of(kind: StoreKind) -> Scope {
    match kind {
        StoreKind::Documents => Scope::Resource,
        StoreKind::Events | StoreKind::KeyValue => Scope::Plain,
    }
}

/// The blocks and the address of a store of this node's swarm.
///
/// The manifest names the swarm, so that equal names in two swarms are two stores.
pub(crate) fn new_store(
    name: &str,
    kind: StoreKind,
    scope: Scope,
    access: NewAccess,
    swarm: &str,
    keys: &IdentityKeys,
) -> Result<NewStore, Error> {
    let me = &keys.identity().id;
    match access {
        NewAccess::Anyone => {
            build(name, kind, scope, AllowedWriters::List(vec![ANYONE.to_owned()]), swarm, keys)
        }
        NewAccess::Fixed { write } => {
            build(name, kind, scope, AllowedWriters::List(with(me, write)?), swarm, keys)
        }
        NewAccess::Mutable { write, admin } => {
            let grants = with(me, write)?;
            if grants.len() > ACCESS_WRITERS_MAX {
                return Err(Error::TooLarge(format!(
                    "{} identities are to write to {name}; {ACCESS_WRITERS_MAX} may",
                    grants.len()
                )));
            }
            let admins = AllowedWriters::List(with(me, admin)?);
            let mut ruler = build(name, StoreKind::KeyValue, Scope::Access, admins, swarm, keys)?;
            ruler.name = access_name(name);
            let mut store =
                build(name, kind, scope, AllowedWriters::Store(ruler.address), swarm, keys)?;
            // The node that makes it may write as an admin.
            store.grants = grants.into_iter().filter(|id| id != me).collect();
            store.access = Some(Box::new(ruler));
            Ok(store)
        }
    }
}

enum AllowedWriters {
    List(Vec<String>),
    Store(Address),
}

fn build(
    name: &str,
    kind: StoreKind,
    scope: Scope,
    rule: AllowedWriters,
    swarm: &str,
    keys: &IdentityKeys,
) -> Result<NewStore, Error> {
    let unusable = |e: optimusdb_dag::Error| Error::Internal(format!("store {name}: {e}"));
    let identity = keys.identity();
    let mut blocks = vec![(identity.cid, identity.block.clone())];
    let access = match rule {
        AllowedWriters::Store(address) => address.to_string(),
        AllowedWriters::List(write) => {
            let list = AccessController::ipfs(write);
            let (cid, block) = list.encode();
            AccessController::decode(cid, &block)
                .map_err(|e| Error::TooLarge(format!("the list of writers of {name}: {e}")))?;
            blocks.push((cid, block));
            list.address()
        }
    };
    let mut meta = BTreeMap::from([("swarm".to_owned(), Ipld::String(swarm.into()))]);
    if scope == Scope::Access {
        // So that no store of values has its address.
        meta.insert("purpose".into(), Ipld::String("access".into()));
    }
    let manifest = Manifest { name: name.into(), kind, access, meta: Some(Ipld::Map(meta)) };
    let address = manifest.address().map_err(unusable)?;
    blocks.push(manifest.encode().map_err(unusable)?);
    Ok(NewStore {
        name: name.into(),
        kind,
        address,
        scope,
        blocks,
        access: None,
        grants: Vec::new(),
        listed: false,
    })
}

/// The identity of the node that makes the store, then the given ones, each once. If `*` is among
/// them, it stands for all.
fn with(me: &str, given: Vec<String>) -> Result<Vec<String>, Error> {
    let mut ids = vec![me.to_owned()];
    for id in given {
        check_identity(&id)?;
        if id == ANYONE {
            return Ok(vec![id]);
        }
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// Refuses what cannot be the id of an identity and is not `*`.
pub(crate) fn check_identity(id: &str) -> Result<(), Error> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if id == ANYONE || (id.len() == IDENTITY_CHARS && id.bytes().all(hex)) {
        return Ok(());
    }
    let shown: String = id.chars().take(IDENTITY_CHARS + 4).collect();
    Err(Error::Invalid(format!(
        "{shown:?} is no identity: that is {IDENTITY_CHARS} of 0-9 and a-f, as GET /id shows it, or \
         \"*\" for every one"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(access: NewAccess) -> Result<NewStore, Error> {
        let keys = IdentityKeys::from_bytes(&[1; 32], &[2; 32]).unwrap();
        new_store("things", StoreKind::Documents, Scope::Resource, access, "swarm", &keys)
    }

    #[test]
    fn the_address_says_who_may_write() {
        let other = "02".repeat(33);
        let anyone = made(NewAccess::Anyone).unwrap();
        let listed = made(NewAccess::Fixed { write: vec![other.clone(), "*".into()] }).unwrap();
        assert_eq!(anyone.address, listed.address);
        let alone = made(NewAccess::Fixed { write: vec![] }).unwrap();
        let two = made(NewAccess::Fixed { write: vec![other.clone()] }).unwrap();
        let twice = made(NewAccess::Fixed { write: vec![other.clone(), other.clone()] }).unwrap();
        assert_eq!(two.address, twice.address);
        let mutable = NewAccess::Mutable { write: vec![other.clone()], admin: vec![] };
        let mutable = made(mutable).unwrap();
        let ruler = mutable.access.as_ref().unwrap();
        assert_eq!((ruler.name.as_str(), &mutable.grants), ("things/access", &vec![other]));
        let addresses =
            [anyone.address, alone.address, two.address, mutable.address, ruler.address];
        for (i, address) in addresses.iter().enumerate() {
            assert!(!addresses[i + 1..].contains(address));
        }
    }

    #[test]
    fn identities_are_hexadecimal() {
        for wrong in ["", "**", "02ab", &"0G".repeat(33), &"0A".repeat(33), &"é".repeat(33)] {
            let refused = made(NewAccess::Fixed { write: vec![wrong.to_owned()] }).unwrap_err();
            assert!(matches!(refused, Error::Invalid(_)), "{wrong}: {refused}");
        }
        let many = (0..1_100).map(|n| format!("{n:066x}")).collect();
        let refused = made(NewAccess::Fixed { write: many }).unwrap_err();
        assert!(matches!(refused, Error::TooLarge(_)), "{refused}");
    }
}
