//! The node: stores, the one write path, queries and derived metadata.
//!
//! This is the only room that knows the others. It knows nothing of HTTP, and no type of SQLite or
//! libp2p is in its interface.

mod access;
mod chunks;
mod clock;
mod commits;
mod disk;
mod document;
mod documents;
mod dollar;
mod error;
mod files;
mod found;
mod journal;
mod keys;
pub mod limits;
mod lookup_pool;
mod metrics;
mod node;
mod opening;
mod places;

mod query;
mod reading;
mod replication;
mod space;
mod sql;
mod stores;
mod tosca;
mod upload;
mod verdict;
mod writer;

pub use access::AccessInfo;
pub use clock::timestamp;
pub use documents::Documents;
pub use error::{Error, Kind};
pub use files::{
    AddedCar, AddedFile, AddedFiles, CarAdd, CarStream, FileAdd, FilePeers, FileStream,
    FilesConfig, FoundFile, Located, Reach, TransferReason, TransferShown, TreeItem, TreeStream,
};
pub use journal::{JournalReceiver, JournalRecord, JournalSender, journal_channel};
pub use node::{Node, NodeConfig, NodeId, PeerShown, PinShown, Readiness, StoreInfo};
pub use opening::{NodeOpening, OpeningStep};
pub use optimusdb_dag::car::{CarScope, EntityBytes};
pub use optimusdb_dag::unixfs::{Content, ListedEntry, Profile};
pub use optimusdb_dag::{Address, Cid, Codec, StoreKind};
pub use optimusdb_storage::{SqlCell, SqlColumn, SqlParams, SqlTable, SqlTableKind, SqlValue};
pub use optimusdb_swarm::{NetworkConfig, SwarmKey, reason};
pub use query::{Consistency, Criteria, Projection, Query, SortOrder, Strategy};
pub use space::FreeBytes;
pub use sql::{SqlAnswer, SqlDid, SqlEnd, SqlRender, SqlRequest};
pub use stores::{DEFAULT_STORE, NewAccess, STORE_LIST};
pub use tosca::{Candidate, NodeMatch, RejectedCapacity, ToscaMatch, ToscaQuestion};
pub use upload::{ToscaFile, ToscaReceipt, ToscaUpload};
pub use verdict::VerdictShown;
