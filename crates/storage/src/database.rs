//! Writing: one connection, one transaction at a time, one function that adds an entry.

mod recovery;

pub use recovery::Mended;

use crate::acked::Acked;
use crate::catalog;
use crate::check;
use crate::connection::{Durability, Link, Place, read_write};
use crate::copied;
use crate::entries::{self, EntryCache};
use crate::error::Error;
use crate::fingerprints::Fingerprints;
use crate::index;
use crate::limits::FEW_HEADS_MAX;
use crate::log_bound::LogBound;
use crate::passed;
use crate::schema;
use crate::set_aside;
use crate::snapshots::Snapshots;
use crate::stores::{self, Scope, StoreId, StoreRef, StoreRow};
use crate::view::View;
use optimusdb_dag::sync::Span;
use optimusdb_dag::{Address, Entry, LogCid, StoreKind};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// The read-write connection. There is one per node, owned by the writer thread.
#[derive(Debug)]
pub struct Database {
    link: Link,
    // The file, and the inode that it had: none where that cannot be told.
    file: Option<(PathBuf, u64)>,
    opened_as: Durability,
    // As its commits are now: never more durable than that.
    durability: Durability,
    cache: EntryCache,
    // The rows of the heads that were set last, of stores with many.
    head_rows: BTreeMap<StoreId, HashMap<LogCid, i64>>,
    next_seq: i64,
    // Whether there is an entry that was passed over, which one to be stored might be.
    has_passed: bool,
    // What is added to the number of entries of a store to name its state.
    state_base: i64,
    acked: Acked,
    fingerprints: Arc<Fingerprints>,
    log_bound: LogBound,
}

impl Database {
    /// Opens the database, migrating it to the current format first.
    ///
    /// A database of a newer format is left untouched: [`Error::NewerFormat`].
    pub fn open(place: &Place, durability: Durability) -> Result<Database, Error> {
        let mut link = read_write(place, durability)?;
        schema::migrate(&mut link.db, place)?;
        catalog::create_views(&mut link.db)?;
        set_aside::create_table(&link.db)?;
        let file = match place {
            Place::File(path) => copied::inode(path).map(|inode| (path.clone(), inode)),
            Place::Memory(_) => None,
        };
        let log_bound = LogBound::of(file.as_ref().map(|(path, _)| path));
        let mut database = Database {
            link,
            file,
            opened_as: durability,
            durability,
            cache: EntryCache::default(),
            head_rows: BTreeMap::new(),
            next_seq: 0,
            has_passed: false,
            state_base: 0,
            acked: Acked::default(),
            fingerprints: Arc::default(),
            log_bound,
        };
        database.forget_uncommitted()?;
        database.acked = Acked::open(place, database.next_seq)?;
        Ok(database)
    }

    /// Whether the file that was opened still lies where it lay. If it was removed or replaced, what is
    /// written goes to nobody.
    pub fn is_in_place(&self) -> bool {
        self.file.as_ref().is_none_or(|(path, inode)| copied::inode(path) == Some(*inode))
    }

    /// What is committed.
    pub fn view(&self) -> View<'_> {
        View::new(&self.link, Some(&self.fingerprints))
    }

    /// The summaries that readers of this database share: for [`crate::Readers::with_fingerprints`].
    pub fn fingerprints(&self) -> Arc<Fingerprints> {
        Arc::clone(&self.fingerprints)
    }

    /// What its readers are told: for [`crate::Readers::ending_with`].
    pub fn snapshots(&self) -> Arc<Snapshots> {
        Arc::clone(&self.log_bound.snapshots)
    }

    /// Keeps the write-ahead log from outgrowing its limit; to be called now and then, best after each
    /// commit. Answers the bytes of the log where snapshots of readers had to end for it.
    pub fn bound_log(&mut self) -> Result<Option<u64>, Error> {
        self.log_bound.look(&self.link)
    }

    /// Starts a transaction, as durable as the database was opened. Dropping it undoes it.
    pub fn begin(&mut self) -> Result<Tx<'_>, Error> {
        self.begin_as(self.opened_as)
    }

    /// Starts a transaction whose commit counts as done then, unless the database was opened as
    /// relaxed: then all are. Dropping it undoes it.
    ///
    /// Relaxed commits lie in the same log as full ones. A full one takes those before it to the
    /// disk, too, so a power cut never leaves a later one without an earlier one.
    pub fn begin_as(&mut self, durability: Durability) -> Result<Tx<'_>, Error> {
        if self.opened_as == Durability::Full && self.durability != durability {
            self.link.set_durability(durability)?;
            self.durability = durability;
        }
        self.link.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let first_seq = self.next_seq;
        Ok(Tx { database: self, first_seq, grown: BTreeMap::new(), open: true, failed: false })
    }

    /// Moves the write-ahead log into the database file.
    pub fn checkpoint(&mut self, how: Checkpoint) -> Result<(), Error> {
        let sql = match how {
            Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
            Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        self.link.db.query_row(sql, [], |_| Ok(()))?;
        if how == Checkpoint::Truncate {
            self.acked.say(self.next_seq);
        }
        Ok(())
    }

    fn forget_uncommitted(&mut self) -> Result<(), Error> {
        self.cache = EntryCache::default();
        self.head_rows.clear();
        self.next_seq = self.link.db.query_row(
            "SELECT 1 + max((SELECT coalesce(max(seq), 0) FROM entries),
                                     (SELECT coalesce(max(seq), 0) FROM set_aside))",
            [],
            |row| row.get(0),
        )?;
        self.has_passed = passed::is_any(&self.link.db)?;
        self.state_base = set_aside::state_base(&self.link.db)?;
        Ok(())
    }
}

