//! One SQLite connection as every part of this room wants it.

use crate::damage::Damage;
use crate::error::Error;
use crate::limits::{
    BUSY_TIMEOUT_MS, NAMESAKE_CHARS, PAGE_BYTES, READER_CACHE_KIB, STATEMENTS_MAX,
    WAL_CHECKPOINT_BYTES, WAL_KEPT_BYTES, WRITER_CACHE_KIB,
};
use crate::order::SortValue;
use crate::snapshots::{Snapshots, micros_of};
use crate::stores::beside;
use optimusdb_dag::{Address, LogCid};
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// SQLite's steps between two looks at the clock; a step takes well under a microsecond.
const STEPS_PER_DEADLINE_CHECK: i32 = 10_000;

/// Where a database lives.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file, with its write-ahead log beside it.
    File(PathBuf),
    /// Memory shared by the connections of this process; gone with the last of them.
    Memory(u64),
}

impl Place {
    /// A fresh database in memory, for tests and throw-away nodes.
    pub fn memory() -> Place {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Place::Memory(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn uri(&self) -> String {
        match self {
            Place::File(path) => {
                let mut uri = String::from("file:");
                for byte in path.as_os_str().as_encoded_bytes() {
                    match byte {
                        b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
                        b if b.is_ascii_alphanumeric() => uri.push(char::from(*b)),
                        b => uri.push_str(&format!("%{b:02x}")),
                    }
                }
                uri
            }
            Place::Memory(n) => format!("file:/optimusdb-{n}?vfs=memdb"),
        }
    }
}

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the disk has it: it survives a power cut.
    Full,
    /// When the system has it: it survives the end of the process, not a power cut.
    Relaxed,
}

/// A connection, and the time by which the statement that it runs must end.
pub(crate) struct Link {
    pub(crate) db: Connection,
    // Microseconds on the clock of `micros_now`; 0 for none.
    deadline: Arc<AtomicU64>,
    gone: Arc<Mutex<Option<IsGone>>>,
    snapshot: Arc<Snapshot>,
    sorts: Cell<bool>,
    /// Where it is noted what cannot be read.
    pub(crate) damage: Arc<Damage>,
}

/// The snapshot that is being read.
#[derive(Default)]
struct Snapshot {
    snapshots: OnceLock<Arc<Snapshots>>,
    began: Mutex<Option<Instant>>,
}

impl Snapshot {
    fn is_over(&self) -> bool {
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner);
        began.zip(self.snapshots.get()).is_some_and(|(began, all)| all.are_over(began))
    }
}

/// Asked now and then whether nobody waits for a statement any more.
pub(crate) type IsGone = Arc<dyn Fn() -> bool + Send + Sync>;

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("db", &self.db).finish_non_exhaustive()
    }
}

impl Link {
    /// Lets statements call `sort_value(json, path, descending)`. The function is the same for all.
    pub(crate) fn define_sort_value(&self, value: SortValue) -> Result<(), Error> {
        if self.sorts.replace(true) {
            return Ok(());
        }
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        Ok(self.db.create_scalar_function("sort_value", 3, flags, move |context| {
            let (json, path) = (context.get_raw(0).as_str()?, context.get_raw(1).as_str()?);
            Ok(Value::from(value(json, path, context.get(2)?)))
        })?)
    }

    /// Passes a result on, and notes what it says of damage.
    pub(crate) fn noted<T>(&self, read: Result<T, Error>) -> Result<T, Error> {
        read.inspect_err(|error| self.damage.note(error))
    }

    /// Has SQLite look whether a statement is to end after so many of its steps.
    pub(crate) fn look_every(&mut self, steps: i32) -> Result<(), Error> {
        let (deadline, gone) = (Arc::clone(&self.deadline), Arc::clone(&self.gone));
        let snapshot = Arc::clone(&self.snapshot);
        let ends = move || {
            let at = deadline.load(Ordering::Relaxed);
            let gone = gone.lock().unwrap_or_else(PoisonError::into_inner);
            at != 0 && (micros_of(Instant::now()) >= at || gone.as_ref().is_some_and(|gone| gone()))
                || snapshot.is_over()
        };
        Ok(self.db.progress_handler(steps, Some(ends))?)
    }

    /// Has its reads end when the snapshots of that database have to.
    pub(crate) fn end_with(&self, snapshots: &Arc<Snapshots>) {
        // A connection belongs to one database for good.
        let _ = self.snapshot.snapshots.set(Arc::clone(snapshots));
    }

    /// A snapshot begins now, or there is none any more.
    pub(crate) fn set_snapshot(&self, is_read: bool) {
        let began = is_read.then(Instant::now);
        *self.snapshot.began.lock().unwrap_or_else(PoisonError::into_inner) = began;
    }

    /// Whether the snapshot has to end.
    pub(crate) fn is_over(&self) -> bool {
        self.snapshot.is_over()
    }

