//! The writer: one thread that owns the read-write connection and all heads.
//!
//! It takes what waits, does it in one transaction, commits once, and only then answers: group
//! commit. Each write is planned (read and checked) before it changes anything, so a refused one
//! leaves nothing behind and its neighbours in the batch go through. When SQLite cannot store the
//! batch, none of it is kept and every writer in it is told; a full disk is survived, anything else
//! ends the thread and with it the node, for what is on the disk is then not known.

mod access;
mod batch;
mod check;
mod lanes;
mod stores;
mod work;

pub(crate) use crate::clock::now_ms;
pub(crate) use access::AccessChange;
pub(crate) use lanes::Lane;
use work::Failure;
pub(crate) use work::{Done, Received, Work};

use crate::access::AccessCache;
use crate::commits::Commits;
use crate::error::{Error, Kind};
use crate::limits::{BATCH_KIB_MAX, BATCH_WRITES_MAX, IDLE_MS, IDLE_MS_MAX, UNSYNCED_MS_MAX};
use crate::metrics::WriterFigures;
pub(crate) use batch::Changed;
use batch::{Batch, Tips};
use lanes::{Lanes, Taken};
use optimusdb_dag::IdentityKeys;
use optimusdb_storage::{Checkpoint, Database, Durability};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// A write on its way, with the place for its answer.
#[derive(Debug)]
struct Job {
    work: Work,
    deadline: Instant,
    reply: oneshot::Sender<Result<Done, Error>>,
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
    lanes: Arc<Lanes<Job>>,
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
    ) -> Result<Writer, Error> {
        let lanes = Arc::new(Lanes::new());
        let (tell, health) = watch::channel(Health::Good);
        let run = Run {
            lanes: Arc::clone(&lanes),
            database,
            keys,
            accesses,
            tips: Tips::default(),
            figures,
            commits,
            tell,
            unsettled: true,
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
        let job = Job { work, deadline, reply };
        self.lanes.send(lane, bytes, job).await?;
        answer.await.unwrap_or_else(|_| Err(Error::Unavailable("this node is stopping".into())))
    }

    /// How the writer is doing, now and from now on.
    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
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
struct Run {
    lanes: Arc<Lanes<Job>>,
    database: Database,
    keys: IdentityKeys,
    accesses: Arc<AccessCache>,
    tips: Tips,
    figures: WriterFigures,
    commits: Commits,
    tell: watch::Sender<Health>,
    /// Whether something was committed since the write-ahead log was last moved.
    unsettled: bool,
    /// Since when there is a commit that did not wait for the disk.
    unsynced: Option<Instant>,
}

type Answer = (oneshot::Sender<Result<Done, Error>>, Result<Done, Error>);

impl Run {
    fn until_closed(mut self) {
        let reason = loop {
            let patience = if self.unsettled { IDLE_MS } else { IDLE_MS_MAX };
            let patience = Duration::from_millis(patience);
            match self.lanes.take(BATCH_WRITES_MAX, BATCH_KIB_MAX, patience) {
                Taken::Work(batch) => {
                    self.unsettled = true;
                    if let Err(error) = self.batch(batch) {
                        break Some(error);
                    }
                }
                Taken::Idle => self.settle(),
                Taken::Closed => break None,
            }
        };
        self.lanes.close();
        self.refuse_waiting();
        if reason.is_none()
            && let Err(error) = self.database.checkpoint(Checkpoint::Truncate)
        {
            tracing::warn!("the write-ahead log stays until the next start: {error}");
        }
        let Run { database, tell, .. } = self;
        drop(database);
        tell.send_replace(Health::Ended(reason));
    }

    /// Tells whoever still waits that nothing more is written.
    fn refuse_waiting(&self) {
        while let Taken::Work(jobs) =
            self.lanes.take(BATCH_WRITES_MAX, BATCH_KIB_MAX, Duration::ZERO)
        {
            for job in jobs {
                let _ = job.reply.send(Err(Error::Unavailable("this node is stopping".into())));
            }
        }
    }

    /// Moves the write-ahead log into the database file while nobody waits, so that the next start
    /// has little to read and a later commit does not have to.
    fn settle(&mut self) {
        if !std::mem::take(&mut self.unsettled) {
            return;
        }
        if let Err(error) = self.database.checkpoint(Checkpoint::Passive) {
            tracing::debug!("the write-ahead log stays for now: {error}");
        }
    }

    /// Does a batch in one transaction and answers every write in it. An error is the end.
    fn batch(&mut self, jobs: Vec<Job>) -> Result<(), Error> {
        let started = Instant::now();
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
            let survivable = error.kind() == Kind::Unavailable;
            if survivable {
                self.refusing(error);
            }
            !survivable
        });
        for (reply, answer) in answers {
            // Who no longer waits has hung up; the write stands all the same.
            let _ = reply.send(answer);
        }
        ending.map_or(Ok(()), Err)
    }

    /// Answers whether anything was committed.
    fn store(&mut self, jobs: Vec<Job>, answers: &mut Vec<Answer>) -> Result<bool, Error> {
        let durability = self.durability(&jobs);
        let tx = match self.database.begin_as(durability) {
            Ok(tx) => tx,
            Err(error) => {
                let error = Error::from(error);
                answers.extend(jobs.into_iter().map(|job| (job.reply, Err(error.clone()))));
                return Err(error);
            }
        };
        let mut batch = Batch::new(tx, &mut self.tips, &self.keys, &self.accesses);
        let mut failure: Option<Error> = None;
        for Job { work, deadline, reply } in jobs {
            let answer = match &failure {
                Some(error) => Err(error.clone()),
                None => do_one(&mut batch, work, deadline, &reply).map_err(|why| match why {
                    Failure::Own(error) => error,
                    Failure::Batch(error) => {
                        failure = Some(error.clone());
                        error
                    }
                }),
            };
            answers.push((reply, answer));
        }
        if let Some(error) = failure {
            return Err(error);
        }
        let changed = batch.commit()?;
        self.accesses.committed(changed.grown.iter().map(|(committed, _)| &committed.store));
        self.figures.committed(&changed);
        if !changed.renamed.is_empty() {
            self.figures.renamed(&changed.renamed, &self.database.view().stores()?);
        }
        let anything = !changed.grown.is_empty() || !changed.made.is_empty();
        self.commits.tell(changed.grown.into_iter().map(|(committed, _)| committed));
        Ok(anything)
    }

    /// A client waits until the disk has its write. What was received nobody has been promised: the
    /// peers have it, and would send it again after a power cut. The next local write takes it to
    /// the disk, too, or a pause, or what is received a moment later.
    fn durability(&mut self, jobs: &[Job]) -> Durability {
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
    reply: &oneshot::Sender<Result<Done, Error>>,
) -> Result<Done, Failure> {
    if reply.is_closed() || Instant::now() >= deadline {
        return Err(Failure::Own(Error::TimedOut(
            "the write waited longer than its time; nothing was written".into(),
        )));
    }
    work.run(batch, deadline)
}