/// How much of the write-ahead log is moved into the database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    /// What can be moved without waiting for a reader.
    Passive,
    /// All of it, and the log is emptied: what a stop does.
    Truncate,
}

/// A transaction. Nothing of it is seen by readers, or survives, before [`Tx::commit`].
///
/// Once a call that writes has failed, every later one fails, too, [`Tx::commit`] included: what
/// the failed one left half done is never kept. Only [`Error::TooMany`] changes nothing.
#[derive(Debug)]
pub struct Tx<'d> {
    database: &'d mut Database,
    // The row of its first entry.
    first_seq: i64,
    grown: BTreeMap<StoreId, Grown>,
    open: bool,
    failed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Grown {
    entries: i64,
    documents: i64,
    // From the first to after the last time of the entries.
    times: Span,
}

impl Tx<'_> {
    /// What is committed, and what this transaction did.
    pub fn view(&self) -> View<'_> {
        // What is not committed must not get among the summaries that others share.
        View::new(&self.database.link, None)
    }

    /// Adds a store.
    pub fn create_store(
        &mut self,
        name: &str,
        kind: StoreKind,
        address: &Address,
        scope: Scope,
    ) -> Result<StoreRow, Error> {
        self.write(|database| stores::create(&database.link.db, name, kind, address, scope))
    }

    /// Gives a store another name, which no other may have.
    pub fn rename_store(&mut self, store: &StoreRef, name: &str) -> Result<(), Error> {
        self.write(|database| stores::rename(&database.link.db, store.id, name))
    }

    /// By how many documents and entries this transaction has made the store grow so far.
    pub fn grown(&self, store: &StoreRef) -> (i64, i64) {
        self.grown.get(&store.id).map_or((0, 0), |grown| (grown.documents, grown.entries))
    }

    /// Keeps an identity, manifest or access controller.
    pub fn put_block(&mut self, cid: &LogCid, bytes: &[u8]) -> Result<(), Error> {
        if LogCid::of(bytes) != *cid {
            return Err(Error::Corrupt(format!("block {cid} has other bytes")));
        }
        self.write(|database| {
            database
                .link
                .db
                .prepare_cached("INSERT OR IGNORE INTO blocks (cid, bytes) VALUES (?1, ?2)")?
                .execute((cid.digest(), bytes))?;
            Ok(())
        })
    }

    /// Writes a fact about this replica.
    pub fn set_fact(&mut self, name: &str, value: &str) -> Result<(), Error> {
        self.write(|database| {
            database
                .link
                .db
                .prepare_cached(
                    "INSERT INTO facts (name, value) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute((name, value))?;
            Ok(())
        })
    }

    /// The one way in: adds an entry, made here or received, with every row derived from it.
    ///
    /// The caller has verified it and knows that it is not stored yet, and adds parents before
    /// children.
    pub fn put_entry(&mut self, store: &StoreRef, entry: &Entry) -> Result<(), Error> {
        let documents = self.write(|database| {
            let seq = database.next_seq;
            let db = &database.link.db;
            if database.has_passed {
                passed::forget(db, &entry.cid())?;
            }
            entries::insert(db, &mut database.cache, store.id, seq, entry)?;
            let documents = index::apply(db, store, seq, entry)?;
            if cfg!(debug_assertions) {
                // What cannot be read is told by whoever needs it.
                let _ = check::entry(db, store, seq, entry);
            }
            database.next_seq += 1;
            Ok(documents)
        })?;
        let time = entry.clock().time;
        let times = Span { from: time, until: time + 1 };
        let grown = self.grown.entry(store.id).or_insert(Grown { entries: 0, documents: 0, times });
        grown.entries += 1;
        grown.documents += documents;
        grown.times.from = grown.times.from.min(time);
        grown.times.until = grown.times.until.max(time + 1);
        Ok(())
    }

    /// Keeps an entry that is refused and that accepted ones have as an ancestor: its time, for the
    /// clocks of its descendants, and its block, for others who have to pass over it.
    ///
    /// Nothing happens if it is in the log. When it is stored later, [`Tx::put_entry`] takes it away
    /// from here.
    pub fn put_passed(
        &mut self,
        store: &StoreRef,
        cid: &LogCid,
        time: u64,
        block: &[u8],
    ) -> Result<(), Error> {
        if LogCid::of(block) != *cid {
            return Err(Error::Corrupt(format!("block {cid} has other bytes")));
        }
        self.write(|database| {
            database.has_passed |= passed::insert(&database.link.db, store.id, cid, time, block)?;
            Ok(())
        })
    }

    /// Replaces the heads of a store's log.
    pub fn set_heads<'h>(
        &mut self,
        store: &StoreRef,
        heads: impl Iterator<Item = &'h LogCid>,
    ) -> Result<(), Error> {
        self.write(|database| {
            let db = &database.link.db;
            let known = database.head_rows.remove(&store.id).unwrap_or_default();
            let mut of_heads = HashMap::new();
            for cid in heads {
                let row = match known.get(cid) {
                    Some(row) => Some(*row),
                    None => database.cache.row_of(db, cid)?,
                };
                let row = row.ok_or_else(|| Error::Corrupt(format!("head {cid} is not stored")))?;
                of_heads.insert(*cid, row);
            }
            let mut rows: Vec<i64> = of_heads.values().copied().collect();
            if rows.len() > FEW_HEADS_MAX {
                database.head_rows.insert(store.id, of_heads);
            }
            rows.sort_unstable();
            if cfg!(debug_assertions) {
                let _ = check::heads(db, store.id, &rows);
            }
            let rows: Vec<String> = rows.iter().map(i64::to_string).collect();
            db.prepare_cached("UPDATE stores SET heads = ?2 WHERE id = ?1")?
                .execute((store.id, format!("[{}]", rows.join(","))))?;
            Ok(())
        })
    }

    /// Makes everything durable, and seen by readers that start from now on.
    pub fn commit(mut self) -> Result<(), Error> {
        let (first_seq, grown) = (self.first_seq, std::mem::take(&mut self.grown));
        self.write(|database| {
            let db = &database.link.db;
            for (store, Grown { documents, entries: added, times }) in grown {
                let entries: i64 = db
                    .prepare_cached(
                        "UPDATE stores SET documents = documents + ?2, entries = entries + ?3
                         WHERE id = ?1 RETURNING entries",
                    )?
                    .query_row((store, documents, added), |row| row.get(0))?;
                // Before the commit, so that nobody who sees it finds a summary from before it.
                database.fingerprints.changing(store, database.state_base + entries, times);
                if cfg!(debug_assertions) {
                    let _ = check::grown(db, store, first_seq, (documents, added), times);
                    let _ = check::counts(db, store);
                }
            }
            // Should the commit fail, dropping undoes what SQLite has not undone itself.
            db.prepare_cached("COMMIT")?.execute([])?;
            if database.durability == Durability::Full {
                database.acked.say(database.next_seq);
            }
            Ok(())
        })?;
        self.open = false;
        Ok(())
    }

    fn write<T>(
        &mut self,
        step: impl FnOnce(&mut Database) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // When the disk is full or fails, SQLite may have undone the transaction by itself, even in
        // a read; each statement after that would be a transaction of its own.
        if self.failed || self.database.link.db.is_autocommit() {
            return Err(undone());
        }
        let done = step(self.database);
        self.failed = !matches!(done, Ok(_) | Err(Error::TooMany(_)));
        done
    }
}

fn undone() -> Error {
    use rusqlite::ffi;
    let why = "an earlier step of the transaction failed, and all of it was undone";
    Error::Sqlite(rusqlite::Error::SqliteFailure(
        ffi::Error::new(ffi::SQLITE_ABORT_ROLLBACK),
        Some(why.into()),
    ))
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // After a full disk SQLite has rolled back by itself, and says that there is nothing to do.
        let _ = self.database.link.db.execute_batch("ROLLBACK");
        // Should reading fail, too, the row numbers go on after a gap, which harms nothing.
        let _ = self.database.forget_uncommitted();
    }
}
