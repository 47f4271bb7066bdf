//! Every bound of this room, in one place. Units come last.

/// Longest `_id`, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 1024;
/// Largest document, in bytes of its encoded form.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// Documents that one put, update or delete may touch.
pub const WRITE_DOCUMENTS_MAX: usize = 100_000;
/// Bytes of the documents that one update may write.
pub const UPDATE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Deepest nesting of a criteria expression (`$and` in `$or` in …).
pub const CRITERIA_DEPTH_MAX: usize = 32;
/// Nodes of a criteria expression: fields, operators and the values of `$in` and its like.
pub const CRITERIA_NODES_MAX: usize = 10_000;
/// Longest regular expression, in bytes.
pub const REGEX_BYTES_MAX: usize = 4096;
/// Memory that one compiled regular expression may take, in bytes.
pub const REGEX_COMPILED_BYTES_MAX: usize = 1024 * 1024;
/// Fields that a result may be sorted by.
pub const SORT_FIELDS_MAX: usize = 16;
/// Fields that a projection may name.
pub const PROJECTION_FIELDS_MAX: usize = 256;
/// Largest TOSCA file, in bytes.
pub const TOSCA_BYTES_MAX: usize = 1024 * 1024;
/// Regular expressions that one criteria expression may hold.
pub const CRITERIA_REGEXES_MAX: usize = 32;
/// Segments of a dotted path in criteria, `sort` and `fields`.
pub const PATH_SEGMENTS_MAX: usize = 64;
/// Segments of a dotted path that a prefilter or an ORDER BY spells out in full: the ways to read
/// it double with each.
pub const SQL_PATH_SEGMENTS_MAX: usize = 4;
/// Terms of a prefilter. SQLite refuses expressions of more than 1,000 levels, and a chain of OR
/// has one per term.
pub const PREFILTER_TERMS_MAX: usize = 200;
/// Bytes of writes that may wait in a lane, in KiB.
pub const LANE_KIB_MAX: u32 = 64 * 1024;
/// What the smallest write counts for, in KiB, so that a lane is bounded in number, too.
pub const WRITE_KIB_MIN: u32 = 16;
/// How long a write waits for room in its lane before it is told to come back, in milliseconds.
pub const LANE_WAIT_MS: u64 = 10_000;
/// Writes that one transaction answers.
pub const BATCH_WRITES_MAX: usize = 512;
/// Bytes after which a transaction takes no further write, in KiB.
pub const BATCH_KIB_MAX: u32 = 8 * 1024;
/// How long reading for one request may take, in milliseconds.
pub const READ_MS_MAX: u64 = 30_000;
/// How long a stream of documents waits for a reader that does not take them, in milliseconds.
pub const STREAM_STALL_MS_MAX: u64 = 10_000;
/// Size from which a chunk of a stream of documents is sent, in bytes.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait between reading and sending.
pub const CHUNKS_MAX: usize = 2;
/// How long a write may take, its waiting included, in milliseconds.
pub const WRITE_MS_MAX: u64 = 30_000;
/// How long an update or delete may look for what matches, in milliseconds: other writers wait.
pub const MATCH_MS_MAX: u64 = 5_000;
/// How long nothing is written before the writer turns to upkeep, in milliseconds.
pub const IDLE_MS: u64 = 1_000;
/// How long the writer sleeps when there is no upkeep either, in milliseconds.
pub const IDLE_MS_MAX: u64 = 3_600_000;
/// Connections for reading by `_id`; scans never take them.
pub const POINT_READERS_MAX: usize = 4;
/// `_id`s that one look-up takes; more are read as a stream.
pub const POINT_IDS_MAX: usize = 16;
/// Connections for scans.
pub const SCAN_READERS_MAX: usize = 4;
/// Longest store name, in bytes.
pub const STORE_NAME_BYTES_MAX: usize = 63;
/// Log records that wait to be stored; more are dropped and counted.
pub const LOG_QUEUE_RECORDS_MAX: usize = 4_096;
/// Log records stored in one transaction.
pub const LOG_BATCH_RECORDS_MAX: usize = 1_024;
/// How often log records are stored, in milliseconds.
pub const LOG_FLUSH_MS: u64 = 500;
/// How often old log records are dropped, in milliseconds.
pub const LOG_RETAIN_MS: u64 = 10 * 60 * 1000;
/// Longest name of a TOSCA file, in bytes of UTF-8.
pub const TOSCA_FILENAME_BYTES_MAX: usize = 1024;
/// Deepest nesting of a TOSCA file, aliases followed.
pub const TOSCA_DEPTH_MAX: usize = 64;
/// Keys and values of a TOSCA file, copies made by anchors and aliases included.
pub const TOSCA_NODES_MAX: usize = 250_000;
/// Text of the keys and values of a TOSCA file, copies made by anchors and aliases included, in
/// bytes.
pub const TOSCA_EXPANDED_BYTES_MAX: usize = 4 * TOSCA_BYTES_MAX;
