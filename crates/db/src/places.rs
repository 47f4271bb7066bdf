//! Places for reads that take long: a bounded number of connections, shared fairly among clients.
//!
//! Each read holds a connection and a snapshot until its answer was taken, so who takes no answer would hold
//! them for nothing. Three rules keep the others going. One client, which is an address, never has the last
//! places. Of those who wait, the client with the fewest places is next. And while somebody waits, a read
//! ends whose client has kept it waiting for long; of several, one of the client with the most places. A client
//! that takes its answer as it comes is never ended by others. Waiting takes no thread.

use crate::error::Error;
use crate::limits::{CLIENT_WAIT_MS_MAX, PLACE_LOOK_MS, PLACES_PER_SPARE_PLACE};
use optimusdb_storage::Snapshots;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

/// The places of one kind of read.
#[derive(Debug)]
pub(crate) struct Places {
    what: &'static str,
    places_max: usize,
    snapshots: Arc<Snapshots>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Vec<HeldPlace>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct HeldPlace {
    reader: Option<IpAddr>,
    taking: Arc<Taking>,
}

#[derive(Debug)]
struct Waiting {
    reader: Option<IpAddr>,
    ready: oneshot::Sender<ReadPlace>,
}

impl Places {
    /// So many places; `what` names the reads in refusals.
    pub(crate) fn new(what: &'static str, places_max: usize, snapshots: Arc<Snapshots>) -> Self {
        Places { what, places_max, snapshots, state: Mutex::default() }
    }

    /// Waits for a place for a client of that address, or for the node itself.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when none became free in time.
    pub(crate) async fn take(
        self: &Arc<Self>,
        reader: Option<IpAddr>,
        deadline: Instant,
    ) -> Result<ReadPlace, Error> {
        let (ready, mut place) = oneshot::channel();
        self.state().waiting.push_back(Waiting { reader, ready });
        loop {
            self.serve();
            let look = Instant::now() + Duration::from_millis(PLACE_LOOK_MS);
            match timeout_at(look.min(deadline).into(), &mut place).await {
                Ok(Ok(place)) => return Ok(place),
                Err(_) if Instant::now() < deadline => self.make_room(),
                Ok(Err(_)) | Err(_) => {
                    return Err(Error::Unavailable(format!(
                        "{} {} are running already; try again",
                        self.places_max, self.what
                    )));
                }
            }
        }
    }

    /// Gives free places to those who wait.
    fn serve(self: &Arc<Self>) {
        let mut state = self.state();
        state.waiting.retain(|waiting| !waiting.ready.is_closed());
        while state.held.len() < self.places_max
            && let Some(at) = state.next(self.client_max())
            && let Some(Waiting { reader, ready }) = state.waiting.remove(at)
        {
            let taking = Arc::new(Taking::new(Arc::clone(&self.snapshots)));
            state.held.push(HeldPlace { reader, taking: Arc::clone(&taking) });
            let place = ReadPlace { places: Some(Arc::clone(self)), taking };
            if let Err(place) = ready.send(place) {
                // Who waited has gone. Dropping the place would lock what is locked.
                place.disarm();
                state.held.pop();
            }
        }
    }

    /// Ends a read whose client keeps it waiting, unless as many are ending already as wait.
    fn make_room(&self) {
        let state = self.state();
        let ending = state.held.iter().filter(|held| held.taking.is_over()).count();
        if ending >= state.waiting.len() {
            return;
        }
        let patience = Duration::from_millis(CLIENT_WAIT_MS_MAX);
        let late = state
            .held
            .iter()
            .filter(|held| !held.taking.is_over() && held.taking.kept_waiting() >= patience);
        let last =
            late.max_by_key(|held| (state.places_of(held.reader), held.taking.kept_waiting()));
        if let Some(held) = last {
            held.taking.ended.store(true, Ordering::Relaxed);
        }
    }

    fn client_max(&self) -> usize {
        self.places_max - self.places_max / PLACES_PER_SPARE_PLACE
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn places_of(&self, reader: Option<IpAddr>) -> usize {
        self.held.iter().filter(|held| held.reader == reader).count()
    }

    /// Which of those who wait is next: of the client with the fewest places, the first.
    fn next(&self, client_max: usize) -> Option<usize> {
        let waiting = self.waiting.iter().enumerate();
        let places = waiting.map(|(at, waiting)| (self.places_of(waiting.reader), at, waiting));
        places
            .filter(|(places, _, waiting)| waiting.reader.is_none() || *places < client_max)
            .min_by_key(|(places, at, _)| (*places, *at))
            .map(|(_, at, _)| at)
    }
}

/// A place; free again when dropped.
#[derive(Debug)]
pub(crate) struct ReadPlace {
    places: Option<Arc<Places>>,
    taking: Arc<Taking>,
}

impl ReadPlace {
    /// How the answer to its read is taken.
    pub(crate) fn taking(&self) -> Arc<Taking> {
        Arc::clone(&self.taking)
    }

