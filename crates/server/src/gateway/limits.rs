//! Every bound of the gateway, in one place. Units come last.

use std::time::Duration;

/// Answers with content that is here that may be on their way at a time, and as many with content that has to
/// be looked for: fewer than the node reads files for, so that strangers at the gateway leave some to the API.
pub(super) const ANSWERS_MAX: usize = 48;
/// How long a request waits for its turn. Above it: 429.
pub(super) const TURN_WAIT_MAX: Duration = Duration::from_secs(2);
/// After how long a client is told to come back: one that found too many others.
pub(super) const TURN_RETRY: Duration = Duration::from_secs(1);
/// The same for one whose content was not found in time.
pub(super) const ABSENT_RETRY: Duration = Duration::from_secs(10);
/// First bytes of a file that its type is told from.
pub(super) const FIRST_BYTES_MAX: u64 = 4 * 1024;
/// Bytes of a query string. Above it: 414.
pub(super) const QUERY_BYTES_MAX: usize = 8 * 1024;
/// Media types of an Accept header that are looked at.
pub(super) const ACCEPTED_TYPES_MAX: usize = 32;
/// Characters of a file name that an answer proposes.
pub(super) const FILENAME_CHARS_MAX: usize = 255;
/// Entries of a directory in one piece of its page.
pub(super) const PAGE_PIECE_ENTRIES: usize = 256;
/// Links of a block that its page shows.
pub(super) const PAGE_LINKS_MAX: usize = 1_000;
/// Bytes of a text that its page shows.
pub(super) const PAGE_TEXT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of TAR that are made before the status line is sent, so that what is wrong with a small tree
/// has a status of its own, and then from piece to piece.
pub(super) const TAR_PIECE_BYTES: usize = 64 * 1024;
