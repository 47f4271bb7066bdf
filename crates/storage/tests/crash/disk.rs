//! A disk that fails: SQLite's own file layer with three of its functions replaced.
//!
//! Every file is opened by SQLite's default layer, and its `xWrite`, `xTruncate` and `xSync` then
//! lead here. Until a sync, each change is remembered with what it replaced. At the chosen sync,
//! before it takes effect, the process dies, and what the files hold then is decided by the
//! [`Failure`]: everything (the process was killed), what was synced (the power failed), or that
//! and a part of the rest (the power failed while the disk was writing, in its own order).
//!
//! Syncs are counted and not carried out: no test turns the machine off. A new or deleted file name
//! counts as durable at once. Only files with a name take part.

use rusqlite::ffi;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, OnceLock};

/// What happens at the chosen moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The process is killed at the n-th sync; the system keeps all that it was given.
    Killed,
    /// The power fails at the n-th sync; all that was not synced is gone.
    PowerLost,
    /// The power fails at the n-th sync; of what was not synced, each change is there, or is not,
    /// or is half there, as this seed decides.
    Torn(u64),
    /// From the n-th write on the disk is full, for a few writes.
    Full,
}

/// Writes that a full disk refuses.
const REFUSED_WRITES: u64 = 3;
/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// What was done to a file since its last sync, with what undoes it.
enum Change {
    Write { at: u64, new: Vec<u8>, old: Vec<u8>, old_len: u64 },
    Truncate { new_len: u64, tail: Vec<u8> },
}

struct Disk {
    failure: Failure,
    at: u64,
    syncs: u64,
    writes: u64,
    files: HashMap<usize, Handle>,
    unsynced: HashMap<PathBuf, Vec<Change>>,
}

#[derive(Clone)]
struct Handle {
    path: PathBuf,
    inner: &'static ffi::sqlite3_io_methods,
}

static DISK: LazyLock<Mutex<Disk>> = LazyLock::new(|| {
    Mutex::new(Disk {
        failure: Failure::Killed,
        at: u64::MAX,
        syncs: 0,
        writes: 0,
        files: HashMap::new(),
        unsynced: HashMap::new(),
    })
});
static INNER: OnceLock<ffi::sqlite3_vfs> = OnceLock::new();

// SAFETY: the pointers inside are to SQLite's static data and to functions.
struct Shared<T>(T);
unsafe impl<T> Send for Shared<T> {}
unsafe impl<T> Sync for Shared<T> {}
