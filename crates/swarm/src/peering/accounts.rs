//! What peers cost: milliseconds for which they held something of this node, whatever protocol they came
//! by. They fade, so that only what is going on counts.
//!
//! A peer is charged and so is the network that it comes from, since new identities are free. Charges refuse
//! nobody anything: where several wait, who has cost least comes first. So an idle node serves each at full
//! speed, and a peer that is alone on it has all of it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::peering::fading::Fading;
use crate::peering::limits::{ACCOUNTS_MAX, CHARGES_HALF_LIFE};
use crate::source::{AccountHolder, Source};

/// The accounts of all peers.
#[derive(Debug, Default)]
pub(crate) struct Accounts(Mutex<HashMap<AccountHolder, Fading>>);

/// What a peer has cost: its network first, then itself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Charged {
    network_ms: f64,
    peer_ms: f64,
}

impl Charged {
    pub(crate) fn cmp(&self, other: &Charged) -> Ordering {
        let networks = self.network_ms.total_cmp(&other.network_ms);
        networks.then(self.peer_ms.total_cmp(&other.peer_ms))
    }
}

impl Accounts {
    /// Charges a peer, and its network.
    pub(crate) fn charge(&self, now: Instant, source: &Source, ms: f64) {
        let mut accounts = self.accounts();
        for holder in source.holders() {
            if accounts.len() >= ACCOUNTS_MAX && !accounts.contains_key(&holder) {
                forget_least(&mut accounts, now);
            }
            let account =
                accounts.entry(holder).or_insert_with(|| Fading::new(now, CHARGES_HALF_LIFE));
            account.add(now, ms);
        }
    }

    /// What a peer has cost lately.
    pub(crate) fn charged(&self, now: Instant, source: &Source) -> Charged {
        let accounts = self.accounts();
        let of = |holder| accounts.get(&holder).map_or(0.0, |account| account.left(now));
        let peer_ms = of(AccountHolder::Peer(source.peer));
        let network_ms =
            source.network.map_or(peer_ms, |network| of(AccountHolder::Network(network)));
        Charged { network_ms, peer_ms }
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<AccountHolder, Fading>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the accounts on which hardly anything is left, and one in any case.
fn forget_least(accounts: &mut HashMap<AccountHolder, Fading>, now: Instant) {
    accounts.retain(|_, account| account.left(now) >= 1.0);
    if accounts.len() >= ACCOUNTS_MAX {
        let least = accounts.iter().min_by(|(_, a), (_, b)| a.left(now).total_cmp(&b.left(now)));
        if let Some(holder) = least.map(|(holder, _)| *holder) {
            accounts.remove(&holder);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use libp2p::PeerId;

    use super::*;

    fn source(network: u8) -> Source {
        let network = Some(Ipv4Addr::new(192, 0, network, 0).into());
        Source { peer: PeerId::random(), network }
    }

    #[test]
    fn a_new_identity_inherits_what_its_network_has_cost() {
        let (now, accounts) = (Instant::now(), Accounts::default());
        let (busy, again, other) = (source(1), source(1), source(2));
        accounts.charge(now, &busy, 500.0);
        accounts.charge(now, &other, 400.0);
        let charged = |source| accounts.charged(now, source);
        assert_eq!(charged(&again).cmp(&charged(&other)), Ordering::Greater);
        // Within a network each stands for itself, and whoever is known has no part in it.
        assert_eq!(charged(&again).cmp(&charged(&busy)), Ordering::Less);
        let known = Source { network: None, ..again };
        assert_eq!(charged(&known).cmp(&charged(&other)), Ordering::Less);
        let later = now + 20 * CHARGES_HALF_LIFE;
        assert!(accounts.charged(later, &busy).network_ms < 0.01);
    }

    #[test]
    fn accounts_are_bounded_and_the_greatest_stay() {
        let (now, accounts) = (Instant::now(), Accounts::default());
        let worst = source(1);
        accounts.charge(now, &worst, 500.0);
        for _ in 0..ACCOUNTS_MAX + 10 {
            accounts.charge(now, &source(2), 5.0);
        }
        assert!(accounts.accounts().len() <= ACCOUNTS_MAX);
        assert_eq!(accounts.charged(now, &worst).peer_ms, 500.0);
    }
}
