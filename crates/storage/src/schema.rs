//! The tables, and the steps from one format to the next.
//!
//! `docs/format.md` describes them for readers of the file. The tables are the same whatever stores
//! a node has: a store is a number in them. The views over them are made in [`crate::catalog`].

use crate::connection::Place;
use crate::error::Error;
use crate::index;
use crate::limits::FORMAT_VERSION;
use crate::stores;
use crate::tosca;
use optimusdb_dag::StoreKind;
use rusqlite::Connection;
use std::collections::BTreeSet;

/// The steps, the first from an empty file to format 1.
const MIGRATIONS: [&str; FORMAT_VERSION as usize] =
    [FORMAT_1, FORMAT_2, FORMAT_3, FORMAT_4, FORMAT_5, FORMAT_6, FORMAT_7, tosca::TABLES];

const FORMAT_1: &str = "
-- Facts about this replica: the swarm that it belongs to.
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Blocks that are not entries: identities, manifests, access controllers.
CREATE TABLE blocks (cid BLOB PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;

-- The signing keys seen in entries, so that an entry names its writer by a number.
CREATE TABLE writers (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  identity BLOB NOT NULL,
  UNIQUE (identity, key)
);

CREATE TABLE stores (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  manifest BLOB NOT NULL UNIQUE,
  scope TEXT NOT NULL,
  documents INTEGER NOT NULL DEFAULT 0,
  entries INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE entries (
  seq INTEGER PRIMARY KEY,
  cid BLOB NOT NULL UNIQUE,
  store INTEGER NOT NULL REFERENCES stores (id),
  time INTEGER NOT NULL,
  writer INTEGER NOT NULL REFERENCES writers (id),
  links BLOB NOT NULL,
  sig BLOB NOT NULL,
  payload BLOB NOT NULL
);

CREATE TABLE heads (
  store INTEGER NOT NULL REFERENCES stores (id),
  seq INTEGER NOT NULL REFERENCES entries (seq),
  PRIMARY KEY (store, seq)
) WITHOUT ROWID;

-- The index: the newest operation per store and key. All below here is derived from the entries.
-- `row` is the store in the upper bits and the first entry here that named the key in the lower 40,
-- so the rows of a store lie together in the order of their arrival; `time` and `entry` name the
-- winning operation; `doc` is NULL in a tombstone; `created` and `updated` are the writers' wall
-- clocks in ms, where their operations carry one.
CREATE TABLE documents (
  row INTEGER PRIMARY KEY,
  store INTEGER NOT NULL,
  key TEXT NOT NULL,
  time INTEGER NOT NULL,
  entry INTEGER NOT NULL,
  created INTEGER,
  updated INTEGER,
  doc BLOB
);
-- The key first: the catalog looks for one key in all stores.
CREATE UNIQUE INDEX documents_key ON documents (key, store);
CREATE INDEX documents_tosca ON documents (doc ->> '$._filename', store)
  WHERE doc ->> '$._original_yaml' IS NOT NULL;

CREATE TABLE events (entry INTEGER PRIMARY KEY, store INTEGER NOT NULL, time INTEGER NOT NULL);
CREATE INDEX events_time ON events (store, time);
";

const FORMAT_2: &str = "
-- The entries of a store in the order of sync. It holds all that a list of ids needs.
CREATE INDEX entries_time ON entries (store, time, cid);

-- Entries that are not in the log, and that entries in it have as ancestors. Their blocks are in
-- `blocks`.
CREATE TABLE passed (
  cid BLOB PRIMARY KEY,
  store INTEGER NOT NULL REFERENCES stores (id),
  time INTEGER NOT NULL
) WITHOUT ROWID;
";

const FORMAT_3: &str = "
-- Documents that share their key with one of another resource store, under the names that their
-- catalog entries have where they are not the first. Derived from `documents`.
CREATE TABLE namesakes (name TEXT, row INTEGER, PRIMARY KEY (name, row)) WITHOUT ROWID;
INSERT INTO namesakes
  SELECT beside(d.key, s.manifest), d.row FROM documents AS d JOIN stores AS s ON s.id = d.store
  WHERE s.kind = 'documents' AND s.scope = 'resource' AND EXISTS (
    SELECT 1 FROM documents AS o JOIN stores AS p ON p.id = o.store
    WHERE o.key = d.key AND o.store <> d.store AND p.kind = 'documents' AND p.scope = 'resource');
";

const FORMAT_4: &str = "
-- The greatest PUT of an uploaded file per store and file name, with the key of its document.
-- Derived from the entries.
CREATE TABLE uploads (
  store INTEGER NOT NULL,
  filename TEXT NOT NULL,
  key TEXT NOT NULL,
  entry INTEGER NOT NULL,
  PRIMARY KEY (store, filename)
) WITHOUT ROWID;
";

const FORMAT_5: &str = "
-- The documents that are there, store by store in the order in which they are read.
CREATE INDEX documents_live ON documents (store, key) WHERE doc IS NOT NULL;
";

const FORMAT_6: &str = "
-- The documents come in the same order through `documents_key`, which there must be anyway.
DROP INDEX documents_live;
";

const FORMAT_7: &str = "
-- The heads of a log change with its counters: one row has both. A JSON list of `seq`s, ascending.
ALTER TABLE stores ADD COLUMN heads TEXT NOT NULL DEFAULT '[]';
UPDATE stores SET heads = (
  SELECT json_group_array(seq) FROM (SELECT seq FROM heads WHERE store = stores.id ORDER BY seq));
DROP TABLE heads;
";

/// The first format in which `uploads` was kept.
const UPLOADS_SINCE: u32 = 4;

/// Brings the database to [`FORMAT_VERSION`], each step in a transaction of its own. A database of
/// a newer format is refused, and nothing is written to it.
pub(crate) fn migrate(db: &mut Connection, place: &Place) -> Result<(), Error> {
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > FORMAT_VERSION {
        let path = match place {
            Place::File(path) => path.clone(),
            Place::Memory(n) => n.to_string().into(),
        };
        return Err(Error::NewerFormat { path, found, known: FORMAT_VERSION });
    }
    for version in found..FORMAT_VERSION {
        let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(MIGRATIONS[version as usize])?;
        if version + 1 == FORMAT_VERSION {
            if (1..UPLOADS_SINCE).contains(&found) {
                derive_uploads(&tx)?;
            }
            tosca::fill(&tx)?;
        }
        tx.pragma_update(None, "user_version", version + 1)?;
        tx.commit()?;
    }
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    derive_ids(&tx)?;
    Ok(tx.commit()?)
}

/// The fact that documents are shown with their keys as `_id`.
const IDS_ARE_KEYS: &str = "ids_are_keys";

/// Derives the stores anew in which earlier versions show documents with another `_id` than their key.
fn derive_ids(db: &Connection) -> Result<(), Error> {
    let done = "SELECT EXISTS (SELECT 1 FROM facts WHERE name = ?1)";
    if db.query_row(done, [IDS_ARE_KEYS], |row| row.get(0))? {
        return Ok(());
    }
    for store in stores::list(db)? {
        // What is damaged is mended when it is met.
        let any = "SELECT EXISTS (SELECT 1 FROM documents
            WHERE row >= ?1 AND row < ?2 AND CASE WHEN json_valid(doc, 8)
              THEN json_type(doc, '$._id') IS NOT 'text' OR doc ->> '$._id' IS NOT key END)";
        if store.kind == StoreKind::Documents
            && db.query_row(any, stores::rows_of(store.id), |row| row.get(0))?
        {
            index::derive(db, &store, &BTreeSet::new(), &mut || ())?;
        }
    }
    db.execute("INSERT INTO facts (name, value) VALUES (?1, 'true')", [IDS_ARE_KEYS])?;
    Ok(())
}

/// Derives the stores anew into which files were uploaded: nothing else changes in them.
fn derive_uploads(db: &Connection) -> Result<(), Error> {
    for store in stores::list(db)? {
        let any = "SELECT EXISTS (SELECT 1 FROM entries
            WHERE store = ?1 AND instr(payload, CAST('_original_yaml' AS BLOB)))";
        if store.kind == StoreKind::Documents && db.query_row(any, [store.id], |row| row.get(0))? {
            index::derive(db, &store, &BTreeSet::new(), &mut || ())?;
        }
    }
    Ok(())
}
