//! The mutable kind of access: the fold of an access log.
//!
//! An access log is a key-value store with two keys of interest, `write` and
//! `admin`, whose values are lists of identity ids. Identities in one of them may
//! append to the store that the access log rules, and so may the writers of the
//! access log, an immutable list. Only the latter can grant and revoke, because that
//! takes an entry of the access log.
//!
//! The fold takes operations in any order and any number of times: the greatest
//! operation of a key says what holds now, and all of them together say what ever
//! held. So the fold is a function of the set of entries, like every index.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use ipld_core::ipld::Ipld;

use super::{ANYONE, AccessController, Standing};
use crate::limits::{
    ACCESS_EVER_WRITERS_MAX, ACCESS_VOUCHED_ENTRIES_MAX, ACCESS_WRITERS_MAX, REVOKE_HEADS_MAX,
};
use crate::{Error, LogCid, Operation, OperationRef, OrderKey, StoreKind, keys};

/// The field of a revoke's payload that names the heads of the log it concerns.
const HEADS: &str = "heads";

/// What an identity may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// To append to the store.
    Write,
    /// The same. By custom of those who also write the access log.
    Admin,
}

impl Capability {
    /// Its key in the access log: `write` or `admin`.
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::Write => "write",
            Capability::Admin => "admin",
        }
    }
}

impl FromStr for Capability {
    type Err = Error;

    fn from_str(text: &str) -> Result<Capability, Error> {
        match text {
            "write" => Ok(Capability::Write),
            "admin" => Ok(Capability::Admin),
            _ => Err(Error::Capability),
        }
    }
}

/// Who may append to a store, and who ever might, as an access log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    owners: AccessController,
    /// The greatest operation of each key, and its list.
    now: BTreeMap<Capability, (OrderKey, Vec<String>)>,
    ever: BTreeSet<String>,
    vouched: BTreeMap<LogCid, OrderKey>,
    vouched_oldest_first: BTreeSet<(OrderKey, LogCid)>,
}

impl Capabilities {
    /// Those of an empty access log with these writers of its own.
    pub fn new(owners: AccessController) -> Capabilities {
        let ever = owners.write.iter().filter(|id| is_id(id)).cloned().collect();
        let vouched = BTreeMap::new();
        let vouched_oldest_first = BTreeSet::new();
        Capabilities { owners, now: BTreeMap::new(), ever, vouched, vouched_oldest_first }
    }

    /// Takes up one entry of the access log. The order of calls does not matter,
    /// and a second time changes nothing.
    ///
    /// Payloads that are no operation on `write` or `admin` say nothing here. A
    /// value that is no list of at most [`ACCESS_WRITERS_MAX`] texts is an empty
    /// one.
    pub fn add(&mut self, order: &OrderKey, payload: &Ipld) {
        let (key, value) = match OperationRef::of(StoreKind::KeyValue, payload) {
            Some((OperationRef::Put { key, value }, _)) => (key, Some(value)),
            Some((OperationRef::Del { key }, _)) => (key, None),
            _ => return,
        };
        let Ok(capability) = key.parse::<Capability>() else { return };
        let list = value.map(ids).unwrap_or_default();
        for id in list.iter().filter(|id| is_id(id)) {
            if !self.ever.contains(id) {
                self.ever.insert(id.clone());
            }
        }
        while self.ever.len() > ACCESS_EVER_WRITERS_MAX {
            self.ever.pop_last();
        }
        for cid in heads(payload) {
            self.vouch(cid, order);
        }
        if self.now.get(&capability).is_none_or(|(newest, _)| newest < order) {
            self.now.insert(capability, (order.clone(), list));
        }
    }

    /// What is known of the writer with this id.
    pub fn judge(&self, id: &str) -> Standing {
        let holds = |list: &[String]| list.iter().any(|held| held == ANYONE || held == id);
        if holds(&self.owners.write) || self.now.values().any(|(_, list)| holds(list)) {
            Standing::Allowed
        } else if self.ever.contains(ANYONE) || self.ever.contains(id) {
            Standing::Former
        } else {
            Standing::Never
        }
    }

    /// Whether a revoke named this entry of the main log as one that was there before it.
    pub fn vouches(&self, cid: &LogCid) -> bool {
        self.vouched.contains_key(cid)
    }

    /// The writers of the access log itself: who may grant and revoke.
    pub fn owners(&self) -> &AccessController {
        &self.owners
    }

    /// The ids that were granted this capability and still hold it, in the order of the list.
    pub fn holders(&self, capability: Capability) -> &[String] {
        self.now.get(&capability).map_or(&[], |(_, list)| list)
    }

