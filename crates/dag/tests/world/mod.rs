//! What the tests share: two writers with public keys, vectors, and a replica in memory.
#![allow(dead_code, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use optimusdb_dag::join::{Join, JoinEffect, Passed, Proven, Replica};
use optimusdb_dag::{
    AccessController, Address, Entry, EntryLinks, Error, Heads, Identity, IdentityKeys, Ipld,
    Links, LogCid, LogTip, Operation, OrderKey, StoreKind, value,
};
use serde_json::Value;

pub fn keys(seed: u8) -> IdentityKeys {
    IdentityKeys::from_bytes(&[seed; 32], &[seed + 100; 32]).unwrap()
}

pub fn log() -> Address {
    Address::of_manifest(LogCid::of(b"a manifest"))
}

pub fn anyone() -> AccessController {
    AccessController::ipfs(vec!["*".into()])
}

pub fn put(key: &str, value: i128) -> Ipld {
    let document = BTreeMap::from([
        ("_id".to_owned(), Ipld::String(key.into())),
        ("n".to_owned(), Ipld::Integer(value)),
    ]);
    Operation::Put { key: key.into(), value: Ipld::Map(document) }.into_payload(None)
}

pub fn entry(keys: &IdentityKeys, time: u64, next: &[&Entry]) -> Entry {
    let links = Links { next: next.iter().map(|entry| entry.cid()).collect(), refs: vec![], time };
    Entry::sign(keys, log(), links, put("k", time.into())).unwrap()
}

/// Verifies an entry against an identity, as whoever hands it to a join does.
pub fn prove(entry: &Entry, log: &Address, identity: &Arc<Identity>) -> Result<Proven, Error> {
    Proven::new(entry.clone(), Arc::clone(identity), log)
}

/// An entry of one writer under the name of another.
pub fn forged(keys: &IdentityKeys, name: &IdentityKeys, time: u64, next: &[&Entry]) -> Entry {
    let mut parts = entry(keys, time, next).to_stored();
    parts.identity = name.identity().cid;
    let block = parts.block();
    Entry::decode(LogCid::of(&block), &block).unwrap()
}

/// The block of an entry with one field changed or left out, whatever that makes of it.
pub fn altered(entry: &Entry, field: &str, value: Option<Ipld>) -> Vec<u8> {
    let Ipld::Map(mut fields) = value::decode(entry.block()).unwrap() else { panic!("not a map") };
    match value {
        Some(value) => drop(fields.insert(field.into(), value)),
        None => drop(fields.remove(field)),
    }
    value::encode(&Ipld::Map(fields)).unwrap()
}

/// A vector file.
pub fn vector(name: &str) -> Value {
    let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {value}"))
}

pub fn bytes(value: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(value, field)).unwrap()
}

/// The value a vector file shows as JSON.
pub fn ipld(value: &Value) -> Ipld {
    match value {
        Value::Null => Ipld::Null,
        Value::Bool(bool) => Ipld::Bool(*bool),
        Value::Number(number) => match number.as_i128() {
            Some(integer) => Ipld::Integer(integer),
            None => Ipld::Float(number.as_f64().unwrap()),
        },
        Value::String(text) => Ipld::String(text.clone()),
        Value::Array(list) => Ipld::List(list.iter().map(ipld).collect()),
        Value::Object(map) => match map.get("$bytes") {
            Some(hex) => Ipld::Bytes(hex::decode(hex.as_str().unwrap()).unwrap()),
            None => Ipld::Map(map.iter().map(|(key, value)| (key.clone(), ipld(value))).collect()),
        },
    }
}

/// A node's copy of one log, held in memory. It stores what a join makes ready
/// and checks that it is fit to be stored.
#[derive(Default)]
pub struct Memory {
    pub entries: HashMap<LogCid, Entry>,
    pub passed: HashMap<LogCid, Passed>,
    pub identities: HashMap<LogCid, Arc<Identity>>,
    pub heads: Heads,
    pub rejected: BTreeMap<LogCid, Error>,
    pub deferred: BTreeMap<LogCid, Error>,
    pub mismatches: usize,
}

impl Replica for Memory {
    fn time_of(&self, cid: &LogCid) -> Option<u64> {
        let stored = self.entries.get(cid).map(|entry| entry.clock().time);
        stored.or_else(|| self.passed.get(cid).map(|passed| passed.time))
    }

    fn identity(&self, cid: &LogCid) -> Option<Arc<Identity>> {
        self.identities.get(cid).cloned()
    }
}

impl Memory {
    pub fn store(&mut self, entry: Entry) {
        for parent in entry.next() {
            assert!(self.time_of(parent).is_some(), "a parent is not stored");
        }
        let links = entry.links();
        assert!(!self.passed.contains_key(&entry.cid()), "it is passed over");
        assert!(self.entries.insert(entry.cid(), entry).is_none(), "an entry is ready twice");
        self.heads.add(links);
    }

