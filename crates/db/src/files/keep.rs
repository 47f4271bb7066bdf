//! Bringing what is pinned: each pin of which not all is here is fetched, those that were never tried before others,
//! the newest first. Users' pins and those that the node made for the swarm have turns of their own.
//!
//! Many roots are looked for at a time, and few are brought whole: what nobody has keeps neither a turn nor what a
//! sweep could remove.
//!
//! How far a pin came is in the tables, so a restart goes on where it was. What could not be had is tried again
//! after a wait that grows, and when a peer comes; what there is no room for is tried seldom, and said.

use super::fetch::Fetcher;
use super::gather::gather;
use super::transfers::{Running, TransferReason, TransferShown, Transfers};
use super::{Files, off_task};
use crate::clock::now_ms;
use crate::error::Error;
use crate::limits::{
    DAG_BYTES_MAX, KEEP_ERROR_BYTES_MAX, KEEP_PEER_MS, KEEP_RETRY_MS, KEEP_RETRY_MS_MAX,
    KEEP_WAIT_MS_MAX, PIN_FETCHES_MAX, REPLICA_FETCHES_MAX, ROOT_FETCHES_MAX, ROOT_MS_MAX,
    SKIPPED_RETRY_MS, TRANSFERS_SHOWN_MAX,
};
use optimusdb_dag::Cid;
use optimusdb_storage::{Pin, PinOutcome, PinState};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;

/// What is being brought.
#[derive(Debug)]
pub(super) struct Keeping {
    /// Something is to be looked at.
    wake: Notify,
    /// Told whenever a try has ended.
    outcomes: watch::Sender<()>,
    running: Mutex<HashMap<Cid, Bringing>>,
    /// Turns to bring the rest of what users pinned, and of what the node did.
    pin_turns: Semaphore,
    replica_turns: Semaphore,
    peer_came: Mutex<Option<Instant>>,
}

impl Default for Keeping {
    fn default() -> Keeping {
        Keeping {
            wake: Notify::default(),
            outcomes: watch::Sender::default(),
            running: Mutex::default(),
            pin_turns: Semaphore::new(PIN_FETCHES_MAX),
            replica_turns: Semaphore::new(REPLICA_FETCHES_MAX),
            peer_came: Mutex::default(),
        }
    }
}

#[derive(Debug)]
struct Bringing {
    replica: bool,
    task: AbortHandle,
}

/// The right to bring a pin; given back when it is dropped, also in the middle.
#[derive(Debug)]
struct BringingTurn {
    files: Arc<Files>,
    cid: Cid,
}

impl Drop for BringingTurn {
    fn drop(&mut self) {
        self.files.keeping.running().remove(&self.cid);
        self.files.keeping.outcomes.send_replace(());
        self.files.keeping.wake.notify_one();
    }
}

impl Keeping {
    fn running(&self) -> MutexGuard<'_, HashMap<Cid, Bringing>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, replica: bool) -> usize {
        self.running().values().filter(|bringing| bringing.replica == replica).count()
    }

    /// Something was pinned.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Nobody wants this any more.
    pub(super) fn cancel(&self, cid: &Cid) {
        if let Some(bringing) = self.running().get(cid) {
            bringing.task.abort();
        }
    }

    pub(super) fn cancel_all(&self) {
        self.running().values().for_each(|bringing| bringing.task.abort());
    }

    /// Whether it is being brought.
    pub(super) fn is_running(&self, cid: &Cid) -> bool {
        self.running().contains_key(cid)
    }

    /// Changes whenever a try has ended.
    pub(super) fn outcomes(&self) -> watch::Receiver<()> {
        self.outcomes.subscribe()
    }
}

impl Files {
    /// A peer has come, which may have what could not be had. Never waits: the replication thread calls it.
    pub(crate) fn peer_came(&self) {
        let mut came = self.keeping.peer_came.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = Duration::from_millis(KEEP_PEER_MS);
        if came.is_none_or(|last| last.elapsed() >= gap) {
            *came = Some(Instant::now());
            drop(came);
            self.keeping.wake();
        }
    }

