//! A disk that fails: SQLite's own file layer with four of its functions replaced.
//!
//! Every file is opened by SQLite's default layer, and its `xRead`, `xWrite`, `xTruncate` and `xSync`
//! then lead here. Until a sync, each change is remembered with what it replaced. At the chosen sync,
//! before it takes effect, the process dies, and what the files hold then is decided by the
//! [`Failure`]: everything (the process was killed), what was synced (the power failed), or that
//! and a part of the rest (the power failed while the disk was writing, in an order of its own).
//!
//! Syncs are counted and not carried out: no test turns the machine off. A file that was made or
//! deleted counts as durably so at once. Files without a name (temporary ones) take no part.

use rusqlite::ffi;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard};

/// What happens at the chosen moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The process is killed at the n-th sync; the system keeps all that it was given.
    Killed,
    /// The power fails at the n-th sync; all that was not synced is gone.
    PowerLost,
    /// The power fails at the n-th sync; each change that was not synced is there, or is not, or is
    /// half there, as this seed decides.
    Torn(u64),
    /// From the n-th write on the disk is full, for a few writes.
    Full,
    /// After [`spoil`], nothing can be read.
    Unreadable,
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
    spoilt: bool,
    files: HashMap<usize, Handle>,
    unsynced: BTreeMap<PathBuf, Vec<Change>>,
}

/// An open file: its path, and the functions that SQLite's default layer gave it.
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
        spoilt: false,
        files: HashMap::new(),
        unsynced: BTreeMap::new(),
    })
});
/// SQLite's default layer, which lives as long as the process.
static INNER: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(null_mut());

fn disk() -> MutexGuard<'static, Disk> {
    DISK.lock().expect("nobody panics with the disk in hand")
}

/// Puts this disk below every database that this process opens from now on. The failure comes at
/// the `at`-th sync (or write), the first being 1.
pub(crate) fn install(failure: Failure, at: u64) {
    {
        let mut disk = disk();
        (disk.failure, disk.at) = (failure, at);
    }
    // SAFETY: without a name this finds the default layer, which is static and never changed; the
    // copy differs in its name and in `open` and `delete`, and lives as long as the process.
    unsafe {
        let inner = ffi::sqlite3_vfs_find(std::ptr::null());
        assert!(!inner.is_null());
        INNER.store(inner, Ordering::Release);
        let mut ours = *inner;
        ours.pNext = null_mut();
        ours.zName = c"failing".as_ptr();
        ours.xOpen = Some(open);
        ours.xDelete = Some(delete);
        assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1), ffi::SQLITE_OK);
    }
}

/// From now on, until this is called with `false`, no file with a name can be read.
pub(crate) fn spoil(spoilt: bool) {
    disk().spoilt = spoilt;
}

/// Syncs and writes so far.
pub(crate) fn counted() -> (u64, u64) {
    let disk = disk();
    (disk.syncs, disk.writes)
}

