//! Reading documents: key look-ups where the criteria name keys, otherwise a scan that SQLite narrows
//! and Rust decides.

use crate::error::Error;
use crate::query::{Criteria, Query};
use optimusdb_storage::{Select, StoreRow, View};
use serde_json::Value;
use std::ops::ControlFlow;
use std::time::Instant;

/// Calls `each` with the JSON text of every document that the query asks for, in its order, until it
/// breaks.
pub(crate) fn documents(
    view: View<'_>,
    store: &StoreRow,
    query: &Query,
    deadline: Instant,
    mut each: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut window = Window { skip: query.skip, left: query.limit };
    if window.is_full() {
        return Ok(());
    }
    let mut emit = |json: &str, parsed: Option<Value>| {
        if !window.admits() {
            return ControlFlow::Continue(());
        }
        let flow = match (&query.fields, parsed) {
            (None, _) => each(json),
            (Some(_), Some(document)) => each(&query.project(document).to_string()),
            (Some(_), None) => match serde_json::from_str(json) {
                Ok(document) => each(&query.project(document).to_string()),
                Err(_) => each(json),
            },
        };
        if window.is_full() { ControlFlow::Break(()) } else { flow }
    };
    if query.sort.is_empty()
        && let Some(ids) = query.criteria.by_id()
    {
        for id in ids {
            in_time(deadline)?;
            if let Some(json) = view.document(store, id)?
                && emit(&json, None).is_break()
            {
                break;
            }
        }
        return Ok(());
    }
    let all = query.criteria.matches_all();
    let select = select(&query.criteria, query.sort_sql(), deadline);
    view.documents(store, &select, |_, json| match matching(&query.criteria, all, json) {
        Some(parsed) => emit(json, parsed),
        None => ControlFlow::Continue(()),
    })?;
    Ok(())
}

/// The keys of the documents that match: at most one more than `keys_max`.
pub(crate) fn keys(
    view: View<'_>,
    store: &StoreRow,
    criteria: &Criteria,
    keys_max: usize,
    deadline: Instant,
) -> Result<Vec<String>, Error> {
    let mut keys = Vec::new();
    if let Some(ids) = criteria.by_id() {
        for id in ids {
            in_time(deadline)?;
            if view.document(store, id)?.is_some() {
                keys.push(id.to_owned());
            }
        }
        return Ok(keys);
    }
    let all = criteria.matches_all();
    view.documents(store, &select(criteria, None, deadline), |key, json| {
        if matching(criteria, all, json).is_some() {
            keys.push(key.to_owned());
        }
        if keys.len() > keys_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(keys)
}

fn select(criteria: &Criteria, order: Option<String>, deadline: Instant) -> Select {
    let filter = criteria.prefilter();
    let (condition, params) = match filter {
        Some(filter) => (Some(filter.sql), filter.params),
        None => (None, Vec::new()),
    };
    Select { condition, params, order, deadline: Some(deadline) }
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
