-- The entries of a store in the order of sync. It holds all that a list of ids needs.
CREATE INDEX entries_time ON entries (store, time, cid);

-- Entries that are not in the log, and that entries in it have as ancestors. Their blocks are in
-- `blocks`.
CREATE TABLE passed (
  cid BLOB PRIMARY KEY,
  store INTEGER NOT NULL REFERENCES stores (id),
  time INTEGER NOT NULL
) WITHOUT ROWID;

-- Documents that share their key with one of another resource store, under the names that their
-- catalog entries have where they are not the first. Derived from `documents`.
CREATE TABLE namesakes (name TEXT, row INTEGER, PRIMARY KEY (name, row)) WITHOUT ROWID;

-- The greatest PUT of an uploaded file per store and file name, with the key of its document.
-- Derived from the entries.
CREATE TABLE uploads (
  store INTEGER NOT NULL,
  filename TEXT NOT NULL,
  key TEXT NOT NULL,
  entry INTEGER NOT NULL,
  PRIMARY KEY (store, filename)
) WITHOUT ROWID;

-- The documents that are there, store by store in the order in which they are read.
CREATE INDEX documents_live ON documents (store, key) WHERE doc IS NOT NULL;
