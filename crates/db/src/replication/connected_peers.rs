//! The connected peers. Replicators know a peer by a number; here are its libp2p id, the stores that
//! it has, and whether it speaks fast sync.

use optimusdb_dag::Address;
use optimusdb_dag::replicator::Peer;
use optimusdb_swarm::PeerId;
use std::collections::{BTreeSet, HashMap};

/// The connected peers.
#[derive(Debug, Default)]
pub(super) struct ConnectedPeers {
    known: HashMap<PeerId, ConnectedPeer>,
    ids: HashMap<Peer, PeerId>,
    last: u64,
}

#[derive(Debug)]
struct ConnectedPeer {
    number: Peer,
    /// Whether it speaks fast sync; None until it has said which protocols it speaks.
    native: Option<bool>,
    /// It brought entries that were missing here.
    proven: bool,
    logs: BTreeSet<Address>,
}

impl ConnectedPeers {
    /// The number of a peer.
    pub(super) fn number(&mut self, peer: PeerId) -> Peer {
        self.known(peer).number
    }

    /// The peer of a number, while it is connected.
    pub(super) fn id(&self, number: Peer) -> Option<PeerId> {
        self.ids.get(&number).copied()
    }

    /// A peer brought entries. Answers its libp2p id, the first time in its stay.
    pub(super) fn proved(&mut self, number: Peer) -> Option<PeerId> {
        let id = *self.ids.get(&number)?;
        let known = self.known.get_mut(&id)?;
        (!std::mem::replace(&mut known.proven, true)).then_some(id)
    }

    /// A peer said what it speaks. Answers the stores that it is known to have.
    pub(super) fn up(&mut self, peer: PeerId, native: bool) -> Vec<Address> {
        let known = self.known(peer);
        known.native = Some(native);
        known.logs.iter().copied().collect()
    }

    /// A peer has a store. Answers whether it speaks fast sync, once that is known.
    pub(super) fn subscribed(&mut self, peer: PeerId, log: Address) -> Option<bool> {
        let known = self.known(peer);
        known.logs.insert(log);
        known.native
    }

    /// A peer has a store no more.
    pub(super) fn unsubscribed(&mut self, peer: PeerId, log: &Address) {
        if let Some(known) = self.known.get_mut(&peer) {
            known.logs.remove(log);
        }
    }

    /// A peer is gone. Answers its number and the stores that it had.
    pub(super) fn down(&mut self, peer: PeerId) -> Option<(Peer, Vec<Address>)> {
        let known = self.known.remove(&peer)?;
        self.ids.remove(&known.number);
        Some((known.number, known.logs.into_iter().collect()))
    }

    /// The peers that have a store and said what they speak.
    pub(super) fn with(&self, log: &Address) -> Vec<(Peer, bool)> {
        let having = self.known.values().filter(|known| known.logs.contains(log));
        having.filter_map(|known| Some((known.number, known.native?))).collect()
    }

    fn known(&mut self, peer: PeerId) -> &mut ConnectedPeer {
        self.known.entry(peer).or_insert_with(|| {
            self.last += 1;
            let number = Peer(self.last);
            self.ids.insert(number, peer);
            ConnectedPeer { number, native: None, proven: false, logs: BTreeSet::new() }
        })
    }
}
