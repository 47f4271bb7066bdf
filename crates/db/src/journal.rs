//! The journal: what the node says of its own work, on its way into a database of its own.
//!
//! Saying something never waits: records go into a bounded queue, and what does not fit is dropped
//! and counted. A thread stores them in batches and drops what is older than the retention.

use crate::clock;
use crate::error::Error;
use crate::limits::{
    JOURNAL_BATCH_RECORDS_MAX, JOURNAL_FLUSH_MS, JOURNAL_QUEUE_RECORDS_MAX, JOURNAL_RETAIN_MS,
};
use jiff::civil;
pub use optimusdb_storage::JournalRecord;
use optimusdb_storage::{Journal, Place, journal_records};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where records go in. Clones share the queue.
#[derive(Debug, Clone)]
pub struct JournalSender {
    queue: SyncSender<JournalRecord>,
    dropped: Arc<AtomicU64>,
}

/// Where the node takes them out.
#[derive(Debug)]
pub struct JournalReceiver {
    queue: Receiver<JournalRecord>,
    dropped: Arc<AtomicU64>,
}

/// A queue for the journal, open before the node is.
pub fn journal_channel() -> (JournalSender, JournalReceiver) {
    let (sender, receiver) = sync_channel(JOURNAL_QUEUE_RECORDS_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let sender = JournalSender { queue: sender, dropped: Arc::clone(&dropped) };
    (sender, JournalReceiver { queue: receiver, dropped })
}

impl JournalSender {
    /// Hands a record in. Answers whether there was room; if not, it is dropped and counted.
    pub fn try_send(&self, record: JournalRecord) -> bool {
        let sent = self.queue.try_send(record).is_ok();
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }
}

/// The thread that stores the journal.
#[derive(Debug)]
pub(crate) struct JournalThread {
    stop: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl JournalThread {
    pub(crate) fn start(
        receiver: JournalReceiver,
        place: &Place,
        retention: Duration,
    ) -> Result<JournalThread, Error> {
        let store = Journal::open(place)?;
        let (stop, stopped) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || keep(store, &receiver, &stopped, retention))
            .map_err(|e| Error::Internal(format!("the journal's thread did not start: {e}")))?;
        Ok(JournalThread { stop, thread: Some(thread) })
    }

    /// Stores what is queued and ends the thread. Blocks.
    pub(crate) fn close(&mut self) {
        let _ = self.stop.try_send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep(
    mut store: Journal,
    receiver: &JournalReceiver,
    stopped: &Receiver<()>,
    retention: Duration,
) {
    let mut retained: Option<Instant> = None;
    loop {
        let ending = !matches!(
            stopped.recv_timeout(Duration::from_millis(JOURNAL_FLUSH_MS)),
            Err(RecvTimeoutError::Timeout)
        );
        loop {
            let mut batch: Vec<JournalRecord> =
                receiver.queue.try_iter().take(JOURNAL_BATCH_RECORDS_MAX).collect();
            let dropped = receiver.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                batch.push(JournalRecord {
                    timestamp_ms: now_ms(),
                    level: "WARN".into(),
                    message: format!(
                        "{dropped} records of the journal were dropped: too many at once"
                    ),
                    source: "journal".into(),
                });
            }
            let last = batch.len() < JOURNAL_BATCH_RECORDS_MAX;
            // On a full disk the records are lost; stderr has them. Saying so here would loop.
            let _ = store.append(&batch);
            if last {
                break;
            }
        }
        if retained.is_none_or(|at| at.elapsed() > Duration::from_millis(JOURNAL_RETAIN_MS)) {
            retained = Some(Instant::now());
            let age = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
            let _ = store.retain(now_ms().saturating_sub(age));
        }
        if ending {
            return;
        }
    }
}

/// The records of one hour (UTC), newest first.
pub(crate) fn records_of_hour(
    place: &Place,
    date: &str,
    hour: u8,
) -> Result<Vec<JournalRecord>, Error> {
    let wrong =
        || Error::Invalid(format!("date {date:?} is not a day as YYYY-MM-DD, such as 2026-01-31"));
    if date.len() != 10 {
        return Err(wrong());
    }
    let day: civil::Date = date.parse().map_err(|_| wrong())?;
    let hour = i8::try_from(hour)
        .ok()
        .filter(|hour| (0..24).contains(hour))
        .ok_or_else(|| Error::Invalid(format!("hour {hour} is not between 00 and 23")))?;
    let from = day
        .at(hour, 0, 0, 0)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_err(|_| wrong())?
        .timestamp()
        .as_millisecond();
    Ok(journal_records(place, from, from + 3_600_000)?)
}

fn now_ms() -> i64 {
    i64::try_from(clock::now_ms()).unwrap_or(i64::MAX)
}
