//! Which peers came and went. The owner of the connections tells it, and is never held up.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use libp2p::PeerId;
use tokio::sync::Notify;

/// What happened to a peer since it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is there, a node of the own swarm or not.
    Up {
        member: bool,
    },
    Down,
    /// It went and came back: what it was asked is forgotten.
    Again {
        member: bool,
    },
}

/// Changes that wait for the engine: at most one per peer.
#[derive(Default)]
pub(super) struct Roster {
    changes: Mutex<HashMap<PeerId, Change>>,
    changed: Notify,
}

impl Roster {
    /// The peer came, or went.
    pub(super) fn tell(&self, peer: PeerId, change: Change) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let change = match (changes.get(&peer), change) {
            (Some(Change::Down | Change::Again { .. }), Change::Up { member }) => {
                Change::Again { member }
            }
            (_, change) => change,
        };
        changes.insert(peer, change);
        drop(changes);
        self.changed.notify_one();
    }

    /// Lets the engine look up although nobody came or went.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn take(&self) -> HashMap<PeerId, Change> {
        std::mem::take(&mut self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_a_peer_fold_into_one() {
        let roster = Roster::default();
        let peer = PeerId::random();
        let after = |ups: &[bool]| {
            let change = |up: &bool| if *up { Change::Up { member: true } } else { Change::Down };
            ups.iter().for_each(|up| roster.tell(peer, change(up)));
            roster.take().remove(&peer)
        };
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[true]), Some(Change::Up { member: true }));
        assert_eq!(after(&[true, false]), Some(Change::Down));
        assert_eq!(after(&[false, true]), Some(Change::Again { member: true }));
        assert_eq!(after(&[true, false, true, true]), Some(Change::Again { member: true }));
    }
}
