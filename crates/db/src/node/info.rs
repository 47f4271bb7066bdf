//! The configuration of a node, and what it says about itself.

use crate::files::FilesConfig;
use crate::journal::JournalReceiver;
use crate::opening::NodeOpening;
use crate::space::FreeBytes;
use optimusdb_storage::StoreRow;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How a node is to be opened.
#[derive(Debug)]
pub struct NodeConfig {
    /// Its data directory.
    pub repo: PathBuf,
    /// The swarm that it belongs to.
    pub swarm: String,
    /// A tag for people, shown beside the node.
    pub region: Option<String>,
    /// Whether it may make stores.
    pub coordinator: bool,
    /// Whether an acknowledged write survives a power cut, or only the end of the process.
    pub durable: bool,
    /// Whether everything derived from the logs is dropped and made again first.
    pub reindex: bool,
    /// The version of the program.
    pub version: String,
    /// Where the records of its journal come from.
    pub journal: Option<JournalReceiver>,
    /// How long they are kept.
    pub journal_retention: Duration,
    /// Shows others how far the opening is.
    pub opening: NodeOpening,
    /// What it is told of its files.
    pub files: FilesConfig,
    /// Free bytes of the disk below which what comes from peers waits.
    pub disk_reserve_bytes: u64,
    /// How many there are.
    pub free_bytes: FreeBytes,
}

/// Who a node is.
#[derive(Debug, Clone, Serialize)]
pub struct NodeId {
    /// The id of its libp2p host.
    pub peer_id: String,
    /// The id that it signs entries with.
    pub identity: String,
    /// Its swarm.
    pub swarm: String,
    /// The version of the program.
    pub version: String,
    /// Its region, where it has one.
    pub region: Option<String>,
}

/// Whether a node can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Reads are served.
    pub ready: bool,
    /// Writes are stored.
    pub writable: bool,
    /// What is wrong, where something is.
    pub reason: Option<String>,
    /// How many entries of peers a store is known to lack, by its name; level ones are left out.
    pub behind: BTreeMap<String, u64>,
    /// What is wrong with its disk though it serves, a sentence each.
    pub degraded: Vec<String>,
}

/// A store as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreInfo {
    /// Its name.
    pub name: String,
    /// `documents`, `events` or `keyvalue`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `/orbitdb/zdpu…`.
    pub address: String,
    /// Documents that are there now.
    pub documents: u64,
    /// Entries of its log.
    pub entries: u64,
    /// The entries that no other names.
    pub heads: Vec<String>,
    /// How many heads there are, where these are not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_count: Option<usize>,
    /// The addresses of other stores that the swarm's list offers under this name; absent when there are
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contested_by: Vec<String>,
}

impl From<StoreRow> for StoreInfo {
    fn from(row: StoreRow) -> StoreInfo {
        StoreInfo {
            kind: row.kind.to_string(),
            address: row.address.to_string(),
            name: row.name,
            documents: row.documents,
            entries: row.entries,
            heads: Vec::new(),
            head_count: None,
            contested_by: Vec::new(),
        }
    }
}
