//! What the writer does about a disk that did not keep what it was given: derived rows are made again,
//! entries are set aside and put back, heads are found again.
//!
//! Nothing here decides what is damaged by what a reader noted: it is looked at again, within the
//! transaction that mends it.

use super::{Database, Tx};
use crate::damage::{Damage, Suspects};
use crate::entries::{self, EntryCache};
use crate::error::Error;
use crate::heads;
use crate::index;
use crate::limits::SHARED_ROWS_TRIED_MAX;
use crate::mend;
use crate::set_aside;
use crate::shared_rows;
use crate::stores::{self, StoreId, StoreRef};
use optimusdb_dag::Entry;
use optimusdb_dag::limits::CLOCK_TICKS_MAX;
use optimusdb_dag::sync::Span;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The fact that says whether the index was given up.
const INDEX: &str = "index";
const GIVEN_UP: &str = "given up";

/// What was mended.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mended {
    /// Documents that were made again.
    pub documents: usize,
    /// Entries that were set aside: their rows, and the stores that they are of.
    pub entries: Vec<(i64, StoreId)>,
    /// Entries that are in a part of the file that cannot be read; nothing can be done about them.
    pub unreadable: usize,
    /// Rows that entries share: keys of writers, addresses of stores.
    pub shared: usize,
    /// Stores whose heads were found again.
    pub heads: Vec<StoreId>,
}

impl Database {
    /// How many entries were acknowledged, their commits synced, and were not there when the database was
    /// opened: the write-ahead log was cut off or damaged. As many as may since have come again are still
    /// counted, until [`Database::let_lost_go`].
    pub fn lost_entries(&self) -> u64 {
        self.acked.lost()
    }

    /// Misses no more what was lost.
    pub fn let_lost_go(&mut self) {
        self.acked.let_go(self.next_seq);
    }

    /// What was found to be damaged: for [`crate::Readers::with_damage`], and for [`Tx::mend`].
    pub fn damage(&self) -> Arc<Damage> {
        Arc::clone(&self.link.damage)
    }

    /// Drops every derived row of `store` and makes them again from its log; `indexed` is called
    /// after each entry of it. Entries that are damaged are set aside: answers what was mended.
    pub fn reindex(
        &mut self,
        store: &StoreRef,
        mut indexed: impl FnMut(),
    ) -> Result<Mended, Error> {
        // In tables that were made just now, what cannot be read is a part of the log. It is found outside
        // of the transaction: SQLite lets one that met it write nothing more.
        let unreadable = match self.has_no_index()? {
            true => index::unreadable_rows(&self.link.db, store)?,
            false => BTreeSet::new(),
        };
        let mut tx = self.begin()?;
        let damage = Arc::clone(&tx.database.link.damage);
        let db = &tx.database.link.db;
        let damaged = index::derive(db, store, &unreadable, &mut indexed)?;
        damaged.iter().for_each(|error| damage.note(error));
        if let Err(Error::Corrupt(_) | Error::DamagedEntry { .. }) = heads::kept(db, store) {
            damage.note_heads(store.id);
        }
        let mut mended = tx.mend(damage.take())?;
        mended.unreadable = unreadable.len();
        tx.commit()?;
        Ok(mended)
    }

    /// Gives up what is derived of all stores, readable or not. Until [`Database::index_is_made`] is told
    /// that each was made again, [`Database::has_no_index`] says that this is to be done.
    pub fn give_up_index(&mut self) -> Result<(), Error> {
        let mut tx = self.begin()?;
        tx.set_fact(INDEX, GIVEN_UP)?;
        tx.write(|database| index::give_up(&database.link.db))?;
        tx.commit()
    }

    /// The index of every store was made again.
    pub fn index_is_made(&mut self) -> Result<(), Error> {
        if !self.has_no_index()? {
            return Ok(());
        }
        let mut tx = self.begin()?;
        tx.set_fact(INDEX, "made")?;
        tx.commit()
    }

    /// Whether the index was given up, and not made again since.
    pub fn has_no_index(&self) -> Result<bool, Error> {
        Ok(self.view().fact(INDEX)?.as_deref() == Some(GIVEN_UP))
    }

