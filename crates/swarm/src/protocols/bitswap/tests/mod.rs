//! Bitswap between swarms on the loopback interface.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod exchange;
mod raw;
mod strangers;
mod world;
