//! Which documents an update or delete changes, once it has its turn.

use super::batch::Batch;
use super::work::Choice;
use crate::error::{Error, Kind};
use crate::found::CaughtUp;
use crate::limits::{MATCH_AGAIN_ENTRIES_MAX, WRITE_DOCUMENTS_MAX};
use crate::reading;
use optimusdb_storage::StoreRef;
use std::time::Instant;

/// What became of a choice.
pub(super) enum Chosen {
    /// The keys, as this transaction sees them.
    Keys(Vec<String>),
    /// More would have to be looked at than other writers should wait for.
    Outdated,
}

impl Batch<'_> {
    /// The keys of the documents that are to be changed.
    pub(super) fn chosen(
        &mut self,
        store: &StoreRef,
        Choice { query, found }: Choice,
        deadline: Instant,
    ) -> Result<Chosen, Error> {
        let view = self.tx.view();
        let keys = match found {
            None => reading::keys(view, store, &query, WRITE_DOCUMENTS_MAX, deadline)?,
            Some(mut found) => {
                let started = Instant::now();
                let until = deadline.min(started + self.looking_left);
                let level = found.catch_up(view, store, &query, MATCH_AGAIN_ENTRIES_MAX, until);
                let keys = match level {
                    Ok(CaughtUp::Level(_)) => Ok(found.into_keys()),
                    // Where all has to be looked at, that may take no longer than the rest.
                    Ok(CaughtUp::Outdated) => {
                        reading::keys(view, store, &query, WRITE_DOCUMENTS_MAX, until)
                    }
                    Err(error) => Err(error),
                };
                self.looking_left = self.looking_left.saturating_sub(started.elapsed());
                match keys {
                    Err(error) if error.kind() == Kind::TimedOut && Instant::now() < deadline => {
                        return Ok(Chosen::Outdated);
                    }
                    keys => keys?,
                }
            }
        };
        if keys.len() > WRITE_DOCUMENTS_MAX {
            return Err(Error::TooLarge(format!(
                "more than {WRITE_DOCUMENTS_MAX} documents match, and one request may change no \
                 more; narrow the criteria, or change them in parts with options.limit"
            )));
        }
        Ok(Chosen::Keys(keys))
    }
}