    /// Makes the indexes of the log again, where a byte of them may be wrong.
    pub fn reindex_log(&mut self) -> Result<(), Error> {
        Ok(self.link.db.execute_batch("REINDEX entries")?)
    }

    /// Some entry of a store is gone or is there again, whatever its time.
    fn changed_at_any_time(&self, store: StoreId) -> Result<(), Error> {
        let entries: Option<i64> = self
            .link
            .db
            .prepare_cached("SELECT entries FROM stores WHERE id = ?1")?
            .query_row([store], |row| row.get(0))
            .optional()?;
        if let Some(entries) = entries {
            let times = Span { from: 0, until: CLOCK_TICKS_MAX + 1 };
            self.fingerprints.changing(store, self.state_base + entries, times);
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// Stores an entry again that was set aside, where it was. Answers whether it is a head; none if it was
    /// not set aside.
    pub fn put_back(&mut self, store: &StoreRef, entry: &Entry) -> Result<Option<bool>, Error> {
        self.write(|database| {
            let db = &database.link.db;
            let cid = entry.cid();
            let Some(seq) = set_aside::place_of(db, &cid)? else { return Ok(None) };
            set_aside::put_back(db, &mut database.cache, seq, entry)?;
            index::apply_again(db, store, seq, entry)?;
            database.changed_at_any_time(store.id)?;
            Ok(Some(!heads::is_named(&database.link.db, store, seq, &cid)?))
        })
    }

    /// Looks at what readers found to be damaged, and mends it: documents are made again from their
    /// entries, entries are set aside, heads are found again.
    pub fn mend(&mut self, suspects: Suspects) -> Result<Mended, Error> {
        self.write(|database| {
            let db = &database.link.db;
            let mut mended = Mended::default();
            let mut rows = suspects.entries;
            if suspects.documents {
                let (documents, damaged) = mend::documents(db)?;
                mended.documents = documents;
                rows.extend(damaged.iter().filter_map(Error::damaged_row));
            }
            let mut stores = suspects.heads;
            let mut found = Vec::new();
            for (tries, row) in rows.into_iter().enumerate() {
                if tries < SHARED_ROWS_TRIED_MAX
                    && matches!(entries::at(db, row), Err(Error::DamagedEntry { .. }))
                    && shared_rows::made_right(db, row)?
                {
                    mended.shared += 1;
                    database.cache = EntryCache::default();
                }
                if let Some(store) = set_aside::set_aside(db, row)? {
                    mended.entries.push((row, store));
                    // Of any other entry, its children are there, and what is kept stays right.
                    if heads::are_kept_with(db, store, row)? {
                        stores.insert(store);
                    }
                }
            }
            for store in stores::list(db)?.iter().filter(|store| stores.contains(&store.id)) {
                let (heads, damaged) = heads::found(db, store)?;
                let heads = rows_of_heads(db, &heads)?;
                db.execute("UPDATE stores SET heads = ?2 WHERE id = ?1", (store.id, &heads))?;
                mended.heads.push(store.id);
                found.extend(damaged);
            }
            // What was found on the way is looked at in the next turn.
            found.iter().for_each(|error| database.link.damage.note(error));
            if !mended.entries.is_empty() {
                set_aside::recount(&database.link.db)?;
                database.cache = EntryCache::default();
                database.state_base = set_aside::state_base(&database.link.db)?;
                let changed: BTreeSet<StoreId> = mended.entries.iter().map(|(_, of)| *of).collect();
                changed.into_iter().try_for_each(|store| database.changed_at_any_time(store))?;
            }
            Ok(mended)
        })
    }
}

fn rows_of_heads(db: &Connection, heads: &[Entry]) -> Result<String, Error> {
    let mut rows = Vec::with_capacity(heads.len());
    for head in heads {
        rows.extend(entries::row_of(db, &head.cid())?);
    }
    rows.sort_unstable();
    let rows: Vec<String> = rows.iter().map(i64::to_string).collect();
    Ok(format!("[{}]", rows.join(",")))
}
