//! The libp2p side of a node.
//!
//! Today it holds the host key, from which the peer id follows, so that a repository keeps its peer
//! id from its first start. Discovery, connections and replication are not built yet, and nothing
//! here pretends that they are.

mod host_key;

pub use host_key::{Error, HostKey};
