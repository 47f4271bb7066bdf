//! The node: stores, the one write path, queries and derived metadata.
//!
//! This room introduces the others to each other. Nothing of HTTP above it, nothing of SQLite or
//! libp2p in its interface.

mod builtin;
mod document;
mod documents;
mod error;
mod keys;
pub mod limits;
mod logs;
mod metrics;
mod node;
mod opening;
mod query;
mod reading;
mod receive;
mod tosca;
mod upload;
mod writer;

pub use builtin::DEFAULT_STORE;
pub use documents::Documents;
pub use error::{Error, Kind};
pub use logs::{LogReceiver, LogRecord, LogSender, log_channel};
pub use node::{Node, NodeConfig, NodeId, Readiness, StoreInfo};
pub use optimusdb_dag::{Blocks, Cid, StoreKind};
pub use query::{Consistency, Criteria, Fields, Query, SortOrder, Strategy};
pub use receive::Joined;
pub use upload::{ToscaReceipt, ToscaUpload};
