//! The writer: one thread that owns the read-write connection and all heads.
//!
//! It takes what waits, does it in one transaction, commits once, and only then answers: group
//! commit. Upkeep runs between transactions, one step at a time, behind the writes. A write is planned
//! before it changes anything, so a refused one leaves nothing behind and its neighbours in the batch
//! go through. When SQLite cannot store the batch, none of it is kept and every writer in it is told; a
//! full disk is survived, and so is what cannot be read: that store's writes are tried alone from then on.
//! Anything else ends the thread and with it the node, for what is on the disk is then not known.

mod access;
mod batch;
mod check;
mod chosen;
mod lanes;
mod log_bound;
mod plan;
mod sql;
mod stores;
mod upkeep;
mod work;

pub(crate) use lanes::Lane;
use upkeep::is_survived;
use work::WriteFailure;
pub(crate) use work::{AccessChange, Choice, Done, ReceivedEntries, SqlDone, SqlWork, Work};

use crate::access::AccessCache;
use crate::commits::Commits;
use crate::disk::DiskState;
use crate::error::{Error, Kind};
use crate::limits::{
    BATCH_KIB_MAX, BATCH_WRITES_MAX, IDLE_MS, IDLE_MS_MAX, UNMOVED_MS_MAX, UNSYNCED_MS_MAX,
};
use crate::metrics::WriterFigures;
use batch::{Batch, Tips};
use lanes::{Lanes, NextWork};
use optimusdb_dag::IdentityKeys;
use optimusdb_storage::{Checkpoint, Database, Durability, StoreId};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// A write or a step of upkeep on its way, with the place for its answer.
#[derive(Debug)]
struct WriteJob {
    work: Work,
    deadline: Instant,
    /// None for upkeep that the writer does of its own accord.
    reply: Option<oneshot::Sender<Result<Done, Error>>>,
}

impl WriteJob {
    fn answer(self, answer: Result<Done, Error>) {
        reply_to(self.reply, answer);
    }
}

fn reply_to(reply: Option<oneshot::Sender<Result<Done, Error>>>, answer: Result<Done, Error>) {
    if let Some(reply) = reply {
        // Who no longer waits has hung up; what was done stands all the same.
        let _ = reply.send(answer);
    }
}

/// How the writer is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// Writes are stored.
    Good,
    /// The last batch could not be stored; the next may be.
    Refusing(String),
    /// The thread has ended: with a reason when it was not asked to.
    Ended(Option<Error>),
}

/// The handle to the writer thread.
#[derive(Debug)]
pub(crate) struct Writer {
    lanes: Arc<Lanes<WriteJob>>,
    health: watch::Receiver<Health>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread, which takes the database over.
    pub(crate) fn start(
        database: Database,
        keys: IdentityKeys,
        accesses: Arc<AccessCache>,
        figures: WriterFigures,
        commits: Commits,
        disk: DiskState,
    ) -> Result<Writer, Error> {
        let lanes = Arc::new(Lanes::new());
        let (tell, health) = watch::channel(Health::Good);
        let run = WriterThread {
            lanes: Arc::clone(&lanes),
            database,
            keys,
            accesses,
            tips: Tips::default(),
            figures,
            commits,
            disk,
            damaged: BTreeSet::new(),
            tell,
            // A crash may have left some.
            unmoved_since: Some(Instant::now()),
            unsynced: None,
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || run.until_closed())
            .map_err(|e| Error::Internal(format!("the writer thread did not start: {e}")))?;
        Ok(Writer { lanes, health, thread: Mutex::new(Some(thread)) })
    }

    /// Hands `work` in and waits until it is committed or refused.
    pub(crate) async fn write(
        &self,
        lane: Lane,
        work: Work,
        deadline: Instant,
    ) -> Result<Done, Error> {
        let (reply, answer) = oneshot::channel();
        let bytes = work.bytes();
        let job = WriteJob { work, deadline, reply: Some(reply) };
        self.lanes.send(lane, bytes, job).await?;
        answer.await.unwrap_or_else(|_| Err(Error::Unavailable("this node is stopping".into())))
    }

    /// How the writer is doing, now and from now on.
    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Waits until nothing is written any more.
    pub(crate) async fn ended(&self) {
        let mut health = self.health();
        // An error says that the thread is gone.
        let _ = health.wait_for(|health| matches!(health, Health::Ended(_))).await;
    }

