//! Every bound of this room, in one place. Units come last.

use optimusdb_storage::limits::STORES_MAX;

/// Longest `_id`, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 1024;
/// Largest document, in bytes of its encoded form.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// Files that one upload may bring.
pub const UPLOAD_FILES_MAX: usize = 100;
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
/// Documents that match a condition, up to which they are read in the order of storage and sorted in
/// memory; more are read in the order of their keys.
pub const FEW_DOCUMENTS_MAX: usize = 1_000;
/// The same in bytes of their text.
pub const FEW_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of writes that may wait in a lane, in KiB.
pub const LANE_KIB_MAX: u32 = 64 * 1024;
/// What the smallest write counts for, in KiB, so that a lane is bounded in number, too.
pub const WRITE_KIB_MIN: u32 = 16;
/// How long a write waits for room in its lane before it is told to come back, in milliseconds.
pub const LANE_WAIT_MS: u64 = 10_000;
/// Writes that one transaction answers.
pub const BATCH_WRITES_MAX: usize = 512;
/// What a document counts for in a lane and in a transaction beside its own bytes, in bytes: its entry takes
/// memory and time however small it is.
pub const ENTRY_BYTES_MIN: usize = 512;
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
/// How long a statement that writes to a store may run, in milliseconds: other writers wait.
pub const MATCH_MS_MAX: u64 = 5_000;
/// How long one transaction looks again at what was written since its updates and deletes were prepared,
/// all of them together, in milliseconds: other writers wait.
pub const MATCH_AGAIN_MS_MAX: u64 = 50;
/// Entries that are looked at again in a transaction for one update or delete.
pub const MATCH_AGAIN_ENTRIES_MAX: usize = 256;
/// Entries that are looked at again beside the writer. With more, all of the store is.
pub const CATCH_UP_ENTRIES_MAX: usize = 100_000;
/// How often an update or delete looks beside the writer at what was written meanwhile before it takes its
/// turn.
pub const CATCH_UPS_MAX: u32 = 4;
/// How often an update or delete takes its turn in vain, as what it found had changed meanwhile.
pub const CHANGE_TRIES_MAX: u32 = 8;
/// How often it is looked how much of the disk is free, in milliseconds.
pub const DISK_LOOK_MS: u64 = 2_000;
/// The part of the floor of free disk that must be free above it before peers' data is taken again.
pub const DISK_MARGIN_PARTS: u64 = 8;
/// The least that must be free above it, in bytes.
pub const DISK_MARGIN_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// How long a node that lost entries with its write-ahead log waits for its peers before it writes, in
/// milliseconds.
pub const LOST_WAIT_MS_MAX: u64 = 30_000;
/// How often it looks whether they have given back what they have, in milliseconds. It believes it when
/// it sees it twice.
pub const LOST_LOOK_MS: u64 = 1_000;
/// After how long it is tried again to read who may write to a store, in milliseconds.
pub const UNREAD_RETRY_MS: u64 = 5_000;
/// How often it is looked whether a read has met damage, in milliseconds.
pub const MEND_MS: u64 = 500;
/// How often peers are asked for entries that are damaged here, in milliseconds.
pub const MEND_RETRY_MS: u64 = 5_000;
/// Entries that are damaged here and asked for at a time.
pub const MEND_FETCHES_MAX: usize = 64;
/// Transactions that go before upkeep that waits.
pub const UPKEEP_BATCHES_MAX: u32 = 64;
/// How long commits stay in the write-ahead log while there is always something to be written, in
/// milliseconds.
pub const UNMOVED_MS_MAX: u64 = 60_000;
/// How long nothing is written before the writer turns to upkeep, in milliseconds.
pub const IDLE_MS: u64 = 1_000;
/// How often the journal tells how far a store has come that is catching up with its peers, in
/// milliseconds. What takes less is not told.
pub const PROGRESS_MS: u64 = 5_000;
/// How long received entries may be committed before the disk has them, in milliseconds, as long as
/// more are received. Peers have them; writes of clients always wait for the disk.
pub const UNSYNCED_MS_MAX: u64 = 1_000;
/// How long the writer sleeps when there is no upkeep either, in milliseconds. Then it looks whether its
/// database is still there.
pub const IDLE_MS_MAX: u64 = 5_000;
/// Connections for reading by `_id`; scans never take them.
pub const POINT_READERS_MAX: usize = 4;
/// `_id`s that one look-up takes; more are read as a stream.
pub const POINT_IDS_MAX: usize = 16;
/// Connections for scans.
pub const SCAN_READERS_MAX: usize = 8;
/// Of so many places for reads, one is kept from a client that has all the others.
pub const PLACES_PER_SPARE_PLACE: usize = 4;
/// How long in all a client may keep its read waiting, in milliseconds, while others wait for a place, or
/// the write-ahead log is long.
pub const CLIENT_WAIT_MS_MAX: u64 = 500;
/// How often who waits for a place, or for a client, looks about, in milliseconds.
pub const PLACE_LOOK_MS: u64 = 100;
/// Statements of SQL that run at a time, and connections for them.
pub const SQL_READERS_MAX: usize = 4;
/// Statements of peers that run at a time: the rest of the machine is its users'.
pub const PEER_STATEMENTS_MAX: usize = 1;
/// How long a statement of a peer may take, its waiting included, in milliseconds.
pub const PEER_STATEMENT_MS_MAX: u64 = 1_000;
/// Rows that a peer answers, and that are taken of one.
pub const PEER_ROWS_MAX: usize = 10_000;
/// Values in them. In memory one takes up to thirty times as much as on the wire.
pub const PEER_CELLS_MAX: usize = 100_000;
/// Statements that are asked of peers at a time; each has a thread that waits. Further ones are not asked.
pub const PEER_QUESTIONS_MAX: usize = 32;
/// Peers that a statement without a result is asked.
pub const PEERS_ASKED_MAX: usize = 8;
/// How long their answers are waited for unless the statement has a time of its own, in milliseconds.
pub const PEERS_ASKED_MS: u64 = 1_200;
/// Longest store name, in bytes.
pub const STORE_NAME_BYTES_MAX: usize = 63;
/// Records of the journal that wait to be stored; more are dropped and counted.
pub const JOURNAL_QUEUE_RECORDS_MAX: usize = 4_096;
/// Records of the journal stored in one transaction.
pub const JOURNAL_BATCH_RECORDS_MAX: usize = 1_024;
/// How often records of the journal are stored, in milliseconds.
pub const JOURNAL_FLUSH_MS: u64 = 500;
/// How often old records of the journal are dropped, in milliseconds.
pub const JOURNAL_RETAIN_MS: u64 = 10 * 60 * 1000;
/// Longest name of a TOSCA file, in bytes of UTF-8.
pub const TOSCA_FILENAME_BYTES_MAX: usize = 1024;
/// Deepest nesting of a TOSCA file, aliases followed.
pub const TOSCA_DEPTH_MAX: usize = 64;
/// Keys and values of a TOSCA file, copies made by anchors and aliases included.
pub const TOSCA_NODES_MAX: usize = 250_000;
/// Text of the keys and values of a TOSCA file, copies made by anchors and aliases included, in
/// bytes.
pub const TOSCA_EXPANDED_BYTES_MAX: usize = 4 * TOSCA_BYTES_MAX;
/// Entries of one transaction that are announced to the swarm, the newest of each store. A peer that
/// lacks older ones fetches them.
pub const ANNOUNCED_ENTRIES_MAX: usize = 8;
/// Heads of one store that `GET /stores` shows, the newest to this node.
pub const HEADS_SHOWN_MAX: usize = 64;
/// Heads of one store that are sent to a peer, the newest.
pub const HEADS_SENT_MAX: usize = 64;
/// Reads for peers that run at a time.
pub const HANDED_OUT_READS_MAX: usize = 4;
/// Connections for what peers ask.
pub const PEER_READERS_MAX: usize = 4;
/// Blocks that are being fetched at a time, all stores together.
pub const FETCHES_MAX: usize = 512;
/// Requests of fast sync to one peer at a time, all stores together: fewer than the streams that it
/// serves to one, as it may not know yet that an earlier one was closed.
pub const SYNC_REQUESTS_PER_PEER_MAX: usize = 3;
/// Streams of fast sync that are kept open between requests, of all peers.
pub const SYNC_STREAMS_KEPT_MAX: usize = 64;
/// Answers that wait for the driver of the replicators; a task that brings more waits.
pub const DRIVER_INPUTS_MAX: usize = 1_024;
/// How long the driver sleeps when nothing is due, in milliseconds.
pub const DRIVER_SLEEP_MS_MAX: u64 = 1_000;
/// How long leaving the swarm may take, in milliseconds.
pub const SWARM_STOP_MS_MAX: u64 = 2_000;
/// Verified identities that the driver keeps in memory.
pub const IDENTITIES_KEPT_MAX: usize = 1_024;
/// Entries up to which one thread verifies them all: starting others costs as much.
pub const PROVE_ALONE_ENTRIES_MAX: usize = 8;
/// How long taking over a store waits for what defines it, in milliseconds.
pub const ADOPT_MS_MAX: u64 = 20_000;
/// Offers of one member in the swarm's list of stores that count, the newest.
pub const WRITER_OFFERS_MAX: usize = 128;
/// Names of which the newest operation of one member is held, the newest.
pub const WRITER_OPERATIONS_MAX: usize = 512;
/// Operations of the list that are held of all members together; who has the most gives way.
pub const LIST_OPERATIONS_MAX: usize = 16_384;
/// Stores up to which a node takes over those of the list: there is room left for its own.
pub const ADOPTED_STORES_MAX: usize = STORES_MAX - 32;
/// Stores that are shown beside the one whose name they are offered under.
pub const CONTESTED_SHOWN_STORES_MAX: usize = 16;
/// Of these, those that the journal is told of at a time.
pub const CONTESTED_TOLD_STORES_MAX: usize = 4;
/// How often a node offers a store that the list does not have, until it starts again.
pub const STORE_OFFERS_MAX: u32 = 3;
/// Entries of the list that are read in one go.
pub const LIST_PASS_ENTRIES_MAX: usize = 1_000;
/// Stores of the list that are taken over at once.
pub const LIST_FETCHES_MAX: usize = 8;
/// How long news of the list are gathered before they are looked at, in milliseconds.
pub const LIST_GATHER_MS: u64 = 20;
/// How long the follower waits at first until it tries again to take over a store of the list, in
/// milliseconds. The wait doubles with each try.
pub const LIST_RETRY_MS: u64 = 1_000;
/// The longest such wait, in milliseconds.
pub const LIST_RETRY_MS_MAX: u64 = 600_000;
/// How often trouble with the list is reported, in milliseconds.
pub const LIST_LOG_MS: u64 = 60_000;
/// How long at least lies between two tries that peers who come give cause for, in milliseconds.
pub const LIST_URGENT_MS: u64 = 10_000;
/// Entries passed over in a store that are judged again when who may write changes, the oldest.
pub const PASSED_ENTRIES_JUDGED_MAX: usize = 10_000;
/// Files and CARs that may be added at a time. Each has a thread, and memory for some chunks.
pub const FILE_ADDS_MAX: usize = 16;
/// Files that may be read at a time. Each has memory for the blocks ahead of its reader.
pub const FILE_READS_MAX: usize = 64;
/// The same of files whose root is not here and has to be looked for.
pub const DISTANT_READS_MAX: usize = 64;
/// Pieces of a file that wait between whoever sends them and whoever writes them.
pub const ADD_QUEUE_CHUNKS: usize = 8;
/// Bytes of blocks that were read lately and are kept in memory for others.
pub const RECENT_BLOCKS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long they are kept, in milliseconds.
pub const RECENT_MS_MAX: u64 = 5_000;
/// Blocks of a file that come from the disk before they are wanted.
pub const READ_AHEAD_BLOCKS: usize = 4;
/// Blocks of a file that come from peers before they are wanted.
pub const FETCH_AHEAD_BLOCKS: usize = 16;
/// Files that may be saved at a time.
pub const FILE_SAVES_MAX: usize = 16;
/// How long what is to be saved is looked for, in milliseconds: less than a command has, so that its client is
/// told.
pub const FILE_FIND_MS_MAX: u64 = 25_000;
/// How long one block of a file that is being read is waited for, in milliseconds.
pub const FILE_BLOCK_MS_MAX: u64 = 30_000;
/// How long a block may take that is on its way before it is wanted, in milliseconds.
pub const FILE_AHEAD_MS_MAX: u64 = 120_000;
/// How long saving one file may take, in milliseconds.
pub const FILE_READ_MS_MAX: u64 = 60 * 60 * 1_000;
/// Bytes that were fetched after which they are committed.
pub const FETCHED_KEPT_BYTES: usize = 32 * 1024 * 1024;
/// Blocks that were fetched after which they are committed.
pub const FETCHED_KEPT_BLOCKS_MAX: usize = 4_096;
/// Contributions of one root whose contributors are asked for it.
pub const CONTRIBUTORS_ASKED_MAX: u64 = 8;
/// How long they are looked for, in milliseconds.
pub const CONTRIBUTORS_MS_MAX: u64 = 1_000;
/// Addresses of one of them.
pub const CONTRIBUTOR_ADDRESSES_MAX: usize = 16;
/// Entries of a directory that one answer lists.
pub const LISTED_ENTRIES_MAX: usize = 100_000;
/// Bytes from which a piece of a stream of blocks is sent: what is small goes together.
pub const STREAM_PIECE_BYTES: usize = 64 * 1024;
/// Entries of a tree that are known and wait to be told.
pub const TREE_WAITING_ENTRIES_MAX: usize = 2 * LISTED_ENTRIES_MAX;
/// Symbolic links of a tree.
pub const TREE_LINKS_MAX: usize = 10_000;
/// Files that one `get` of a directory saves.
pub const SAVED_FILES_MAX: usize = 10_000;
/// Bytes of the name of a pin, and of a file that is contributed.
pub const FILE_NAME_BYTES_MAX: usize = 1_024;
/// How often what nobody wants is looked for, in milliseconds.
pub const SWEEP_PERIOD_MS: u64 = 60 * 60 * 1_000;
/// How long after something is not wanted any more, in milliseconds: several share a sweep.
pub const SWEEP_SOON_MS: u64 = 2_000;
/// The pause after each step of a sweep, in milliseconds: others want the disk, too.
pub const SWEEP_PAUSE_MS: u64 = 2;
/// How long after one a sweep for want of room is not repeated, unless something went out of use, in
/// milliseconds.
pub const SWEEP_FORCED_MS: u64 = 10_000;
/// How long who wants room waits for a sweep that goes on, in milliseconds.
pub const SWEEP_WAIT_MS: u64 = 10_000;
/// Levels of blocks below an address that is fetched whole.
pub const DAG_LEVELS_MAX: u32 = 1_024;
/// Blocks below an address that is fetched whole. 8 bytes are remembered of each.
pub const DAG_BLOCKS_MAX: usize = 1024 * 1024;
/// Blocks that are named and not yet come to, of one address that is fetched whole.
pub const DAG_WAITING_BLOCKS_MAX: usize = 256 * 1024;
/// Bytes below an address that is fetched whole: so many blocks of the largest size.
pub const DAG_BYTES_MAX: u64 = DAG_BLOCKS_MAX as u64 * 2 * 1024 * 1024;
/// Blocks that one fetch of a whole file has on their way.
pub const TRANSFER_AHEAD_BLOCKS: usize = 16;
/// Blocks of which one look at the disk finds out whether they are here.
pub const TRANSFER_STEP_BLOCKS: usize = 16;
/// How long one block of a file that is fetched whole is waited for, in milliseconds.
pub const TRANSFER_BLOCK_MS_MAX: u64 = 30_000;
/// How long one try to fetch a whole file may take, in milliseconds. The next one goes on where it was.
pub const TRANSFER_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Transfers that one answer shows.
pub const TRANSFERS_SHOWN_MAX: usize = 1_000;
/// Pins that one answer shows.
pub const PINS_SHOWN_MAX: usize = 10_000;
/// Pins of users that are brought at a time.
pub const PIN_FETCHES_MAX: usize = 4;
/// Contributions of the swarm that are brought at a time.
pub const REPLICA_FETCHES_MAX: usize = 2;
/// Pins of either kind whose root is looked for at a time, so that what nobody has keeps nobody waiting.
pub const ROOT_FETCHES_MAX: usize = 32;
/// How long such a root is waited for, in milliseconds.
pub const ROOT_MS_MAX: u64 = 15_000;
/// How long after the first try in vain a pin is tried again, in milliseconds. The wait doubles with each.
pub const KEEP_RETRY_MS: u64 = 2_000;
/// The longest such wait, in milliseconds.
pub const KEEP_RETRY_MS_MAX: u64 = 60 * 60 * 1_000;
/// How long what there was no room for is not tried again, in milliseconds.
pub const SKIPPED_RETRY_MS: u64 = 10 * 60 * 1_000;
/// How long nobody looks for pins to be brought when nothing happens, in milliseconds.
pub const KEEP_WAIT_MS_MAX: u64 = 60_000;
/// How long at least lies between two peers whose coming makes absent pins be tried at once, in milliseconds.
pub const KEEP_PEER_MS: u64 = 10_000;
/// Bytes of what is noted of the reason why a pin could not be brought.
pub const KEEP_ERROR_BYTES_MAX: usize = 512;
/// Contributions that are read and noted in one go.
pub const CONTRIBUTIONS_READ_MAX: usize = 1_000;
/// How long the answer to a pin waits for it to be brought, in milliseconds.
pub const PIN_ANSWER_MS: u64 = 1_000;
/// Contributions that are judged in one go, and whose verdicts are written together.
pub const JUDGED_FILES_MAX: usize = 32;
/// Files that are looked at at a time, to judge them.
pub const CHECKS_MAX: usize = 2;
/// How often the blocks of a file may be repeated in it, on average, so that it is read to judge it.
pub const CHECKED_REPEATS_MAX: u64 = 64;
/// Bytes up to which a file is read however often its blocks are repeated.
pub const CHECKED_BYTES_MIN: u64 = 1024 * 1024 * 1024;
/// Blocks that one look at a file reads in one go.
pub const CHECK_STEP_BLOCKS: usize = 16;
/// How often the swarm is asked about a file in vain before it is fetched only to judge it, in tries.
pub const JUDGED_ASKS_MIN: u32 = 2;
/// Bytes of a file that is fetched only to judge it.
pub const JUDGED_FETCH_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes at the beginning of a file in which it may call itself TOSCA.
pub const TOSCA_HEAD_BYTES: usize = 64 * 1024;
/// Peers that are asked about one file.
pub const VOTERS_MAX: usize = 16;
/// How long their votes are waited for, in milliseconds.
pub const VOTES_MS_MAX: u64 = 3_000;
/// Bytes of the reason of a verdict.
pub const VERDICT_REASON_BYTES_MAX: usize = 512;
/// Templates that one match may be asked for; criteria that mean more are refused.
pub const MATCH_TEMPLATES_MAX: usize = 100;
/// Stores in which one match looks.
pub const MATCH_STORES_MAX: usize = 32;
/// Capacities that one match looks at, all its stores together.
pub const MATCH_CAPACITIES_MAX: usize = 100_000;
/// Bytes of JSON of the capacities that one match holds; in memory they take some times as many.
pub const MATCH_CAPACITY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Candidates, and refused ones, that a match shows of a node unless it is told otherwise.
pub const MATCH_SHOWN_CAPACITIES: usize = 100;
/// The most that it can be told to show.
pub const MATCH_SHOWN_CAPACITIES_MAX: usize = 1_000;
/// Candidates and refused ones of all nodes that a match shows; further ones are counted alone.
pub const MATCH_SHOWN_ALL_CAPACITIES_MAX: usize = 20_000;
/// Types above one that are looked for in a match.
pub const TYPES_ABOVE_MAX: usize = 64;
