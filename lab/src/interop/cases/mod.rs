//! The cases: each is a short play between a peer of ours and JavaScript peers.
//!
//! They are written so that they hold between two JavaScript peers as well (`--js-only`), but for those
//! that say why they cannot: a case that fails there wants too much.

mod access;
mod concurrent;
mod kinds;
mod life;
mod replication;

use anyhow::Result;

use super::foreign::Foreign;
use super::ground::Ground;
use super::peer::{InteropPeer, InteropStore};

/// One case.
pub(super) struct InteropCase {
    /// What `--only` calls it.
    pub(super) name: &'static str,
    /// What must hold.
    pub(super) title: &'static str,
    /// Whether it holds between two JavaScript peers.
    pub(super) javascript: bool,
    /// Plays it; returns what is worth saying.
    pub(super) play: fn(&mut Ground) -> Result<String>,
}

/// All cases, in the order in which they are played.
pub(super) const CASES: &[InteropCase] = &[
    InteropCase {
        name: "cold",
        title: "1,000 documents of ours reach a JavaScript peer that comes later",
        javascript: true,
        play: replication::cold_from_us,
    },
    InteropCase {
        name: "cold-js",
        title: "1,000 documents of a JavaScript peer reach us when we come later",
        javascript: true,
        play: replication::cold_from_javascript,
    },
    InteropCase {
        name: "live-js",
        title: "1,000 documents reach us while a JavaScript peer writes them",
        javascript: true,
        play: replication::live_from_javascript,
    },
    InteropCase {
        name: "large",
        title: "heads of 100 KB, announced and exchanged, both ways",
        javascript: true,
        play: replication::large_heads,
    },
    InteropCase {
        name: "both",
        title: "both write at once, and everything is on both",
        javascript: true,
        play: concurrent::both_write,
    },
    InteropCase {
        name: "conflict",
        title: "writes and deletes of the same _id apart end equal",
        javascript: true,
        play: concurrent::conflicts,
    },
    InteropCase {
        name: "heads",
        title: "several heads are exchanged, to us and from us",
        javascript: true,
        play: concurrent::several_heads,
    },
    InteropCase {
        name: "events",
        title: "a log of events, both ways, cold and live",
        javascript: true,
        play: kinds::events,
    },
    InteropCase {
        name: "keyvalue",
        title: "a keyvalue store with overwrites and deletes, both ways, cold and live",
        javascript: true,
        play: kinds::keyvalue,
    },
    InteropCase {
        name: "write-list",
        title: "a fixed write list holds: its writers get in, others do not",
        javascript: true,
        play: access::write_list,
    },
    InteropCase {
        name: "grant",
        title: "who an orbitdb access controller grants the right to write gets in",
        javascript: true,
        play: access::grants,
    },
    InteropCase {
        name: "revoke",
        title: "who it is revoked of gets in no more, and what was there stays, for late comers too",
        // OrbitDB refuses all that is built on the writes of a revoked writer.
        javascript: false,
        play: access::revokes,
    },
    InteropCase {
        name: "restart",
        title: "either side is restarted and catches up with what it missed",
        javascript: true,
        play: life::restarts,
    },
    InteropCase {
        name: "adopt",
        title: "a store that JavaScript made is adopted by its address",
        javascript: true,
        play: life::adoption,
    },
];

/// Connects the two and waits until they exchange heads on `store`, which is open on our side.
fn join(ours: &mut dyn InteropPeer, javascript: &mut Foreign, store: &InteropStore) -> Result<()> {
    javascript.dial(&ours.address())?;
    javascript.adopt(store)?;
    javascript.wait_peers(store, 1)
}
