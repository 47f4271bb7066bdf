//! The peers to stay connected with: bootstrap and seed entries. They are dialled again as long as the
//! node runs.
//!
//! A machine without IO: it says what to resolve and to dial, and is told how that went. A name is
//! resolved again at every attempt, for it may be a container that comes back elsewhere.

mod seed;
mod way;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use seed::{Seed, SeedState};
pub(crate) use way::Way;

use crate::limits::{OWN_ADDRESS_TIMEOUT, REDIAL_FIRST, REDIAL_LONGEST};
use crate::peering::target::{self, DialTarget};
use crate::transport::opening::Stranger;

/// What the dialler wants done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DialEffect {
    /// Look the host up and call [`Dialler::on_resolved`].
    Resolve { seed: usize, host: String, port: u16 },
    /// Dial, and call [`Dialler::on_dialling`] or [`Dialler::on_not_dialled`].
    Dial { seed: usize, way: Way },
}

/// How a dial failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DialFailure {
    /// It did not work.
    Failed,
    /// The address is this node's own.
    Own,
}

/// Stays connected with the hosts of a list.
#[derive(Debug)]
pub(crate) struct Dialler {
    seeds: Vec<Seed>,
    dials: HashMap<ConnectionId, (usize, Way)>,
    quic: bool,
    randomness: u64,
}

impl Dialler {
    /// A dialler for `targets`. The texts of `targets` are shown in the journal. `randomness` spreads
    /// the attempts of nodes that start together.
    pub(crate) fn new(
        targets: Vec<(String, DialTarget)>,
        now: Instant,
        quic: bool,
        randomness: u64,
    ) -> Dialler {
        let seeds = targets
            .into_iter()
            .map(|(text, target)| Seed {
                text,
                target,
                state: SeedState::Waiting { until: now },
                pending: 0,
                failures: 0,
            })
            .collect();
        Dialler { seeds, dials: HashMap::new(), quic, randomness: randomness | 1 }
    }

