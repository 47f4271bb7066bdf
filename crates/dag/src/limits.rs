//! Every bound this crate sets on what it reads, writes or keeps, in one place.
//!
//! Units come last in the names. A bound is part of the format when two nodes
//! must agree on it to hold the same log (blocks, fan-out, clock); those are
//! marked so. The others only protect this node.

/// Bytes of an entry block. Part of the format.
///
/// A document of 1 MiB fits with room for its links, and the block stays under
/// the 4 MiB that other implementations accept in one message.
pub const ENTRY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes of an identity block. Part of the format. A usual one has 478.
pub const IDENTITY_BYTES_MAX: usize = 4 * 1024;

/// Bytes of an access controller block. Part of the format.
pub const ACCESS_BYTES_MAX: usize = 256 * 1024;

/// Writers an access controller may name. Part of the format.
pub const ACCESS_WRITERS_MAX: usize = 1_024;

/// Bytes of a manifest block. Part of the format.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024;

/// Parents (`next`) of one entry. Part of the format.
///
/// A writer that knows more heads than this names the newest ones; the rest
/// stay heads and are merged by its following entries.
pub const NEXT_LINKS_MAX: usize = 1_024;

/// Older entries (`refs`) one entry may name. Part of the format.
pub const REFS_MAX: usize = 256;

/// How many older entries a writer names in `refs` beyond its heads.
pub const REFS_WRITTEN_MAX: usize = 16;

/// The greatest clock time, 2^53 - 1: the last integer that every
/// implementation represents exactly. Part of the format.
pub const CLOCK_TICKS_MAX: u64 = (1 << 53) - 1;

/// How far above its newest parent an entry's time may lie. Part of the format.
///
/// An honest writer is always exactly one above. The slack tolerates a writer
/// that burns ticks (an append prepared and then dropped), and it is small so
/// that nobody wins every conflict by one leap, or drives the clock of a log to
/// its end: that would take 2^43 entries.
pub const CLOCK_JUMP_TICKS_MAX: u64 = 1_024;

/// Lists and maps inside one another, in one value. Part of the format.
pub const VALUE_DEPTH_MAX: usize = 128;

/// Values inside one value, itself and all it contains. Part of the format.
///
/// A 1 MiB document of one-digit numbers fits. A decoded value costs about a
/// hundred bytes of memory, so this bounds how far a block can swell.
pub const VALUE_ITEMS_MAX: usize = 600_000;

/// Entries whose links a [`crate::LogTip`] keeps at hand.
pub const RECENT_ENTRIES_MAX: usize = 64;

/// Entries one join keeps track of while their ancestors are missing.
pub const JOIN_ENTRIES_MAX: usize = 1 << 20;

/// Bytes of blocks one join keeps while their ancestors are missing. Beyond it
/// the newest blocks are dropped, and asked for again when they are due.
pub const JOIN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Blocks one join asks for at a time.
pub const JOIN_FETCHES_MAX: usize = 256;

/// Hinted blocks (`refs`) one join keeps before an entry names them as parents.
pub const JOIN_HINTS_MAX: usize = 4_096;

/// Entries one join remembers as ready, so that what comes after them need not
/// wait until the caller has stored them.
pub const JOIN_SETTLED_ENTRIES_MAX: usize = 65_536;

/// Entries one join remembers as refused for good.
pub const JOIN_REFUSED_ENTRIES_MAX: usize = 16_384;

/// Identities one join keeps that the caller did not know.
pub const JOIN_IDENTITIES_MAX: usize = 1_024;
