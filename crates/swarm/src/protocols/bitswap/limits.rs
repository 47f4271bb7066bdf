//! Every bound that bitswap sets on what it reads, sends, keeps and waits for.

/// Bytes of a message that is read. What other implementations send at most.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of a message that is sent: the greatest block, and all wants and presences beside it.
pub const MESSAGE_OUT_BYTES_MAX: usize = BLOCK_BYTES_MAX + 256 * 1024;

/// Bytes at which a message that is sent is full, unless its only block is larger. A reader handles
/// a message when it has all of it, so small ones keep both sides busy.
pub const MESSAGE_PACKED_BYTES_MAX: usize = 512 * 1024;

/// Bytes of a block that is sent or taken: the greatest entry of a log.
pub const BLOCK_BYTES_MAX: usize = optimusdb_dag::limits::ENTRY_BYTES_MAX;

/// Bytes of a content address on the wire.
pub const CID_BYTES_MAX: usize = 128;

/// Wants and cancels in one message, read or sent.
pub const MESSAGE_ENTRIES_MAX: usize = 1_024;

/// Blocks and block presences together in one message that is read.
pub const MESSAGE_ANSWERS_MAX: usize = 4_096;

/// How long one message on a stream may take to arrive, beside the time for its bytes. A stream may
/// rest between two messages; a peer has only so many.
pub const RECEIVE_TIMEOUT_MS: u64 = 10_000;

/// Bytes of a message that have to arrive in a millisecond, in the long run: 128 KiB a second, over
/// which a block of the largest size takes 16 seconds.
pub const RECEIVED_BYTES_PER_MS_MIN: u64 = 131;

/// How long one message may take to leave, the opening of its stream included.
pub const SEND_TIMEOUT_MS: u64 = 10_000;

/// After how much silence a stream of ours is closed. Far below the ten seconds after which the
/// other side resets it, together with what it has not handled yet.
pub const STREAM_IDLE_MS: u64 = 1_000;

/// Streams of one peer that are read at a time. Other implementations write to up to 50 at once.
pub const PEER_STREAMS_MAX: usize = 64;

/// Messages up to this size are read without a lease of the memory below.
pub const SMALL_MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Memory for larger messages of one peer that are being read or wait to be handled.
pub const PEER_READING_KIB_MAX: usize = 8 * 1024;

/// Memory for larger messages of all peers that are being read or wait to be handled.
pub const READING_KIB_MAX: usize = 64 * 1024;

/// Reports of its tasks that wait for the engine.
pub const EVENTS_MAX: usize = 256;

/// Requests of this node that wait for the engine.
pub const COMMANDS_MAX: usize = 1_024;

/// Fetches under way; others wait for their turn.
pub const FETCHES_MAX: usize = 4_096;

/// Candidates of one fetch; the rest are ignored.
pub const CANDIDATES_MAX: usize = 64;

/// Peers that one fetch asks in the course of its life.
pub const FETCH_PEERS_MAX: usize = 256;

/// How long a peer may keep an asked block without sending any block at all.
pub const PEER_TIMEOUT_MS: u64 = 2_000;

/// How long a fetch may take from its first question on.
pub const FETCH_TIMEOUT_MS: u64 = 10_000;

/// How long a fetch may take at all, its wait for a turn included.
pub const FETCH_LIFE_MS: u64 = 60_000;

/// If the asked peer is silent this long, another is asked too.
pub const HEDGE_MS: u64 = 250;

/// How often the engine looks at its clocks while fetches are under way.
pub const TICK_MS: u64 = 50;

/// Peers asked only whether they have a block, at a time, per fetch.
pub const HAVES_ASKED_MAX: usize = 4;

/// Peers asked for the block at a time when nobody was named who should have it.
pub const STRANGERS_ASKED_MAX: usize = 2;

/// How long a question may be open although its peer sends other blocks, until others are asked, too.
pub const QUESTION_AGE_MS: u64 = 5_000;