    /// Not within a transaction.
    pub(crate) fn set_durability(&self, durability: Durability) -> Result<(), Error> {
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Relaxed => "NORMAL",
        };
        Ok(self.db.pragma_update(None, "synchronous", synchronous)?)
    }

    /// Bounds what runs until the answer is dropped.
    pub(crate) fn until(&self, deadline: Option<Instant>) -> Bounded<'_> {
        let micros = deadline.map_or(0, |at| micros_of(at).max(1));
        self.deadline.store(micros, Ordering::Relaxed);
        Bounded(self)
    }

    /// The same, and ends it when nobody waits for it any more.
    pub(crate) fn until_gone(&self, deadline: Instant, gone: IsGone) -> Bounded<'_> {
        *self.gone.lock().unwrap_or_else(PoisonError::into_inner) = Some(gone);
        self.until(Some(deadline))
    }
}

/// While it lives, the connection's statements end at a deadline.
pub(crate) struct Bounded<'l>(&'l Link);

impl Drop for Bounded<'_> {
    fn drop(&mut self) {
        self.0.deadline.store(0, Ordering::Relaxed);
        *self.0.gone.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

pub(crate) fn read_write(place: &Place, durability: Durability) -> Result<Link, Error> {
    read_write_paged(place, durability, PAGE_BYTES)
}

/// As [`read_write`]; a database that is made here gets pages of so many bytes.
pub(crate) fn read_write_paged(
    place: &Place,
    durability: Durability,
    page_bytes: i64,
) -> Result<Link, Error> {
    let db = Connection::open_with_flags(
        place.uri(),
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    let link = prepare(db, WRITER_CACHE_KIB)?;
    let db = &link.db;
    // Without effect on a database that has pages already.
    db.pragma_update(None, "page_size", page_bytes)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    let page_bytes: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let checkpoint_pages = WAL_CHECKPOINT_BYTES / page_bytes.max(1);
    db.pragma_update(None, "wal_autocheckpoint", checkpoint_pages)?;
    db.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)?;
    link.set_durability(durability)?;
    Ok(link)
}

pub(crate) fn read_only(place: &Place) -> Result<Link, Error> {
    let db = Connection::open_with_flags(
        place.uri(),
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    reading(db)
}

/// A connection to an empty database of its own in memory, to which others can be attached.
pub(crate) fn to_nothing() -> Result<Link, Error> {
    let db = Connection::open_in_memory_with_flags(
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    reading(db)
}

fn reading(db: Connection) -> Result<Link, Error> {
    let link = prepare(db, READER_CACHE_KIB)?;
    link.db.pragma_update(None, "query_only", true)?;
    Ok(link)
}

fn prepare(db: Connection, cache_kib: i64) -> Result<Link, Error> {
    db.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    db.pragma_update(None, "cache_size", -cache_kib)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "temp_store", "FILE")?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // A plan never depends on the values bound. Without this, a look-up in the catalog's views is
    // planned anew for every key, which takes a hundred times as long as the look-up.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // The views of the catalog name the digest of a TOSCA file.
    db.create_scalar_function(
        "sha256_hex",
        1,
        FunctionFlags::SQLITE_UTF8
            | FunctionFlags::SQLITE_DETERMINISTIC
            | FunctionFlags::SQLITE_INNOCUOUS,
        |context| {
            let digest = context
                .get_raw(0)
                .as_bytes_or_null()?
                .map(|bytes| hex::encode(Sha256::digest(bytes)));
            Ok(digest)
        },
    )?;
    // What a document is called beside one of the same key, by the digest of its store's manifest.
    db.create_scalar_function(
        "beside",
        2,
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
        |context| {
            let address = Address::of_manifest(LogCid::from_digest(context.get(1)?));
            Ok(beside(context.get_raw(0).as_str()?, &address, NAMESAKE_CHARS))
        },
    )?;
    let mut link = Link {
        db,
        deadline: Arc::default(),
        gone: Arc::default(),
        snapshot: Arc::default(),
        sorts: Cell::new(false),
        damage: Arc::default(),
    };
    link.look_every(STEPS_PER_DEADLINE_CHECK)?;
    Ok(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_text_is_that_of_its_utf_8() {
        let link = read_write(&Place::memory(), Durability::Relaxed).unwrap();
        for (text, digest) in [
            (
                Some("äöü\n"),
                Some("0c85dcbb13f73eabef6dcf5ee4e59c5a2a67682a0ee8af6185465c4c1221a881"),
            ),
            (Some(""), Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
            (None, None),
        ] {
            let found: Option<String> =
                link.db.query_row("SELECT sha256_hex(?1)", [text], |row| row.get(0)).unwrap();
            assert_eq!(found.as_deref(), digest, "{text:?}");
        }
    }
}