    fn disarm(mut self) {
        self.places = None;
    }
}

impl Drop for ReadPlace {
    fn drop(&mut self) {
        if let Some(places) = self.places.take() {
            places.state().held.retain(|held| !Arc::ptr_eq(&held.taking, &self.taking));
            places.serve();
        }
    }
}

/// How the answer to a read is taken by its client.
#[derive(Debug)]
pub(crate) struct Taking {
    began: Instant,
    waits: Mutex<Waits>,
    ended: AtomicBool,
    snapshots: Arc<Snapshots>,
}

/// For how long a client has kept its read waiting.
#[derive(Debug, Default)]
struct Waits {
    before: Duration,
    since: Option<Instant>,
}

impl Taking {
    fn new(snapshots: Arc<Snapshots>) -> Taking {
        let (waits, ended) = (Mutex::default(), AtomicBool::new(false));
        Taking { began: Instant::now(), waits, ended, snapshots }
    }

    /// From now on the read waits for its client.
    pub(crate) fn begin_wait(&self) {
        self.waits().since = Some(Instant::now());
    }

    /// The client has taken something.
    pub(crate) fn end_wait(&self) {
        let mut waits = self.waits();
        let waited = waits.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        waits.before += waited;
    }

    fn kept_waiting(&self) -> Duration {
        let waits = self.waits();
        waits.before + waits.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Whether the read is to end: others want its place, or what is written wants its snapshot gone.
    pub(crate) fn is_over(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
            || self.is_outdated()
            || self.snapshots.are_pressed()
                && self.kept_waiting() >= Duration::from_millis(CLIENT_WAIT_MS_MAX)
    }

    /// Whether its snapshot is too old, however fast the answer is taken.
    pub(crate) fn is_outdated(&self) -> bool {
        self.snapshots.are_over(self.began)
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn places(places_max: usize) -> Arc<Places> {
        Arc::new(Places::new("reads", places_max, Arc::default()))
    }

    fn client(last: u8) -> Option<IpAddr> {
        Some(Ipv4Addr::new(192, 0, 2, last).into())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn one_client_leaves_places_to_others_and_who_has_fewest_is_next() {
        let places = places(8);
        let mut held = Vec::new();
        for _ in 0..6 {
            held.push(places.take(client(1), soon()).await.unwrap());
        }
        let now = Instant::now();
        let refused = places.take(client(1), now).await.unwrap_err();
        assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
        held.push(places.take(client(2), soon()).await.unwrap());
        // The node itself is not bounded as a client is.
        held.push(places.take(None, soon()).await.unwrap());

        let greedy = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take(client(1), soon()).await }
        });
        tokio::task::yield_now().await;
        let modest = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take(client(3), soon()).await }
        });
        tokio::task::yield_now().await;
        drop(held.pop());
        let modest = modest.await.unwrap().unwrap();
        assert!(!greedy.is_finished(), "who came first has more already");
        drop((modest, held));
        greedy.await.unwrap().unwrap();
        assert!(places.state().held.is_empty());
    }

    #[tokio::test]
    async fn who_takes_nothing_makes_room_and_who_takes_does_not() {
        let places = places(2);
        let busy = places.take(client(1), soon()).await.unwrap();
        let stalled = places.take(client(2), soon()).await.unwrap();
        stalled.taking().begin_wait();
        busy.taking().begin_wait();
        busy.taking().end_wait();
        let wanted = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take(client(3), soon()).await }
        });
        while !stalled.taking().is_over() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!busy.taking().is_over());
        drop(stalled);
        wanted.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_nothing_behind() {
        let places = places(1);
        let only = places.take(None, soon()).await.unwrap();
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take(client(1), soon()).await.map(drop) }
        });
        tokio::task::yield_now().await;
        waiting.abort();
        assert!(waiting.await.is_err());
        drop(only);
        places.take(client(2), soon()).await.unwrap();
    }
}
