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

/// Bytes that an address holds in place of their hash. What other implementations allow.
pub const CID_IDENTITY_BYTES_MAX: usize = 128;

/// Characters of an address: the longest one, in hexadecimal. It has its version, a codec of nine
/// bytes, the hash, the length in two bytes and an identity.
pub const CID_TEXT_BYTES_MAX: usize = 1 + 2 * (1 + 9 + 1 + 2 + CID_IDENTITY_BYTES_MAX);

/// Bytes of an identity block. Part of the format. A usual one has 478.
pub const IDENTITY_BYTES_MAX: usize = 4 * 1024;

/// Bytes of an access controller block. Part of the format.
pub const ACCESS_BYTES_MAX: usize = 256 * 1024;

/// Writers an access controller may name. Part of the format.
pub const ACCESS_WRITERS_MAX: usize = 1_024;

/// Identity ids an access log is known to have named. Beyond it the last by
/// their text are forgotten, the same on every node. Part of the format.
pub const ACCESS_EVER_WRITERS_MAX: usize = 65_536;

/// Heads one revoke names. Part of the format.
pub const REVOKE_HEADS_MAX: usize = NEXT_LINKS_MAX;

/// Heads that the revokes of an access log name, those of the newest revokes
/// first. Part of the format.
pub const ACCESS_VOUCHED_ENTRIES_MAX: usize = 16_384;

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
pub const JOIN_HANDED_OVER_ENTRIES_MAX: usize = 65_536;

/// Entries one join remembers as refused for good.
pub const JOIN_REFUSED_ENTRIES_MAX: usize = 16_384;

/// Identities one join keeps.
pub const JOIN_IDENTITIES_MAX: usize = 1_024;

/// Version of the sync protocol. What follows is part of it, where it says so.
pub const SYNC_VERSION: u64 = 1;

/// Clock ticks of a leaf of the sync tree, a power of two. Part of the protocol.
pub const SYNC_LEAF_TICKS: u64 = 16;

/// Children of an inner cell of the sync tree, a power of two. Part of the protocol.
pub const SYNC_CHILD_CELLS_MAX: u64 = 64;

/// Levels of the sync tree, leaves included: enough for every clock time. Part of the protocol.
pub const SYNC_LEVELS_MAX: u8 = 10;

/// Cells whose children one request may ask for. Part of the protocol.
pub const SYNC_CELLS_MAX: usize = 64;

/// Ranges of time in one request for ids. Part of the protocol.
pub const SYNC_SPANS_MAX: usize = 64;

/// Ids in one reply. Part of the protocol.
pub const SYNC_IDS_MAX: usize = 2_048;

/// Entries in one reply, and blocks in one request by name. Part of the protocol.
pub const SYNC_ENTRIES_MAX: usize = 1_024;

/// Bytes of the blocks in one reply, entries and identities; a first entry and its identity are
/// sent whatever their size. Part of the protocol.
pub const SYNC_BLOCKS_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one request. Part of the protocol.
pub const SYNC_REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Bytes of one reply: the greatest entry, its identity, and what is around them. Part of the
/// protocol.
pub const SYNC_REPLY_BYTES_MAX: usize = ENTRY_BYTES_MAX + 64 * 1024;

/// Entries of a cell that are asked for by their ids whatever the cell's level: a list of so many
/// is no longer than a list of children.
pub const SYNC_IDS_FIRST_ENTRIES: u64 = 64;

/// Cells that one pull keeps in mind as different. With more, it finishes the oldest before it
/// compares on.
pub const SYNC_FRONTIER_CELLS_MAX: usize = 4_096;

/// Entries that one pull hands over. What is left is the next pull's.
pub const SYNC_PULL_ENTRIES_MAX: u64 = 262_144;

/// Requests of one pull.
pub const SYNC_PULL_REQUESTS_MAX: u64 = 65_536;

/// Entries one join keeps that were put off until an accepted entry names them.
pub const JOIN_DEFERRED_ENTRIES_MAX: usize = 4_096;

/// Bytes of the blocks of entries that were put off.
pub const JOIN_DEFERRED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Entries one join passes over at a time, on the way to what is below them.
pub const JOIN_PASSED_ENTRIES_MAX: usize = 1_024;

/// Bytes of the blocks of entries that are passed over at a time.
pub const JOIN_PASSED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Peers one replicator keeps track of. What others send is not looked at.
pub const REPLICATOR_PEERS_MAX: usize = 256;

