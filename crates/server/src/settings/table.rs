//! The table of flags: every setting of the node, once.
//!
//! Everything else about flags follows from this table: parsing, the configuration file, `-help`,
//! and the notice about what this version accepts and does not do yet.

use super::definition::{Fallback, Flag, PORT, ValueKind};

/// What most flags have in common; a definition names what is different.
const ORDINARY: Flag = Flag {
    name: "",
    on_command_line: true,
    in_file: true,
    variable: "",
    kind: ValueKind::Text,
    default: Fallback::Nothing,
    doc: "",
    later: None,
};

pub(crate) static CONFIG: Flag = Flag {
    name: "config",
    in_file: false,
    variable: "OPTIMUSDB_CONFIG",
    kind: ValueKind::Path,
    doc: "TOML file whose keys are the names of these flags",
    ..ORDINARY
};

pub(crate) static HTTP: Flag = Flag {
    name: "http",
    variable: "OPTIMUSDB_HTTP",
    kind: ValueKind::Switch,
    default: Fallback::Is("true"),
    doc: "serve the HTTP API and the gateway",
    ..ORDINARY
};

pub(crate) static HTTP_PORT: Flag = Flag {
    name: "http-port",
    variable: "OPTIMUSDB_API_PORT",
    kind: PORT,
    default: Fallback::Is("8089"),
    doc: "port of the HTTP API; 0 takes any free one and logs it",
    ..ORDINARY
};

pub(crate) static HTTP_HOST: Flag = Flag {
    name: "http-host",
    variable: "OPTIMUSDB_API_HOST",
    default: Fallback::Is("127.0.0.1"),
    doc: "address of the API and the gateway; 0.0.0.0 for every interface",
    ..ORDINARY
};

pub(crate) static API_TOKEN: Flag = Flag {
    name: "api-token",
    variable: "OPTIMUSDB_API_TOKEN",
    doc: "when set, the API wants `Authorization: Bearer <token>`; other users of the machine can see a flag, so \
          prefer the variable, or OPTIMUSDB_API_TOKEN_FILE with the path of a file that holds the token",
    ..ORDINARY
};

pub(crate) static API_TOKEN_FILE: Flag = Flag {
    name: "api-token-file",
    on_command_line: false,
    variable: "OPTIMUSDB_API_TOKEN_FILE",
    kind: ValueKind::Path,
    doc: "file that holds the API token",
    ..ORDINARY
};

pub(crate) static HTTP_HOSTS: Flag = Flag {
    name: "http-hosts",
    variable: "OPTIMUSDB_API_HOSTS",
    kind: ValueKind::List,
    default: Fallback::Found("localhost, IP addresses, the machine's name"),
    doc: "further names by which the node is reached without a token; * for any",
    ..ORDINARY
};

pub(crate) static CORS_ORIGINS: Flag = Flag {
    name: "cors-origins",
    variable: "OPTIMUSDB_CORS_ORIGINS",
    kind: ValueKind::List,
    default: Fallback::Found("pages of this machine; every page when there is a token"),
    doc: "origins whose pages may use the API, such as https://app.example.org; * for any",
    ..ORDINARY
};

pub(crate) static SWARMKB: Flag = Flag {
    name: "swarmkb",
    variable: "OPTIMUSDB_CONTEXT",
    default: Fallback::Is("swarmkb"),
    doc: "path prefix (\"context\") of the API: one segment",
    ..ORDINARY
};

pub(crate) static REPO: Flag = Flag {
    name: "repo",
    variable: "OPTIMUSDB_REPO",
    kind: ValueKind::Path,
    default: Fallback::Is("swarmkb"),
    doc: "data directory of this node: a name inside the data root, or a path when it holds a separator",
    ..ORDINARY
};

pub(crate) static DATA_ROOT: Flag = Flag {
    name: "data-root",
    variable: "OPTIMUSDB_DATA_DIR",
    kind: ValueKind::Path,
    default: Fallback::Found("$XDG_DATA_HOME/optimusdb, else ~/.local/share/optimusdb"),
    doc: "where repos given by name live",
    ..ORDINARY
};

pub(crate) static DURABLE: Flag = Flag {
    name: "durable",
    variable: "OPTIMUSDB_DURABLE",
    kind: ValueKind::Switch,
    default: Fallback::Is("true"),
    doc: "flush every write to the disk before its answer; false is faster, and a power failure may take the last \
          answered writes",
    ..ORDINARY
};

