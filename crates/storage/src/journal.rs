//! The journal: what the node says of itself, in a database of its own, so that it never waits for
//! documents and never makes them wait. Losing its last second in a power cut is accepted.

use crate::connection::{Durability, Link, Place, read_only, read_write};
use crate::error::Error;
use crate::limits::{JOURNAL_MESSAGE_BYTES_MAX, JOURNAL_PAGE_RECORDS_MAX, JOURNAL_RECORDS_MAX};

/// One thing that the node said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRecord {
    /// When, in milliseconds since 1970 UTC.
    pub timestamp_ms: i64,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// What.
    pub message: String,
    /// Which part of the node.
    pub source: String,
}

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS records (
  id INTEGER PRIMARY KEY,
  timestamp_ms INTEGER NOT NULL,
  level TEXT NOT NULL,
  message TEXT NOT NULL,
  source TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS records_time ON records (timestamp_ms);
";

/// What `optimusLogger` selects, of the table in the schema `of`: empty, or a name with its dot.
pub(crate) fn logger_select(of: &str) -> String {
    format!("SELECT {COLUMNS} FROM {of}records")
}

const COLUMNS: &str =
    "strftime('%Y-%m-%dT%H:%M:%fZ', timestamp_ms / 1000.0, 'unixepoch') AS timestamp,
     strftime('%Y-%m-%d', timestamp_ms / 1000, 'unixepoch') AS date,
     CAST(strftime('%H', timestamp_ms / 1000, 'unixepoch') AS INTEGER) AS hour,
     level, message, source";

/// The writing side; one per node.
#[derive(Debug)]
pub struct Journal {
    link: Link,
}

impl Journal {
    /// Opens the journal, making it if need be.
    pub fn open(place: &Place) -> Result<Journal, Error> {
        let link = read_write(place, Durability::Relaxed)?;
        link.db.execute_batch(SCHEMA)?;
        link.db.execute_batch(&format!(
            "CREATE VIEW IF NOT EXISTS optimusLogger AS {}",
            logger_select("")
        ))?;
        Ok(Journal { link })
    }

    /// Adds `records`, all or none. A message over the limit is cut and says so.
    pub fn append(&mut self, records: &[JournalRecord]) -> Result<(), Error> {
        let tx = self.link.db.transaction()?;
        {
            let mut insert = tx.prepare_cached(
                "INSERT INTO records (timestamp_ms, level, message, source)
                 VALUES (?1, ?2, ?3, ?4)",
            )?;
            for r in records {
                insert.execute((r.timestamp_ms, &r.level, &cut(&r.message), &r.source))?;
            }
        }
        tx.commit()?;
        Ok(())
    }

    /// Drops what is older than `before_ms`, and the oldest over the limit of count.
    pub fn retain(&mut self, before_ms: i64) -> Result<usize, Error> {
        let old =
            self.link.db.execute("DELETE FROM records WHERE timestamp_ms < ?1", [before_ms])?;
        let over = self.link.db.execute(
            "DELETE FROM records WHERE id <= (SELECT max(id) FROM records) - ?1",
            [JOURNAL_RECORDS_MAX],
        )?;
        Ok(old + over)
    }
}

/// The records from `from_ms` (inclusive) to `to_ms` (exclusive), newest first, bounded in number.
pub fn journal_records(
    place: &Place,
    from_ms: i64,
    to_ms: i64,
) -> Result<Vec<JournalRecord>, Error> {
    let db = read_only(place)?.db;
    let mut statement = db.prepare(
        "SELECT timestamp_ms, level, message, source FROM records
         WHERE timestamp_ms >= ?1 AND timestamp_ms < ?2
         ORDER BY timestamp_ms DESC, id DESC LIMIT ?3",
    )?;
    let rows = statement.query_map((from_ms, to_ms, JOURNAL_PAGE_RECORDS_MAX), |row| {
        Ok(JournalRecord {
            timestamp_ms: row.get(0)?,
            level: row.get(1)?,
            message: row.get(2)?,
            source: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn cut(message: &str) -> std::borrow::Cow<'_, str> {
    if message.len() <= JOURNAL_MESSAGE_BYTES_MAX {
        return message.into();
    }
    let end = message.floor_char_boundary(JOURNAL_MESSAGE_BYTES_MAX);
    format!("{}… ({} bytes)", &message[..end], message.len()).into()
}
