//! Bounds the write-ahead log beside readers.
//!
//! What is committed can be moved out of the log only as far as the oldest snapshot that somebody reads,
//! and the log begins anew only when nobody reads in it. So readers that last, or that follow each other
//! without a pause, make it grow for as long as something is written. From [`LOG_PRESSED_BYTES`] on the
//! readers are told so, and who is slow ends; the writer waits a moment for a log that begins anew. At
//! [`LOG_BYTES_MAX`] every snapshot of that moment ends.

use crate::connection::Link;
use crate::error::Error;
use crate::limits::{
    BUSY_TIMEOUT_MS, LOG_BYTES_MAX, LOG_PRESSED_BYTES, LOG_PRESSED_MS, LOG_PRESSED_WAIT_MS,
    LOG_WAIT_MS_MAX,
};
use crate::snapshots::Snapshots;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The writer's side: how long the log is, and what is done about it.
#[derive(Debug, Default)]
pub(crate) struct LogBound {
    // None for a database in memory, which has no log.
    log: Option<PathBuf>,
    pub(crate) snapshots: Arc<Snapshots>,
    tried: Option<Instant>,
}

impl LogBound {
    pub(crate) fn of(database: Option<&PathBuf>) -> LogBound {
        let log = database.map(|file| {
            let mut log = file.clone().into_os_string();
            log.push("-wal");
            PathBuf::from(log)
        });
        LogBound { log, ..LogBound::default() }
    }

    /// Looks how long the log is. Answers its bytes where snapshots had to end for it.
    pub(crate) fn look(&mut self, link: &Link) -> Result<Option<u64>, Error> {
        // A log that cannot be looked at is not there.
        let bytes = |log| std::fs::metadata(log).map_or(0, |file| file.len());
        let bytes = self.log.as_ref().map_or(0, bytes);
        let pressed = bytes >= LOG_PRESSED_BYTES;
        self.snapshots.press(pressed);
        if !pressed {
            return Ok(None);
        }
        let over = bytes >= LOG_BYTES_MAX;
        let pause = Duration::from_millis(LOG_PRESSED_MS);
        if self.tried.is_some_and(|at| at.elapsed() < pause) {
            return Ok(None);
        }
        if over {
            self.snapshots.end_all();
        }
        let wait = if over { LOG_WAIT_MS_MAX } else { LOG_PRESSED_WAIT_MS };
        link.db.busy_timeout(Duration::from_millis(wait))?;
        let begun_anew =
            link.db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0));
        link.db.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
        self.tried = Some(Instant::now());
        begun_anew?;
        Ok(over.then_some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Durability, Place, read_only, read_write};

    #[test]
    fn snapshots_end_once_the_log_is_too_long() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::File(dir.path().join("d"));
        let link = read_write(&place, Durability::Relaxed).unwrap();
        link.db.execute_batch("CREATE TABLE t (a)").unwrap();
        // A file with holes stands for the log.
        let measured = dir.path().join("measured");
        let mut bound = LogBound::of(Some(&measured));
        let log = std::fs::File::create(dir.path().join("measured-wal")).unwrap();
        let snapshots = Arc::clone(&bound.snapshots);
        let reader = read_only(&place).unwrap();
        reader.end_with(&snapshots);

        assert_eq!(bound.look(&link).unwrap(), None);
        assert!(!snapshots.are_pressed());
        log.set_len(LOG_PRESSED_BYTES).unwrap();
        assert_eq!(bound.look(&link).unwrap(), None);
        assert!(snapshots.are_pressed() && !snapshots.are_over(Instant::now()));
        bound.tried = None;
        log.set_len(LOG_BYTES_MAX).unwrap();
        reader.set_snapshot(true);
        assert!(!reader.is_over());
        assert_eq!(bound.look(&link).unwrap(), Some(LOG_BYTES_MAX));
        let count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10000000)
                     SELECT count(*) FROM n";
        let ended = reader.db.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap_err();
        assert!(matches!(Error::from(ended), Error::Interrupted) && reader.is_over());
        // Who begins now reads.
        reader.set_snapshot(true);
        assert!(!reader.is_over());
    }
}
