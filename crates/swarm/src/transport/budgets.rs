//! How often addresses are dialled in vain, whoever named them: so that peers cannot have this node knock at
//! a bystander's door.
//!
//! A dial that succeeds costs nothing, so a machine with many nodes is dialled as often as is asked for. It
//! stands below all that dials: the list of seeds, what peers say of themselves and others, and libp2p's own.

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use libp2p::Multiaddr;
use libp2p::core::Transport;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;

use crate::limits::{
    DIAL_TARGETS_MAX, DIALS_PER_ADDRESS_BURST_MAX, DIALS_PER_ADDRESS_PER_SECOND_MAX,
    DIALS_PER_HOST_BURST_MAX, DIALS_PER_HOST_PER_SECOND_MAX,
};
use crate::rate::TokenBucket;
use crate::source::{host, ip_of};

/// What may still be dialled. Clones are the same budgets.
#[derive(Debug, Clone, Default)]
pub(crate) struct DialBudgets(Arc<Mutex<Budgets>>);

#[derive(Debug, Default)]
struct Budgets {
    hosts: HashMap<IpAddr, TokenBucket>,
    addresses: HashMap<(IpAddr, u16), TokenBucket>,
}

impl DialBudgets {
    /// Whether a host may be dialled at a port once more.
    fn take(&self, now: Instant, ip: IpAddr, port: u16) -> bool {
        let mut budgets = self.budgets();
        let (burst, rate) = (DIALS_PER_ADDRESS_BURST_MAX, DIALS_PER_ADDRESS_PER_SECOND_MAX);
        if !of(&mut budgets.addresses, (ip, port), now, burst, rate).take(now, 1.0) {
            return false;
        }
        let (burst, rate) = (DIALS_PER_HOST_BURST_MAX, DIALS_PER_HOST_PER_SECOND_MAX);
        of(&mut budgets.hosts, host(ip), now, burst, rate).take(now, 1.0)
    }

    /// It answered: that cost it nothing that it did not want.
    fn give_back(&self, ip: IpAddr, port: u16) {
        let mut budgets = self.budgets();
        if let Some(bucket) = budgets.addresses.get_mut(&(ip, port)) {
            bucket.give_back(1.0);
        }
        if let Some(bucket) = budgets.hosts.get_mut(&host(ip)) {
            bucket.give_back(1.0);
        }
    }

    fn budgets(&self) -> MutexGuard<'_, Budgets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bucket of a target. Where there are too many, the one that has most left is forgotten.
fn of<K: Hash + Eq + Copy>(
    buckets: &mut HashMap<K, TokenBucket>,
    key: K,
    now: Instant,
    burst: f64,
    per_second: f64,
) -> &mut TokenBucket {
    if buckets.len() >= DIAL_TARGETS_MAX && !buckets.contains_key(&key) {
        buckets.retain(|_, bucket| !bucket.is_full(now));
        let fullest = buckets.iter().max_by(|(_, a), (_, b)| a.left(now).total_cmp(&b.left(now)));
        if let Some(fullest) = fullest.map(|(key, _)| *key)
            && buckets.len() >= DIAL_TARGETS_MAX
        {
            buckets.remove(&fullest);
        }
    }
    buckets.entry(key).or_insert_with(|| TokenBucket::new(now, burst, per_second))
}

/// The host and the port that an address begins with.
fn target_of(address: &Multiaddr) -> Option<(IpAddr, u16)> {
    match address.iter().nth(1)? {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some((ip_of(address)?, port)),
        _ => None,
    }
}

/// A transport that dials within budgets.
pub(crate) struct Budgeted<T> {
    inner: T,
    budgets: DialBudgets,
}

impl<T> Budgeted<T> {
    pub(crate) fn new(inner: T) -> Budgeted<T> {
        Budgeted { inner, budgets: DialBudgets::default() }
    }
}

impl<T> Transport for Budgeted<T>
where
    T: Transport<Error = io::Error> + Unpin,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = io::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = Pin<Box<dyn Future<Output = Result<T::Output, io::Error>> + Send>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let target = target_of(&address);
        if target.is_some_and(|(ip, port)| !self.budgets.take(Instant::now(), ip, port)) {
            let why = "it was dialled in vain too often just now";
            return Err(TransportError::Other(io::Error::other(why)));
        }
        let (dialling, budgets) = (self.inner.dial(address, options)?, self.budgets.clone());
        Ok(Box::pin(async move {
            let dialled = dialling.await;
            if let (Ok(_), Some((ip, port))) = (&dialled, target) {
                budgets.give_back(ip, port);
            }
            dialled
        }))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_answers_costs_nothing_and_what_does_not_is_left_alone() {
        let (now, budgets) = (Instant::now(), DialBudgets::default());
        let (node, bystander) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for port in 0..1_000 {
            assert!(budgets.take(now, node, port));
            budgets.give_back(node, port);
        }
        let tried = |now, port| (0..1_000).filter(|_| budgets.take(now, bystander, port)).count();
        assert_eq!(tried(now, 1), DIALS_PER_ADDRESS_BURST_MAX as usize);
        let all: usize = (2..1_000).map(|port| tried(now, port)).sum();
        assert_eq!(all, (DIALS_PER_HOST_BURST_MAX - DIALS_PER_ADDRESS_BURST_MAX) as usize);
        let later = now + Duration::from_secs(60);
        let again = (60.0 * DIALS_PER_ADDRESS_PER_SECOND_MAX) as usize;
        assert!((again..=again + 1).contains(&tried(later, 1)));
    }

    #[test]
    fn targets_are_bounded() {
        let (now, budgets) = (Instant::now(), DialBudgets::default());
        for number in 0..DIAL_TARGETS_MAX as u32 + 10 {
            assert!(budgets.take(now, IpAddr::from(number.to_be_bytes()), 1));
        }
        assert!(budgets.budgets().hosts.len() <= DIAL_TARGETS_MAX);
        assert!(budgets.budgets().addresses.len() <= DIAL_TARGETS_MAX);
    }

    #[test]
    fn the_target_is_what_an_address_begins_with() {
        for (text, port) in [
            ("/ip4/192.0.2.1/tcp/7", Some(7)),
            ("/ip6/2001:db8::1/udp/7/quic-v1", Some(7)),
            ("/dns4/node1/tcp/7", None),
            ("/ip4/192.0.2.1", None),
        ] {
            let found = target_of(&text.parse().unwrap());
            assert_eq!(found.map(|(_, port)| port), port, "{text}");
        }
    }
}
