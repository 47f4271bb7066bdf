//! Reading: the same questions to a read-only connection and to a transaction in progress.

mod log;

use crate::connection::Link;
use crate::entries;
use crate::error::Error;
use crate::fingerprints::Fingerprints;
use crate::mend;
use crate::order::Order;
use crate::passed;
use crate::select::{Select, is_walked, select_sql};
use crate::set_aside;
use crate::stores::{self, Scope, StoreId, StoreRef, StoreRow};
use crate::tosca::{self, Owner, TypeEdge};
use crate::tree::StoreTree;
use optimusdb_dag::{Address, Entry, Ipld, LogCid, OperationRef};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use std::ops::ControlFlow;
use std::time::Instant;

/// What a block is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartOf {
    /// It is an entry of this log.
    Log(Address),
    /// It stands for itself, or defines something: an identity, a manifest, an access controller, an
    /// entry that was passed over.
    NoLog,
}

/// A consistent view of the database.
#[derive(Debug, Clone, Copy)]
pub struct View<'c> {
    link: &'c Link,
    db: &'c Connection,
    fingerprints: Option<&'c Fingerprints>,
}

impl<'c> View<'c> {
    pub(crate) fn new(link: &'c Link, fingerprints: Option<&'c Fingerprints>) -> View<'c> {
        View { link, db: &link.db, fingerprints }
    }

    /// Every store, in the order in which they were made here.
    pub fn stores(&self) -> Result<Vec<StoreRow>, Error> {
        stores::list(self.db)
    }

    /// The store of that name.
    pub fn store(&self, name: &str) -> Result<Option<StoreRow>, Error> {
        stores::by_name(self.db, name)
    }

    /// The store of that address.
    pub fn store_at(&self, address: &Address) -> Result<Option<StoreRow>, Error> {
        stores::by_address(self.db, address)
    }

    /// A fact about this replica.
    pub fn fact(&self, name: &str) -> Result<Option<String>, Error> {
        let mut statement = self.db.prepare_cached("SELECT value FROM facts WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// The document of that key, as JSON text.
    pub fn document(&self, store: &StoreRef, key: &str) -> Result<Option<String>, Error> {
        let json = |row: &Row<'_>| row.get(0);
        if store.scope == Scope::Catalog {
            let mut statement =
                self.db.prepare_cached("SELECT json(doc) FROM catalog_documents WHERE key = ?1")?;
            return self.of_documents(statement.query_row([key], json).optional());
        }
        let sql =
            "SELECT json(doc) FROM documents WHERE key = ?1 AND store = ?2 AND doc IS NOT NULL";
        let mut statement = self.db.prepare_cached(sql)?;
        let found = self.of_documents(statement.query_row((key, store.id), json).optional());
        if matches!(found, Err(Error::DamagedDocument))
            && let Some((readable, mut params)) = mend::readable(self.db, store)?
        {
            params.extend([Value::Text(key.to_owned()), Value::Integer(store.id)]);
            let sql = readable + &sql.replace("?1", "?").replace("?2", "?");
            return Ok(self.db.query_row(&sql, params_from_iter(params), json).optional()?);
        }
        found
    }

    /// What a statement over documents says, with what it says of damage noted.
    fn of_documents<T>(&self, read: Result<T, rusqlite::Error>) -> Result<T, Error> {
        self.link.noted(read.map_err(|error| Error::from(error).of_documents()))
    }

    /// Calls `each` with the key and JSON text of every selected document until it breaks. What a
    /// key-value store or an event log holds comes as `{"_id":…,"value":…}`, the `_id` being the
    /// key, or the hash of the event's entry.
    pub fn documents(
        &self,
        store: &StoreRef,
        select: &Select,
        mut each: impl FnMut(&str, &str) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let walked = select.order.is_by_key() && is_walked(self.db, store)?;
        let (sql, params) = select_sql(store, select, walked);
        if let Order::By(_, value) = select.order {
            self.link.define_sort_value(value)?;
        }
        let _bounded = self.link.until(select.deadline);
        let mut told = 0;
        let mut once = |key: &str, json: &str| {
            told += 1;
            each(key, json)
        };
        let read = self.link.noted(self.told(&sql, params, select, &mut once));
        if !matches!(read, Err(Error::DamagedDocument)) || store.scope == Scope::Catalog {
            return read;
        }
        // Once more, in the same order, with what is damaged made again from its entry. An index would
        // lead to the document as it lies.
        let Some((mut readable, mut values)) = mend::readable(self.db, store)? else { return read };
        let (sql, params) = select_sql(store, select, false);
        readable.push_str(&sql);
        values.extend(params);
        let mut known = told;
        self.told(&readable, values, select, &mut |key, json| match known {
            0 => each(key, json),
            _ => {
                known -= 1;
                ControlFlow::Continue(())
            }
        })
    }

    /// Calls `each` with the rows of one statement of [`View::documents`].
    fn told(
        &self,
        sql: &str,
        params: Vec<Value>,
        select: &Select,
        each: &mut dyn FnMut(&str, &str) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(params)).map_err(|e| self.ended(e))?;
        while let Some(row) = rows.next().map_err(|e| self.ended(e).of_documents())? {
            let text =
                |column: usize| row.get_ref(column)?.as_str().map_err(|_| Error::DamagedDocument);
            if each(text(0)?, text(1)?).is_break() {
                break;
            }
            // What a caller does with a row takes time that SQLite's steps do not show.
            if select.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Error::Interrupted);
            }
            if self.link.is_over() {
                return Err(Error::SnapshotOver);
            }
        }
        Ok(())
    }

    fn ended(&self, error: rusqlite::Error) -> Error {
        match Error::from(error) {
            Error::Interrupted if self.link.is_over() => Error::SnapshotOver,
            error => error,
        }
    }

    /// The keys in `store` of the TOSCA documents with that `_filename`.
    pub fn tosca_keys(&self, store: &StoreRef, filename: &str) -> Result<Vec<String>, Error> {
        let mut statement = self.db.prepare_cached(
            "SELECT key FROM documents WHERE doc ->> '$._original_yaml' IS NOT NULL
               AND doc ->> '$._filename' = ?1 AND store = ?2",
        )?;
        let keys = statement.query_map((filename, store.id), |row| row.get(0))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// The TOSCA files of that key, or all by key: names of stores, and keys. Of several files of one
    /// key it is the one that has its entry in the catalog.
    pub fn templates(&self, key: Option<&str>) -> Result<Vec<(String, String)>, Error> {
        tosca::templates(self.db, key)
    }

    /// Calls `each` with everything in the TOSCA files of a store that may have capabilities, file by
    /// file; fails with [`Error::Interrupted`] at the deadline, as all of these do.
    pub fn owners(
        &self,
        store: &StoreRef,
        deadline: Instant,
        each: impl FnMut(&Owner<'_>),
    ) -> Result<(), Error> {
        tosca::owners(self.link, store, deadline, each)
    }

    /// Calls `each` with the node types of all TOSCA files.
    pub fn type_owners(
        &self,
        deadline: Instant,
        each: impl FnMut(&Owner<'_>),
    ) -> Result<(), Error> {
        tosca::type_owners(self.link, deadline, each)
    }

    /// Calls `each` with the node and capability types that TOSCA files define.
    pub fn type_edges(
        &self,
        deadline: Instant,
        each: impl FnMut(&TypeEdge<'_>),
    ) -> Result<(), Error> {
        tosca::type_edges(self.link, deadline, each)
    }

    /// Calls `each` with the key of every document that has an object `capabilities` and is no TOSCA
    /// file, and the JSON of its capabilities, or of the whole document.
    pub fn resources(
        &self,
        store: &StoreRef,
        whole: bool,
        deadline: Instant,
        each: impl FnMut(&str, &str),
    ) -> Result<(), Error> {
        tosca::resources(self.link, store, whole, deadline, each)
    }

    /// What the log holds under a key, with the kinds that JSON lacks: a document, or the value in
    /// a key-value store.
    pub fn value(&self, store: &StoreRef, key: &str) -> Result<Option<Ipld>, Error> {
        let mut statement = self.db.prepare_cached(
            "SELECT entry FROM documents WHERE key = ?1 AND store = ?2 AND doc IS NOT NULL",
        )?;
        let seq: Option<i64> = statement.query_row((key, store.id), |row| row.get(0)).optional()?;
        let Some(seq) = seq else {
            return Ok(None);
        };
        let entry = self.link.noted(entries::at(self.db, seq))?;
        let cid = entry.cid();
        let put = match OperationRef::of(store.kind, entry.payload()) {
            Some((OperationRef::Put { key, .. }, _)) => Some(key),
            _ => None,
        };
        debug_assert!(put.is_none_or(|put| put == key), "the row of {key} is another's: {cid}");
        let value = match (put.is_some(), entry.into_payload()) {
            (true, Ipld::Map(mut fields)) => fields.remove("value"),
            _ => None,
        };
        value.map(Some).ok_or_else(|| Error::Corrupt(format!("entry {cid} puts no document")))
    }

    /// An entry of any store.
    pub fn entry(&self, cid: &LogCid) -> Result<Option<Entry>, Error> {
        self.link.noted(entries::get(self.db, cid))
    }

    /// Whether an entry was found to be damaged, and is waited for.
    pub fn is_set_aside(&self, cid: &LogCid) -> Result<bool, Error> {
        Ok(set_aside::place_of(self.db, cid)?.is_some())
    }

    /// Entries that are set aside, with the stores that they are of: at most `limit`.
    pub fn set_aside(&self, limit: usize) -> Result<Vec<(StoreId, LogCid)>, Error> {
        set_aside::list(self.db, limit)
    }

    /// How many entries of each store are set aside.
    pub fn set_aside_counts(&self) -> Result<Vec<(StoreId, u64)>, Error> {
        set_aside::counts(self.db)
    }

    /// Whether an entry is in a log.
    pub fn is_stored(&self, cid: &LogCid) -> Result<bool, Error> {
        Ok(entries::row_of(self.db, cid)?.is_some())
    }

    /// Whether an entry was passed over: refused, and kept because entries in the log have it as an
    /// ancestor.
    pub fn is_passed(&self, cid: &LogCid) -> Result<bool, Error> {
        Ok(passed::time_of(self.db, cid)?.is_some())
    }

    /// Entries of a store that were passed over, at most `limit` of them from behind `after` on, to
    /// be judged again when the access to the store has changed.
    pub fn passed(
        &self,
        store: &StoreRef,
        after: Option<&LogCid>,
        limit: usize,
    ) -> Result<Vec<LogCid>, Error> {
        passed::of_store(self.db, store.id, after, limit)
    }

    /// The clock time of an entry that is stored or was passed over.
    pub fn time_of(&self, cid: &LogCid) -> Result<Option<u64>, Error> {
        let mut statement = self.db.prepare_cached("SELECT time FROM entries WHERE cid = ?1")?;
        let time: Option<i64> = statement.query_row([cid.digest()], |row| row.get(0)).optional()?;
        match time {
            Some(time) => Ok(Some(time.cast_unsigned())),
            None => passed::time_of(self.db, cid),
        }
    }

    /// The entries of a store as fast sync sees them, at the moment of this view.
    pub fn tree(&self, store: &StoreRef) -> Result<StoreTree<'c>, Error> {
        StoreTree::new(self.link, self.fingerprints, store)
    }

    /// The bytes of any block: entry, passed over or not, identity, manifest or access controller.
    pub fn block(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Error> {
        let mut statement = self.db.prepare_cached("SELECT bytes FROM blocks WHERE cid = ?1")?;
        let found: Option<Vec<u8>> =
            statement.query_row([cid.digest()], |row| row.get(0)).optional()?;
        match found {
            Some(bytes) if LogCid::of(&bytes) == *cid => Ok(Some(bytes)),
            Some(_) => Err(Error::Corrupt(format!("block {cid} has other bytes"))),
            None => self.link.noted(entries::block(self.db, cid, |_| true)),
        }
    }

    /// What a block that is here is a part of. Asks the indexes and reads no block.
    pub fn part_of(&self, cid: &LogCid) -> Result<Option<PartOf>, Error> {
        if let Some(log) = entries::log_of(self.db, cid)? {
            return Ok(Some(PartOf::Log(log)));
        }
        let mut statement = self.db.prepare_cached("SELECT 1 FROM blocks WHERE cid = ?1")?;
        Ok(statement.exists([cid.digest()])?.then_some(PartOf::NoLog))
    }
}
