//! Every bound of this room, in one place. Units come last.

/// Version of the layout of a repository that this build reads and writes.
pub const FORMAT_VERSION: u32 = 8;
/// Page cache of the read-write connection, in KiB.
pub const WRITER_CACHE_KIB: i64 = 8 * 1024;
/// Page cache of each read-only connection, in KiB.
pub const READER_CACHE_KIB: i64 = 2 * 1024;
/// Bytes of a page of a database that has no other need.
pub const PAGE_BYTES: i64 = 4 * 1024;
/// Bytes of a page of the database of files. Of 4 KiB, a small file of 2 KiB and more would take a page alone, and what is
/// left of it stays empty.
pub const FILES_PAGE_BYTES: i64 = 16 * 1024;
/// Bytes of pages in the write-ahead log after which a commit moves them into the database. More would make
/// large loads cheaper, fewer would sooner write over the file instead of growing it: a sync of a
/// file that grows takes twice as long.
pub const WAL_CHECKPOINT_BYTES: i64 = 16_000 * 1024;
/// Size to which the write-ahead log is cut back after a checkpoint, in bytes. It is larger than the
/// log usually gets, so the file is overwritten and not grown.
pub const WAL_KEPT_BYTES: i64 = 24 * 1024 * 1024;
/// Size of the write-ahead log, in bytes, from which slow readers end and commits are moved at every chance.
pub const LOG_PRESSED_BYTES: u64 = 64 * 1024 * 1024;
/// Size of the write-ahead log, in bytes, at which every snapshot that is being read ends.
pub const LOG_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// How often the writer tries to begin such a log anew, in milliseconds.
pub const LOG_PRESSED_MS: u64 = 1_000;
/// How long it waits each time for those who read in it, in milliseconds.
pub const LOG_PRESSED_WAIT_MS: u64 = 20;
/// How long it waits once their snapshots have to end, in milliseconds.
pub const LOG_WAIT_MS_MAX: u64 = 1_000;
/// Characters of a store's address behind the key of a document that is not the first of its key, in
/// the name of its catalog entry.
pub const NAMESAKE_CHARS: usize = 8;
/// Prepared statements kept per connection.
pub const STATEMENTS_MAX: usize = 128;
/// How long a connection waits for a lock that another process may hold, in milliseconds.
pub const BUSY_TIMEOUT_MS: u64 = 5_000;
/// Entries whose row number is remembered, so that links are written without a look-up.
pub const LINK_CACHE_ENTRIES_MAX: usize = 4_096;
/// Heads of a log up to which their rows are looked up with each commit; those of more are remembered.
pub const FEW_HEADS_MAX: usize = 64;
/// Stores of one node. Each costs memory for the newest part of its log, and traffic of its own.
pub const STORES_MAX: usize = 256;
/// Longest message kept in the journal, in bytes.
pub const JOURNAL_MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// Records of the journal answered for one hour.
pub const JOURNAL_PAGE_RECORDS_MAX: u32 = 10_000;
/// Records kept in the journal, whatever their age.
pub const JOURNAL_RECORDS_MAX: i64 = 1_000_000;
/// Largest key file, in bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 4_096;
/// Cells of the sync trees of all stores whose summaries are kept in memory, about 100 bytes each.
/// Beyond it, those of the lowest levels are let go, and computed again when they are asked for.
pub const FINGERPRINT_CELLS_MAX: usize = 65_536;
/// A leaf with at least this many entries has its summary kept.
pub const FINGERPRINT_LEAF_ENTRIES_MIN: u64 = 1_024;
/// Newest commits of a store whose times are remembered one by one, so that a reader who began
/// before one of them knows which summaries it changed. Older ones are remembered together.
pub const FINGERPRINT_COMMITS_MAX: usize = 1_024;
/// Summaries that one walk over a store computes before it shares them.
pub const FINGERPRINT_BATCH_CELLS_MAX: usize = 1_024;
/// Segments of a dotted path that a filter or an order spells out in full: the ways to read
/// it double with each.
pub const SQL_PATH_SEGMENTS_MAX: usize = 4;
/// Terms of a filter. SQLite refuses expressions of more than 1,000 levels, and a chain of OR
/// has one per term.
pub const FILTER_TERMS_MAX: usize = 200;
/// Documents of all stores per one of a store up to which that store is read in the order of its keys
/// by walking the index over all of them. To step over one of another store takes a thirtieth of the
/// time that sorting a document takes, and who wants only the first ones is done with them sooner.
pub const WALKED_STORES_MAX: i64 = 64;
/// Version of the layout of the database of files.
pub const FILES_FORMAT_VERSION: u32 = 3;
/// Bytes up to which a block of a file is a row. A larger one lies in a segment: rows of more than a
/// few pages are chains of pages, which are read and written one by one.
pub const SMALL_BLOCK_BYTES_MAX: usize = 16 * 1024;
/// Bytes after which a segment is full. Below half of it, what is left is written anew.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of large blocks after which an add syncs what it has written.
pub const ADD_FLUSH_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes of small blocks that an add holds in memory until it writes them.
pub const ADD_FLUSH_SMALL_BYTES: u64 = 4 * 1024 * 1024;
/// Read-only connections to the database of files that are kept.
pub const FILE_READERS_MAX: usize = 8;
/// Pins of one node.
pub const PINS_MAX: i64 = 1_000_000;
/// Pins beyond which a node makes none of its own accord, so that its users still can.
pub const REPLICA_PINS_MAX: i64 = 900_000;
/// Blocks that one step of a sweep looks at.
pub const SWEEP_STEP_BLOCKS: usize = 256;
/// Blocks that one sweep marks. With more to keep, nothing is removed.
pub const SWEEP_MARKED_BLOCKS_MAX: usize = 16 * 1024 * 1024;
/// Blocks that are remembered of adds that go on. With more, no sweep removes anything until all
/// adds have ended.
pub const SWEEP_TOUCHED_BLOCKS_MAX: usize = 4 * 1024 * 1024;
/// Longest statement of SQL, in bytes.
pub const SQL_BYTES_MAX: usize = 1024 * 1024;
/// Parameters of a statement.
pub const SQL_PARAMETERS_MAX: usize = 10_000;
/// Largest text or blob that a statement may read or make, in bytes. The text of any document is
/// shorter: a byte of one becomes six at most.
pub const SQL_VALUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Columns of a table, a result, or an index.
pub const SQL_COLUMNS_MAX: usize = 200;
/// Levels of an expression of SQL.
pub const SQL_EXPRESSION_LEVELS_MAX: usize = 200;
/// SELECTs of one compound, such as those of a UNION.
pub const SQL_COMPOUND_SELECTS_MAX: usize = 100;
/// Instructions that a statement is compiled to.
pub const SQL_INSTRUCTIONS_MAX: usize = 100_000;
/// Bytes of the pattern of LIKE and GLOB. One match takes as many steps as pattern and text have bytes,
/// multiplied, and nothing ends it.
pub const SQL_PATTERN_BYTES_MAX: usize = 128;
/// Steps of SQLite between two looks whether a statement of a user is to end. One may make the largest
/// value, which takes some milliseconds.
pub const SQL_STEPS_PER_LOOK: i32 = 200;
/// Triggers that fire each other.
pub const SQL_TRIGGERS_MAX: usize = 16;
/// Page cache of each connection for SQL, in KiB.
pub const SQL_CACHE_KIB: i64 = 4 * 1024;
/// Bytes of all values of one answer.
pub const SQL_ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of all values that a statement which writes returns: they are held until it is committed.
pub const SQL_RETURNED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Size of the users' own tables, in bytes.
pub const USER_TABLES_BYTES_MAX: i64 = 4 * 1024 * 1024 * 1024;
/// Tables, views, indexes and triggers of users.
pub const USER_OBJECTS_MAX: i64 = 1_000;
/// Documents that one statement writes to a store.
pub const SQL_WRITTEN_DOCUMENTS_MAX: usize = 100_000;
/// Bytes of the documents that one statement writes to a store.
pub const SQL_WRITTEN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Statements of SQL up to this size are kept prepared, in bytes.
pub const SQL_STATEMENTS_KEPT_BYTES_MAX: usize = 8 * 1024;
/// Rows that are kept of one TOSCA file, in all tables of what such files say together; its last types
/// are left out beyond it.
pub const TOSCA_ROWS_MAX: usize = 50_000;
/// Deepest nesting of the conditions of a `node_filter`.
pub const TOSCA_FILTER_DEPTH_MAX: usize = 32;
/// Conditions and clauses of one `node_filter`.
pub const TOSCA_FILTER_TERMS_MAX: usize = 1_000;
/// Types above a type that are looked for.
pub const TOSCA_TYPE_DEPTH_MAX: usize = 32;
/// Rows of damaged entries that are noted until the writer looks at them. More are found again then.
pub const DAMAGE_NOTED_ROWS_MAX: usize = 4_096;
/// Damaged documents of a store that one read makes again for itself. With more it fails, and the next one
/// finds them mended.
pub const REMADE_ROWS_MAX: usize = 200;
/// Damaged documents that are made again in one transaction; more are gone until `-reindex`.
pub const MENDED_ROWS_MAX: i64 = 20_000;
/// Damaged entries of one transaction for which all identities and manifests are tried.
pub const SHARED_ROWS_TRIED_MAX: usize = 4;
/// The earliest wall clock of a writer that counts: the year 2020, in milliseconds. No log is older.
pub const AT_MS_MIN: u64 = 1_577_836_800_000;
/// The latest one, in milliseconds: the end of the year 9999, after which dates have no text.
pub const AT_MS_MAX: u64 = 253_402_300_799_999;
/// By how much a writer's wall clock may be ahead of the one here and still be shown, in milliseconds.
pub const AT_AHEAD_MS_MAX: u64 = 600_000;
