//! Every bound this crate sets on what peers may cost, in one place.
//!
//! Units come last in the names.

use std::time::Duration;

// Connections.

/// Connections that are being accepted at one time.
pub const PENDING_INCOMING_CONNECTIONS_MAX: u32 = 64;

/// Connections that are being dialled at one time.
pub const PENDING_OUTGOING_CONNECTIONS_MAX: u32 = 64;

/// Connections that this node opened.
pub const OUTGOING_CONNECTIONS_MAX: u32 = 128;

/// Connections to one peer: both may dial at once, over two transports.
pub const CONNECTIONS_PER_PEER_MAX: u32 = 4;

/// Dials of one address that may fail at once, and a second in the long run.
pub const DIALS_PER_ADDRESS_BURST_MAX: f64 = 8.0;
/// See [`DIALS_PER_ADDRESS_BURST_MAX`].
pub const DIALS_PER_ADDRESS_PER_SECOND_MAX: f64 = 1.0 / 15.0;

/// Dials of one host, at all its ports, that may fail at once, and a second in the long run.
pub const DIALS_PER_HOST_BURST_MAX: f64 = 32.0;
/// See [`DIALS_PER_HOST_BURST_MAX`].
pub const DIALS_PER_HOST_PER_SECOND_MAX: f64 = 0.5;

/// Hosts, and addresses, whose dials are counted.
pub const DIAL_TARGETS_MAX: usize = 1_024;

/// How many peers this node looks for by itself.
pub const CONNECTED_PEERS_TARGET: usize = 32;

/// Peers that were heard of and may be dialled.
pub const KNOWN_PEERS_MAX: usize = 512;

/// Addresses kept of one peer.
pub const ADDRESSES_PER_PEER_MAX: usize = 16;

/// Protocols kept of one peer.
pub const PROTOCOLS_PER_PEER_MAX: usize = 256;

/// Bytes of a peer's agent version.
pub const AGENT_BYTES_MAX: usize = 512;

/// Bootstrap and seed entries together.
pub const SEEDS_MAX: usize = 256;

/// How often a free port is looked for that both TCP and UDP have.
pub const PORT_TRIES_MAX: usize = 16;

/// How often, and how long after one another, an address is listened on whose port was in use.
pub const RELISTEN_TRIES_MAX: usize = 5;
/// See [`RELISTEN_TRIES_MAX`].
pub const RELISTEN_PAUSE: Duration = Duration::from_millis(40);

/// From a connection to its multiplexer.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The whole of a `connect`.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Until a connected peer has said who it is.
pub const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(20);

/// Events that are kept until every listener has its first address.
pub const EARLY_EVENTS_MAX: usize = 1_024;

/// Until a listener has its first address.
pub const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// From the first address of a listener until the others are no longer waited for.
pub const LISTEN_GRACE: Duration = Duration::from_millis(200);

/// Addresses of this machine that are listened on one by one.
pub const OWN_ADDRESSES_MAX: usize = 16;

/// Bytes of the kernel's lists of addresses that are read.
pub const ADDRESS_LIST_BYTES_MAX: u64 = 256 * 1024;

/// Between two pings, and how long one may take.
pub const PING_INTERVAL: Duration = Duration::from_secs(5);

/// How long a ping may take; then the connection is closed.
pub const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection that this node closes may take to send what is still on its way.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How much later another connection of a peer must begin to put an earlier one in doubt: both sides
/// may dial at once, and over two transports.
pub const SUPERSEDED_AGE: Duration = Duration::from_secs(3);

/// How long a connection that is in doubt may take to show that it lives.
pub const DOUBT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a silent QUIC connection shows that it lives.
pub const QUIC_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(3);

/// After which a QUIC connection without a sign of life is gone.
pub const QUIC_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// First wait before a bootstrap entry is dialled again.
pub const REDIAL_FIRST: Duration = Duration::from_millis(500);

/// Longest wait before a bootstrap entry is dialled again.
pub const REDIAL_LONGEST: Duration = Duration::from_secs(60);

/// How long an address counts as this node's own before it is looked at again.
pub const OWN_ADDRESS_TIMEOUT: Duration = Duration::from_secs(300);

/// How long the peer with the greater id waits before it dials one that may be dialling it.
pub const POLITE_DIAL_DELAY: Duration = Duration::from_millis(1_500);

/// Between two looks at what is due.
pub const TICK: Duration = Duration::from_millis(250);

/// Within which an encounter with the own peer id must have shown both its ends.
pub const OWN_ENCOUNTER_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two reports that the repository is copied.
pub const COPIED_REPORT_INTERVAL: Duration = Duration::from_secs(600);

/// Between two records in the journal that a listener cannot take connections.
pub const LISTENER_REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Between two records in the journal of connections that the swarm key kept from coming about.
pub const SWARM_KEY_REPORT_INTERVAL: Duration = Duration::from_secs(300);

