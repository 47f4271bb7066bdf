//! What a node does about its stores as a whole: which ones every node has, how one is made or taken
//! over, which names they have, and how the swarm's list of stores is followed.
//!
//! The files beside decide and gather. Every change of the stores goes through the writer, in one
//! transaction a store. Documents and entries are not handled here.

mod adopting;
mod binding;
mod block_source;
mod builtin;
mod follower;
mod listing;
mod names;
mod new_store;
mod news;
mod offers;

pub(crate) use adopting::gather;
pub(crate) use block_source::BlockSource;
pub use builtin::{DEFAULT_STORE, STORE_LIST};
pub(crate) use builtin::{make_builtin, place_of};
pub(crate) use follower::{Follower, ListWriter};
pub(crate) use listing::{is_list, may_be_named};
pub(crate) use names::{StoreNames, access_name, check_store_name, name_of};
pub use new_store::NewAccess;
pub(crate) use new_store::{NewStore, check_identity, new_store, scope_of};
pub(crate) use news::ListNews;
pub(crate) use offers::offer;
