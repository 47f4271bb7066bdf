//! The one HTTP client of the lab, at two heights.
//!
//! A [`Client`] is a kept connection over which requests go that were built before: the load.
//! An [`Api`] asks a node one thing, as JSON, over a connection of its own: all that is not measured.
//! Both reach a node on this machine and one on a host in a network namespace.

mod api;
mod connection;

pub(crate) use api::{Api, Names};
pub(crate) use connection::{Client, command_request, get_request};
