//! Connections in doubt: when a peer connects again, its earlier connections may be dead.
//!
//! A host that was cut off, froze or lost its power says no goodbye, and pings take up to half a
//! minute to show it. If it is back sooner, it connects again while its earlier connection still
//! counts here. For the peer the new connection is the first one; for this node it is a second one, on
//! which it need not say again which stores it has. So the peer would never learn of them, and what
//! was under way on the earlier connection would wait for an answer that cannot come. Therefore the
//! earlier connection is asked whether it lives. If it does not, or closes while a later one stands,
//! all connections to the peer are closed, and both ends dial again.
//!
//! A peer that connects again and again costs one stream for each connection, and no connection is
//! asked twice at a time.

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use crate::command::Command;
use crate::host::Host;

impl Host {
    /// Asks the connections that a new one of the peer puts in doubt whether they live.
    pub(crate) fn doubt_earlier(&mut self, peer: PeerId) {
        let doubted = self.shared.peers().superseded_of(&peer);
        for connection in doubted {
            if !self.doubted.insert(connection) {
                continue;
            }
            let (control, commands) = (self.control.clone(), self.weak_commands.clone());
            tokio::spawn(async move {
                let answered = control.answers(peer, connection).await;
                if let Some(commands) = commands.upgrade() {
                    let _ = commands.send(Command::Doubted { peer, connection, answered }).await;
                }
            });
        }
    }

    /// It has shown whether a connection in doubt lives. The later connection may have been a mere
    /// dial-back and closed by now; then only pings decide.
    pub(crate) fn on_doubted(&mut self, peer: PeerId, connection: ConnectionId, answered: bool) {
        self.doubted.remove(&connection);
        let superseded = self.shared.peers().superseded_of(&peer).contains(&connection);
        if superseded && !answered {
            self.meet_anew(peer);
        }
    }

    /// Closes all connections to a peer of which one was dead: what the two told each other on it may
    /// be lost.
    pub(crate) fn meet_anew(&mut self, peer: PeerId) {
        tracing::debug!(%peer, "a peer came again and its earlier connection is dead: begun anew");
        // Fails when they are all closed already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }
}
