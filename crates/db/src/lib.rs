//! The node: stores, the one write path, queries and derived metadata.
//!
//! This room introduces the others to each other. Nothing of HTTP above it, nothing of SQLite or
//! libp2p in its interface.

mod access;
mod adopt;
mod builtin;
mod clock;
mod commits;
mod document;
mod documents;
mod dollar;
mod error;
mod keys;
pub mod limits;
mod logs;
mod metrics;
mod new_store;
mod node;
mod opening;
mod query;
mod reading;
mod receive;
mod replication;
mod storelist;
mod tosca;
mod upload;
mod writer;

pub use access::AccessInfo;
pub use adopt::{BoxFuture, Fetch};
pub use builtin::{DEFAULT_STORE, STORE_LIST};
pub use documents::Documents;
pub use error::{Error, Kind};
pub use logs::{LogReceiver, LogRecord, LogSender, log_channel};
pub use new_store::NewAccess;
pub use node::{NetworkConfig, Node, NodeConfig, NodeId, PeerInfo, Readiness, StoreInfo};
pub use opening::{Opening, OpeningStep};
pub use optimusdb_dag::{Address, Blocks, Cid, LogCid, StoreKind};
pub use optimusdb_swarm::reason;
pub use query::{Consistency, Criteria, Fields, Query, SortOrder, Strategy};
pub use receive::Joined;
pub use upload::{ToscaFile, ToscaReceipt, ToscaUpload};