    /// Does what the steps ask except fetching, and gives what is to be fetched.
    pub fn take(&mut self, effects: Vec<JoinEffect>) -> Vec<LogCid> {
        let mut fetches = Vec::new();
        for effect in effects {
            match effect {
                JoinEffect::Fetch { cid } => fetches.push(cid),
                JoinEffect::Ready { entries, identities, passed } => {
                    let pass: Vec<_> = passed.iter().map(|passed| passed.next.clone()).collect();
                    for passed in passed {
                        assert_eq!(LogCid::of(&passed.block), passed.cid);
                        assert!(!self.entries.contains_key(&passed.cid), "it is stored");
                        let again = self.passed.insert(passed.cid, passed);
                        assert!(again.is_none(), "an entry is passed over twice");
                    }
                    self.identities
                        .extend(identities.into_iter().map(|identity| (identity.cid, identity)));
                    for entry in entries {
                        assert!(
                            self.identities.contains_key(&entry.identity()),
                            "an identity is not stored"
                        );
                        self.store(entry);
                    }
                    for next in pass {
                        assert!(next.iter().all(|parent| self.time_of(parent).is_some()));
                        self.heads.pass(&next);
                    }
                }
                JoinEffect::Restored { entries } => {
                    for entry in entries {
                        assert!(self.passed.remove(&entry.cid()).is_some(), "not passed over");
                        assert!(self.identities.contains_key(&entry.identity()));
                        self.entries.insert(entry.cid(), entry);
                    }
                }
                JoinEffect::Deferred { cid, why } => {
                    self.deferred.insert(cid, why);
                }
                JoinEffect::Reject { cid, why } => {
                    self.rejected.insert(cid, why);
                }
                JoinEffect::Mismatch { .. } => self.mismatches += 1,
            }
        }
        fetches
    }

    pub fn cids(&self) -> BTreeSet<LogCid> {
        self.entries.keys().copied().collect()
    }

    pub fn heads(&self) -> Vec<LogCid> {
        self.heads.cids().collect()
    }

    /// All entries, oldest first.
    pub fn order(&self) -> Vec<LogCid> {
        let mut order: Vec<OrderKey> = self.entries.values().map(Entry::order).collect();
        order.sort();
        order.into_iter().map(|key| key.cid).collect()
    }

    /// The newest operation per key.
    pub fn winners(&self) -> BTreeMap<String, LogCid> {
        let mut winners = BTreeMap::new();
        for cid in self.order() {
            match Operation::from_payload(StoreKind::Documents, self.entries[&cid].payload()) {
                Some((Operation::Put { key, .. } | Operation::Del { key }, _)) => {
                    winners.insert(key, cid)
                }
                _ => None,
            };
        }
        winners
    }

    /// All that the heads reach.
    pub fn reached(&self) -> BTreeSet<LogCid> {
        let (mut reached, mut line) = (BTreeSet::new(), self.heads());
        while let Some(cid) = line.pop() {
            if reached.insert(cid) {
                match self.entries.get(&cid) {
                    Some(entry) => line.extend(entry.next()),
                    None => line.extend(&self.passed[&cid].next),
                }
            }
        }
        let heads = self.heads();
        let above = |cid: &LogCid| match self.entries.get(cid) {
            Some(entry) => entry.next().to_vec(),
            None => self.passed[cid].next.clone(),
        };
        assert!(reached.iter().flat_map(above).all(|parent| !heads.contains(&parent)));
        reached
    }

    pub fn links(&self, cid: &LogCid) -> Option<EntryLinks> {
        self.entries.get(cid).map(Entry::links)
    }
}

/// Blocks a peer can be asked for.
#[derive(Default, Clone)]
pub struct Peer {
    pub blocks: BTreeMap<LogCid, Vec<u8>>,
}

impl Peer {
    pub fn with(entries: impl IntoIterator<Item = Entry>, writers: &[&IdentityKeys]) -> Peer {
        let mut peer = Peer::default();
        for writer in writers {
            peer.blocks.insert(writer.identity().cid, writer.identity().block.clone());
        }
        for entry in entries {
            peer.blocks.insert(entry.cid(), entry.block().to_vec());
        }
        peer
    }

    /// Joins these heads into a replica, answering each fetch. `pick` chooses
    /// which outstanding fetch is answered next. Gives how many fetches there were.
    pub fn join(
        &self,
        join: &mut Join,
        replica: &mut Memory,
        heads: &[LogCid],
        mut pick: impl FnMut(usize) -> usize,
    ) -> usize {
        let effects = join.on_heads(replica, heads);
        self.answer(join, replica, effects, &mut pick)
    }

    /// Announces an entry to a replica, and answers each fetch.
    pub fn announce(&self, join: &mut Join, replica: &mut Memory, block: &[u8]) -> usize {
        let effects = join.on_announced(replica, block);
        self.answer(join, replica, effects, &mut |_| 0)
    }

    /// Does what the steps ask until nothing is left to do.
    pub fn answer(
        &self,
        join: &mut Join,
        replica: &mut Memory,
        effects: Vec<JoinEffect>,
        pick: &mut dyn FnMut(usize) -> usize,
    ) -> usize {
        let mut outstanding = replica.take(effects);
        let mut fetches = 0;
        while !outstanding.is_empty() {
            fetches += 1;
            let cid = outstanding.swap_remove(pick(outstanding.len()));
            let effects = match self.blocks.get(&cid) {
                Some(block) => join.on_block(replica, cid, block),
                None => join.on_missing(replica, cid),
            };
            outstanding.extend(replica.take(effects));
        }
        assert!(join.is_idle(), "{} entries wait for nothing", join.waiting());
        fetches
    }
}

/// A writer with its own copy of the log.
pub struct Writer {
    pub keys: IdentityKeys,
    pub tip: LogTip,
    pub replica: Memory,
}

impl Writer {
    pub fn new(seed: u8) -> Writer {
        Writer { keys: keys(seed), tip: LogTip::new(log(), vec![]), replica: Memory::default() }
    }

    pub fn append(&mut self, payload: Ipld) -> Entry {
        let replica = &self.replica;
        let entry = self.tip.append(&self.keys, payload, &mut |cid| replica.links(cid)).unwrap();
        self.replica.store(entry.clone());
        entry
    }

    /// Takes over what another writer has, parents first.
    pub fn learn(&mut self, other: &Memory) {
        for cid in other.order() {
            if !self.replica.entries.contains_key(&cid) {
                let entry = other.entries[&cid].clone();
                self.tip.join(&entry);
                self.replica.store(entry);
            }
        }
    }
}
