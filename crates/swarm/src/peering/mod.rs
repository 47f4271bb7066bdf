//! Which peers to be connected with: which are dialled and when, which are kept out, and what is known
//! of those that are connected.
//!
//! Nearly all of it are machines: `dialler.rs` for the peers that an operator named,
//! `address_book.rs` for those that were heard of, `score.rs` for what they did, `encounters.rs` for
//! meeting the own peer id, `relays.rs` for being reachable behind a NAT, `lookups.rs` for when to look
//! for more peers, `provided.rs` and `provider_records.rs` for who has which files, `accounts.rs` for what peers
//! cost. `gate.rs` refuses connections where they come in, and `incoming.rs` says who makes room when all their
//! places are taken. `target.rs` alone asks the network something: which addresses a name has.
//!
//! They decide and do not act: `host` dials, disconnects and bans.

pub(crate) mod accounts;
pub(crate) mod address_book;
pub(crate) mod agent;
pub(crate) mod dialler;
pub(crate) mod encounters;
pub(crate) mod fading;
pub(crate) mod gate;
pub(crate) mod incoming;
pub(crate) mod limits;
pub(crate) mod lookups;
pub(crate) mod peers;
pub(crate) mod provided;
pub(crate) mod provider_records;
pub(crate) mod relays;
pub(crate) mod score;
pub(crate) mod shares;
pub(crate) mod target;
