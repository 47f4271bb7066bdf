//! One transaction of the writer: what a write may do, and the one door for entries.

use super::check;
use super::work::ReceivedEntries;
use crate::access::AccessCache;
use crate::clock::now_ms;
use crate::commits::{Changed, Committed};
use crate::document::{Checked, check_value};
use crate::error::Error;
use crate::limits::{ANNOUNCED_ENTRIES_MAX, MATCH_AGAIN_MS_MAX, UPDATE_BYTES_MAX};
use crate::stores::{NewStore, name_of};
use optimusdb_dag::{Entry, IdentityKeys, Ipld, LogTip, Operation, Payload, StoreKind};
use optimusdb_storage::{Scope, StoreId, StoreRef, StoreRow, Tx};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Made by this node for a client.
    Local,
    /// Received; verified before it came here.
    Remote,
}

/// The newest part of every log that this node has written to or received for.
#[derive(Debug, Default)]
pub(crate) struct Tips(HashMap<StoreId, LogTip>);

impl Tips {
    /// Forgets everything, so that it is read again from what is committed.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A transaction in progress.
pub(crate) struct Batch<'a> {
    pub(crate) tx: Tx<'a>,
    pub(super) keys: &'a IdentityKeys,
    pub(super) accesses: &'a AccessCache,
    tips: &'a mut Tips,
    touched: BTreeMap<StoreId, Committed>,
    made: Vec<StoreRow>,
    pub(super) renamed: Vec<String>,
    entries: [u64; 2],
    /// For how long it may still look at what was written since updates and deletes were prepared.
    pub(super) looking_left: Duration,
    put_back: u64,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        tx: Tx<'a>,
        tips: &'a mut Tips,
        keys: &'a IdentityKeys,
        accesses: &'a AccessCache,
    ) -> Batch<'a> {
        let (touched, made, renamed) = (BTreeMap::new(), Vec::new(), Vec::new());
        let (entries, looking_left) = ([0; 2], Duration::from_millis(MATCH_AGAIN_MS_MAX));
        Batch {
            tx,
            keys,
            accesses,
            tips,
            touched,
            made,
            renamed,
            entries,
            looking_left,
            put_back: 0,
        }
    }

    /// Writes the heads and commits. Answers what changed.
    pub(crate) fn commit(mut self) -> Result<Changed, Error> {
        let mut grown = Vec::with_capacity(self.touched.len());
        for (id, committed) in self.touched {
            let store = &committed.store;
            if let Some(tip) = self.tips.0.get(&id) {
                self.tx.set_heads(store, tip.heads().iter().map(|head| &head.cid))?;
                if cfg!(debug_assertions) {
                    // What cannot be read is told by whoever needs it.
                    let _ = check::heads(self.tx.view(), tip);
                }
            }
            debug_assert!(committed.made.len() <= ANNOUNCED_ENTRIES_MAX, "too much to announce");
            let by = self.tx.grown(store);
            grown.push((committed, by));
        }
        debug_assert_eq!(
            grown.iter().map(|(_, (_, entries))| entries).sum::<i64>(),
            self.entries.iter().sum::<u64>().cast_signed(),
            "entries that came through the door, and by which the stores have grown"
        );
        self.tx.commit()?;
        let Batch { made, renamed, entries, put_back, .. } = self;
        Ok(Changed { grown, made, renamed, entries, put_back })
    }

    /// Makes a store with the blocks that define it.
    pub(crate) fn create(&mut self, new: &NewStore) -> Result<StoreRow, optimusdb_storage::Error> {
        for (cid, block) in &new.blocks {
            self.tx.put_block(cid, block)?;
        }
        let store = self.tx.create_store(&new.name, new.kind, &new.address, new.scope)?;
        self.made.push(store.clone());
        Ok(store)
    }

    /// Whether this transaction has changed nothing yet.
    pub(super) fn is_empty(&self) -> bool {
        self.touched.is_empty() && self.made.is_empty()
    }

    /// Whether this transaction has added entries to that store.
    pub(super) fn has_touched(&self, store: StoreId) -> bool {
        self.touched.contains_key(&store)
    }

    /// The newest part of a log, with what this transaction has added.
    pub(super) fn tip(&mut self, store: &StoreRef) -> Result<&LogTip, Error> {
        Ok(tip_of(self.tips, &self.tx, store)?)
    }

    /// Puts documents or values, or adds events, that were checked.
    pub(crate) fn put(
        &mut self,
        store: &StoreRef,
        documents: Vec<Checked>,
    ) -> Result<usize, Error> {
        let count = documents.len();
        for document in documents {
            self.append_encoded(store, document.payload)?;
        }
        Ok(count)
    }

    /// Deletes the documents of those keys.
    pub(crate) fn delete(&mut self, store: &StoreRef, keys: Vec<String>) -> Result<usize, Error> {
        let count = keys.len();
        for key in keys {
            self.append(store, Operation::Del { key }.into_payload(Some(now_ms())))?;
        }
        Ok(count)
    }

    /// The matching documents with `fields` set, checked like new ones. Those that are too large with them are
    /// left out, unless all are.
    pub(crate) fn updated(
        &self,
        store: &StoreRef,
        keys: Vec<String>,
        fields: &BTreeMap<String, Ipld>,
    ) -> Result<Vec<Checked>, Error> {
        let (mut bytes, mut over) = (0, None);
        let mut documents = Vec::with_capacity(keys.len());
        for key in keys {
            let value = match (store.kind, fields.get("value")) {
                (StoreKind::KeyValue, Some(value)) => value.clone(),
                _ => self.with_fields(store, &key, fields)?,
            };
            // A document that others wrote may be so large that nothing can be set in it: all others
            // are updated.
            let document = match check_value(key, value) {
                Err(Error::TooLarge(text)) => {
                    over.get_or_insert(text);
                    continue;
                }
                document => document?,
            };
            bytes += document.bytes;
            if bytes > UPDATE_BYTES_MAX {
                return Err(Error::TooLarge(format!(
                    "the documents that match have more than {UPDATE_BYTES_MAX} bytes, and one \
                     request may write no more; narrow the criteria, or change them in parts with \
                     options.limit"
                )));
            }
            documents.push(document);
        }
        match over {
            Some(text) if documents.is_empty() => Err(Error::TooLarge(text)),
            _ => Ok(documents),
        }
    }

    fn with_fields(
        &self,
        store: &StoreRef,
        key: &str,
        fields: &BTreeMap<String, Ipld>,
    ) -> Result<Ipld, Error> {
        let Some(Ipld::Map(mut value)) = self.tx.view().value(store, key)? else {
            return Err(self.derived(store, key));
        };
        value.extend(fields.iter().map(|(name, v)| (name.clone(), v.clone())));
        // The id is the key, and stays.
        value.insert("_id".into(), Ipld::String(key.to_owned()));
        Ok(Ipld::Map(value))
    }

    /// Refuses keys whose documents this store only shows.
    pub(crate) fn own_only(&self, store: &StoreRef, keys: &[String]) -> Result<(), Error> {
        if store.scope != Scope::Catalog {
            return Ok(());
        }
        for key in keys {
            if self.tx.view().value(store, key)?.is_none() {
                return Err(self.derived(store, key));
            }
        }
        Ok(())
    }

    fn derived(&self, store: &StoreRef, key: &str) -> Error {
        Error::Conflict(format!(
            "document {key:?} of {} is derived from the resource document of that _id; change it \
             there",
            name_of(self.tx.view(), store)
        ))
    }

    /// Makes the next entry of the store's log out of an operation's payload.
    pub(crate) fn append(&mut self, store: &StoreRef, payload: Ipld) -> Result<Entry, Error> {
        self.append_encoded(store, Payload::new(payload).map_err(unmade)?)
    }

    fn append_encoded(&mut self, store: &StoreRef, payload: Payload) -> Result<Entry, Error> {
        let view = self.tx.view();
        let tip = tip_of(self.tips, &self.tx, store)?;
        let entry = tip
            .append_encoded(self.keys, payload, &mut |cid| {
                view.entry(cid).ok().flatten().map(|entry| entry.links())
            })
            .map_err(unmade)?;
        self.apply(store, &entry, Origin::Local)?;
        Ok(entry)
    }

    /// Adds what was received: parents before children. Known entries change nothing.
    pub(crate) fn join(
        &mut self,
        store: &StoreRef,
        received: &ReceivedEntries,
    ) -> Result<usize, Error> {
        for identity in &received.identities {
            self.tx.put_block(&identity.cid, &identity.block)?;
        }
        for passed in &received.passed {
            self.tx.put_passed(store, &passed.cid, passed.time, &passed.block)?;
            if let Some((cid, block)) = &passed.identity {
                self.tx.put_block(cid, block)?;
            }
        }
        let mut new = 0;
        for entry in &received.entries {
            if self.tx.view().time_of(&entry.cid())?.is_some() {
                continue;
            }
            if self.put_back(store, entry)? {
                new += 1;
                continue;
            }
            tip_of(self.tips, &self.tx, store)?.join(entry);
            self.apply(store, entry, Origin::Remote)?;
            new += 1;
        }
        for passed in &received.passed {
            tip_of(self.tips, &self.tx, store)?.pass(&passed.next);
        }
        for entry in &received.restored {
            // The heads stay: what is above it is in the log.
            if self.tx.view().is_passed(&entry.cid())? {
                self.apply(store, entry, Origin::Remote)?;
                new += 1;
            }
        }
        Ok(new)
    }

    /// Puts an entry back to its place that is set aside; false if it is not.
    fn put_back(&mut self, store: &StoreRef, entry: &Entry) -> Result<bool, Error> {
        if !self.tx.view().is_set_aside(&entry.cid())? {
            return Ok(false);
        }
        // As the heads were without it.
        tip_of(self.tips, &self.tx, store)?;
        let Some(is_head) = self.tx.put_back(store, entry)? else { return Ok(false) };
        let tip = tip_of(self.tips, &self.tx, store)?;
        if is_head {
            tip.join(entry);
        } else {
            tip.pass(entry.next());
        }
        self.touch(store)?;
        if let Some(touched) = self.touched.get_mut(&store.id) {
            touched.put_back = true;
        }
        self.put_back += 1;
        Ok(true)
    }

    /// The one door: every entry that is stored, made here or received, passes through this line.
    fn apply(&mut self, store: &StoreRef, entry: &Entry, origin: Origin) -> Result<(), Error> {
        self.tx.put_entry(store, entry)?;
        self.touch(store)?;
        if let Some(touched) = self.touched.get_mut(&store.id)
            && origin == Origin::Local
        {
            if touched.made.len() == ANNOUNCED_ENTRIES_MAX {
                touched.made.pop_front();
            }
            touched.made.push_back(entry.block_shared());
        }
        self.entries[origin as usize] += 1;
        Ok(())
    }

    /// Notes that this transaction changes the log of a store.
    fn touch(&mut self, store: &StoreRef) -> Result<(), Error> {
        if !self.touched.contains_key(&store.id) {
            let row = self.tx.view().store_at(&store.address)?;
            let store = row.ok_or_else(|| {
                Error::Corrupt(format!("the store {} is not in the database", store.address))
            })?;
            self.touched
                .insert(store.id, Committed { store, made: VecDeque::new(), put_back: false });
        }
        Ok(())
    }
}

fn tip_of<'t>(tips: &'t mut Tips, tx: &Tx<'_>, store: &StoreRef) -> Result<&'t mut LogTip, Error> {
    use std::collections::hash_map::Entry as Slot;
    match tips.0.entry(store.id) {
        Slot::Occupied(tip) => Ok(tip.into_mut()),
        Slot::Vacant(slot) => {
            let heads = tx.view().heads(store)?;
            let links = heads.iter().map(Entry::links).collect();
            Ok(slot.insert(LogTip::new(store.address, links)))
        }
    }
}

fn unmade(error: optimusdb_dag::Error) -> Error {
    Error::Internal(format!("an entry could not be made: {error}"))
}