pub(crate) static COORDINATOR: Flag = Flag {
    name: "coordinator",
    variable: "OPTIMUSDB_COORDINATOR",
    kind: ValueKind::Switch,
    default: Fallback::Is("true"),
    doc: "may create stores and the swarm's store list; with false the node adopts what a coordinator made",
    ..ORDINARY
};

pub(crate) static SWARM: Flag = Flag {
    name: "swarm",
    variable: "OPTIMUSDB_SWARM",
    default: Fallback::Is("swarmkb"),
    doc: "name of the swarm; nodes of different swarms never exchange anything",
    ..ORDINARY
};

pub(crate) static REGION: Flag = Flag {
    name: "region",
    variable: "OPTIMUSDB_REGION",
    doc: "tag that tells where this node runs",
    ..ORDINARY
};

pub(crate) static REINDEX: Flag = Flag {
    name: "reindex",
    variable: "OPTIMUSDB_REINDEX",
    kind: ValueKind::Switch,
    default: Fallback::Is("false"),
    doc: "before the node starts, drop what is derived from the logs and make it again",
    ..ORDINARY
};

pub(crate) static AGENT_NAME: Flag = Flag {
    name: "agent-name",
    on_command_line: false,
    variable: "AGENT_NAME",
    default: Fallback::Found("the host name"),
    doc: "name written into contributions",
    ..ORDINARY
};

pub(crate) static DEVLOGS: Flag = Flag {
    name: "devlogs",
    variable: "OPTIMUSDB_DEVLOGS",
    kind: ValueKind::Switch,
    default: Fallback::Is("false"),
    doc: "debug logs of the whole node, readable form",
    ..ORDINARY
};

pub(crate) static LOG_LEVEL: Flag = Flag {
    name: "log-level",
    on_command_line: false,
    variable: "OPTIMUSDB_LOG_LEVEL",
    default: Fallback::Is("info"),
    doc: "off, error, warn, info, debug, trace, or a tracing filter such as info,optimusdb_db=debug",
    ..ORDINARY
};

pub(crate) static LOG_RETENTION_DAYS: Flag = Flag {
    name: "log-retention-days",
    variable: "OPTIMUSDB_LOG_RETENTION_DAYS",
    kind: ValueKind::Number { min: 1, max: 3650 },
    default: Fallback::Is("7"),
    doc: "how long the node keeps its journal, which /log and optimusLogger show",
    ..ORDINARY
};

pub(crate) static IPFS_PORT: Flag = Flag {
    name: "ipfs-port",
    variable: "OPTIMUSDB_P2P_PORT",
    kind: PORT,
    default: Fallback::Is("4001"),
    doc: "libp2p port: TCP and QUIC (UDP); 0 takes any free one and logs it",
    ..ORDINARY
};

pub(crate) static IPFS_HOST: Flag = Flag {
    name: "ipfs-host",
    variable: "OPTIMUSDB_P2P_HOST",
    default: Fallback::Found("every interface, IPv4 and IPv6"),
    doc: "address that libp2p listens on",
    ..ORDINARY
};

pub(crate) static BOOTSTRAP: Flag = Flag {
    name: "bootstrap",
    variable: "OPTIMUSDB_BOOTSTRAP",
    kind: ValueKind::List,
    doc: "peers to dial at start: comma-separated multiaddrs, or host, or host:port",
    ..ORDINARY
};

pub(crate) static SEED_PEERS: Flag = Flag {
    name: "seed-peers",
    on_command_line: false,
    variable: "OPTIMUSDB_SEED_PEERS",
    kind: ValueKind::List,
    doc: "comma-separated host:port to keep dialling; names resolve again on every retry",
    ..ORDINARY
};

pub(crate) static SWARM_KEY: Flag = Flag {
    name: "swarm-key",
    variable: "OPTIMUSDB_SWARM_KEY",
    kind: ValueKind::Path,
    doc: "file with a pre-shared key (/key/swarm/psk/1.0.0/); only holders connect",
    ..ORDINARY
};

pub(crate) static MDNS: Flag = Flag {
    name: "mdns",
    variable: "OPTIMUSDB_MDNS",
    kind: ValueKind::Switch,
    default: Fallback::Is("true"),
    doc: "find peers on the local network",
    ..ORDINARY
};

pub(crate) static DHT: Flag = Flag {
    name: "dht",
    variable: "OPTIMUSDB_DHT",
    kind: ValueKind::Switch,
    default: Fallback::Is("true"),
    doc: "Kademlia within the swarm",
    ..ORDINARY
};

