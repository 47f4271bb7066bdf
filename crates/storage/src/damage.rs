//! What readers found to be damaged, until the writer has looked at it.
//!
//! A read writes nothing. It notes what it could not read, goes on around it where it can, and the writer
//! mends it soon after ([`crate::Tx::mend`]). What is noted may be wrong by then; nothing is believed.

use crate::error::Error;
use crate::limits::DAMAGE_NOTED_ROWS_MAX;
use crate::stores::StoreId;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The notes of all connections to one database.
#[derive(Debug, Default)]
pub struct Damage(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    suspects: Suspects,
    unreadable: Option<String>,
}

/// What the writer is to look at.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Suspects {
    /// Rows of entries.
    pub(crate) entries: BTreeSet<i64>,
    /// Stores whose heads could not be read.
    pub(crate) heads: BTreeSet<StoreId>,
    /// Whether some document could not be read.
    pub(crate) documents: bool,
}

impl Suspects {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.heads.is_empty() && !self.documents
    }
}

impl Damage {
    /// Notes what an error says, if it says anything of damage.
    pub(crate) fn note(&self, error: &Error) {
        match error {
            Error::DamagedEntry { row, .. } => {
                let entries = &mut self.noted().suspects.entries;
                // Beyond the limit they are found again, when these are mended.
                if entries.len() < DAMAGE_NOTED_ROWS_MAX {
                    entries.insert(*row);
                }
            }
            Error::DamagedDocument => self.noted().suspects.documents = true,
            Error::Unreadable(why) => self.noted().unreadable = Some(why.clone()),
            _ => {}
        }
    }

    /// Notes that the heads of a store cannot be right.
    pub(crate) fn note_heads(&self, store: StoreId) {
        self.noted().suspects.heads.insert(store);
    }

    /// What is to be looked at, which is forgotten here.
    pub fn take(&self) -> Suspects {
        std::mem::take(&mut self.noted().suspects)
    }

    /// Whether there is anything to be looked at.
    pub fn is_suspected(&self) -> bool {
        !self.noted().suspects.is_empty()
    }

    /// What SQLite last said of a part of the file that it could not read, since the start.
    pub fn unreadable(&self) -> Option<String> {
        self.noted().unreadable.clone()
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        // A panic ends the process, so a poisoned lock is never seen with half a note.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
