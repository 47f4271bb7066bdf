//! Fast sync: two copies of a log compare summaries and send only what one of them lacks.
//!
//! The protocol is described in `docs/format-sync.md`. [`serve`] answers requests without keeping
//! anything between them; [`Pull`] asks, checks every answer, and hands over entries, parents
//! first. Both see the entries of a store as a [`Tree`] over clock time. The node that is behind
//! pulls; if each lacks something of the other, both pull.

mod cell;
mod id_tree;
mod message;
mod pull;
mod serve;
mod summing;
mod tree;
mod wire;

pub use cell::{Cell, Span};
pub use id_tree::IdTree;
pub use message::{Ask, Declined, Reply, Request};
pub use pull::{Pull, PullEffect, PullError, PullLimits, PullProgress};
pub use serve::serve;
pub use summing::Summing;
pub use tree::{Holding, Id, Summary, Tree, Unreadable};
