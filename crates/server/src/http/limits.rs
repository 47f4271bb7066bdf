//! Every bound of the HTTP API, in one place. Units come last.
//!
//! Limits of documents, criteria and the like are the node's and live in `optimusdb_db::limits`.

use std::time::Duration;

/// How long a command waits for a file to be saved, which goes on after that: less than
/// [`REQUEST_TIMEOUT`], so that its client is told.
pub(super) const SAVED_TIMEOUT: Duration = Duration::from_secs(28);
/// Largest request body, in bytes, without its content coding. Above it: 413.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a body that are read before it needs a share of [`BODIES_BYTES_MAX`].
pub(super) const BODY_FREE_BYTES: usize = 64 * 1024;
/// Bytes that all large bodies may take together. A body that finds no room waits for it within
/// [`BODY_READ_TIMEOUT`].
pub(super) const BODIES_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;
/// Room that a body takes at a time, in bytes, as its bytes come.
pub(super) const BODY_ROOM_STEP_BYTES: usize = 256 * 1024;
/// Longest pause within a body. Above it: 408.
pub(super) const BODY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Bytes of a compressed body that are decoded at a time.
pub(super) const DECODED_CHUNK_BYTES: usize = 32 * 1024;
/// Largest window of a body in zstd, as a power of two: the 8 MiB that RFC 9659 sets for HTTP.
pub(super) const ZSTD_WINDOW_BITS_MAX: u32 = 23;
/// Bodies up to this are parsed without a look at what they weigh once parsed.
pub(super) const WEIGHED_BYTES_MIN: usize = 8 * 1024;
/// Memory that the values of one request may take once parsed, in bytes. Above it: 413.
pub(super) const PARSED_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Memory that a request may hold for what it was parsed to, in bytes, and be carried out beside others. Of
/// those that hold more there is one at a time, so that they never take the others' room.
pub(super) const PARSED_BESIDE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Memory that all the others above [`WEIGHED_BYTES_MIN`] may hold together, in bytes.
pub(super) const PARSED_TOGETHER_BYTES_MAX: usize = PARSED_BYTES_MAX / 2;
/// How many times its parsed values a request holds: a put has the payloads of its entries beside them.
pub(super) const HELD_PER_PARSED_BYTES: usize = 2;
/// From so many bytes on that a request held, what is free then goes back to the system at once.
pub(super) const GIVEN_BACK_BYTES_MIN: usize = BODY_BYTES_MAX;
/// Bytes of an unread body that are read and thrown away before the answer is sent, for clients that read
/// no answer while they send. Nothing is read of a body that is declared longer.
pub(super) const DISCARD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How long such a body is read before the answer is sent.
pub(super) const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest pause of the client meanwhile: it may be waiting for the answer.
pub(super) const DISCARD_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Bytes that are read and thrown away after the last answer of a connection.
pub(super) const HANG_UP_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long they are read.
pub(super) const HANG_UP_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest pause of the client meanwhile.
pub(super) const HANG_UP_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Size of the buffer that they are read into, in bytes.
pub(super) const HANG_UP_BUFFER_BYTES: usize = 16 * 1024;
/// Bodies above this are parsed on a thread of their own, since a worker answers no other request
/// while it parses.
pub(super) const PARSE_INLINE_BYTES_MAX: usize = 256 * 1024;
/// Time for a client to send the body of its request. Above it: 408.
pub(super) const BODY_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Time in which some of a file that is being sent has to come. Above it: 408.
pub(super) const FILE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Time for a request to be carried out, unless it brings its own `time_budget_ms`. Above it: 504.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time budget that a request may bring; a longer one counts as this.
pub(super) const REQUEST_BUDGET_MAX: Duration = REQUEST_TIMEOUT;

/// Time for a client to send the head of a request, and for a connection to be idle between two.
pub(super) const HEAD_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes. Above it: 431.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of streamed content that are made before the status line is sent. As much as a connection gathers
/// before it writes ([`HEAD_BYTES_MAX`]): so a head that was decided on is sent, whatever comes then.
pub(super) const FIRST_PIECES_BYTES: usize = HEAD_BYTES_MAX;
/// How long a client may read nothing of an answer that is ready for it.
pub(super) const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of the message of a refusal, which may name what is known, and quote what was sent.
pub(super) const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// Time for the head of the first request of a connection.
pub(super) const FIRST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that are let in when all others carry a request. Only probes are answered on them.
pub(super) const PROBE_CONNECTIONS_MAX: usize = 16;
/// How long a connection carries no request before it may have to make room for another.
pub(super) const SILENCE_MIN: Duration = Duration::from_millis(250);
/// Connections open at a time. Then those that carry no request make room.
pub(super) const CONNECTIONS_MAX: usize = 4096;
/// File descriptors that connections leave to the node (databases, journal, peers).
pub(super) const DESCRIPTORS_RESERVED: usize = 256;
/// Ports that share what is left, the API's and the gateway's.
pub(super) const PORTS: usize = 2;
/// Pause after the system refused to hand over a connection (out of descriptors or memory).
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Between two records in the journal of such refusals.
pub(super) const ACCEPT_REPORT_INTERVAL: Duration = Duration::from_secs(60);
