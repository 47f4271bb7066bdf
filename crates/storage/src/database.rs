//! Writing: one connection, one transaction at a time, one function that adds an entry.

use crate::catalog;
use crate::connection::{Durability, Link, Place, read_write};
use crate::entries::{self, EntryCache};
use crate::error::Error;
use crate::index;
use crate::schema;
use crate::stores::{self, Scope, StoreId, StoreRow};
use crate::view::View;
use optimusdb_dag::{Address, Cid, Entry, StoreKind};
use std::collections::BTreeMap;

/// The read-write connection. There is one per node, owned by the writer thread.
#[derive(Debug)]
pub struct Database {
    link: Link,
    cache: EntryCache,
    next_seq: i64,
}

impl Database {
    /// Opens the database, migrating it to the current format first.
    ///
    /// A database of a newer format is left untouched: [`Error::NewerFormat`].
    pub fn open(place: &Place, durability: Durability) -> Result<Database, Error> {
        let mut link = read_write(place, durability)?;
        schema::migrate(&mut link.db, place)?;
        catalog::create_views(&mut link.db)?;
        let mut database = Database { link, cache: EntryCache::default(), next_seq: 0 };
        database.forget_uncommitted()?;
        Ok(database)
    }

    /// What is committed.
    pub fn view(&self) -> View<'_> {
        View::new(&self.link)
    }

    /// Starts a transaction. Dropping it undoes it.
    pub fn begin(&mut self) -> Result<Tx<'_>, Error> {
        self.link.db.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Tx { database: self, grown: BTreeMap::new(), open: true, failed: false })
    }

    /// Drops every derived row of `store` and makes them again from its log.
    pub fn reindex(&mut self, store: &StoreRow) -> Result<(), Error> {
        let tx = self.begin()?;
        let db = &tx.database.link.db;
        index::clear(db, store.id)?;
        let mut documents = 0;
        {
            let mut statement =
                db.prepare("SELECT seq FROM entries WHERE store = ?1 ORDER BY seq")?;
            let mut rows = statement.query([store.id])?;
            while let Some(row) = rows.next()? {
                let seq = row.get(0)?;
                documents += index::apply(db, store, seq, &entries::at(db, seq)?)?;
            }
        }
        db.execute("UPDATE stores SET documents = ?2 WHERE id = ?1", (store.id, documents))?;
        tx.commit()
    }

    /// Moves the write-ahead log into the database file.
    pub fn checkpoint(&self, how: Checkpoint) -> Result<(), Error> {
        let sql = match how {
            Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
            Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        self.link.db.query_row(sql, [], |_| Ok(()))?;
        Ok(())
    }

    fn forget_uncommitted(&mut self) -> Result<(), Error> {
        self.cache = EntryCache::default();
        self.next_seq =
            self.link
                .db
                .query_row("SELECT coalesce(max(seq), 0) + 1 FROM entries", [], |row| row.get(0))?;
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
    grown: BTreeMap<StoreId, Grown>,
    open: bool,
    failed: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Grown {
    entries: i64,
    documents: i64,
}

impl Tx<'_> {
    /// What is committed, and what this transaction did.
    pub fn view(&self) -> View<'_> {
        self.database.view()
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

    /// Keeps an identity, manifest or access controller.
    pub fn put_block(&mut self, cid: &Cid, bytes: &[u8]) -> Result<(), Error> {
        if Cid::of(bytes) != *cid {
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
    pub fn put_entry(&mut self, store: &StoreRow, entry: &Entry) -> Result<(), Error> {
        let documents = self.write(|database| {
            let seq = database.next_seq;
            let db = &database.link.db;
            entries::insert(db, &mut database.cache, store.id, seq, entry)?;
            let documents = index::apply(db, store, seq, entry)?;
            database.next_seq += 1;
            Ok(documents)
        })?;
        let grown = self.grown.entry(store.id).or_default();
        grown.entries += 1;
        grown.documents += documents;
        Ok(())
    }

    /// Replaces the heads of a store's log.
    pub fn set_heads<'h>(
        &mut self,
        store: &StoreRow,
        heads: impl Iterator<Item = &'h Cid>,
    ) -> Result<(), Error> {
        self.write(|database| {
            let db = &database.link.db;
            db.prepare_cached("DELETE FROM heads WHERE store = ?1")?.execute([store.id])?;
            let mut insert = db.prepare_cached(
                "INSERT INTO heads (store, seq) SELECT ?1, seq FROM entries WHERE cid = ?2",
            )?;
            for cid in heads {
                if insert.execute((store.id, cid.digest()))? != 1 {
                    return Err(Error::Corrupt(format!("head {cid} is not stored")));
                }
            }
            Ok(())
        })
    }

    /// Makes everything durable, and seen by readers that start from now on.
    pub fn commit(mut self) -> Result<(), Error> {
        let grown = std::mem::take(&mut self.grown);
        self.write(|database| {
            let db = &database.link.db;
            for (store, grown) in grown {
                db.prepare_cached(
                    "UPDATE stores SET documents = documents + ?2, entries = entries + ?3
                     WHERE id = ?1",
                )?
                .execute((store, grown.documents, grown.entries))?;
            }
            // Should the commit fail, dropping undoes what SQLite has not undone itself.
            Ok(db.execute_batch("COMMIT")?)
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