    /// The operation on the access log that grants this: the list with `id` at its end.
    ///
    /// # Errors
    /// [`Error::PublicKey`] if `id` is neither the id of an identity nor `*`,
    /// [`Error::TooManyWriters`].
    pub fn grant(&self, capability: Capability, id: &str) -> Result<Operation, Error> {
        if !is_id(id) {
            return Err(Error::PublicKey);
        }
        let mut list = self.holders(capability).to_vec();
        if !list.iter().any(|held| held == id) {
            list.push(id.to_owned());
        }
        if list.len() > ACCESS_WRITERS_MAX {
            return Err(Error::TooManyWriters);
        }
        Ok(put(capability, list))
    }

    /// The payload on the access log that revokes this: the list without `id`, or a deletion when
    /// nobody is left.
    ///
    /// `heads` are the heads of the main log as the revoker knows it: what they reach was there
    /// before the revoke and stays. Of more than [`REVOKE_HEADS_MAX`] the first are named.
    /// Implementations that do not know the field ignore it.
    pub fn revoke(
        &self,
        capability: Capability,
        id: &str,
        heads: &[LogCid],
        at_ms: Option<u64>,
    ) -> Ipld {
        let mut list = self.holders(capability).to_vec();
        list.retain(|held| held != id);
        let operation = match list.is_empty() {
            true => Operation::Del { key: capability.as_str().into() },
            false => put(capability, list),
        };
        let mut payload = operation.into_payload(at_ms);
        if let Ipld::Map(fields) = &mut payload
            && !heads.is_empty()
        {
            let named = heads.iter().take(REVOKE_HEADS_MAX);
            let named = named.map(|cid| Ipld::String(cid.to_string())).collect();
            fields.insert(HEADS.into(), Ipld::List(named));
        }
        payload
    }

    /// Of the heads that all revokes name, those of the newest revokes are kept.
    fn vouch(&mut self, cid: LogCid, order: &OrderKey) {
        match self.vouched.get_mut(&cid) {
            Some(newest) if *newest >= *order => return,
            Some(newest) => {
                let before = std::mem::replace(newest, order.clone());
                self.vouched_oldest_first.remove(&(before, cid));
            }
            None => {
                self.vouched.insert(cid, order.clone());
            }
        }
        self.vouched_oldest_first.insert((order.clone(), cid));
        if self.vouched.len() > ACCESS_VOUCHED_ENTRIES_MAX
            && let Some((_, oldest)) = self.vouched_oldest_first.pop_first()
        {
            self.vouched.remove(&oldest);
        }
        debug_assert_eq!(self.vouched.len(), self.vouched_oldest_first.len(), "vouched, in order");
        debug_assert!(self.vouched.len() <= ACCESS_VOUCHED_ENTRIES_MAX, "too many are vouched for");
    }
}

fn put(capability: Capability, list: Vec<String>) -> Operation {
    let value = Ipld::List(list.into_iter().map(Ipld::String).collect());
    Operation::Put { key: capability.as_str().into(), value }
}

/// Whether this text can ever be the id of an identity, or is the one for all of them.
fn is_id(text: &str) -> bool {
    text == ANYONE || (text.len() == keys::PUBLIC_KEY_TEXT_BYTES && keys::is_lower_hex(text))
}

/// The ids of a list. Ids of types of identity that do not exist here are kept,
/// so that a list that is written again still has them.
fn ids(value: &Ipld) -> Vec<String> {
    let Ipld::List(list) = value else { return Vec::new() };
    if list.len() > ACCESS_WRITERS_MAX {
        return Vec::new();
    }
    let text = |value: &Ipld| match value {
        Ipld::String(text) => Some(text.clone()),
        _ => None,
    };
    let texts: Option<Vec<String>> = list.iter().map(text).collect();
    texts.unwrap_or_default()
}

/// The heads that a revoke names; anything else names none.
fn heads(payload: &Ipld) -> Vec<LogCid> {
    let Ipld::Map(fields) = payload else { return Vec::new() };
    let Some(Ipld::List(list)) = fields.get(HEADS) else { return Vec::new() };
    if list.len() > REVOKE_HEADS_MAX {
        return Vec::new();
    }
    let cid = |value: &Ipld| match value {
        Ipld::String(text) => text.parse().ok(),
        _ => None,
    };
    let cids: Option<Vec<LogCid>> = list.iter().map(cid).collect();
    cids.unwrap_or_default()
}
