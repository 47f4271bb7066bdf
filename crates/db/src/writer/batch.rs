//! One transaction of the writer: what a write may do, and the one door for entries.

use crate::document::{Checked, check_value};
use crate::error::Error;
use crate::limits::{MATCH_MS_MAX, UPDATE_BYTES_MAX, WRITE_DOCUMENTS_MAX};
use crate::query::Criteria;
use crate::reading;
use optimusdb_dag::{Entry, Identity, IdentityKeys, Ipld, LogTip, Operation};
use optimusdb_storage::{Scope, StoreId, StoreRow, Tx};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
    tips: &'a mut Tips,
    keys: &'a IdentityKeys,
    touched: BTreeMap<StoreId, StoreRow>,
    entries: [u64; 2],
}

impl<'a> Batch<'a> {
    pub(crate) fn new(tx: Tx<'a>, tips: &'a mut Tips, keys: &'a IdentityKeys) -> Batch<'a> {
        Batch { tx, tips, keys, touched: BTreeMap::new(), entries: [0; 2] }
    }

    /// Writes the heads and commits. Answers the stores that changed, and how many entries were
    /// local and remote.
    pub(crate) fn commit(mut self) -> Result<(Vec<StoreRow>, [u64; 2]), Error> {
        for (id, store) in &self.touched {
            if let Some(tip) = self.tips.0.get(id) {
                self.tx.set_heads(store, tip.heads().iter().map(|head| &head.cid))?;
            }
        }
        self.tx.commit()?;
        Ok((self.touched.into_values().collect(), self.entries))
    }

    /// Puts documents that were checked.
    pub(crate) fn put(
        &mut self,
        store: &StoreRow,
        documents: Vec<Checked>,
    ) -> Result<usize, Error> {
        let count = documents.len();
        for Checked { id, value, .. } in documents {
            self.append(store, Operation::Put { key: id, value })?;
        }
        Ok(count)
    }

    /// Deletes the documents of those keys.
    pub(crate) fn delete(&mut self, store: &StoreRow, keys: Vec<String>) -> Result<usize, Error> {
        let count = keys.len();
        for key in keys {
            self.append(store, Operation::Del { key })?;
        }
        Ok(count)
    }

    /// The keys of the documents that match, as this transaction sees them.
    pub(crate) fn matching(
        &self,
        store: &StoreRow,
        criteria: &Criteria,
        deadline: Instant,
    ) -> Result<Vec<String>, Error> {
        let view = self.tx.view();
        let deadline = deadline.min(Instant::now() + Duration::from_millis(MATCH_MS_MAX));
        let keys = reading::keys(view, store, criteria, WRITE_DOCUMENTS_MAX, deadline)?;
        if keys.len() > WRITE_DOCUMENTS_MAX {
            return Err(Error::TooLarge(format!(
                "more than {WRITE_DOCUMENTS_MAX} documents match, and one request may change no \
                 more; narrow the criteria and repeat"
            )));
        }
        Ok(keys)
    }

    /// The matching documents with `fields` set, checked like new ones.
    pub(crate) fn updated(
        &self,
        store: &StoreRow,
        keys: Vec<String>,
        fields: &BTreeMap<String, Ipld>,
    ) -> Result<Vec<Checked>, Error> {
        let mut bytes = 0;
        let mut documents = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(Ipld::Map(mut value)) = self.tx.view().value(store, &key)? else {
                return Err(derived(store, &key));
            };
            value.extend(fields.iter().map(|(name, v)| (name.clone(), v.clone())));
            // The id is the key, and stays.
            value.insert("_id".into(), Ipld::String(key.clone()));
            let document = check_value(key, Ipld::Map(value))?;
            bytes += document.bytes;
            if bytes > UPDATE_BYTES_MAX {
                return Err(Error::TooLarge(format!(
                    "the documents that match have more than {UPDATE_BYTES_MAX} bytes, and one \
                     request may write no more; narrow the criteria and repeat"
                )));
            }
            documents.push(document);
        }
        Ok(documents)
    }

    /// Refuses keys whose documents this store only shows.
    pub(crate) fn own_only(&self, store: &StoreRow, keys: &[String]) -> Result<(), Error> {
        if store.scope != Scope::Catalog {
            return Ok(());
        }
        for key in keys {
            if self.tx.view().value(store, key)?.is_none() {
                return Err(derived(store, key));
            }
        }
        Ok(())
    }

    /// Makes the next entry of the store's log out of `operation`.
    pub(crate) fn append(&mut self, store: &StoreRow, operation: Operation) -> Result<(), Error> {
        let payload = operation.into_payload(Some(now_ms()));
        let view = self.tx.view();
        let tip = tip_of(self.tips, &self.tx, store)?;
        let entry = tip
            .append(self.keys, payload, &mut |cid| {
                view.entry(cid).ok().flatten().map(|entry| entry.links())
            })
            .map_err(|e| Error::Internal(format!("an entry could not be made: {e}")))?;
        self.apply(store, &entry, Origin::Local)
    }

    /// Adds verified entries of another writer, parents before children. Known ones change nothing.
    pub(crate) fn join(
        &mut self,
        store: &StoreRow,
        entries: &[Entry],
        identities: &[Arc<Identity>],
    ) -> Result<usize, Error> {
        for identity in identities {
            self.tx.put_block(&identity.cid, &identity.block)?;
        }
        let mut new = 0;
        for entry in entries {
            if self.tx.view().time_of(&entry.cid())?.is_some() {
                continue;
            }
            tip_of(self.tips, &self.tx, store)?.join(entry);
            self.apply(store, entry, Origin::Remote)?;
            new += 1;
        }
        Ok(new)
    }

    /// The one door: every entry that is stored, made here or received, passes through this line.
    fn apply(&mut self, store: &StoreRow, entry: &Entry, origin: Origin) -> Result<(), Error> {
        self.tx.put_entry(store, entry)?;
        self.touched.entry(store.id).or_insert_with(|| store.clone());
        self.entries[origin as usize] += 1;
        Ok(())
    }
}

fn tip_of<'t>(tips: &'t mut Tips, tx: &Tx<'_>, store: &StoreRow) -> Result<&'t mut LogTip, Error> {
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

fn derived(store: &StoreRow, key: &str) -> Error {
    Error::Conflict(format!(
        "document {key:?} of {} is derived from the resource document of that _id; change it there",
        store.name
    ))
}

/// The wall clock, in milliseconds since 1970. Informative only: order comes from the log's clock.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(0))
}
