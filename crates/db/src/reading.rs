//! Reading documents: key look-ups where the criteria name keys, otherwise a scan that SQLite narrows
//! and Rust decides.

use crate::error::Error;
use crate::limits::{FEW_BYTES_MAX, FEW_DOCUMENTS_MAX};
use crate::query::{Criteria, Query};
use optimusdb_dag::{LogCid, OrderKey, StoreKind};
use optimusdb_storage::{Filter, Order, Scope, Select, StoreRef, View};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

/// Calls `each` with the JSON text of every document that the query asks for, in its order, until it
/// breaks.
pub(crate) fn documents(
    view: View<'_>,
    store: &StoreRef,
    query: &Query,
    deadline: Instant,
    mut each: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<(), Error> {
    let after = query.after.map(|entry| place_of(view, store, &entry)).transpose()?;
    let (criteria, order) = (&query.criteria, query.order());
    let read = Read { view, store, criteria, order, after, deadline };
    read.window(query, |_, json, parsed| match (&query.fields, parsed) {
        (None, _) => each(json),
        (Some(_), Some(document)) => each(&query.project(document).to_string()),
        (Some(_), None) => match serde_json::from_str(json) {
            Ok(document) => each(&query.project(document).to_string()),
            Err(_) => each(json),
        },
    })
}

/// The keys of the documents that the query asks for: at most one more than `keys_max`.
pub(crate) fn keys(
    view: View<'_>,
    store: &StoreRef,
    query: &Query,
    keys_max: usize,
    deadline: Instant,
) -> Result<Vec<String>, Error> {
    // Where all are meant, their order is nobody's business.
    let order = if query.is_part() { query.order() } else { Order::Stored };
    let read = Read { view, store, criteria: &query.criteria, order, after: None, deadline };
    let mut keys = Vec::new();
    read.window(query, |key, _, _| {
        keys.push(key.to_owned());
        if keys.len() > keys_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(keys)
}

/// Whether a document is there and matches, at this moment.
pub(crate) fn is_asked_for(
    view: View<'_>,
    store: &StoreRef,
    query: &Query,
    key: &str,
    deadline: Instant,
) -> Result<bool, Error> {
    in_time(deadline)?;
    let criteria = &query.criteria;
    let document = view.document(store, key)?;
    Ok(document.is_some_and(|json| matching(criteria, criteria.matches_all(), &json).is_some()))
}

/// Documents by their keys: each as JSON text, and parsed.
type Few = BTreeMap<String, (String, Value)>;

/// Which documents of a store are read, and how.
struct Read<'a> {
    view: View<'a>,
    store: &'a StoreRef,
    criteria: &'a Criteria,
    order: Order,
    /// Only what comes after this place in the order of the log.
    after: Option<OrderKey>,
    deadline: Instant,
}

/// Where an entry of a store stands in the order of its log.
fn place_of(view: View<'_>, store: &StoreRef, entry: &LogCid) -> Result<OrderKey, Error> {
    let found = view.entry(entry)?.filter(|found| *found.log() == store.address);
    found
        .map(|found| found.order())
        .ok_or_else(|| Error::NotFound(format!("no entry {entry} in that log here")))
}

impl Read<'_> {
    /// Calls `each` with what matches, without the first `skip` and at most `limit`.
    fn window(
        &self,
        query: &Query,
        mut each: impl FnMut(&str, &str, Option<Value>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut window = Window { skip: query.skip, left: query.limit };
        if window.is_full() {
            return Ok(());
        }
        self.matching(|key, json, parsed| {
            if !window.admits() {
                return ControlFlow::Continue(());
            }
            let flow = each(key, json, parsed);
            if window.is_full() { ControlFlow::Break(()) } else { flow }
        })
    }

    /// Calls `each` with every document that matches, its key and its JSON text, in the order, until
    /// it breaks. The parsed document comes along where it was needed to decide.
    fn matching(
        &self,
        mut each: impl FnMut(&str, &str, Option<Value>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        if !matches!(self.order, Order::By(..))
            && self.after.is_none()
            && let Some(ids) = self.criteria.by_id()
        {
            for id in ids {
                in_time(self.deadline)?;
                if let Some(json) = self.view.document(self.store, id)?
                    && each(id, &json, None).is_break()
                {
                    break;
                }
            }
            return Ok(());
        }
        if let Some(few) = self.few()? {
            for (key, (json, parsed)) in few {
                if each(&key, &json, Some(parsed)).is_break() {
                    break;
                }
            }
            return Ok(());
        }
        self.scan(self.order.clone(), each)
    }

    /// The documents that match by their keys, when they are few: then the store is read as it lies,
    /// which costs a fraction of following the order of the keys through all of it. `None` when they
    /// are many, and soon come one after the other in order, or when nothing is gained.
    fn few(&self) -> Result<Option<Few>, Error> {
        let filter = self.criteria.prefilter();
        let by_key = filter.as_ref().is_some_and(Filter::asks_of_key);
        let plain = self.store.kind != StoreKind::Events && self.store.scope != Scope::Catalog;
        if !plain || by_key || !matches!(self.order, Order::Own) || self.criteria.matches_all() {
            return Ok(None);
        }
        let (mut few, mut bytes) = (Few::new(), 0);
        self.scan(Order::Stored, |key, json, parsed| {
            bytes += json.len();
            few.extend(parsed.map(|parsed| (key.to_owned(), (json.to_owned(), parsed))));
            if few.len() > FEW_DOCUMENTS_MAX || bytes > FEW_BYTES_MAX {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        let all = few.len() <= FEW_DOCUMENTS_MAX && bytes <= FEW_BYTES_MAX;
        Ok(all.then_some(few))
    }

    fn scan(
        &self,
        order: Order,
        mut each: impl FnMut(&str, &str, Option<Value>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let all = self.criteria.matches_all();
        let filter = self.criteria.prefilter();
        let after = self.after.clone();
        let select = Select { filter, order, after, deadline: Some(self.deadline) };
        self.view.documents(self.store, &select, |key, json| {
            match matching(self.criteria, all, json) {
                Some(parsed) => each(key, json, parsed),
                None => ControlFlow::Continue(()),
            }
        })?;
        Ok(())
    }
}

fn in_time(deadline: Instant) -> Result<(), Error> {
    if Instant::now() < deadline {
        Ok(())
    } else {
        Err(optimusdb_storage::Error::Interrupted.into())
    }
}

/// Whether a document matches; the parsed document comes along where it was needed to decide.
fn matching(criteria: &Criteria, all: bool, json: &str) -> Option<Option<Value>> {
    if all {
        return Some(None);
    }
    // What the index holds is JSON; were it not, it would match nothing.
    let document: Value = serde_json::from_str(json).ok()?;
    criteria.matches(&document).then_some(Some(document))
}

/// `skip` and `limit` over what matches.
struct Window {
    skip: u64,
    left: Option<u64>,
}

impl Window {
    fn admits(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        true
    }

    fn is_full(&self) -> bool {
        self.left == Some(0)
    }
}