// SAFETY (of all functions below): SQLite calls them with the arguments that its documentation
// promises. A `file` is one that `open` has filled in, until `xClose` of it returns.

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let inner = INNER.load(Ordering::Acquire);
    let done = unsafe {
        let open = (*inner).xOpen.expect("a layer opens files");
        open(inner, name, file, flags, out_flags)
    };
    if done != ffi::SQLITE_OK || name.is_null() {
        return done;
    }
    // The file is the inner layer's in every respect but for its table of functions, of which a
    // changed copy is made; a test process opens few files, so the copies are left behind.
    unsafe {
        let inner: &'static ffi::sqlite3_io_methods = &*(*file).pMethods;
        let path = PathBuf::from(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
        let mut ours = *inner;
        // Version 2 has no memory-mapped reads and writes, which would pass by here.
        ours.iVersion = 2;
        ours.xRead = Some(read);
        ours.xWrite = Some(write);
        ours.xTruncate = Some(truncate);
        ours.xSync = Some(sync);
        (*file).pMethods = Box::leak(Box::new(ours));
        disk().files.insert(file as usize, Handle { path, inner });
    }
    done
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_dir: c_int,
) -> c_int {
    let inner = INNER.load(Ordering::Acquire);
    unsafe {
        let path = PathBuf::from(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
        disk().unsynced.remove(&path);
        let delete = (*inner).xDelete.expect("a layer deletes files");
        delete(inner, name, sync_dir)
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    bytes: *mut c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let disk = disk();
    if disk.spoilt {
        return ffi::SQLITE_IOERR_READ;
    }
    let read = disk.files[&(file as usize)].inner.xRead.expect("a file is read");
    unsafe { read(file, bytes, count, at) }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let mut disk = disk();
    disk.writes += 1;
    if disk.failure == Failure::Full && (disk.at..disk.at + REFUSED_WRITES).contains(&disk.writes) {
        return ffi::SQLITE_FULL;
    }
    let handle = disk.files[&(file as usize)].clone();
    unsafe {
        let new = std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize).to_vec();
        let old_len = len(&handle, file);
        let old = content(&handle, file, at as u64, (at as u64 + new.len() as u64).min(old_len));
        let change = Change::Write { at: at as u64, new, old, old_len };
        disk.unsynced.entry(handle.path).or_default().push(change);
        (handle.inner.xWrite.expect("a file is written"))(file, bytes, count, at)
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, new_len: ffi::sqlite3_int64) -> c_int {
    let mut disk = disk();
    let handle = disk.files[&(file as usize)].clone();
    unsafe {
        let old_len = len(&handle, file);
        let tail = content(&handle, file, new_len as u64, old_len);
        let change = Change::Truncate { new_len: new_len as u64, tail };
        disk.unsynced.entry(handle.path).or_default().push(change);
        (handle.inner.xTruncate.expect("a file is truncated"))(file, new_len)
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    let mut disk = disk();
    disk.syncs += 1;
    if disk.syncs == disk.at && !matches!(disk.failure, Failure::Full | Failure::Unreadable) {
        disk.die();
    }
    let path = disk.files[&(file as usize)].path.clone();
    disk.unsynced.remove(&path);
    ffi::SQLITE_OK
}

unsafe fn len(handle: &Handle, file: *mut ffi::sqlite3_file) -> u64 {
    let mut len = 0;
    let size = handle.inner.xFileSize.expect("a file has a size");
    assert_eq!(unsafe { size(file, &mut len) }, ffi::SQLITE_OK);
    len as u64
}

/// The bytes from `from` to `to`, which are in the file.
unsafe fn content(handle: &Handle, file: *mut ffi::sqlite3_file, from: u64, to: u64) -> Vec<u8> {
    let mut bytes = vec![0; to.saturating_sub(from) as usize];
    if !bytes.is_empty() {
        let read = handle.inner.xRead.expect("a file is read");
        let count = bytes.len() as c_int;
        let done = unsafe { read(file, bytes.as_mut_ptr().cast(), count, from as i64) };
        assert_eq!(done, ffi::SQLITE_OK);
    }
    bytes
}

impl Disk {
    /// Leaves the files as the failure leaves them, and ends the process.
    fn die(&mut self) -> ! {
        if self.failure != Failure::Killed {
            let mut chance = match self.failure {
                Failure::Torn(seed) => Some(Chance(seed ^ (self.at << 32) | 1)),
                _ => None,
            };
            for (path, changes) in &self.unsynced {
                let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else {
                    continue;
                };
                changes.iter().rev().for_each(|change| undo(&file, change).expect("undo"));
                if let Some(chance) = &mut chance {
                    for change in changes {
                        redo_perhaps(&file, change, chance).expect("redo");
                    }
                }
            }
        }
        // No destructor runs and nothing is flushed: the end of a killed process.
        std::process::abort()
    }
}

fn undo(file: &File, change: &Change) -> std::io::Result<()> {
    match change {
        Change::Write { at, old, old_len, .. } => {
            file.write_all_at(old, *at)?;
            file.set_len(*old_len)
        }
        Change::Truncate { new_len, tail } => file.write_all_at(tail, *new_len),
    }
}

fn redo_perhaps(file: &File, change: &Change, chance: &mut Chance) -> std::io::Result<()> {
    match change {
        Change::Write { at, new, .. } => {
            let half = (new.len() / 2).next_multiple_of(SECTOR_BYTES).min(new.len());
            match chance.of(4) {
                0 => Ok(()),
                1 => file.write_all_at(&new[..half], *at),
                2 => file.write_all_at(&new[half..], *at + half as u64),
                _ => file.write_all_at(new, *at),
            }
        }
        Change::Truncate { new_len, .. } if chance.of(2) == 0 => {
            file.set_len(file.metadata()?.len().min(*new_len))
        }
        Change::Truncate { .. } => Ok(()),
    }
}

/// A small source of chance (xorshift), the same for the same seed.
struct Chance(u64);

impl Chance {
    fn of(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) % n
    }
}
