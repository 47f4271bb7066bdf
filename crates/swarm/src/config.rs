//! What a host is started with.

use std::net::IpAddr;

use crate::{HostKey, SwarmKey};

/// What a host is started with.
#[derive(Debug, Clone)]
pub struct SwarmConfig {
    /// The key of the host; its public half is the peer id.
    pub key: HostKey,
    /// The name of the swarm. Nodes of another swarm are refused.
    pub swarm: String,
    /// How it meets its peers.
    pub network: NetworkConfig,
    /// Where this node is, in the words of its operator.
    pub region: Option<String>,
    /// The version of the program.
    pub version: String,
}

/// How a node meets its peers: what its operator decides about it.
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {
    /// The port for TCP and for QUIC. 0 takes one that is free for both.
    pub port: u16,
    /// The addresses to listen on. Empty means all, of both IP versions.
    pub listen: Vec<IpAddr>,
    /// Peers to dial now and whenever they are lost: multiaddrs, hosts, or `host:port`.
    pub bootstrap: Vec<String>,
    /// More of them, from the environment; one may be this node itself.
    pub seeds: Vec<String>,
    /// The key of a private swarm. With one, the host speaks TCP only.
    pub swarm_key: Option<SwarmKey>,
    /// Whether to find peers on the local network.
    pub mdns: bool,
    /// Whether to find peers through other peers, by a Kademlia of this swarm alone.
    pub dht: bool,
}