    /// Lets nothing in any more, and waits until what was let in is committed. Blocks.
    pub(crate) fn close(&self) {
        self.lanes.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the thread has ended the process already.
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct WriterThread {
    lanes: Arc<Lanes<WriteJob>>,
    database: Database,
    keys: IdentityKeys,
    accesses: Arc<AccessCache>,
    tips: Tips,
    figures: WriterFigures,
    commits: Commits,
    disk: DiskState,
    /// Stores that could not be written to, for what the disk did to them.
    damaged: BTreeSet<StoreId>,
    tell: watch::Sender<Health>,
    /// Since when there are commits in the write-ahead log that a checkpoint is to move, while none
    /// is in its lane.
    unmoved_since: Option<Instant>,
    /// Since when there is a commit that did not wait for the disk.
    unsynced: Option<Instant>,
}

/// What a job is answered, once the transaction is committed.
type Reply = (Option<oneshot::Sender<Result<Done, Error>>>, Result<Done, Error>);

impl WriterThread {
    fn until_closed(mut self) {
        let reason = loop {
            let patience = if self.unmoved_since.is_some() { IDLE_MS } else { IDLE_MS_MAX };
            let patience = Duration::from_millis(patience);
            let done = match self.lanes.take(BATCH_WRITES_MAX, BATCH_KIB_MAX, patience) {
                NextWork::Writes(jobs) => self.batches(jobs),
                NextWork::Upkeep(job) => self.upkeep(job),
                NextWork::Idle => {
                    self.ask_for_checkpoint();
                    self.in_place()
                }
                NextWork::Closed => break None,
            };
            if let Err(error) = done {
                break Some(error);
            }
            log_bound::keep(&mut self.database);
            let unmoved = self.unmoved_since.map(|since| since.elapsed());
            if unmoved.is_some_and(|ms| ms >= Duration::from_millis(UNMOVED_MS_MAX)) {
                self.ask_for_checkpoint();
            }
        };
        self.lanes.close();
        self.refuse_waiting();
        if reason.is_none()
            && let Err(error) = self.database.checkpoint(Checkpoint::Truncate)
        {
            tracing::warn!("the write-ahead log stays until the next start: {error}");
        }
        let WriterThread { database, tell, .. } = self;
        drop(database);
        tell.send_replace(Health::Ended(reason));
    }

    /// A database whose file is gone takes writes and keeps none of them.
    fn in_place(&self) -> Result<(), Error> {
        if self.database.is_in_place() {
            return Ok(());
        }
        Err(Error::Internal(
            "the data directory was removed or replaced while the node ran: nothing can be kept any more".into(),
        ))
    }

    /// Tells those who still wait that nothing more is written.
    fn refuse_waiting(&self) {
        let stopping = || Err(Error::Unavailable("this node is stopping".into()));
        loop {
            match self.lanes.take(BATCH_WRITES_MAX, BATCH_KIB_MAX, Duration::ZERO) {
                NextWork::Writes(jobs) => jobs.into_iter().for_each(|job| job.answer(stopping())),
                NextWork::Upkeep(job) => job.answer(stopping()),
                NextWork::Idle | NextWork::Closed => return,
            }
        }
    }

    /// Does writes in one transaction, as far as that goes: a statement of SQL sees what is committed,
    /// and so begins one.
    fn batches(&mut self, jobs: Vec<WriteJob>) -> Result<(), Error> {
        let mut batch = Vec::with_capacity(jobs.len());
        for job in jobs {
            let alone = job.work.store().is_some_and(|store| self.damaged.contains(&store.id));
            if (alone || matches!(job.work, Work::Sql { .. })) && !batch.is_empty() {
                self.batch(std::mem::take(&mut batch))?;
            }
            batch.push(job);
            if alone {
                self.batch(std::mem::take(&mut batch))?;
            }
        }
        if batch.is_empty() { Ok(()) } else { self.batch(batch) }
    }

    /// Does a batch in one transaction and answers every write in it. An error ends the thread.
    fn batch(&mut self, jobs: Vec<WriteJob>) -> Result<(), Error> {
        let started = Instant::now();
        self.unmoved_since.get_or_insert(started);
        let mut answers = Vec::with_capacity(jobs.len());
        let stored = self.store(jobs, &mut answers);
        let failure = match stored {
            Ok(changed) => {
                // A batch of refusals alone has not tried the disk.
                if changed {
                    self.good();
                }
                None
            }
            Err(error) => {
                self.tips.clear();
                for (_, answer) in &mut answers {
                    // A write that was refused for its own reason keeps that answer.
                    if answer.is_ok() {
                        *answer = Err(error.clone());
                    }
                }
                Some(error)
            }
        };
        self.figures.batch(answers.len(), started.elapsed());
        // How the node is doing is known before anyone has an answer.
        let ending = failure.filter(|error| {
            if error.kind() == Kind::Unavailable {
                self.refusing(error);
            }
            !is_survived(error)
        });
        for (reply, answer) in answers {
            reply_to(reply, answer);
        }
        match ending {
            Some(error) => Err(error),
            // What could not be read was noted on the way.
            None => self.mend(),
        }
    }

    /// Answers whether anything was committed.
    fn store(&mut self, jobs: Vec<WriteJob>, answers: &mut Vec<Reply>) -> Result<bool, Error> {
        let durability = self.durability(&jobs);
        let in_place = self.in_place();
        let tx = match in_place.and_then(|()| Ok(self.database.begin_as(durability)?)) {
            Ok(tx) => tx,
            Err(error) => {
                answers.extend(jobs.into_iter().map(|job| (job.reply, Err(error.clone()))));
                return Err(error);
            }
        };
        let mut batch = Batch::new(tx, &mut self.tips, &self.keys, &self.accesses);
        let mut failure: Option<Error> = None;
        for WriteJob { work, deadline, reply } in jobs {
            let store = work.store().map(|store| store.id);
            let answer = match &failure {
                Some(error) => Err(error.clone()),
                None => {
                    do_one(&mut batch, work, deadline, reply.as_ref()).map_err(|why| match why {
                        WriteFailure::Own(error) => error,
                        WriteFailure::Batch(error) => {
                            if error.kind() == Kind::Corrupt {
                                self.damaged.extend(store);
                            }
                            failure = Some(error.clone());
                            error
                        }
                    })
                }
            };
            answers.push((reply, answer));
        }
        if let Some(error) = failure {
            return Err(error);
        }
        let changed = batch.commit()?;
        for (committed, _) in &changed.grown {
            self.damaged.remove(&committed.store.id);
        }
        if changed.put_back > 0 {
            self.disk.put_back(changed.put_back);
            self.disk.count(self.database.view());
            self.figures.renamed(&[], &self.database.view().stores()?);
        }
        self.accesses.committed(changed.grown.iter().map(|(committed, _)| &*committed.store));
        self.figures.committed(&changed);
        if !changed.renamed.is_empty() {
            self.figures.renamed(&changed.renamed, &self.database.view().stores()?);
        }
        let anything = !changed.grown.is_empty() || !changed.made.is_empty();
        self.commits.tell(changed.grown.into_iter().map(|(committed, _)| committed));
        Ok(anything)
    }

    /// A client waits for the disk. Received entries need not: peers send them again after a power
    /// cut. The next local write, a pause, or one second syncs them.
    fn durability(&mut self, jobs: &[WriteJob]) -> Durability {
        let received = jobs.iter().all(|job| matches!(job.work, Work::Join { .. }));
        let patience = Duration::from_millis(UNSYNCED_MS_MAX);
        if received && self.unsynced.get_or_insert_with(Instant::now).elapsed() < patience {
            return Durability::Relaxed;
        }
        self.unsynced = None;
        Durability::Full
    }

    fn good(&self) {
        self.tell.send_if_modified(|health| {
            let recovered = *health != Health::Good;
            if recovered {
                tracing::info!("writes are stored again");
            }
            *health = Health::Good;
            recovered
        });
    }

    fn refusing(&self, error: &Error) {
        self.tell.send_if_modified(|health| {
            let fresh = *health == Health::Good;
            if fresh {
                tracing::error!("{error}");
            }
            *health = Health::Refusing(error.to_string());
            fresh
        });
    }
}

fn do_one(
    batch: &mut Batch<'_>,
    work: Work,
    deadline: Instant,
    reply: Option<&oneshot::Sender<Result<Done, Error>>>,
) -> Result<Done, WriteFailure> {
    if reply.is_some_and(oneshot::Sender::is_closed) || Instant::now() >= deadline {
        return Err(WriteFailure::Own(Error::TimedOut(
            "the write waited longer than its time; nothing was written".into(),
        )));
    }
    plan::carry_out(work, batch, deadline)
}
