//! What the node asks of the host.

use std::time::Instant;

use libp2p::PeerId;
use libp2p::gossipsub::{MessageAcceptance, PublishError};
use optimusdb_dag::Address;
use optimusdb_dag::replicator::{Offence, Verdict};

use crate::Error;
use crate::command::Command;
use crate::event::Announcement;
use crate::host::figures::count;
use crate::host::{Host, Waiter};
use crate::limits::TOPICS_MAX;
use crate::peering::gate::Refusal;
use crate::peering::target;
use crate::protocols::{gossip, heads};
use crate::reason;

impl Host {
    pub(crate) fn on_command(&mut self, command: Command) {
        match command {
            Command::Connect { address, reply } => {
                let peer = target::peer_of(&address);
                if let Some(peer) = peer {
                    // An operator who asks for a peer by hand may have mended what was wrong with it.
                    self.swarm.behaviour_mut().gate.forgive(&peer);
                    if self.shared.peers().is_up(&peer) {
                        let _ = reply.send(Ok(peer));
                        return;
                    }
                }
                match self.dial(address.clone()) {
                    Ok(connection) => {
                        self.waiters.insert(connection, Waiter { address, peer, reply });
                    }
                    Err(error) => {
                        let _ = reply.send(Err(error));
                    }
                }
            }
            Command::Open { log, reply } => {
                let _ = reply.send(self.open_store(log));
            }
            Command::Publish { log, block } => self.publish(log, block),
            Command::Judge { announcement, verdict } => self.judge(&announcement, verdict),
            Command::Blame { peer, offence } => self.blame(peer, offence),
            Command::Proved { peer } => self.swarm.behaviour_mut().incoming.proved(peer),
            Command::Resolved { seed, found } => {
                let now = Instant::now();
                for effect in self.dialler.on_resolved(now, seed, found) {
                    self.take_effect(now, effect);
                }
            }
            Command::Doubted { peer, connection, answered } => {
                self.on_doubted(peer, connection, answered);
            }
            Command::Provide { root, here } => self.provide(&root, here),
            Command::FindProviders { root } => self.find_providers(&root),
            Command::Reach { peer, addresses } => self.reach_named(peer, addresses),
            Command::Shutdown => {}
        }
    }

    /// The heads are served before the subscription shows: peers that see it dial at once.
    fn open_store(&mut self, log: Address) -> Result<(), Error> {
        if self.open.contains(&log) {
            return Ok(());
        }
        if self.open.len() >= TOPICS_MAX {
            return Err(Error::TooMany { what: "open stores", count_max: TOPICS_MAX });
        }
        let incoming = self
            .control
            .accept_unlisted(heads::protocol(&log))
            .map_err(|e| Error::setup("the heads protocol", e))?;
        let accepting = tokio::spawn(heads::serve(log, incoming, self.serving.clone()));
        let topic = gossip::topic(&log);
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let subscribed = gossip
            .set_topic_params(gossip::topic(&log), gossip::topic_score())
            .map_err(|e| Error::setup("the score of a topic", e))
            .and_then(|_| gossip.subscribe(&topic).map_err(|e| Error::setup("a topic", e)));
        if let Err(error) = subscribed {
            accepting.abort();
            return Err(error);
        }
        self.accepting.insert(log, accepting.abort_handle());
        self.open.insert(log);
        self.peer_events.touch_all(&self.shared.peers());
        Ok(())
    }

    fn publish(&mut self, log: Address, block: Vec<u8>) {
        match self.swarm.behaviour_mut().gossip.publish(gossip::topic(&log), block) {
            // No peer listens, or all have heard it: there is nothing to do.
            Ok(_) | Err(PublishError::NoPeersSubscribedToTopic | PublishError::Duplicate) => {}
            Err(PublishError::AllQueuesFull(_)) => {
                count(&self.shared.counters.announcements_unsent);
            }
            Err(error) => {
                tracing::warn!(%log, why = reason(&error), "an entry was not announced");
            }
        }
    }

    /// Passes an announcement on, or not.
    ///
    /// Peers that run this program pass on only what they found good, so a bad entry is held against
    /// them. Others pass on what they cannot judge, and answer only for what they write themselves.
    fn judge(&mut self, announcement: &Announcement, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject if announcement.own || self.serving.is_native(&announcement.peer) => {
                MessageAcceptance::Reject
            }
            Verdict::Reject => MessageAcceptance::Ignore,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(
            &announcement.message,
            &announcement.peer,
            acceptance,
        );
    }

    /// Notes an offence; too many, and the peer is sent away.
    pub(crate) fn blame(&mut self, peer: PeerId, offence: Offence) {
        let now = Instant::now();
        count(&self.shared.counters.offences);
        let source = self.shared.peers().source(peer);
        let banned = self.scores.note(now, &source, offence);
        let points = self.scores.points(now, &peer);
        self.swarm.behaviour_mut().gossip.set_application_score(&peer, -points);
        if let Some(time) = banned {
            tracing::warn!(%peer, ?offence, ?time, "a peer misbehaved again and again and is banned");
            count(&self.shared.counters.peers_banned);
            self.send_away(peer, Refusal::Banned, time);
        } else {
            tracing::debug!(%peer, ?offence, points, "a peer misbehaved");
        }
    }
}
