//! Entries that break no rule, whose parents exist nowhere.

use optimusdb_dag::{Address, Entry, IdentityKeys, Links, LogCid, Operation};

use crate::raw::Failure;

/// Keys that nobody had before.
pub(crate) fn new_keys() -> Result<IdentityKeys, Failure> {
    let (mut root, mut signing) = ([0; 32], [0; 32]);
    getrandom::fill(&mut root)?;
    getrandom::fill(&mut signing)?;
    Ok(IdentityKeys::from_bytes(&root, &signing)?)
}

/// The entry number `number`, which names so many parents that are nowhere.
pub(crate) fn orphan(
    keys: &IdentityKeys,
    log: Address,
    number: u64,
    parents: usize,
) -> Result<Entry, Failure> {
    let nowhere = |parent: usize| {
        let name = [number.to_be_bytes(), parent.to_be_bytes()].concat();
        LogCid::of(&[keys.identity().cid.to_string().as_bytes(), &name].concat())
    };
    let links = Links { next: (0..parents).map(nowhere).collect(), refs: Vec::new(), time: 2 };
    let payload = Operation::Del { key: format!("orphan-{number}") }.into_payload(None);
    Ok(Entry::sign(keys, log, links, payload)?)
}
