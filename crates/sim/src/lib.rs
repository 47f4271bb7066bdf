//! Whole swarms in one thread, from one number.
//!
//! [`run`] makes nodes, a network, faults and hostile peers of a seed, lets them
//! go, and checks what must hold: at every moment for each replica, and in the
//! end, when the faults are over, for all of them together. The same seed gives
//! the same run, so whatever is found can be looked at again, with a trace.
//!
//! What runs is the machine of `optimusdb_dag::replicator` and the log below it.
//! Disk, network, writer and pubsub are small stand-ins, and what they do not do
//! (libp2p, SQLite, threads) is not tested here. `docs/simulation.md` has more.

mod cast;
mod context;
mod fetching;
mod forge;
mod hostile;
mod ledger;
pub mod limits;
mod message;
mod native;
mod oracle;
mod plain;
mod plan;
mod random;
mod run;
mod store;
mod timeline;
mod world;

pub use message::Kind;
pub use run::{Failure, Options, Report, run};
