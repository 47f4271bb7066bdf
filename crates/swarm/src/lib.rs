//! The libp2p side of a node: it finds peers, keeps connections, and carries announcements, heads,
//! blocks and requests. What the bytes mean is for others to say, and it keeps nothing.
//!
//! In reading order: what a host is started with ([`SwarmConfig`], [`HostKey`], [`SwarmKey`]), its
//! handle ([`Swarm`]), what it tells ([`Event`]) and what peers may ask of it ([`Local`]). Behind
//! the handle one task owns everything (`host.rs`, and what reaches it in `on_command.rs`,
//! `on_swarm.rs` and `on_peer.rs`). The machines it consults have no IO and a test each:
//! `dialler.rs`, `known.rs`, `score.rs`, `outbox.rs`, `encounters.rs`,
//! `lookups.rs`, `relays.rs`. The protocols of streams are in `heads.rs` and `sync_stream.rs`, and
//! in [`bitswap`], which fetches blocks and serves them.

pub mod bitswap;
pub mod limits;

mod agent;
mod behaviour;
mod command;
mod config;
mod counted;
mod dialler;
mod doubt;
mod encounters;
mod error;
mod event;
mod figures;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gate;
mod gossip;
mod heads;
mod host;
mod host_key;
mod items;
mod known;
mod listen;
mod local;
mod lookups;
mod muxer;
mod on_command;
mod on_peer;
mod on_swarm;
mod opening;
mod outbox;
mod own_ips;
mod peers;
mod rate;
mod reason;
mod relays;
mod score;
mod serving;
mod slots;
mod streams;
mod swarm;
mod swarm_key;
mod sync_stream;
mod target;
mod transport;

pub use bitswap::FetchError;
pub use config::SwarmConfig;
pub use error::{Error, Kind};
pub use event::{Announcement, Event, Events, Verdict};
pub use figures::{SwarmFigures, Traversed};
pub use host_key::HostKey;
pub use libp2p_identity::PeerId;
pub use local::{BoxFuture, Local};
pub use peers::{Direction, PeerInfo};
pub use reason::reason;
pub use score::Offence;
pub use swarm::Swarm;
pub use swarm_key::SwarmKey;
pub use sync_stream::SyncStream;