/// Announcements that wait for their writer's identity, of all peers.
pub const ANNOUNCEMENTS_WAITING_MAX: usize = 64;

/// Announcements of one peer that wait for their writer's identity.
pub const ANNOUNCEMENTS_WAITING_OF_PEER_MAX: usize = 16;

/// Bytes of announcements that wait for their writer's identity.
pub const ANNOUNCEMENTS_WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long an announcement waits for its writer's identity. Pubsub forgets a
/// message that is not judged within a few heartbeats of a second.
pub const ANNOUNCEMENT_WAIT_MS: u64 = 3_000;

/// Announcements of one peer that are looked at in a second, in the long run.
/// What comes on top is left to a pull, which is cheaper for both.
pub const ANNOUNCEMENTS_PER_SECOND_MAX: u64 = 200;

/// Announcements of one peer that are looked at when they come all at once.
pub const ANNOUNCEMENTS_BURST_MAX: u64 = 1_000;

/// Useless messages (known, refused, without proof) that one peer may send in a
/// second, in the long run, without blame.
pub const USELESS_MESSAGES_PER_SECOND_MAX: u64 = 10;

/// Useless messages that one peer may send all at once without blame.
pub const USELESS_BURST_MESSAGES_MAX: u64 = 200;

/// Ancestors that nobody has, of heads that one peer showed as its own, in a second, in the long run, until it counts as
/// one that only costs.
pub const ABSENT_LINKS_PER_SECOND_MAX: u64 = 1_000;

/// Such ancestors when they come all at once: a score of heads with as many as may be.
pub const ABSENT_LINKS_BURST_MAX: u64 = 20 * NEXT_LINKS_MAX as u64;

/// Ancestors that the join waits for because of the heads of one peer. Beyond it its heads are left to a pull.
pub const AWAITED_LINKS_OF_PEER_MAX: usize = 32 * NEXT_LINKS_MAX;

/// Announcements that one peer wrote itself in a second, beyond the entries that become ready, until it counts as one that
/// only costs.
pub const VAIN_ANNOUNCEMENTS_PER_SECOND_MAX: u64 = 1_000;

/// Such announcements when they come all at once: the fastest writer whose entries cannot be pulled for a
/// minute is still within.
pub const VAIN_ANNOUNCEMENTS_BURST_MAX: u64 = 100_000;

/// How often a peer that only costs is blamed for it.
pub const WASTE_BLAME_MS: u64 = 1_000;

/// Offences after which a peer is shunned: no pulls from it, no fetches.
pub const OFFENCES_MAX: u32 = 3;

/// How long a peer is shunned, and how long a single offence is remembered.
pub const SHUN_MS: u64 = 10 * 60 * 1_000;

/// Heads looked at in one exchange.
pub const HEADS_EXCHANGED_MAX: usize = 1_024;

/// Heads whose ancestors are not all here: being fetched, or to be tried again.
pub const HEADS_WANTED_MAX: usize = 1_024;

/// The part of [`HEADS_WANTED_MAX`] that one peer may fill.
pub const HEADS_WANTED_OF_PEER_MAX: usize = 256;

/// Peers remembered as having a head.
pub const HEAD_SOURCES_MAX: usize = 4;

/// How often a head whose ancestors cannot be had is tried before it is forgotten.
/// It comes back with the next exchange of heads.
pub const HEAD_ATTEMPTS_MAX: u32 = 10;

/// How long after the first failure a head is tried again. Doubles each time.
pub const HEAD_RETRY_MS: u64 = 5_000;

/// The longest time between two tries of a head.
pub const HEAD_RETRY_MS_MAX: u64 = 10 * 60 * 1_000;

/// Blocks that one replicator asks for at a time.
pub const FETCHES_MAX: usize = 64;

/// How many of these may be for the sake of one peer at first. It grows by one
/// with every block that is found, and is halved by one that nobody has.
pub const FETCHES_FIRST: usize = 8;

/// How many may be for the sake of one peer at least.
pub const FETCHES_MIN: usize = 2;

/// Blocks that wait to be asked for.
pub const FETCHES_WAITING_MAX: usize = 8_192;

/// Peers named as candidates for one fetch.
pub const FETCH_CANDIDATES_MAX: usize = 8;

/// How often some native peer is pulled from when nothing else calls for it.
pub const PULL_PERIOD_MS: u64 = 30_000;

/// The shortest time between two pulls from the same peer: how far a writer in haste
/// gets ahead of those that follow it by pulls.
pub const PULL_GAP_MS: u64 = 250;