pub(crate) static GATEWAY_PORT: Flag = Flag {
    name: "gateway-port",
    variable: "OPTIMUSDB_GATEWAY_PORT",
    kind: PORT,
    default: Fallback::Is("5001"),
    doc: "port of the IPFS-style HTTP gateway; 0 takes any free one and logs it",
    ..ORDINARY
};

pub(crate) static FULL_REPLICA: Flag = Flag {
    name: "full-replica",
    variable: "OPTIMUSDB_FULL_REPLICA",
    kind: ValueKind::Switch,
    default: Fallback::Is("true"),
    doc: "fetch and pin every file that the swarm contributes",
    ..ORDINARY
};

pub(crate) static STORAGE_MAX: Flag = Flag {
    name: "storage-max",
    variable: "OPTIMUSDB_STORAGE_MAX",
    kind: ValueKind::Size,
    doc: "bytes that the blocks of files may take, such as 20GiB",
    ..ORDINARY
};

pub(crate) static DISK_RESERVE: Flag = Flag {
    name: "disk-reserve",
    variable: "OPTIMUSDB_DISK_RESERVE",
    kind: ValueKind::Size,
    default: Fallback::Is("256MiB"),
    doc: "free bytes of the disk below which what comes from peers waits",
    ..ORDINARY
};

pub(crate) static UNIXFS_PROFILE: Flag = Flag {
    name: "unixfs-profile",
    variable: "OPTIMUSDB_UNIXFS_PROFILE",
    default: Fallback::Is("kubo"),
    doc: "how files are cut, on which their addresses depend: kubo, unixfs-v1-2025 or unixfs-v0-2015",
    ..ORDINARY
};

pub(crate) static FILE_PEERS: Flag = Flag {
    name: "file-peers",
    variable: "OPTIMUSDB_FILE_PEERS",
    default: Fallback::Is("all"),
    doc: "who exchanges blocks of files with this node: `all`, plain IPFS nodes too, or `swarm`, nodes of its swarm",
    ..ORDINARY
};

pub(crate) static DOWNLOAD_DIR: Flag = Flag {
    name: "download-dir",
    variable: "OPTIMUSDB_DOWNLOAD_DIR",
    kind: ValueKind::Path,
    default: Fallback::Found("~/Downloads, else the repo"),
    doc: "where the command `get` saves",
    ..ORDINARY
};

pub(crate) static BENCHMARK: Flag = Flag {
    name: "benchmark",
    variable: "OPTIMUSDB_BENCHMARK",
    kind: ValueKind::Switch,
    default: Fallback::Is("false"),
    doc: "sample and serve benchmark data",
    later: Some("benchmarking"),
    ..ORDINARY
};

pub(crate) static SHELL: Flag = Flag {
    name: "shell",
    variable: "OPTIMUSDB_SHELL",
    kind: ValueKind::Switch,
    default: Fallback::Is("false"),
    doc: "interactive shell on the terminal",
    later: Some("the shell"),
    ..ORDINARY
};

pub(crate) static EXPERIMENTAL: Flag = Flag {
    name: "experimental",
    variable: "OPTIMUSDB_EXPERIMENTAL",
    kind: ValueKind::Switch,
    default: Fallback::Is("false"),
    doc: "features marked experimental in the docs",
    later: Some("the first experimental feature"),
    ..ORDINARY
};

/// Every flag, in the order of `-help`.
pub(crate) static ALL: &[&Flag] = &[
    &CONFIG,
    &HTTP,
    &HTTP_PORT,
    &HTTP_HOST,
    &API_TOKEN,
    &API_TOKEN_FILE,
    &HTTP_HOSTS,
    &CORS_ORIGINS,
    &SWARMKB,
    &REPO,
    &DATA_ROOT,
    &DURABLE,
    &REINDEX,
    &COORDINATOR,
    &SWARM,
    &REGION,
    &AGENT_NAME,
    &DEVLOGS,
    &LOG_LEVEL,
    &LOG_RETENTION_DAYS,
    &IPFS_PORT,
    &IPFS_HOST,
    &BOOTSTRAP,
    &SEED_PEERS,
    &SWARM_KEY,
    &MDNS,
    &DHT,
    &GATEWAY_PORT,
    &FULL_REPLICA,
    &FILE_PEERS,
    &STORAGE_MAX,
    &DISK_RESERVE,
    &UNIXFS_PROFILE,
    &DOWNLOAD_DIR,
    &BENCHMARK,
    &SHELL,
    &EXPERIMENTAL,
];