/// How long somebody who is not understood has to hang up, before this node does.
pub const FAREWELL_GRACE: Duration = Duration::from_millis(500);

/// Bytes of somebody who is not understood that are read away meanwhile.
pub const DRAINED_BYTES_MAX: usize = 1_024;

/// From the request to end until every connection is dropped.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

// Multiplexing.

/// Streams of one connection.
pub const STREAMS_PER_CONNECTION_MAX: usize = 256;

/// Bytes that a connection may have on the way to us, over all its streams.
pub const RECEIVE_WINDOW_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of one frame of a stream: the window that a stream begins with. What fits goes in one
/// frame, because some readers take a frame for a message.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// Streams of one connection that are still agreeing on a protocol.
pub const NEGOTIATING_STREAMS_MAX: usize = 64;

// Gossip.

/// Bytes of a gossip message with its envelope.
pub const GOSSIP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of control messages in one gossip frame: 5,000 message ids of 44 bytes fit twice.
pub const GOSSIP_CONTROL_BYTES_MAX: usize = 512 * 1024;

/// Messages that wait for one peer.
pub const GOSSIP_QUEUE_MESSAGES_MAX: usize = 8_192;

/// Topics, that is stores, that this node or one peer may subscribe to.
pub const TOPICS_MAX: usize = 2_048;

/// Subscriptions in one gossip frame.
pub const SUBSCRIPTIONS_PER_FRAME_MAX: usize = 4_096;

/// Announcements that one peer may pass on a second, on average.
pub const ANNOUNCEMENTS_PER_SECOND_MAX: f64 = 4_000.0;

/// Announcements that one peer may pass on at once.
pub const ANNOUNCEMENTS_BURST_MAX: f64 = 20_000.0;

/// What an announcement is charged to the peer that passed it on.
pub const ANNOUNCEMENT_MS: f64 = 0.1;

/// Bytes of announcements that one peer may pass on a second, on average.
pub const ANNOUNCED_BYTES_PER_SECOND_MAX: f64 = 16.0 * 1024.0 * 1024.0;

/// Bytes of announcements that one peer may pass on at once.
pub const ANNOUNCED_BYTES_BURST_MAX: f64 = 64.0 * 1024.0 * 1024.0;

// Events and commands.

/// Events that wait for the node.
pub const EVENTS_MAX: usize = 4_096;

/// KiB of blocks in the events that wait.
pub const EVENTS_KIB: u32 = 64 * 1024;

/// Commands that wait for the event loop.
pub const COMMANDS_MAX: usize = 1_024;

// Streams of our protocols.

/// Streams of one protocol that wait for their server.
pub const STREAMS_WAITING_MAX: usize = 128;

/// Streams that wait until one connection opens them.
pub const STREAMS_OPENING_MAX: usize = 64;

/// Bytes of one request of fast sync.
pub const SYNC_REQUEST_BYTES_MAX: usize = optimusdb_dag::limits::SYNC_REQUEST_BYTES_MAX;

/// Bytes of one answer of fast sync.
pub const SYNC_FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// From the first byte of a request to its last one.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(5);

/// Sync streams that are open at one time, whether they ask or rest.
pub const SYNC_STREAMS_MAX: usize = 256;

/// Sync streams of one peer that are open at one time.
pub const SYNC_STREAMS_PER_PEER_MAX: usize = 4;

/// Until a stream is open.
pub const STREAM_OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// From a sync request to its answer.
pub const SYNC_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a served sync stream may be silent.
pub const SYNC_IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Bytes of a question for a vote: an address.
pub const VOTE_QUESTION_BYTES_MAX: usize = 160;

/// Bytes of a vote: an identity, a signature and little else.
pub const VOTE_BYTES_MAX: usize = 5 * 1024;

/// Requests of peers, of any protocol, that are answered at one time.
pub const ANSWERED_REQUESTS_MAX: usize = 64;

/// How long a request may be answered before its place goes to another one that waits.
pub const PLACE_HELD_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two looks of a request that waits at those that hold the places.
pub const PLACE_LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Questions for votes that are open at one time.
pub const VOTE_STREAMS_MAX: usize = 256;

/// Questions for votes of one peer that are open at one time.
pub const VOTE_STREAMS_PER_PEER_MAX: usize = 16;

/// From a question for a vote to its answer.
pub const VOTE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a statement that a peer asks about, with its parameters.
pub const SQL_QUESTION_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the rows that answer it.
pub const SQL_REPLY_BYTES_MAX: usize = 1024 * 1024;

/// Statements of peers that are served at one time, those that wait for their turn included.
pub const SQL_STREAMS_MAX: usize = 16;

