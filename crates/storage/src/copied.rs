//! Whether a key file is the one that this node made, or a copy of it.
//!
//! Two hosts with one key are one peer to everybody else, who then speaks to one of them at a time
//! and takes the other for unreachable, so a directory that was copied must not run with the host
//! key of the original. Where a key lies is noted beside it: the number of its inode, and when that
//! was last changed. A copy has both anew. After a move within the file system, a change of mode or
//! a new mount at most one of them has changed.

use crate::error::Error;
use crate::repo::{Repo, write_atomically};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Which file it is, as far as copies can be told by it.
#[derive(Debug, PartialEq, Eq)]
struct FileId {
    inode: u64,
    changed_ns: i128,
}

impl Repo {
    /// Puts the key file `name` aside, as `NAME.copied`, if it is a copy. True if it was one.
    ///
    /// A key that was never noted counts as the original.
    pub fn put_copied_key_aside(&self, name: &str) -> Result<bool, Error> {
        let path = self.key_path(name);
        let (Some(noted), Some(found)) = (self.noted_id(name)?, file_id(&path)?) else {
            return Ok(false);
        };
        let copied = noted.inode != found.inode && noted.changed_ns != found.changed_ns;
        if copied {
            let aside = self.key_path(&format!("{name}.copied"));
            fs::rename(&path, &aside).map_err(|e| Error::io("cannot put aside", &path, e))?;
        }
        Ok(copied)
    }

    /// Notes where the key file `name` lies, for [`Repo::put_copied_key_aside`] at the next start.
    pub fn note_key(&self, name: &str) -> Result<(), Error> {
        let found = file_id(&self.key_path(name))?;
        match found {
            Some(found) if self.noted_id(name)?.as_ref() != Some(&found) => {
                let text = format!("{} {}\n", found.inode, found.changed_ns);
                write_atomically(&self.place_path(name), text.as_bytes())
            }
            _ => Ok(()),
        }
    }

    /// None if there is no note, or none that can be read: a torn note accuses nobody.
    fn noted_id(&self, name: &str) -> Result<Option<FileId>, Error> {
        let path = self.place_path(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
                return Ok(None);
            }
            Err(e) => return Err(Error::io("cannot read", &path, e)),
        };
        Ok(text.trim().split_once(' ').and_then(|(inode, changed_ns)| {
            Some(FileId { inode: inode.parse().ok()?, changed_ns: changed_ns.parse().ok()? })
        }))
    }

    fn place_path(&self, name: &str) -> std::path::PathBuf {
        self.key_path(&format!("{name}.place"))
    }
}

/// The number of the inode that lies there; none if there is no such file, or the system does not say.
pub(crate) fn inode(path: &Path) -> Option<u64> {
    file_id(path).ok().flatten().map(|file| file.inode)
}

/// Which file lies there; none if there is no such file, or the system does not say.
#[cfg(unix)]
fn file_id(path: &Path) -> Result<Option<FileId>, Error> {
    use std::os::unix::fs::MetadataExt;
    match fs::metadata(path) {
        Ok(file) => {
            let changed_ns =
                i128::from(file.ctime()) * 1_000_000_000 + i128::from(file.ctime_nsec());
            Ok(Some(FileId { inode: file.ino(), changed_ns }))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("cannot look at", path, e)),
    }
}

#[cfg(not(unix))]
fn file_id(_: &Path) -> Result<Option<FileId>, Error> {
    Ok(None)
}
