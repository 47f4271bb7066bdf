//! Directories inside directories, gathered from relative paths.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::directory::{Child, write_directory};
use super::profile::Profile;
use super::resolve::path_segments;
use super::write::Written;
use crate::limits::{NAME_BYTES_MAX, TREE_FILES_MAX};
use crate::{Cid, Error};

/// A directory that is being gathered. It holds names and addresses, never bytes of files.
#[derive(Debug, Default)]
pub struct TreeWriter {
    root: BTreeMap<String, Branch>,
    files: usize,
}

#[derive(Debug)]
enum Branch {
    File(Child),
    Directory(BTreeMap<String, Branch>),
}

impl TreeWriter {
    /// Puts a file at a relative path.
    ///
    /// # Errors
    /// [`Error::FilePath`] for a path that is absolute, empty or leads upwards, or where something
    /// is already; [`Error::FilesTooLarge`] beyond the limits.
    pub fn add(&mut self, path: &str, file: &Written) -> Result<(), Error> {
        let wrong = |why| Err(Error::FilePath(path.chars().take(80).collect(), why));
        let mut names = checked(path)?;
        self.files += 1;
        if self.files > TREE_FILES_MAX {
            return Err(Error::FilesTooLarge("more than 262,144 files in one directory tree"));
        }
        let Some(last) = names.pop() else { return wrong("it is empty") };
        let mut directory = &mut self.root;
        for name in names {
            let branch =
                directory.entry(name).or_insert_with(|| Branch::Directory(BTreeMap::new()));
            match branch {
                Branch::Directory(below) => directory = below,
                Branch::File(_) => return wrong("a part of it is a file already"),
            }
        }
        let child = Child { cid: file.cid.clone(), blocks_bytes: file.blocks_bytes };
        match directory.entry(last) {
            Entry::Occupied(_) => wrong("it is there twice"),
            Entry::Vacant(place) => {
                place.insert(Branch::File(child));
                Ok(())
            }
        }
    }

    /// Writes all directories, the root last.
    ///
    /// # Errors
    /// What `put` fails with.
    pub fn finish<E: From<Error>>(
        self,
        profile: Profile,
        put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
    ) -> Result<Written, E> {
        write_branches(profile, self.root, put)
    }
}

/// The names of a relative path.
///
/// # Errors
/// As [`TreeWriter::add`].
fn checked(path: &str) -> Result<Vec<String>, Error> {
    let wrong = |why| Err(Error::FilePath(path.chars().take(80).collect(), why));
    if path.starts_with('/') {
        return wrong("it is absolute");
    }
    let names = path_segments(path)?;
    if path.split('/').count() != names.len() {
        return wrong("a part of it is empty");
    }
    for name in &names {
        if name == "." || name == ".." {
            return wrong("it holds '.' or '..'");
        }
        if name.contains(['\0', '\\']) {
            return wrong("a name holds a zero byte or a backslash");
        }
        if name.len() > NAME_BYTES_MAX {
            return wrong("a name has more than 255 bytes");
        }
    }
    Ok(names)
}

/// No deeper than the segments of a path.
fn write_branches<E: From<Error>>(
    profile: Profile,
    branches: BTreeMap<String, Branch>,
    put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
) -> Result<Written, E> {
    let mut children = BTreeMap::new();
    for (name, branch) in branches {
        let child = match branch {
            Branch::File(child) => child,
            Branch::Directory(below) => {
                let written = write_branches(profile, below, put)?;
                Child { cid: written.cid, blocks_bytes: written.blocks_bytes }
            }
        };
        children.insert(name, child);
    }
    write_directory(profile, children, put)
}
