//! The libp2p side of a node: it finds peers, keeps connections, and carries announcements, heads,
//! blocks and requests. It does not know what the bytes mean, and it keeps none.
//!
//! In reading order: what a host is started with ([`SwarmConfig`], [`HostKey`], [`SwarmKey`]), its
//! handle ([`Swarm`]), what it tells ([`Event`]) and what peers may ask of it ([`Local`]). Behind
//! the handle one task owns everything, in `host`. The machines that it consults, nearly
//! all without IO, are in `peering`; what is spoken with peers is in `protocols`, of which
//! [`bitswap`] fetches blocks and serves them; connections are made in `transport`.

pub mod limits;

mod command;
mod config;
mod error;
mod event;
mod file_session;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod host;
mod host_key;
mod local;
mod peering;
mod protocols;
mod rate;
mod reason;
mod source;
mod swarm;
mod swarm_key;
mod transport;

pub use config::{NetworkConfig, SwarmConfig};
pub use error::{Error, Kind};
pub use event::{Announcement, Event, Events};
pub use file_session::{FileHolder, FileSession};
pub use host::figures::{SwarmFigures, Traversed};
pub use host_key::HostKey;
pub use libp2p_identity::PeerId;
pub use local::{Asker, BoxFuture, Local};
pub use peering::peers::{Direction, PeerView};
pub use protocols::bitswap::{self, FetchError};
pub use protocols::sync_stream::SyncStream;
pub use reason::reason;
pub use source::is_near;
pub use swarm::Swarm;
pub use swarm_key::SwarmKey;
