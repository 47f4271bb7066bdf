//! Why something did not work.

use libp2p_identity::{DecodingError, PeerId};

use crate::reason;

/// What an error means to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The input is wrong; asking again will not help.
    Invalid,
    /// The other side is not one that this node deals with.
    Refused,
    /// A peer or the network is not there now; asking again may help.
    Unavailable,
    /// This machine does not do what is needed.
    Internal,
}

/// Every reason for which this crate refuses something or fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bytes are not a host key.
    #[error("the host key cannot be read: {0}")]
    HostKey(#[from] DecodingError),
    /// Text is not a swarm key.
    #[error("the swarm key cannot be read: {0}")]
    SwarmKey(&'static str),
    /// Text is not an address that can be dialled.
    #[error("{address:?} is not an address to connect to: {why}")]
    Address {
        /// The text.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The address leads back to this node.
    #[error("{0} is this node's own address")]
    OwnAddress(String),
    /// Nobody answered, or not as a libp2p host.
    #[error("{address} cannot be reached: {why}")]
    Unreachable {
        /// What was dialled.
        address: String,
        /// How it failed.
        why: String,
    },
    /// Another peer than the one asked for answered.
    #[error("{address} is peer {found}, not the one asked for")]
    OtherPeer {
        /// What was dialled.
        address: String,
        /// Who answered.
        found: PeerId,
    },
    /// The peer belongs to another swarm.
    #[error("peer {peer} belongs to swarm {theirs:?}, this node to {ours:?}")]
    OtherSwarm {
        /// The peer.
        peer: PeerId,
        /// Its swarm.
        theirs: Box<str>,
        /// The swarm of this node.
        ours: Box<str>,
    },
    /// The peer runs a version that this one cannot work with.
    #[error("peer {peer} runs version {theirs}, which does not go with {ours}")]
    OtherVersion {
        /// The peer.
        peer: PeerId,
        /// Its version.
        theirs: Box<str>,
        /// The version of this node.
        ours: Box<str>,
    },
    /// The peer misbehaved and is kept out for a while.
    #[error("peer {0} is kept out for a while after what it did")]
    Banned(PeerId),
    /// A limit on connections was reached.
    #[error("no connection: {0}")]
    Limit(String),
    /// It took too long.
    #[error("{0} took too long")]
    Deadline(&'static str),
    /// There is no connection to the peer.
    #[error("peer {0} is not connected")]
    NotConnected(PeerId),
    /// The peer does not speak the protocol.
    #[error("peer {peer} does not speak {protocol}")]
    Unsupported {
        /// The peer.
        peer: PeerId,
        /// The protocol.
        protocol: String,
    },
    /// A stream broke or carried something else than its protocol.
    #[error("stream to peer {peer}: {why}")]
    Stream {
        /// The peer.
        peer: PeerId,
        /// What happened.
        why: String,
    },
    /// Something is larger than its limit.
    #[error("{what} of {bytes} bytes; at most {bytes_max} are allowed")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// Its limit.
        bytes_max: usize,
    },
    /// More of something than its limit.
    #[error("more than {count_max} {what}")]
    TooMany {
        /// What it is.
        what: &'static str,
        /// Its limit.
        count_max: usize,
    },
    /// The message could not be given to the topic's peers.
    #[error("announcement: {0}")]
    Announce(String),
    /// The node cannot listen anywhere: each address, with its reason.
    #[error("cannot listen on {0}")]
    Listen(String),
    /// Somebody else listens there.
    #[error("port {port} of {ip} ({transport}) is in use")]
    Taken {
        /// The address.
        ip: std::net::IpAddr,
        /// The port.
        port: u16,
        /// `TCP` or `UDP`.
        transport: &'static str,
    },
    /// A part of the host cannot be set up.
    #[error("cannot set up {what}: {why}")]
    Setup {
        /// The part.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// The swarm was shut down.
    #[error("the swarm is shut down")]
    Closed,
}

impl Error {
    /// What it means to a caller.
    pub fn kind(&self) -> Kind {
        match self {
            Error::HostKey(_)
            | Error::SwarmKey(_)
            | Error::Address { .. }
            | Error::OwnAddress(_)
            | Error::TooLarge { .. }
            | Error::TooMany { .. } => Kind::Invalid,
            Error::OtherPeer { .. }
            | Error::OtherSwarm { .. }
            | Error::OtherVersion { .. }
            | Error::Banned(_) => Kind::Refused,
            Error::Unreachable { .. }
            | Error::Limit(_)
            | Error::Deadline(_)
            | Error::NotConnected(_)
            | Error::Unsupported { .. }
            | Error::Stream { .. }
            | Error::Announce(_)
            | Error::Closed => Kind::Unavailable,
            Error::Listen(_) | Error::Taken { .. } | Error::Setup { .. } => Kind::Internal,
        }
    }

    pub(crate) fn setup(what: &'static str, why: impl Into<Box<dyn std::error::Error>>) -> Error {
        Error::Setup { what, why: reason(&*why.into()) }
    }

    pub(crate) fn stream(peer: PeerId, why: impl Into<Box<dyn std::error::Error>>) -> Error {
        Error::Stream { peer, why: reason(&*why.into()) }
    }
}
