//! What an update or delete is about: found outside of the writer's turn, and brought up to date in it.
//!
//! Looking at every document of a store takes seconds where the conditions are hard, and nobody could write
//! meanwhile. So the keys are found in a snapshot, beside the writer. What is written after that snapshot is
//! looked at again, first beside the writer too, and what little is left in its transaction, where nothing comes
//! in between. The outcome is as if all of it had been looked at there: that of a document which nobody
//! wrote is what it was. With `limit` or `skip` that holds as long as no document was written that is among
//! those found, or matches now, for it may move others in or out; then all is looked at again.

use crate::error::Error;
use crate::query::Query;
use crate::reading;
use optimusdb_storage::{StoreRef, View};
use std::collections::BTreeSet;
use std::time::Instant;

/// The keys that a query asks for, as of some moment.
#[derive(Debug)]
pub(crate) struct FoundKeys {
    keys: Vec<String>,
    /// The row of the newest entry of that moment.
    seen: i64,
}

/// What bringing up to date came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaughtUp {
    /// It holds, and so many keys had been written.
    Level(usize),
    /// All has to be looked at again.
    Outdated,
}

impl FoundKeys {
    /// Looks at all of a store.
    pub(crate) fn look(
        view: View<'_>,
        store: &StoreRef,
        query: &Query,
        keys_max: usize,
        deadline: Instant,
    ) -> Result<FoundKeys, Error> {
        let seen = view.newest_row()?;
        let keys = reading::keys(view, store, query, keys_max, deadline)?;
        Ok(FoundKeys { keys, seen })
    }

    /// Looks again at what was written meanwhile, if that is at most so many entries.
    pub(crate) fn catch_up(
        &mut self,
        view: View<'_>,
        store: &StoreRef,
        query: &Query,
        entries_max: usize,
        deadline: Instant,
    ) -> Result<CaughtUp, Error> {
        let newest = view.newest_row()?;
        if newest == self.seen {
            return Ok(CaughtUp::Level(0));
        }
        let Some(changed) = view.changed_keys(store, self.seen, entries_max)? else {
            return Ok(CaughtUp::Outdated);
        };
        let mut matching = BTreeSet::new();
        for key in &changed {
            if reading::is_asked_for(view, store, query, key, deadline)? {
                matching.insert(key.clone());
            }
        }
        if query.is_part() {
            if !matching.is_empty() || self.keys.iter().any(|key| changed.contains(key)) {
                return Ok(CaughtUp::Outdated);
            }
        } else if !changed.is_empty() {
            self.keys.retain(|key| !changed.contains(key));
            self.keys.extend(matching);
        }
        self.seen = newest;
        Ok(CaughtUp::Level(changed.len()))
    }

    /// The keys.
    pub(crate) fn into_keys(self) -> Vec<String> {
        self.keys
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.iter().map(String::len).sum()
    }
}