/// The same of one peer.
pub const SQL_STREAMS_PER_PEER_MAX: usize = 2;

/// From a statement to its rows.
pub const SQL_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of heads that are read from one stream.
pub const HEADS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Heads that are read from or written to one stream.
pub const HEADS_MAX: usize = 1_024;

/// Heads streams that are open at one time.
pub const HEADS_STREAMS_MAX: usize = 256;

/// Heads streams of one peer that are open at one time: each of its stores may ask at once.
pub const HEADS_STREAMS_PER_PEER_MAX: usize = 64;

/// KiB of heads that are being read at one time, of all peers. Beyond it the one that has most of it loses it.
pub const HEADS_KIB_MAX: usize = 48 * 1024;

/// KiB of heads of one peer that are being read at one time: those of one stream.
pub const HEADS_KIB_PER_PEER_MAX: usize = HEADS_BYTES_MAX / 1024 + 64;

/// How long heads may take to come, beside as much for the greatest number of bytes.
pub const HEADS_READ_TIMEOUT: Duration = Duration::from_secs(15);

/// A whole exchange of heads.
pub const HEADS_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two heads on a stream, so that a reader that takes what arrives together for one head
/// gets them apart.
pub const HEADS_GAP: Duration = Duration::from_millis(50);

/// Items inside one another in a head.
pub const HEAD_DEPTH_MAX: usize = 160;

// Behaviour of peers.

/// How long a peer of another swarm or version is not let in.
pub const REFUSAL_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a refused peer stays connected, so that both sides learn why.
pub const FAREWELL_DELAY: Duration = Duration::from_secs(1);

// Being reached.

/// From the start until the first peer is asked whether it reaches this node.
pub const AUTONAT_BOOT_DELAY: Duration = Duration::from_secs(5);

/// Between two peers that are asked, until enough have been.
pub const AUTONAT_RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Between two peers that are asked, once enough have been.
pub const AUTONAT_REFRESH_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// How long a peer that was asked is not asked again.
pub const AUTONAT_SERVER_INTERVAL: Duration = Duration::from_secs(2 * 60);

/// Answers in agreement that are enough.
pub const AUTONAT_ANSWERS_MAX: usize = 8;

/// From the question to the answer: every address in turn, and the silent ones to their timeout.
pub const AUTONAT_TIMEOUT: Duration = Duration::from_secs(60);

/// How often one peer may ask within [`AUTONAT_CLIENTS_PERIOD`].
pub const AUTONAT_DIALS_PER_PEER_MAX: usize = 3;

/// The period in which questions are counted.
pub const AUTONAT_CLIENTS_PERIOD: Duration = Duration::from_secs(30);

// Who has which files.

/// Roots of files that this node tells its swarm of; the newest of those that it has.
pub const PROVIDED_ROOTS_MAX: usize = 1_024;

/// Between two roots that are told of.
pub const PUBLICATION_PAUSE: Duration = Duration::from_secs(1);

/// After which a root is told of again. At the most a kilobyte or two a second and peer.
pub const PUBLICATION_PERIOD: Duration = Duration::from_secs(2 * 60 * 60);

/// How long a record of who has a file holds: two publications may be missed.
pub const PROVIDER_RECORD_TIMEOUT: Duration = Duration::from_secs(5 * 60 * 60);

/// Records of others that are kept.
pub const PROVIDER_RECORDS_MAX: usize = 65_536;

/// Records that one peer may leave here: all of its roots, in a small swarm.
pub const PROVIDER_RECORDS_PER_PEER_MAX: usize = PROVIDED_ROOTS_MAX;

/// Peers that are kept of those who have one file.
pub const PROVIDERS_PER_KEY_MAX: usize = 20;

/// Bytes of the key of a record: an address with the longest hash.
pub const PROVIDER_KEY_BYTES_MAX: usize = 72;

/// Searches under way for those who have a file.
pub const PROVIDER_SEARCHES_MAX: usize = 16;

/// Peers that are dialled of those that one search found.
pub const PROVIDERS_DIALLED_MAX: usize = 8;

/// Between two searches for those who have one file.
pub const SEARCH_INTERVAL: Duration = Duration::from_secs(15);

/// Peers that are dialled because they are said to have one file.
pub const FILE_HOLDERS_MAX: usize = 8;

// Relay.

/// How long a peer that does not relay is not asked again.
pub const RELAY_REST: Duration = Duration::from_secs(30);

/// How long a direct connection must have stood before a relayed one to the same peer is closed.
pub const RELAYED_REST: Duration = Duration::from_secs(10);

/// Bytes that one relayed connection may carry through this node, each way.
pub const RELAYED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How long one relayed connection may last.
pub const RELAYED_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Relays that this node asks to be reachable through, behind a NAT.
pub const RELAYS_USED_MAX: usize = 2;
