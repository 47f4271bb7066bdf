//! Who has a file: this node tells the swarm's table what it has, asks it who has what, and connects to
//! those that are named.

use std::time::Instant;

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, kad};
use optimusdb_dag::Cid;

use crate::host::Host;
use crate::host::on_peer::is_loopback;
use crate::limits::{PROVIDER_SEARCHES_MAX, PROVIDERS_DIALLED_MAX};
use crate::peering::provided::provider_key;
use crate::reason;

impl Host {
    /// This node has all of a DAG, or has it no longer.
    pub(crate) fn provide(&mut self, root: &Cid, here: bool) {
        let key = provider_key(root);
        let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() else { return };
        let gone = if here {
            self.provided.add(Instant::now(), key)
        } else {
            self.provided.remove(&key).then_some(key)
        };
        if let Some(gone) = gone {
            kad.stop_providing(&gone);
        }
    }

    /// Tells the table of the next root, if it is time to and somebody is there to hear it.
    pub(crate) fn tell_of_roots(&mut self, now: Instant) {
        let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() else { return };
        if kad.kbuckets().all(|bucket| bucket.is_empty()) {
            return;
        }
        if let Some(key) = self.provided.next(now)
            && let Err(error) = kad.start_providing(key)
        {
            tracing::debug!(why = %error, "a file is not told of");
        }
    }

    /// Asks the table who has a DAG. Those who do are connected to.
    pub(crate) fn find_providers(&mut self, root: &Cid) {
        let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() else { return };
        // More than that many files at once that nobody nearby has are not looked for.
        if self.searches.len() < PROVIDER_SEARCHES_MAX {
            self.searches.insert(kad.get_providers(provider_key(root)), 0);
        }
    }

    /// A search brought something, or has ended.
    pub(crate) fn on_search(&mut self, id: kad::QueryId, result: kad::QueryResult, last: bool) {
        if let kad::QueryResult::GetProviders(Ok(kad::GetProvidersOk::FoundProviders {
            providers,
            ..
        })) = result
        {
            for peer in providers {
                let Some(dialled) = self.searches.get_mut(&id) else { break };
                if *dialled < PROVIDERS_DIALLED_MAX {
                    *dialled += 1;
                    self.reach(peer, Vec::new());
                }
            }
        }
        if last {
            self.searches.remove(&id);
        }
    }

    /// Connects to a peer that somebody named. Loopback addresses are passed over, which lead to this
    /// machine and not to that of who named them, unless this node has no others itself.
    pub(crate) fn reach_named(&mut self, peer: PeerId, mut addresses: Vec<Multiaddr>) {
        if !self.shared.listen().iter().all(is_loopback) {
            addresses.retain(|address| !is_loopback(address));
        }
        addresses.retain(|address| self.may_name(None, address));
        self.reach(peer, addresses);
    }

    /// Connects to a peer at these addresses and those that are known of it, unless it is connected.
    fn reach(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        if peer == self.profile.own || self.shared.peers().is_connected(&peer) {
            return;
        }
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(self.usable(addresses))
            .extend_addresses_through_behaviour()
            .build();
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%peer, why = reason(&error), "who has a file was not dialled");
        }
    }
}
