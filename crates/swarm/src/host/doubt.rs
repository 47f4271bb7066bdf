//! Connections that may be dead without this node's knowing: those of a peer that has come again.
//!
//! A host that was cut off, froze or lost its power says no goodbye, and it takes up to half a minute
//! until pings show it. If it is back before, it connects anew while its earlier connection still
//! counts here. Then each side takes the new connection for something else: the peer, which knows of
//! no other, for the beginning, and this node for a second one, on which it need not say again which
//! stores it has. The peer would never learn, and what was under way on the earlier connection would
//! wait for nobody. So an earlier connection is asked whether it lives, and if it does not, or closes
//! while a later one stands, the two meet anew: all connections are closed, and whoever closes or
//! loses the last one dials again.
//!
//! It costs a peer that comes again and again one stream a connection, and no connection is asked
//! twice at a time.

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

    /// A connection that was in doubt lives, or does not. What put it in doubt may have been a mere
    /// dial-back, which is closed by now; then pings decide, as ever.
    pub(crate) fn on_doubted(&mut self, peer: PeerId, connection: ConnectionId, answered: bool) {
        self.doubted.remove(&connection);
        let superseded = self.shared.peers().superseded_of(&peer).contains(&connection);
        if superseded && !answered {
            self.meet_anew(peer);
        }
    }

    /// Closes all connections to a peer of which one was dead, for what either side knows of the
    /// other may have gone with it.
    pub(crate) fn meet_anew(&mut self, peer: PeerId) {
        tracing::debug!(%peer, "a peer came again and its earlier connection is dead: begun anew");
        // Fails when they are all closed already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }
}