    /// What is due.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        connected: impl Fn(&PeerId) -> bool,
    ) -> Vec<DialEffect> {
        let mut effects = Vec::new();
        for (number, seed) in self.seeds.iter_mut().enumerate() {
            if !matches!(&seed.state,
                SeedState::Waiting { until } | SeedState::Own { until } if *until <= now)
            {
                continue;
            }
            match &seed.target {
                DialTarget::Address(address) => {
                    let known = target::peer_of(address).filter(&connected);
                    if let Some(peer) = known {
                        seed.connected(peer);
                    } else {
                        seed.state = SeedState::Dialling;
                        seed.pending = 1;
                        let way = Way::new(vec![address.clone()]);
                        effects.extend(way.map(|way| DialEffect::Dial { seed: number, way }));
                    }
                }
                DialTarget::Host { host, port } => {
                    seed.state = SeedState::Resolving;
                    effects.push(DialEffect::Resolve {
                        seed: number,
                        host: host.clone(),
                        port: *port,
                    });
                }
            }
        }
        effects
    }

    /// The addresses of a host.
    pub(crate) fn on_resolved(
        &mut self,
        now: Instant,
        number: usize,
        found: Result<Vec<IpAddr>, String>,
    ) -> Vec<DialEffect> {
        let quic = self.quic;
        let Some(seed) = self.seeds.get_mut(number) else {
            return Vec::new();
        };
        let DialTarget::Host { port, .. } = seed.target else {
            return Vec::new();
        };
        let ips = found.unwrap_or_else(|why| {
            seed.tell(&format!("it cannot be looked up: {why}"));
            Vec::new()
        });
        let ways: Vec<Way> =
            ips.into_iter().filter_map(|ip| Way::new(target::addresses(ip, port, quic))).collect();
        seed.pending = ways.len();
        if ways.is_empty() {
            self.retry(now, number);
            return Vec::new();
        }
        seed.state = SeedState::Dialling;
        ways.into_iter().map(|way| DialEffect::Dial { seed: number, way }).collect()
    }

    /// The dial has begun.
    pub(crate) fn on_dialling(&mut self, connection: ConnectionId, number: usize, way: Way) {
        self.dials.insert(connection, (number, way));
    }

    /// The dial could not even begin.
    pub(crate) fn on_not_dialled(
        &mut self,
        now: Instant,
        number: usize,
        way: Way,
        failure: DialFailure,
        why: &str,
    ) -> Option<DialEffect> {
        self.failed(now, number, way, failure, why)
    }

    /// A dial failed. Says what to try next.
    pub(crate) fn on_failed(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        failure: DialFailure,
        why: &str,
    ) -> Option<DialEffect> {
        let (number, way) = self.dials.remove(&connection)?;
        self.failed(now, number, way, failure, why)
    }

    /// A connection stands. True if it was one of the dialler's.
    pub(crate) fn on_connected(&mut self, connection: ConnectionId, peer: PeerId) -> bool {
        let Some((number, _)) = self.dials.remove(&connection) else {
            return false;
        };
        if let Some(seed) = self.seeds.get_mut(number) {
            seed.pending = seed.pending.saturating_sub(1);
            seed.connected(peer);
        }
        true
    }

    /// A peer is gone. The entries that led to it are dialled again.
    pub(crate) fn on_gone(&mut self, now: Instant, gone: &PeerId) {
        for number in 0..self.seeds.len() {
            let seed = &mut self.seeds[number];
            if matches!(&seed.state, SeedState::Connected { peer } if peer == gone) {
                seed.failures = 0;
                self.retry(now, number);
            }
        }
    }

    /// The peer that an entry led to is refused; the entry is not dialled for `time`.
    pub(crate) fn on_refused(&mut self, now: Instant, refused: &PeerId, time: Duration) {
        for seed in &mut self.seeds {
            if matches!(&seed.state, SeedState::Connected { peer } if peer == refused) {
                seed.state = SeedState::Waiting { until: now + time };
            }
        }
    }

    fn failed(
        &mut self,
        now: Instant,
        number: usize,
        mut way: Way,
        failure: DialFailure,
        why: &str,
    ) -> Option<DialEffect> {
        let seed = self.seeds.get_mut(number)?;
        if failure == DialFailure::Own {
            seed.pending = seed.pending.saturating_sub(1);
            if !matches!(seed.state, SeedState::Connected { .. }) {
                tracing::debug!(entry = seed.text, "the bootstrap entry is this node itself");
                seed.state = SeedState::Own { until: now + OWN_ADDRESS_TIMEOUT };
            }
            return None;
        }
        // Something answers there and cannot be understood. That is worth telling at once: the next
        // address would be silent for long, and tell nothing more.
        if !way.told && Stranger::of(why).is_some() {
            way.told = true;
            seed.tell(why);
        }
        way.failed.push(why.to_owned());
        if let Some(next) = way.others.pop_front() {
            return Some(DialEffect::Dial { seed: number, way: Way { next, ..way } });
        }
        seed.pending = seed.pending.saturating_sub(1);
        if seed.pending == 0 && matches!(seed.state, SeedState::Dialling) {
            if !way.told {
                seed.tell(&way.failed.join(", "));
            }
            self.retry(now, number);
        }
        None
    }

    fn retry(&mut self, now: Instant, number: usize) {
        let spread = self.spread();
        let seed = &mut self.seeds[number];
        let doubled = REDIAL_FIRST.saturating_mul(1 << seed.failures.min(16));
        seed.failures = seed.failures.saturating_add(1);
        let wait = doubled.min(REDIAL_LONGEST).mul_f64(spread);
        seed.state = SeedState::Waiting { until: now + wait };
    }

    /// A factor from 0.5 to 1.
    fn spread(&mut self) -> f64 {
        // xorshift64 is enough: nothing depends on how random this is.
        self.randomness ^= self.randomness << 13;
        self.randomness ^= self.randomness >> 7;
        self.randomness ^= self.randomness << 17;
        0.5 + (self.randomness >> 33) as f64 / (1_u64 << 32) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialler(texts: &[&str], now: Instant) -> Dialler {
        let targets = texts
            .iter()
            .map(|text| ((*text).to_owned(), DialTarget::parse(text).unwrap()))
            .collect();
        Dialler::new(targets, now, true, 7)
    }

    fn connection(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn the_dial(mut effects: Vec<DialEffect>) -> Way {
        assert_eq!(effects.len(), 1, "{effects:?}");
        match effects.remove(0) {
            DialEffect::Dial { way, .. } => way,
            effect => panic!("{effect:?}"),
        }
    }

    #[test]
    fn a_host_is_tried_over_both_transports_and_then_again_and_again() {
        let mut now = Instant::now();
        let mut dialler = dialler(&["node1:7"], now);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let effects = dialler.due(now, |_| false);
            let resolve = DialEffect::Resolve { seed: 0, host: "node1".into(), port: 7 };
            assert_eq!(effects, vec![resolve]);
            let ip = IpAddr::from([192, 0, 2, 1]);
            let way = the_dial(dialler.on_resolved(now, 0, Ok(vec![ip])));
            assert_eq!(way.next.to_string(), "/ip4/192.0.2.1/tcp/7");
            dialler.on_dialling(connection(1), 0, way);
            let effect = dialler.on_failed(now, connection(1), DialFailure::Failed, "refused");
            let way = the_dial(effect.into_iter().collect());
            assert_eq!(way.next.to_string(), "/ip4/192.0.2.1/udp/7/quic-v1");
            dialler.on_dialling(connection(2), 0, way);
            assert_eq!(dialler.on_failed(now, connection(2), DialFailure::Failed, "timeout"), None);
            let before = now;
            while dialler.seeds[0].is_waiting(now) {
                now += Duration::from_millis(10);
            }
            waits.push(now - before);
        }
        assert!(waits[0] <= REDIAL_FIRST, "{waits:?}");
        assert!(waits[3] > waits[0], "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= REDIAL_LONGEST), "{waits:?}");
        assert!(waits[11] >= REDIAL_LONGEST / 2, "{waits:?}");
    }

    impl Seed {
        fn is_waiting(&self, now: Instant) -> bool {
            matches!(&self.state, SeedState::Waiting { until } if *until > now)
        }
    }

    #[test]
    fn a_connected_entry_rests_until_its_peer_is_gone() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut dialler = dialler(&["/ip4/192.0.2.1/tcp/7"], now);
        let way = the_dial(dialler.due(now, |_| false));
        dialler.on_dialling(connection(1), 0, way);
        assert!(dialler.on_connected(connection(1), peer));
        assert!(!dialler.on_connected(connection(9), peer));
        let later = now + Duration::from_secs(3_600);
        assert_eq!(dialler.due(later, |_| false), vec![]);
        dialler.on_gone(later, &PeerId::random());
        assert_eq!(dialler.due(later + REDIAL_FIRST, |_| false), vec![]);
        dialler.on_gone(later, &peer);
        assert_eq!(dialler.due(later + REDIAL_FIRST, |_| false).len(), 1);
    }

    #[test]
    fn an_entry_of_another_swarm_rests_for_long() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut dialler = dialler(&["/ip4/192.0.2.1/tcp/7"], now);
        let way = the_dial(dialler.due(now, |_| false));
        dialler.on_dialling(connection(1), 0, way);
        dialler.on_connected(connection(1), peer);
        let time = Duration::from_secs(300);
        dialler.on_refused(now, &peer, time);
        dialler.on_gone(now, &peer);
        assert_eq!(dialler.due(now + REDIAL_LONGEST, |_| false), vec![]);
        assert_eq!(dialler.due(now + time, |_| false).len(), 1);
    }

    #[test]
    fn an_own_address_is_left_alone_for_a_while() {
        let now = Instant::now();
        let mut dialler = dialler(&["node1"], now);
        dialler.due(now, |_| false);
        let ip = IpAddr::from([192, 0, 2, 1]);
        let way = the_dial(dialler.on_resolved(now, 0, Ok(vec![ip])));
        assert_eq!(dialler.on_not_dialled(now, 0, way, DialFailure::Own, ""), None);
        assert_eq!(dialler.due(now + REDIAL_LONGEST, |_| false), vec![]);
        assert_eq!(dialler.due(now + OWN_ADDRESS_TIMEOUT, |_| false).len(), 1);
    }

    #[test]
    fn a_peer_that_is_connected_anyway_is_not_dialled() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let mut dialler = dialler(&[&format!("/ip4/192.0.2.1/tcp/7/p2p/{peer}")], now);
        assert_eq!(dialler.due(now, |id| *id == peer), vec![]);
        dialler.on_gone(now, &peer);
        assert_eq!(dialler.due(now + REDIAL_FIRST, |_| false).len(), 1);
    }

    #[test]
    fn a_name_without_addresses_is_asked_for_again() {
        let now = Instant::now();
        let mut dialler = dialler(&["node1"], now);
        dialler.due(now, |_| false);
        assert_eq!(dialler.on_resolved(now, 0, Err("no such name".into())), vec![]);
        assert_eq!(dialler.due(now + REDIAL_FIRST, |_| false).len(), 1);
    }
}
