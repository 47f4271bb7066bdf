//! Every bound of this room, in one place. Units come last.

/// Largest configuration file, in bytes.
pub(crate) const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
/// Largest file that holds an API token, in bytes.
pub(crate) const TOKEN_FILE_BYTES_MAX: u64 = 16 * 1024;
/// Longest name that a node gives or takes at start: swarm, region, agent, context. In bytes.
pub(crate) const NAME_BYTES_MAX: usize = 128;
/// Texts that a list may hold: peers to dial, names of this node, origins.
pub(crate) const LISTED_TEXTS_MAX: usize = 256;
/// Unknown variables that are named at the start.
pub(crate) const VARIABLES_NAMED_MAX: usize = 8;
/// Largest file that holds a swarm key, in bytes.
pub(crate) const SWARM_KEY_FILE_BYTES_MAX: u64 = 4 * 1024;
/// Longest API token, in bytes: it has to fit into a header.
pub(crate) const API_TOKEN_BYTES_MAX: usize = 4096;

/// Fewest threads that run tasks, so that one busy task never stands in the way of the rest.
pub(crate) const WORKERS_MIN: usize = 2;
/// Most threads that run tasks: signatures and SQLite have their own.
pub(crate) const WORKERS_MAX: usize = 4;
/// Most threads for blocking work.
pub(crate) const BLOCKING_THREADS_MAX: usize = 64;
/// Stack of each thread of the runtime, in bytes.
pub(crate) const THREAD_STACK_BYTES: usize = 1024 * 1024;
/// Connections that may wait to be accepted.
pub(crate) const LISTEN_BACKLOG_CONNECTIONS_MAX: u32 = 1024;

/// A node that opens within this leaves connections waiting until it is open, in milliseconds; one that
/// takes longer answers that it is not ready.
pub(crate) const OPENING_SILENT_MS_MAX: u64 = 500;
/// Between two records of the journal that say how far the opening is, in milliseconds.
pub(crate) const OPENING_TOLD_INTERVAL_MS: u64 = 5_000;

/// From the first signal to the end of the process, at most, in milliseconds. Orchestrators kill
/// after 10 s.
pub(crate) const STOP_MS_MAX: u64 = 7_500;
/// The part of [`STOP_MS_MAX`] that requests in flight get to finish, in milliseconds.
pub(crate) const DRAIN_MS_MAX: u64 = 4_000;
/// What the runtime gets to end its last tasks, in milliseconds, on top of [`STOP_MS_MAX`].
pub(crate) const RUNTIME_STOP_MS_MAX: u64 = 250;

/// Longest message that a record of the journal keeps, in bytes; the rest is cut.
pub(crate) const LOG_MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// Largest answer of a node that a command reads, in bytes.
pub(crate) const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a command waits for a node to take its connection, in milliseconds.
pub(crate) const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// How long a command waits for the next part of an answer, in milliseconds: longer than a node takes.
pub(crate) const ANSWER_TIMEOUT_MS: u64 = 35_000;