    /// Brings what is pinned, as long as it is let.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut tried_for_peer = None;
        loop {
            let came = *self.keeping.peer_came.lock().unwrap_or_else(PoisonError::into_inner);
            let try_absent = came != tried_for_peer;
            tried_for_peer = came;
            let wait = match self.start_due(try_absent).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!("what is pinned was not looked at: {error}");
                    Duration::from_millis(KEEP_RETRY_MS)
                }
            };
            // In vain when something is to be looked at at once.
            let _ = tokio::time::timeout(wait, self.keeping.wake.notified()).await;
        }
    }

    /// Begins to bring what is due, and answers how long to wait for the next.
    async fn start_due(self: &Arc<Self>, try_absent: bool) -> Result<Duration, Error> {
        if try_absent {
            let blocks = self.blocks();
            off_task(move || blocks.try_absent_pins()).await?;
        }
        if self.space.is_low() {
            // Who finds that there is room again wakes this.
            return Ok(Duration::from_millis(KEEP_WAIT_MS_MAX));
        }
        for replica in [false, true] {
            let running = self.keeping.count(replica);
            if running >= ROOT_FETCHES_MAX {
                continue;
            }
            // Those that run are among them.
            let (blocks, limit) = (self.blocks(), ROOT_FETCHES_MAX + running);
            let due = off_task(move || blocks.partial_pins(replica, now_ms(), limit)).await?;
            due.into_iter().for_each(|pin| self.bring(pin));
        }
        if [false, true].iter().any(|replica| self.keeping.count(*replica) >= ROOT_FETCHES_MAX) {
            // Who gives a turn back wakes this. The next one that is due is not looked for among many each time.
            return Ok(Duration::from_millis(KEEP_WAIT_MS_MAX));
        }
        let blocks = self.blocks();
        let next = off_task(move || blocks.next_pin_due()).await?;
        let wait = next.map_or(KEEP_WAIT_MS_MAX, |at| at.saturating_sub(now_ms()));
        Ok(Duration::from_millis(wait.clamp(KEEP_RETRY_MS, KEEP_WAIT_MS_MAX)))
    }

    fn bring(self: &Arc<Self>, pin: Pin) {
        let mut running = self.keeping.running();
        let of_kind = running.values().filter(|bringing| bringing.replica == pin.replica).count();
        if of_kind >= ROOT_FETCHES_MAX || running.contains_key(&pin.cid) {
            return;
        }
        let (cid, replica) = (pin.cid.clone(), pin.replica);
        let turn = BringingTurn { files: Arc::clone(self), cid: cid.clone() };
        let task = tokio::spawn(async move {
            let turn = turn;
            turn.files.bring_one(&pin).await;
        });
        running.insert(cid, Bringing { replica, task: task.abort_handle() });
    }

    async fn bring_one(self: &Arc<Self>, pin: &Pin) {
        let why = if pin.replica { TransferReason::Replica } else { TransferReason::Pin };
        let (cid, name) = (pin.cid.clone(), pin.name.clone());
        let running = Transfers::begin(&self.transfers, cid, name, why, pin.outcome.tries);
        let brought = self.bring_all(pin, &running).await;
        let outcome = match &brought {
            Ok(()) => {
                PinOutcome { state: PinState::Here, tries: 0, due_ms: 0, error: String::new() }
            }
            Err(error) => put_off(pin, error),
        };
        if let Err(error) = &brought
            && outcome.state != pin.outcome.state
        {
            let what = if pin.replica { "a contribution" } else { "a pin" };
            tracing::warn!("{what} is not all here, {}: {error}", pin.cid);
        }
        let (blocks, cid) = (self.blocks(), pin.cid.clone());
        let is_here = outcome.state == PinState::Here;
        let noted = off_task(move || {
            blocks.note_outcome(&cid, &outcome)?;
            if is_here { blocks.judge_anew(&cid) } else { Ok(()) }
        });
        if let Err(error) = noted.await {
            tracing::warn!("how far {} came is not noted: {error}", pin.cid);
        }
        if is_here {
            self.told(std::slice::from_ref(&pin.cid));
            self.provide(pin.cid.clone(), true).await;
            self.judging.notify_one();
        } else if matches!(brought, Err(Error::NoRoom(_))) && pin.replica {
            // What came of it is wanted by nobody any more.
            self.unwanted();
        }
    }

    async fn bring_all(self: &Arc<Self>, pin: &Pin, running: &Running) -> Result<(), Error> {
        let (blocks, cid) = (self.blocks(), pin.cid.clone());
        let claimed = off_task(move || blocks.contributed(&cid)).await?.and_then(|file| file.size);
        if let Some(size) = claimed {
            running.total(size);
            let room = self.blocks.room();
            let lacks = |most| pin.replica && room.used.saturating_add(size) > most;
            if room.bytes_max.is_some_and(lacks) {
                self.make_room().await?;
                let room = self.blocks.room();
                if let Some(most) =
                    room.bytes_max.filter(|most| room.used.saturating_add(size) > *most)
                {
                    return Err(Error::NoRoom(format!(
                        "files take {} bytes of the {most} that they may (-storage-max), and it has {size}",
                        room.used
                    )));
                }
            }
        }
        self.find_root(&pin.cid).await?;
        let keeping = &self.keeping;
        let turns = if pin.replica { &keeping.replica_turns } else { &keeping.pin_turns };
        let _turn = turns.acquire().await;
        gather(self, &pin.cid, running, DAG_BYTES_MAX).await
    }

    /// Whoever has a file has its root.
    async fn find_root(self: &Arc<Self>, root: &Cid) -> Result<(), Error> {
        let fetcher = Fetcher::new(self, root.clone());
        let deadline = tokio::time::Instant::now() + Duration::from_millis(ROOT_MS_MAX);
        fetcher.block(root.clone(), deadline).await?;
        fetcher.flush().await
    }

    async fn make_room(self: &Arc<Self>) -> Result<(), Error> {
        let files = Arc::clone(self);
        off_task(move || {
            files.sweeper.now(&files.blocks);
            Ok::<_, Error>(())
        })
        .await
    }

    /// What is fetched whole, and what waits to be.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub(crate) async fn transfers_shown(&self) -> Result<Vec<TransferShown>, Error> {
        let mut shown = self.transfers.shown();
        let blocks = self.blocks();
        let waiting = off_task(move || {
            let mut waiting = blocks.partial_pins(false, u64::MAX, TRANSFERS_SHOWN_MAX)?;
            waiting.extend(blocks.partial_pins(true, u64::MAX, TRANSFERS_SHOWN_MAX)?);
            Ok::<_, optimusdb_storage::Error>(waiting)
        })
        .await?;
        let now = now_ms();
        let waiting = waiting.into_iter().filter(|pin| !self.keeping.is_running(&pin.cid));
        shown.extend(waiting.map(|pin| waiting_shown(pin, now)));
        shown.truncate(TRANSFERS_SHOWN_MAX);
        Ok(shown)
    }
}

