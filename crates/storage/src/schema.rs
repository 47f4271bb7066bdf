//! The tables, and the steps from one format to the next.
//!
//! `docs/format.md` describes them for readers of the file. Tables that every node has are made
//! here; each store's own table is made with the store, in [`crate::stores`].

use crate::error::Error;
use crate::limits::FORMAT_VERSION;
use rusqlite::Connection;

/// The steps, the first from an empty file to format 1.
const MIGRATIONS: [&str; FORMAT_VERSION as usize] = [FORMAT_1];

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
";

/// Brings the database to [`FORMAT_VERSION`], each step in a transaction of its own.
pub(crate) fn migrate(db: &mut Connection) -> Result<(), Error> {
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for version in found..FORMAT_VERSION {
        let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(MIGRATIONS[version as usize])?;
        tx.pragma_update(None, "user_version", version + 1)?;
        tx.commit()?;
    }
    Ok(())
}
