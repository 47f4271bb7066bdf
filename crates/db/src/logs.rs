//! The node's own log records on their way into the log store.
//!
//! Whoever logs never waits: records go into a bounded queue, and what does not fit is dropped and
//! counted. A thread stores them in batches and drops what is older than the retention.

use crate::error::Error;
use crate::limits::{LOG_BATCH_RECORDS_MAX, LOG_FLUSH_MS, LOG_QUEUE_RECORDS_MAX, LOG_RETAIN_MS};
use jiff::civil;
use optimusdb_storage::{Journal, Place};
use serde::{Serialize, Serializer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One thing that the node said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRecord {
    /// When, in milliseconds since 1970 UTC; in JSON as RFC 3339.
    #[serde(rename = "timestamp", serialize_with = "rfc3339")]
    pub timestamp_ms: i64,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// What.
    pub message: String,
    /// Which part of the node.
    pub source: String,
}

fn rfc3339<S: Serializer>(ms: &i64, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&timestamp(*ms))
}

/// A time in milliseconds since 1970 as RFC 3339 in UTC, to the millisecond.
pub(crate) fn timestamp(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// Where records go in. Clones share the queue.
#[derive(Debug, Clone)]
pub struct LogSender {
    queue: SyncSender<LogRecord>,
    dropped: Arc<AtomicU64>,
}

/// Where the node takes them out.
#[derive(Debug)]
pub struct LogReceiver {
    queue: Receiver<LogRecord>,
    dropped: Arc<AtomicU64>,
}

/// A queue for log records, open before the node is.
pub fn log_channel() -> (LogSender, LogReceiver) {
    let (sender, receiver) = sync_channel(LOG_QUEUE_RECORDS_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let sender = LogSender { queue: sender, dropped: Arc::clone(&dropped) };
    (sender, LogReceiver { queue: receiver, dropped })
}

impl LogSender {
    /// Hands a record in. Answers whether there was room; if not, it is dropped and counted.
    pub fn try_send(&self, record: LogRecord) -> bool {
        let sent = self.queue.try_send(record).is_ok();
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }
}

/// The thread that stores log records.
#[derive(Debug)]
pub(crate) struct LogKeeper {
    stop: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl LogKeeper {
    pub(crate) fn start(
        receiver: LogReceiver,
        place: &Place,
        retention: Duration,
    ) -> Result<LogKeeper, Error> {
        let store = Journal::open(place)?;
        let (stop, stopped) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("log-keeper".into())
            .spawn(move || keep(store, &receiver, &stopped, retention))
            .map_err(|e| Error::Internal(format!("the log thread did not start: {e}")))?;
        Ok(LogKeeper { stop, thread: Some(thread) })
    }

    /// Stores what is queued and ends the thread. Blocks.
    pub(crate) fn close(&mut self) {
        let _ = self.stop.try_send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep(mut store: Journal, receiver: &LogReceiver, stopped: &Receiver<()>, retention: Duration) {
    let mut retained: Option<Instant> = None;
    loop {
        let ending = !matches!(
            stopped.recv_timeout(Duration::from_millis(LOG_FLUSH_MS)),
            Err(RecvTimeoutError::Timeout)
        );
        loop {
            let mut batch: Vec<LogRecord> =
                receiver.queue.try_iter().take(LOG_BATCH_RECORDS_MAX).collect();
            let dropped = receiver.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                batch.push(LogRecord {
                    timestamp_ms: now_ms(),
                    level: "WARN".into(),
                    message: format!("{dropped} log records were dropped: too many at once"),
                    source: "log".into(),
                });
            }
            let last = batch.len() < LOG_BATCH_RECORDS_MAX;
            // On a full disk the records are lost; stderr has them. Logging that would loop.
            let _ = store.append(&batch.into_iter().map(stored).collect::<Vec<_>>());
            if last {
                break;
            }
        }
        if retained.is_none_or(|at| at.elapsed() > Duration::from_millis(LOG_RETAIN_MS)) {
            retained = Some(Instant::now());
            let age = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
            let _ = store.retain(now_ms().saturating_sub(age));
        }
        if ending {
            return;
        }
    }
}

fn stored(record: LogRecord) -> optimusdb_storage::JournalRecord {
    let LogRecord { timestamp_ms, level, message, source } = record;
    optimusdb_storage::JournalRecord { timestamp_ms, level, message, source }
}

/// The records of one hour (UTC), newest first.
pub(crate) fn records_of_hour(
    place: &Place,
    date: &str,
    hour: u8,
) -> Result<Vec<LogRecord>, Error> {
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
    let records = optimusdb_storage::journal_records(place, from, from + 3_600_000)?;
    Ok(records.into_iter().map(shown).collect())
}

fn shown(record: optimusdb_storage::JournalRecord) -> LogRecord {
    let optimusdb_storage::JournalRecord { timestamp_ms, level, message, source } = record;
    LogRecord { timestamp_ms, level, message, source }
}

fn now_ms() -> i64 {
    i64::try_from(crate::writer::now_ms()).unwrap_or(i64::MAX)
}
