//! What waits to be written: one lane for clients and one for what is received, each bounded in
//! bytes, local writes first. Upkeep has no lane: the writer does it when nothing waits.

use crate::error::Error;
use crate::limits::{LANE_KIB_MAX, LANE_WAIT_MS, WRITE_KIB_MIN};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who is waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A client of this node.
    Local,
    /// Entries of other writers.
    Remote,
}

/// Something that waits, with the room it takes in its lane.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    pub(crate) work: T,
    pub(crate) kib: u32,
    // Held while it waits, and freed when the writer takes it.
    _room: OwnedSemaphorePermit,
}

/// What [`Lanes::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    /// Work, in the order in which it is to be done.
    Work(Vec<T>),
    /// Nothing came for a while.
    Idle,
    /// Nothing will come any more.
    Closed,
}

/// The lanes into the writer.
#[derive(Debug)]
pub(crate) struct Lanes<T> {
    queues: Mutex<Queues<T>>,
    arrived: Condvar,
    room: [Arc<Semaphore>; 2],
}

#[derive(Debug)]
struct Queues<T> {
    lanes: [VecDeque<Waiting<T>>; 2],
    closed: bool,
}

impl<T> Lanes<T> {
    pub(crate) fn new() -> Lanes<T> {
        let room = || Arc::new(Semaphore::new(LANE_KIB_MAX as usize));
        Lanes {
            queues: Mutex::new(Queues { lanes: [VecDeque::new(), VecDeque::new()], closed: false }),
            arrived: Condvar::new(),
            room: [room(), room()],
        }
    }

    /// Puts `work` of about `bytes` bytes into a lane, waiting for room for a bounded time.
    pub(crate) async fn send(&self, lane: Lane, bytes: usize, work: T) -> Result<(), Error> {
        let kib =
            u32::try_from(bytes / 1024).unwrap_or(LANE_KIB_MAX).clamp(WRITE_KIB_MIN, LANE_KIB_MAX);
        let room = Arc::clone(&self.room[lane as usize]).acquire_many_owned(kib);
        let room = tokio::time::timeout(Duration::from_millis(LANE_WAIT_MS), room)
            .await
            .map_err(|_| Error::Unavailable("too many writes are waiting; try again".into()))?
            .map_err(|_| closed())?;
        let mut queues = self.lock();
        if queues.closed {
            return Err(closed());
        }
        queues.lanes[lane as usize].push_back(Waiting { work, kib, _room: room });
        drop(queues);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes what waits: local first, but the other lanes always get a quarter of the places.
    ///
    /// Blocks until there is something, or for as long as `patience`.
    pub(crate) fn take(&self, writes_max: usize, kib_max: u32, patience: Duration) -> Taken<T> {
        let mut queues = self.lock();
        while queues.lanes.iter().all(VecDeque::is_empty) {
            if queues.closed {
                return Taken::Closed;
            }
            let (guard, waited) =
                self.arrived.wait_timeout(queues, patience).unwrap_or_else(PoisonError::into_inner);
            queues = guard;
            if waited.timed_out() && queues.lanes.iter().all(VecDeque::is_empty) {
                return Taken::Idle;
            }
        }
        let mut taken = Vec::new();
        let mut kib = 0;
        let others_wait = queues.lanes[1..].iter().any(|lane| !lane.is_empty());
        for (i, lane) in queues.lanes.iter_mut().enumerate() {
            let (writes, room) = match (i, others_wait) {
                (0, true) => (writes_max - writes_max / 4, kib_max - kib_max / 4),
                _ => (writes_max, kib_max),
            };
            while taken.len() < writes && kib < room {
                let Some(waiting) = lane.pop_front() else {
                    break;
                };
                kib += waiting.kib;
                taken.push(waiting.work);
            }
        }
        Taken::Work(taken)
    }

    /// Lets nothing in any more; what waits is still taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        for room in &self.room {
            room.close();
        }
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queues<T>> {
        // A panic ends the process, so a poisoned lock is never seen with torn queues.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> Error {
    Error::Unavailable("this node is stopping".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn local_writes_go_first_and_the_others_are_not_starved() {
        let lanes = Lanes::new();
        for n in 0..20 {
            lanes.send(Lane::Remote, 1, 100 + n).await.unwrap();
            lanes.send(Lane::Local, 1, n).await.unwrap();
        }
        let taken = lanes.take(8, u32::MAX, LONG);
        assert_eq!(taken, Taken::Work(vec![0, 1, 2, 3, 4, 5, 100, 101]));
        assert_eq!(lanes.take(1, u32::MAX, LONG), Taken::Work(vec![6]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_lane_says_so_and_the_others_stay_open() {
        let lanes = Lanes::new();
        let half = LANE_KIB_MAX as usize * 1024 / 2;
        lanes.send(Lane::Local, half, 1).await.unwrap();
        lanes.send(Lane::Local, half, 2).await.unwrap();
        let full = lanes.send(Lane::Local, 1, 3).await.unwrap_err();
        assert!(matches!(full, Error::Unavailable(_)));
        lanes.send(Lane::Remote, 1, 4).await.unwrap();
        assert_eq!(lanes.take(9, u32::MAX, LONG), Taken::Work(vec![1, 2, 4]));
        assert_eq!(lanes.take(9, u32::MAX, Duration::ZERO), Taken::Idle);
        lanes.send(Lane::Local, 1, 5).await.unwrap();
    }

    #[tokio::test]
    async fn closing_drains() {
        let lanes = Lanes::new();
        lanes.send(Lane::Local, 1, 1).await.unwrap();
        lanes.close();
        assert!(lanes.send(Lane::Local, 1, 2).await.is_err());
        assert_eq!(lanes.take(9, u32::MAX, LONG), Taken::Work(vec![1]));
        assert_eq!(lanes.take(9, u32::MAX, LONG), Taken::Closed);
    }
}
