//! What a run may take before it counts as failed.

/// Events of one run.
pub const STEPS_MAX: u64 = 400_000;

/// How long after the last write all honest nodes must be level.
pub const LEVEL_MS_MAX: u64 = 5 * 60 * 1_000;

/// How often everything is checked.
pub const CHECK_PERIOD_MS: u64 = 5_000;

/// How long a swarm that is level is watched.
pub const QUIET_MS: u64 = 2 * 60 * 1_000;

/// Requests of fast sync that one node may make in [`QUIET_MS`], each answered in one go.
pub const QUIET_ASKS_MAX: u64 = 7;

/// Bytes that a request and its answer may take when there is nothing to do.
pub const QUIET_ASK_BYTES_MAX: u64 = 1_024;

/// Exchanges of heads that one node may begin with another in [`QUIET_MS`].
pub const QUIET_EXCHANGES_MAX: u64 = 4;

/// Messages per write and connection that honest nodes may send among themselves, faults and
/// repairs included, beyond what they send when nothing is written.
pub const MESSAGES_PER_WRITE_MAX: u64 = 8;

/// Messages that a connection may cost each time it is made.
pub const MESSAGES_PER_CONNECTION_MAX: u64 = 16;
