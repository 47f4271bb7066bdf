//! What peers may ask of this node.
//!
//! The node above implements [`Local`]; the swarm answers its peers from it and keeps no blocks of
//! its own. Every future may take its time on a disk, so the swarm awaits it in a task of the
//! peer's, never in its event loop.

use std::future::Future;
use std::pin::Pin;

use libp2p_identity::PeerId;
use optimusdb_dag::{Address, Cid};

/// A future on the heap, so that [`Local`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who asks for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The peer.
    pub peer: PeerId,
    /// Whether it says that it is a node of this swarm. Without a swarm key anybody may say so.
    pub member: bool,
}

/// What peers may ask of this node. Every method is told which peer asks, and whether that peer may
/// have it is decided behind this trait, for all protocols alike. What a peer may not have is answered
/// as if it were not here.
pub trait Local: Send + Sync + 'static {
    /// The block with this address, if it is kept here, of whatever codec. Its bytes hash to it.
    fn block(&self, asker: Asker, cid: Cid) -> BoxFuture<'_, Option<Vec<u8>>>;

    /// Whether [`Local::block`] would have it. Cheaper, as no block is read.
    fn has(&self, asker: Asker, cid: Cid) -> BoxFuture<'_, bool>;

    /// The blocks of the heads of a log, newest first. Empty if the log is not known.
    fn heads(&self, peer: PeerId, log: Address) -> BoxFuture<'_, Vec<Vec<u8>>>;

    /// Answers one request of fast sync. The bytes mean nothing to the swarm; every request stands
    /// for itself.
    fn sync(&self, peer: PeerId, request: Vec<u8>) -> BoxFuture<'_, Vec<u8>>;

    /// What this node found itself about a file that was contributed, as a signed vote. No more than a
    /// look-up is done for it.
    fn vote(&self, _peer: PeerId, _cid: Cid) -> BoxFuture<'_, Option<Vec<u8>>> {
        Box::pin(async { None })
    }

    /// The rows of a statement that reads, of what the peer may see; nothing where there are none. The
    /// bytes mean nothing to the swarm.
    fn sql(&self, _peer: PeerId, _question: Vec<u8>) -> BoxFuture<'_, Vec<u8>> {
        Box::pin(async { Vec::new() })
    }
}