fn waiting_shown(pin: Pin, now_ms: u64) -> TransferShown {
    let outcome = pin.outcome;
    TransferShown {
        cid: pin.cid.to_string(),
        name: pin.name,
        why: if pin.replica { TransferReason::Replica } else { TransferReason::Pin },
        state: "waiting",
        blocks: 0,
        bytes: 0,
        fetched_bytes: 0,
        total_bytes: None,
        bytes_per_s: 0,
        started_ms: None,
        tries: outcome.tries,
        next_try_ms: Some(outcome.due_ms).filter(|due| *due > now_ms),
        error: Some(outcome.error).filter(|error| !error.is_empty()),
    }
}

/// When a pin is tried again that could not be brought.
fn put_off(pin: &Pin, error: &Error) -> PinOutcome {
    let tries = pin.outcome.tries;
    let (state, wait) = match error {
        Error::NoRoom(_) => (PinState::Skipped, SKIPPED_RETRY_MS),
        // What is wrong with it stays wrong, but for what is wrong here.
        Error::TooLarge(_) | Error::Invalid(_) => (PinState::Absent, KEEP_RETRY_MS_MAX),
        _ => {
            let wait = KEEP_RETRY_MS.saturating_mul(1 << tries.min(20)).min(KEEP_RETRY_MS_MAX);
            (PinState::Absent, wait)
        }
    };
    let mut error = error.to_string();
    error.truncate(error.floor_char_boundary(KEEP_ERROR_BYTES_MAX));
    PinOutcome {
        state,
        tries: tries.saturating_add(1),
        due_ms: now_ms().saturating_add(wait),
        error,
    }
}