/// Sessions that are remembered; beyond it the one goes that was not used for the longest time.
pub const SESSIONS_MAX: usize = 1_024;

/// After which a session that is not used makes room for another one.
pub const SESSION_IDLE_MS: u64 = 60_000;

/// Peers that a session remembers.
pub const SESSION_PEERS_MAX: usize = 16;

/// Peers known to have blocks of a session below which it goes on looking for more.
pub const SESSION_PEERS_MIN: usize = 4;

/// Between two times that a session looks for peers although it has some.
pub const LOOK_AGAIN_MS: u64 = 10_000;

/// Peers asked only whether they have a block, at a time, for a block of a session.
pub const SESSION_HAVES_ASKED_MAX: usize = 32;

/// Blocks in a row that a peer may lack until it counts no longer as one that has blocks of a session.
pub const SESSION_MISSES_MAX: u32 = 16;

/// How long answers to such questions are still awaited when the block has come.
pub const ANSWERS_AWAITED_MS: u64 = 1_000;

/// How long a block of a session may take. Of a slow peer several are on their way at a time.
pub const SESSION_FETCH_MS: u64 = 120_000;

/// How long a block of a session is waited for that no peer has.
pub const LATE_BLOCK_MS: u64 = 5_000;

/// After which a peer that did not answer is asked again for a block of a session.
pub const ASK_AGAIN_MS: u64 = 5_000;

/// From the question for a block of a session until those who may have it are looked for farther off.
pub const LOOK_FARTHER_MS: u64 = 1_000;

/// Bytes that one peer is asked for at a time, as estimated from its earlier blocks.
pub const WINDOW_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Blocks that one peer is asked for at a time, however large they are.
pub const WINDOW_BLOCKS_MIN: usize = 8;

/// Blocks that a peer is asked for at a time that was late again and again.
pub const SLOW_WINDOW_BLOCKS_MIN: usize = 2;

/// Blocks that one peer is asked for at a time, however small they are.
pub const WINDOW_BLOCKS_MAX: usize = 512;

/// Wants, of either sort, open at one peer at a time. What other implementations keep of us.
pub const ASKED_WANTS_MAX: usize = 1_024;

/// How long a peer that failed stands behind all others.
pub const REST_MS: u64 = 10_000;

/// Wants of one peer that wait to be served.
pub const PEER_WANTS_MAX: usize = 1_024;

/// Wants of one peer for blocks that are not here, kept in case the blocks arrive.
pub const KEPT_WANTS_MAX: usize = 256;

/// How long such a want is kept. Other implementations give up after as long.
pub const KEPT_WANTS_MS: u64 = 30_000;

/// Wants that one task reads from the store in one go.
pub const READ_WANTS_MAX: usize = 16;

/// Bytes of blocks after which a reading task hands back the rest of its wants.
pub const READ_BYTES_MAX: usize = 1024 * 1024;

/// Reading tasks of one peer.
pub const PEER_READS_MAX: usize = 2;

/// Reading tasks of all peers.
pub const READS_MAX: usize = 8;

/// Wants and cancels that wait to be sent to one peer; beyond it cancels are left out.
pub const OUTBOX_ENTRIES_MAX: usize = 4_096;

/// Bytes of blocks that wait to be sent to one peer; beyond it none is read for it.
pub const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Presences that wait to be sent to one peer; beyond it its wants are not looked at.
pub const OUTBOX_PRESENCES_MAX: usize = 2_048;

/// Wants of one peer that are served in a second, in the long run.
pub const PEER_WANTS_PER_SECOND_MAX: u64 = 10_000;

/// Wants of one peer that are served at once after a rest.
pub const BURST_WANTS_MAX: u64 = 4_096;

/// Peers that are kept track of.
pub const PEERS_MAX: usize = 4_096;

/// Addresses of stored blocks that the engine is told of at once.
pub const STORED_BLOCKS_MAX: usize = 256;

/// Reports and commands that the engine takes in before it works on them.
pub const ENGINE_EVENTS_MAX: usize = 512;
