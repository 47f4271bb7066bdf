//! What a node does about its stores as a whole: which ones every node has, how one is made or taken
//! over, which names they have, and how the swarm's list of stores is followed.
//!
//! The files beside decide and gather; whatever changes the stores goes through the writer, in one
//! transaction a store. What is in a store is none of this folder's business.

mod adopting;
mod builtin;
mod follower;
mod listing;
mod new_store;

pub use adopting::{BoxFuture, Fetch};
pub(crate) use adopting::{Source, gather};
pub(crate) use builtin::{BUILTIN_STORES, place_of};
pub use builtin::{DEFAULT_STORE, STORE_LIST};
pub(crate) use follower::{follow, is_list, may_be_named};
pub(crate) use listing::offer;
pub use new_store::NewAccess;
pub(crate) use new_store::{NewStore, access_name, check_identity, new_store, scope_of};
