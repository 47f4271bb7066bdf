//! What waits to be written, in three lanes: writes of clients, what is received, and upkeep.
//!
//! Writes of clients go first, but what is received always gets a part of a transaction. Upkeep comes
//! when no write waits, one bounded step at a time, and at the latest after a few transactions: no
//! lane is starved. Each is bounded in bytes.

use crate::error::Error;
use crate::limits::{LANE_KIB_MAX, LANE_WAIT_MS, UPKEEP_BATCHES_MAX, WRITE_KIB_MIN};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where work waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Writes of clients of this node.
    Local,
    /// Entries of other writers.
    Remote,
    /// Work that nobody is in a hurry for, in steps that are short.
    Upkeep,
}

/// Something that waits, with the room it takes in its lane.
#[derive(Debug)]
struct Queued<T> {
    work: T,
    kib: u32,
    // Held while it waits, and freed when the writer takes it.
    _room: OwnedSemaphorePermit,
}

/// What [`Lanes::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NextWork<T> {
    /// Writes for one transaction, in the order in which they are to be done.
    Writes(Vec<T>),
    /// One step of upkeep.
    Upkeep(T),
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
    room: [Arc<Semaphore>; 3],
}

#[derive(Debug)]
struct Queues<T> {
    writes: [VecDeque<Queued<T>>; 2],
    upkeep: VecDeque<Queued<T>>,
    /// Transactions that were taken while upkeep waited.
    before_upkeep: u32,
    closed: bool,
}

impl<T> Queues<T> {
    fn is_empty(&self) -> bool {
        self.upkeep.is_empty() && self.writes.iter().all(VecDeque::is_empty)
    }

    fn push(&mut self, lane: Lane, queued: Queued<T>) {
        match lane {
            Lane::Local | Lane::Remote => self.writes[lane as usize].push_back(queued),
            Lane::Upkeep => self.upkeep.push_back(queued),
        }
    }

    /// The next step of upkeep, if it is its turn.
    fn next_upkeep(&mut self) -> Option<T> {
        let writes_wait = !self.writes.iter().all(VecDeque::is_empty);
        if writes_wait && self.before_upkeep < UPKEEP_BATCHES_MAX {
            self.before_upkeep += u32::from(!self.upkeep.is_empty());
            return None;
        }
        self.before_upkeep = 0;
        self.upkeep.pop_front().map(|queued| queued.work)
    }

    /// The writes of a transaction: local first, but remote ones always get a quarter of the places
    /// and of the room.
    fn next_writes(&mut self, writes_max: usize, kib_max: u32) -> Vec<T> {
        let [local, remote] = &mut self.writes;
        let (writes_of_local, kib_of_local) = if remote.is_empty() {
            (writes_max, kib_max)
        } else {
            (writes_max - writes_max / 4, kib_max - kib_max / 4)
        };
        let mut taken = Vec::new();
        let mut kib = 0;
        for (lane, writes, room) in
            [(local, writes_of_local, kib_of_local), (remote, writes_max, kib_max)]
        {
            // The last local write may be of any size, and its excess is not taken from the others.
            let room = room.max(u32::saturating_add(kib, kib_max / 4));
            while taken.len() < writes
                && kib < room
                && let Some(queued) = lane.pop_front()
            {
                kib += queued.kib;
                taken.push(queued.work);
            }
        }
        taken
    }
}

