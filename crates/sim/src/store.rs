//! What a node has on disk: what is committed, and nothing else. A crash leaves it
//! as it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use optimusdb_dag::join::{Passed, Replica};
use optimusdb_dag::replicator::LocalStore;
use optimusdb_dag::sync::{Holding, Id, IdTree, Span, Tree, Unreadable, serve};
use optimusdb_dag::{
    Entry, EntryLinks, Identity, IdentityKeys, Ipld, LogCid, LogTip, Operation, OrderKey, StoreKind,
};

use crate::cast::{cast, log};
use crate::forge::NO_IDENTITY;

/// One replica of the log.
pub(crate) struct Store {
    pub(crate) entries: HashMap<LogCid, Entry>,
    pub(crate) passed: BTreeMap<LogCid, Passed>,
    identities: HashMap<LogCid, Arc<Identity>>,
    /// Blocks that entries which are passed over name as their identities, and that are no identities.
    unusable: HashMap<LogCid, Arc<[u8]>>,
    tree: IdTree,
    tip: LogTip,
    /// The newest operation of each key, as entries came in.
    pub(crate) index: BTreeMap<String, OrderKey>,
}

impl Store {
    pub(crate) fn new() -> Store {
        Store {
            entries: HashMap::new(),
            passed: BTreeMap::new(),
            identities: HashMap::new(),
            unusable: HashMap::new(),
            tree: IdTree::new(),
            tip: LogTip::new(log(), Vec::new()),
            index: BTreeMap::new(),
        }
    }

    /// Writes an entry of our own.
    pub(crate) fn write(&mut self, keys: &IdentityKeys, payload: Ipld) -> Entry {
        let entries = &self.entries;
        let mut lookup = |cid: &LogCid| entries.get(cid).map(Entry::links);
        let entry = self.tip.append(keys, payload, &mut lookup);
        let entry = entry.expect("invariant: small payloads can be written");
        let identity = Arc::clone(keys.identity());
        self.identities.insert(identity.cid, identity);
        self.keep(&entry);
        entry
    }

    /// Stores what a join made ready, as storage does.
    ///
    /// # Errors
    /// What makes it unfit to be stored.
    pub(crate) fn apply(
        &mut self,
        entries: &[Entry],
        identities: &[Arc<Identity>],
        passed: &[Passed],
        restored: &[Entry],
    ) -> Result<(), String> {
        for identity in identities {
            self.identities.insert(identity.cid, Arc::clone(identity));
        }
        for passed in passed {
            if self.entries.contains_key(&passed.cid) {
                return Err(format!("{} is stored and passed over", passed.cid));
            }
            self.passed.insert(passed.cid, passed.clone());
            self.unusable.extend(passed.identity.clone());
        }
        for entry in entries {
            let cid = entry.cid();
            if self.entries.contains_key(&cid) {
                continue;
            }
            if self.passed.contains_key(&cid) {
                return Err(format!("{cid} was passed over and comes in as new"));
            }
            let missing = entry.next().iter().find(|cid| self.time_of(cid).is_none());
            if let Some(missing) = missing {
                return Err(format!("{cid} is stored before its parent {missing}"));
            }
            if !self.identities.contains_key(&entry.identity()) {
                return Err(format!("{cid} is stored before its writer's identity"));
            }
            self.tip.join(entry);
            self.keep(entry);
        }
        for passed in passed {
            self.tip.pass(&passed.next);
        }
        for entry in restored {
            if self.passed.remove(&entry.cid()).is_some() {
                self.keep(entry);
            }
        }
        Ok(())
    }

    /// Takes in an entry whatever is wrong with it: for those who serve such.
    pub(crate) fn force(&mut self, entry: &Entry) {
        let cast = cast();
        let all = cast.writers.iter().chain([&cast.guest, &cast.insider, &cast.stranger]);
        for identity in all.map(IdentityKeys::identity) {
            self.identities.insert(identity.cid, Arc::clone(identity));
        }
        self.unusable.insert(LogCid::of(NO_IDENTITY), Arc::from(NO_IDENTITY));
        self.keep(entry);
    }

    fn keep(&mut self, entry: &Entry) {
        let cid = entry.cid();
        self.tree.insert(Id { time: entry.clock().time, cid });
        if let Some(key) = key_of(entry)
            && self.index.get(&key).is_none_or(|newest| *newest < entry.order())
        {
            self.index.insert(key, entry.order());
        }
        self.entries.insert(cid, entry.clone());
    }

    /// As after a restart: nothing but what is on disk is remembered.
    pub(crate) fn reopen(&mut self) {
        self.tip = LogTip::new(log(), self.tip.heads().to_vec());
    }

    pub(crate) fn heads(&self) -> &[EntryLinks] {
        self.tip.heads()
    }

    /// The blocks of the heads, newest first.
    pub(crate) fn head_blocks(&self) -> Vec<Arc<[u8]>> {
        self.heads().iter().map(|head| self.entries[&head.cid].block_shared()).collect()
    }

    /// A block that a peer asks for: an entry, passed over or not, or an identity.
    pub(crate) fn served(&self, cid: &LogCid) -> Option<Arc<[u8]>> {
        if let Some(entry) = self.entries.get(cid) {
            return Some(entry.block_shared());
        }
        if let Some(passed) = self.passed.get(cid) {
            return Some(Arc::clone(&passed.block));
        }
        if let Some(block) = self.unusable.get(cid) {
            return Some(Arc::clone(block));
        }
        self.identities.get(cid).map(|identity| Arc::from(identity.block.as_slice()))
    }

    /// The cids of all entries, in the order of sync.
    pub(crate) fn cids(&self) -> impl Iterator<Item = LogCid> + '_ {
        self.tree.iter().map(|id| id.cid)
    }
}

/// The key an entry changes.
pub(crate) fn key_of(entry: &Entry) -> Option<String> {
    match Operation::from_payload(StoreKind::KeyValue, entry.payload())? {
        (Operation::Put { key, .. } | Operation::Del { key }, _) => Some(key),
        _ => None,
    }
}

impl Replica for Store {
    fn time_of(&self, cid: &LogCid) -> Option<u64> {
        let stored = self.entries.get(cid).map(|entry| entry.clock().time);
        stored.or_else(|| self.passed.get(cid).map(|passed| passed.time))
    }

    fn identity(&self, cid: &LogCid) -> Option<Arc<Identity>> {
        self.identities.get(cid).cloned()
    }
}

impl LocalStore for Store {
    fn tree(&self) -> &dyn Tree {
        &self.tree
    }
}

/// A store as its node serves it.
impl Holding for Store {
    fn tree(&self) -> &dyn Tree {
        &self.tree
    }

    fn entries(
        &self,
        span: Span,
        after: Option<Id>,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, Unreadable> {
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        for id in self.tree.ids(span, after, entries_max)? {
            let block = self.entries[&id.cid].block();
            bytes += block.len();
            if !blocks.is_empty() && bytes > bytes_max {
                break;
            }
            blocks.push(block.to_vec());
        }
        Ok(blocks)
    }

    fn entry(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.entries.get(cid).map(|entry| entry.block().to_vec()))
    }

    fn identity(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Unreadable> {
        let unusable = || self.unusable.get(cid).map(|block| block.to_vec());
        Ok(self.identities.get(cid).map(|identity| identity.block.clone()).or_else(unusable))
    }
}

/// The answer to a request of fast sync. A disk in memory can always be read.
pub(crate) fn answer(store: &Store, frame: &[u8]) -> Vec<u8> {
    serve(frame, |wanted| Ok((*wanted == log()).then_some(store)))
        .expect("invariant: no entry of a tree is missing")
}
