//! What is spoken with peers: announcements, heads, fast sync, votes,
//! statements and blocks, each with its limits of size and time.
//!
//! `gossip.rs` sets up how announcements travel. The protocols of streams are in `heads.rs`,
//! `sync_stream.rs`, `votes.rs`, `sql.rs` and [`bitswap`]; `question.rs` is what those of one question and one
//! answer share; `streams` opens and accepts their streams, and `serving.rs`, `stream_pool.rs`,
//! `fair_places.rs` and `heads_room.rs` bound what serving them costs.
//!
//! Bytes are framed, bounded and handed on here. What entries and requests of fast sync mean, `dag`
//! and the node know.

pub mod bitswap;

pub(crate) mod fair_places;
pub(crate) mod frames;
pub(crate) mod gossip;
pub(crate) mod heads;
pub(crate) mod heads_room;
pub(crate) mod items;
pub(crate) mod question;
pub(crate) mod serving;
pub(crate) mod sql;
pub(crate) mod stream_pool;
pub(crate) mod streams;
pub(crate) mod sync_stream;
pub(crate) mod votes;
