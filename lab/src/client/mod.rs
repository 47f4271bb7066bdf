//! The one HTTP client of the lab, at two heights.
//!
//! An [`HttpClient`] is a kept connection over which requests go that were built before: the load.
//! A [`NodeApi`] asks a node one thing, as JSON, over a connection of its own: all that is not measured.
//! Both reach a node on this machine and one on a host in a network namespace.

mod api;
mod connection;

pub(crate) use api::{Names, NodeApi};
pub(crate) use connection::{HttpClient, command_request, get_request};