impl<T> Lanes<T> {
    pub(crate) fn new() -> Lanes<T> {
        let room = || Arc::new(Semaphore::new(LANE_KIB_MAX as usize));
        Lanes {
            queues: Mutex::new(Queues {
                writes: [VecDeque::new(), VecDeque::new()],
                upkeep: VecDeque::new(),
                before_upkeep: 0,
                closed: false,
            }),
            arrived: Condvar::new(),
            room: [room(), room(), room()],
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
        self.put(lane, Queued { work, kib, _room: room })
    }

    /// Puts a step of upkeep into its lane if there is room now. Answers whether there was.
    pub(crate) fn try_upkeep(&self, work: T) -> bool {
        let room = Arc::clone(&self.room[Lane::Upkeep as usize]);
        match room.try_acquire_many_owned(WRITE_KIB_MIN) {
            Ok(room) => {
                self.put(Lane::Upkeep, Queued { work, kib: WRITE_KIB_MIN, _room: room }).is_ok()
            }
            Err(_) => false,
        }
    }

    fn put(&self, lane: Lane, queued: Queued<T>) -> Result<(), Error> {
        let mut queues = self.lock();
        if queues.closed {
            return Err(closed());
        }
        queues.push(lane, queued);
        drop(queues);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes what is to be done next. Blocks until there is something, or for as long as `patience`.
    pub(crate) fn take(&self, writes_max: usize, kib_max: u32, patience: Duration) -> NextWork<T> {
        let mut queues = self.lock();
        while queues.is_empty() {
            if queues.closed {
                return NextWork::Closed;
            }
            let (guard, waited) =
                self.arrived.wait_timeout(queues, patience).unwrap_or_else(PoisonError::into_inner);
            queues = guard;
            if waited.timed_out() && queues.is_empty() {
                return NextWork::Idle;
            }
        }
        match queues.next_upkeep() {
            Some(step) => NextWork::Upkeep(step),
            None => NextWork::Writes(queues.next_writes(writes_max, kib_max)),
        }
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
        assert_eq!(taken, NextWork::Writes(vec![0, 1, 2, 3, 4, 5, 100, 101]));
        assert_eq!(lanes.take(1, u32::MAX, LONG), NextWork::Writes(vec![6]));
    }

    #[tokio::test]
    async fn large_local_writes_leave_room_for_the_others() {
        let lanes = Lanes::new();
        for n in 0..3 {
            lanes.send(Lane::Local, 20 << 20, n).await.unwrap();
        }
        for n in 100..110 {
            lanes.send(Lane::Remote, 1 << 20, n).await.unwrap();
        }
        // One local write is more than a transaction takes; remote ones have a quarter of it each time.
        for (n, remote) in [(0, 100), (1, 102), (2, 104)] {
            let taken = lanes.take(512, 8 << 10, LONG);
            assert_eq!(taken, NextWork::Writes(vec![n, remote, remote + 1]));
        }
        assert_eq!(lanes.take(512, 8 << 10, LONG), NextWork::Writes((106..110).collect()));
    }

    #[tokio::test]
    async fn upkeep_comes_after_writes_and_is_not_starved() {
        let lanes = Lanes::new();
        lanes.send(Lane::Upkeep, 1, 200).await.unwrap();
        assert!(lanes.try_upkeep(201));
        lanes.send(Lane::Remote, 1, 100).await.unwrap();
        assert_eq!(lanes.take(8, u32::MAX, LONG), NextWork::Writes(vec![100]));
        assert_eq!(lanes.take(8, u32::MAX, LONG), NextWork::Upkeep(200));
        // Writes that never end hold it up for so many transactions and no more.
        for n in 0..UPKEEP_BATCHES_MAX {
            lanes.send(Lane::Local, 1, n).await.unwrap();
            lanes.send(Lane::Local, 1, n).await.unwrap();
            assert_eq!(lanes.take(1, u32::MAX, LONG), NextWork::Writes(vec![n / 2]));
        }
        assert_eq!(lanes.take(1, u32::MAX, LONG), NextWork::Upkeep(201));
        assert_eq!(lanes.take(1, u32::MAX, LONG), NextWork::Writes(vec![UPKEEP_BATCHES_MAX / 2]));
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
        assert_eq!(lanes.take(9, u32::MAX, LONG), NextWork::Writes(vec![1, 2, 4]));
        assert_eq!(lanes.take(9, u32::MAX, Duration::ZERO), NextWork::Idle);
        lanes.send(Lane::Local, 1, 5).await.unwrap();
    }

    #[tokio::test]
    async fn closing_drains() {
        let lanes = Lanes::new();
        lanes.send(Lane::Local, 1, 1).await.unwrap();
        lanes.close();
        assert!(lanes.send(Lane::Local, 1, 2).await.is_err());
        assert_eq!(lanes.take(9, u32::MAX, LONG), NextWork::Writes(vec![1]));
        assert_eq!(lanes.take(9, u32::MAX, LONG), NextWork::Closed);
    }
}
