//! The directory of a node: its lock, its format version, its key files.
//!
//! Everything that a node keeps lies under one directory, so that copying it while the node is
//! stopped is a backup. The lock is held as long as the [`Repo`] lives, and the system frees it when
//! the process ends, however it ends. What the keys mean is not known here: they are bytes.

use crate::error::Error;
use crate::limits::{FORMAT_VERSION, KEY_FILE_BYTES_MAX};
use std::cmp::Ordering;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// A data directory that this process owns.
#[derive(Debug)]
pub struct Repo {
    path: PathBuf,
    _lock: File,
}

impl Repo {
    /// Takes the directory `path`, making it if it does not exist.
    ///
    /// A directory of a newer format is refused before anything in it is touched, the lock file
    /// aside; an older one is migrated when the database opens.
    pub fn open(path: &Path) -> Result<Repo, Error> {
        make_private_dir(path)?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|e| Error::io("cannot open", &lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(path.to_owned())),
            Err(TryLockError::Error(e)) => return Err(Error::io("cannot lock", &lock_path, e)),
        }
        let repo = Repo { path: path.to_owned(), _lock: lock };
        repo.check_format()?;
        Ok(repo)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the main database.
    pub fn database_path(&self) -> PathBuf {
        self.path.join("optimusdb.sqlite")
    }

    /// The file of the journal, apart so that it never waits for documents.
    pub fn journal_path(&self) -> PathBuf {
        self.path.join("logs.sqlite")
    }

    /// The file of the users' own tables, apart so that nothing in it can harm what the node keeps.
    pub fn user_path(&self) -> PathBuf {
        self.path.join("user.sqlite")
    }

    /// Reads the key file `name`, or stores what `make` yields when there is none.
    ///
    /// Key files have mode 0600 and are complete or absent: they are written aside, synced and
    /// renamed.
    pub fn key_file<E: From<Error>>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let path = self.key_path(name);
        match File::open(&path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(KEY_FILE_BYTES_MAX + 1)
                    .read_to_end(&mut bytes)
                    .map_err(|e| Error::io("cannot read the key", &path, e))?;
                if bytes.len() as u64 > KEY_FILE_BYTES_MAX {
                    let what = format!("{} is too long for a key file", path.display());
                    return Err(Error::Corrupt(what).into());
                }
                Ok(bytes)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let bytes = make()?;
                make_private_dir(&self.path.join("keys"))?;
                write_atomically(&path, &bytes)?;
                Ok(bytes)
            }
            Err(e) => Err(Error::io("cannot open the key", &path, e).into()),
        }
    }

    /// Whether there is a key file `name`.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn has_key(&self, name: &str) -> Result<bool, Error> {
        let path = self.key_path(name);
        path.try_exists().map_err(|e| Error::io("cannot look at the key", &path, e))
    }

    /// Takes the key file `name` from everybody but its owner. Answers the mode that it had, if others
    /// could read or write it.
    ///
    /// # Errors
    /// When its mode cannot be read, or not be changed.
    pub fn close_key(&self, name: &str) -> Result<Option<u32>, Error> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let path = self.key_path(name);
            let mode = match fs::metadata(&path) {
                Ok(file) => file.permissions().mode() & 0o777,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(Error::io("cannot look at the key", &path, e)),
            };
            if mode & 0o077 != 0 {
                let private = fs::Permissions::from_mode(0o600);
                fs::set_permissions(&path, private).map_err(|e| {
                    Error::io("others can read, and this user cannot close, the key", &path, e)
                })?;
                return Ok(Some(mode));
            }
        }
        #[cfg(not(unix))]
        let _ = name;
        Ok(None)
    }

    pub(crate) fn key_path(&self, name: &str) -> PathBuf {
        self.path.join("keys").join(name)
    }

    fn check_format(&self) -> Result<(), Error> {
        let path = self.path.join("format");
        let found = match fs::read(&path) {
            Ok(bytes) => {
                str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok()).ok_or_else(
                    || Error::Corrupt(format!("{} does not hold a number", path.display())),
                )?
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
            Err(e) => return Err(Error::io("cannot read", &path, e)),
        };
        match found.cmp(&FORMAT_VERSION) {
            Ordering::Greater => {
                Err(Error::NewerFormat { path: self.path.clone(), found, known: FORMAT_VERSION })
            }
            Ordering::Equal => Ok(()),
            // Before the database is migrated: from now on older versions refuse the directory.
            Ordering::Less => write_atomically(&path, format!("{FORMAT_VERSION}\n").as_bytes()),
        }
    }
}

fn make_private_dir(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    let fail = |e| Error::io("cannot make the data directory", path, e);
    builder.create(path).map_err(fail)?;
    sync_parent(path).map_err(fail)
}

pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let aside = path.with_extension("new");
    let fail = |e| Error::io("cannot write", path, e);
    // What an interrupted write left may have another mode: it is not written to.
    match fs::remove_file(&aside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&aside).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    fs::rename(&aside, path).map_err(fail)?;
    sync_parent(path).map_err(fail)
}

/// A new name is durable once the directory that holds it is.
fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