/// The longest such time: it doubles with every pull that fails, or finds differences
/// and brings nothing.
pub const PULL_GAP_MS_MAX: u64 = 60_000;

/// How long a request of a pull may stay without an answer.
pub const PULL_REPLY_MS_MAX: u64 = 30_000;

/// How long a pull may go on without an entry that is new here.
pub const PULL_STALL_MS_MAX: u64 = 60_000;

/// How often heads are exchanged with a peer that is not native.
pub const HEADS_PERIOD_MS: u64 = 60_000;

/// How soon after a change that was not announced heads are exchanged with peers
/// that are not native.
pub const HEADS_CHANGED_MS: u64 = 5_000;

/// Within how much time new peers are turned to at most, so that many do not come at once.
pub const NEW_PEER_SPREAD_MS: u64 = 1_000;

/// What each peer that is there already adds to that time for a native one.
pub const PEER_SPREAD_MS: u64 = 50;

/// Bytes of verified entries that wait to be stored. Beyond it nothing more is
/// asked for.
pub const STORE_WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Entries that wait to be stored. Beyond it nothing more is asked for.
pub const STORE_WAITING_ENTRIES_MAX: usize = 16_384;

/// Entries stored in one go.
pub const STORE_ENTRIES_MAX: usize = 1_024;

/// Bytes of entries stored in one go.
pub const STORE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How long after a failed store a replicator begins anew. Doubles each time.
pub const STORE_RETRY_MS: u64 = 1_000;

/// The longest such time.
pub const STORE_RETRY_MS_MAX: u64 = 60_000;

/// Entries of late that a replicator remembers as seen, as refused or as put off.
pub const SEEN_ENTRIES_MAX: usize = 4_096;

/// Identities that a replicator keeps although they may not be stored.
pub const IDENTITIES_KEPT_MAX: usize = 256;

/// How long a block is expected from a pull before it is fetched by itself.
pub const PARKED_MS_MAX: u64 = 3_000;

/// Blocks expected from a pull.
pub const PARKED_BLOCKS_MAX: usize = 4_096;

/// Bytes of a block of a file. What other implementations exchange.
pub const FILE_BLOCK_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Nodes above one another in a file. A file of 2^63 bytes in the smallest chunks that anybody cuts
/// needs fewer.
pub const FILE_LEVELS_MAX: usize = 32;
/// Parts of a file that its reader keeps in mind: as many as the largest node names, and some more.
pub const FILE_WAITING_PARTS_MAX: usize = 64 * 1024;

/// Names and addresses of a directory, in bytes, above which it becomes a HAMT. Part of the format:
/// the address of a directory depends on it.
pub const DIRECTORY_PLAIN_BYTES_MAX: usize = 256 * 1024;

/// Children of a node of a HAMT that is written. Part of the format.
pub const HAMT_WRITTEN_LINKS_MAX: usize = 256;

/// Children that a node of a HAMT may have to be read.
pub const HAMT_LINKS_MAX: usize = 1_024;

/// Directories inside one another on a path, the file at its end included.
pub const PATH_SEGMENTS_MAX: usize = 128;

/// Bytes of a path.
pub const PATH_BYTES_MAX: usize = 4 * 1024;

/// Blocks that a path leads through. A segment takes one, and one for each level of a HAMT.
pub const PATH_BLOCKS_MAX: usize = 1_024;

/// Bytes of a name in a directory that is written. What file systems allow.
pub const NAME_BYTES_MAX: usize = 255;

/// Files of one directory tree that is written. Each takes some 200 bytes of memory until the end.
pub const TREE_FILES_MAX: usize = 262_144;

/// Bytes of the header of a CAR.
pub const CAR_HEADER_BYTES_MAX: usize = 64 * 1024;

/// Roots of a CAR.
pub const CAR_ROOTS_MAX: usize = 1_024;

/// Bytes of a section of a CAR: an address and a block.
pub const CAR_SECTION_BYTES_MAX: usize = FILE_BLOCK_BYTES_MAX + CID_TEXT_BYTES_MAX;

/// Blocks that a CAR without duplicates may have: which ones were sent is remembered in 16 bytes each.
pub const CAR_SENT_BLOCKS_MAX: usize = 262_144;

/// Blocks that are known to belong to a CAR and wait to be sent, in some 60 bytes each. They are what
/// stands beside the way from its root to the block that is sent.
pub const CAR_WAITING_BLOCKS_MAX: usize = 131_072;

/// Bytes of a number that stands before what is as long as it says.
pub const VARINT_BYTES_MAX: usize = 10;
