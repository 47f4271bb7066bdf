//! The host: the one task that owns the libp2p swarm, and what it does with each thing that happens.
//!
//! `listen.rs` starts it, `event_loop.rs` has its state and its loop; what reaches it is taken apart
//! in `on_command.rs`, `on_swarm.rs` and `on_peer.rs`. What it does of its own accord is in
//! `relays.rs`, `doubt.rs` and `providers.rs`; `peer_events.rs` holds what the node is still to be told.
//!
//! It asks the machines of `peering` whom to connect with and whom to keep out, and leaves the streams
//! to tasks of `protocols`. It reads no disk, and does not wait until its events are taken.

pub(crate) mod behaviour;
pub(crate) mod figures;
pub(crate) mod listen;

mod doubt;
mod event_loop;
mod on_command;
mod on_peer;
mod on_swarm;
mod own_ips;
mod peer_events;
mod providers;
mod relays;

pub(crate) use event_loop::{Host, Parts, Profile, Rates, Shared, Waiter};
