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
