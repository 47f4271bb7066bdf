//! Places in which answers to peers are made and sent: so many at a time, and no longer queue for anybody
//! than needs be.
//!
//! A place is for a whole request, and charged to its peer for as long as it is held. While there are free
//! ones everybody gets one at once. Otherwise the next one goes to who has cost least, and who holds one for
//! long loses it: the one who has cost most first. So slow and greedy peers bear what they cause.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::limits::{PLACE_HELD_TIMEOUT, PLACE_LOOK_INTERVAL};
use crate::peering::accounts::Accounts;
use crate::source::Source;

/// A number of places. Clones are the same ones.
#[derive(Debug, Clone)]
pub(crate) struct FairPlaces(Arc<Places>);

#[derive(Debug)]
struct Places {
    accounts: Arc<Accounts>,
    places_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    held: HashMap<u64, Held>,
    last: u64,
    waiting: Vec<(Source, oneshot::Sender<FairPlace>)>,
}

#[derive(Debug)]
struct Held {
    source: Source,
    since: Instant,
    lost: Arc<Notify>,
    is_lost: bool,
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct FairPlace {
    places: FairPlaces,
    number: u64,
    lost: Arc<Notify>,
}

impl FairPlaces {
    pub(crate) fn new(places_max: usize, accounts: Arc<Accounts>) -> FairPlaces {
        FairPlaces(Arc::new(Places { accounts, places_max, taken: Mutex::default() }))
    }

    /// Waits for a place.
    pub(crate) async fn take(&self, source: Source) -> FairPlace {
        let (reply, mut granted) = oneshot::channel();
        self.taken().waiting.push((source, reply));
        self.hand_out();
        loop {
            match timeout(PLACE_LOOK_INTERVAL, &mut granted).await {
                Ok(Ok(place)) => return place,
                Ok(Err(_)) => unreachable!("invariant: who waits is answered"),
                Err(_) => self.take_back(),
            }
        }
    }

    /// Gives free places to those who have cost least.
    fn hand_out(&self) {
        let now = Instant::now();
        loop {
            let mut taken = self.taken();
            taken.waiting.retain(|(_, reply)| !reply.is_closed());
            if taken.held.len() >= self.0.places_max {
                return;
            }
            let charged = |source: &Source| self.0.accounts.charged(now, source);
            let waiting = taken.waiting.iter().enumerate();
            let next = waiting.min_by(|(_, (a, _)), (_, (b, _))| charged(a).cmp(&charged(b)));
            let Some(next) = next.map(|(at, _)| at) else { return };
            // Among equals the first one, so their order must not change.
            let (source, reply) = taken.waiting.remove(next);
            taken.last += 1;
            let (number, lost) = (taken.last, Arc::new(Notify::new()));
            let held = Held { source, since: now, lost: Arc::clone(&lost), is_lost: false };
            taken.held.insert(number, held);
            drop(taken);
            // One that nobody waits for any more comes back at once.
            let _ = reply.send(FairPlace { places: self.clone(), number, lost });
        }
    }

    /// Somebody waits: who has held a place for long and cost most is to leave it.
    fn take_back(&self) {
        let now = Instant::now();
        let mut taken = self.taken();
        let charged = |held: &Held| self.0.accounts.charged(now, &held.source);
        let long = |held: &&mut Held| {
            !held.is_lost && now.saturating_duration_since(held.since) >= PLACE_HELD_TIMEOUT
        };
        let costliest = taken.held.values_mut().filter(long);
        if let Some(held) = costliest.max_by(|a, b| charged(a).cmp(&charged(b))) {
            held.is_lost = true;
            held.lost.notify_one();
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FairPlace {
    /// Waits until the place is wanted back.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl Drop for FairPlace {
    fn drop(&mut self) {
        let held = self.places.taken().held.remove(&self.number);
        if let Some(held) = held {
            let (now, accounts) = (Instant::now(), &self.places.0.accounts);
            let ms = now.saturating_duration_since(held.since).as_secs_f64() * 1_000.0;
            accounts.charge(now, &held.source, ms);
        }
        self.places.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use libp2p::PeerId;
    use libp2p::futures::FutureExt;

    use super::*;

    fn source() -> Source {
        Source { peer: PeerId::random(), network: Some(Ipv4Addr::LOCALHOST.into()) }
    }

    #[tokio::test]
    async fn who_has_cost_least_comes_first_and_who_is_alone_waits_for_nobody() {
        let accounts = Arc::new(Accounts::default());
        let places = FairPlaces::new(2, accounts.clone());
        let (greedy, modest) = (source(), source());
        let first = places.take(greedy).now_or_never().expect("a free place");
        let _second = places.take(greedy).now_or_never().expect("all of them are its own");
        accounts.charge(Instant::now(), &greedy, 100.0);
        let (one, other) = (places.clone(), places.clone());
        let more = tokio::spawn(async move { one.take(greedy).await });
        tokio::task::yield_now().await;
        let few = tokio::spawn(async move { other.take(modest).await });
        tokio::task::yield_now().await;
        drop(first);
        let place = few.await.unwrap();
        assert!(!more.is_finished());
        drop(place);
        more.await.unwrap();
    }

    #[tokio::test]
    async fn who_holds_a_place_for_long_loses_it_when_others_wait() {
        let places = FairPlaces::new(1, Arc::default());
        let held = places.take(source()).await;
        places.taken().held.values_mut().for_each(|held| {
            held.since -= PLACE_HELD_TIMEOUT;
        });
        assert!(timeout(Duration::from_millis(20), held.lost()).await.is_err(), "nobody waits");
        let others = places.clone();
        let waiting = tokio::spawn(async move { others.take(source()).await });
        held.lost().await;
        drop(held);
        waiting.await.unwrap();
        // Who gives up leaves nothing behind.
        let last = places.take(source()).await;
        assert!(places.take(source()).now_or_never().is_none());
        drop(last);
        assert!(places.take(source()).now_or_never().is_some());
    }
}
