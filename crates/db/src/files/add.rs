//! Files on their way in: one, or a tree of them.
//!
//! A thread of its own cuts, hashes and writes, so that no task waits for the disk. Until [`FileAdd::finish`] nobody sees anything of them,
//! and an add that is dropped leaves nothing.

use super::feed::Feed;
use super::{Files, of_block};
use crate::error::Error;
use crate::limits::FILE_NAME_BYTES_MAX;
use bytes::Bytes;
use optimusdb_dag::Cid;
use optimusdb_dag::unixfs::{FileWriter, Profile, TreeWriter, Written};
use optimusdb_storage::Adding;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// One of the files of a directory that was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddedFile {
    /// Its relative path.
    pub name: String,
    /// Its address.
    pub cid: String,
    /// Its bytes.
    pub size: u64,
}

/// What was added, and is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedFiles {
    /// The address of the file, or of the directory with all files.
    pub cid: Cid,
    /// Bytes of all files.
    pub size: u64,
    /// The files that came with names, in their order.
    pub files: Vec<AddedFile>,
}

/// Files that are being added.
#[derive(Debug)]
pub struct FileAdd {
    feed: Feed<FileStep, AddedFiles>,
    files: Arc<Files>,
}

#[derive(Debug)]
enum FileStep {
    /// What comes next is a file of this relative path.
    Begin(String),
    Bytes(Bytes),
    /// Everything came; the pin is called so.
    Finish {
        name: String,
        now_ms: u64,
    },
}

impl FileAdd {
    /// Begins an add.
    pub(crate) fn start(files: &Arc<Files>, profile: Profile) -> Result<FileAdd, Error> {
        let turn = Files::turn(&files.adds, "added")?;
        let cutting =
            Cutting { adding: files.blocks.add(), files: Arc::clone(files), profile, _turn: turn };
        let feed = Feed::start(move |steps| cutting.run(steps))?;
        Ok(FileAdd { feed, files: Arc::clone(files) })
    }

    /// What comes next is a file of this relative path. An add without any is of one file.
    ///
    /// # Errors
    /// What went wrong so far.
    pub async fn begin(&mut self, path: String) -> Result<(), Error> {
        self.feed.send(FileStep::Begin(path)).await
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// What went wrong so far: the disk is full, the path before it was refused.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.feed.send(FileStep::Bytes(bytes)).await
    }

    /// Ends the add: everything is on the disk and pinned under `name` when this returns.
    ///
    /// # Errors
    /// What went wrong; nothing is left of it then.
    pub async fn finish(self, name: String, now_ms: u64) -> Result<AddedFiles, Error> {
        let name = shortened(name);
        let added = self.feed.finish(FileStep::Finish { name, now_ms }).await?;
        self.files.told(std::slice::from_ref(&added.cid));
        self.files.provide(added.cid.clone(), true).await;
        Ok(added)
    }
}

/// As much of a name as a pin bears.
fn shortened(mut name: String) -> String {
    let mut end = FILE_NAME_BYTES_MAX.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    name
}

/// What the thread does.
struct Cutting {
    adding: Adding,
    files: Arc<Files>,
    profile: Profile,
    _turn: OwnedSemaphorePermit,
}

/// The parts that came, and the one that is coming.
struct Parts {
    tree: TreeWriter,
    files: Vec<AddedFile>,
    /// The last one that is whole.
    last: Option<Written>,
    coming: Option<(String, FileWriter)>,
}

impl Cutting {
    /// Nothing when who sent the bytes hung up before the end.
    fn run(mut self, mut steps: mpsc::Receiver<FileStep>) -> Result<Option<AddedFiles>, Error> {
        let mut parts =
            Parts { tree: TreeWriter::default(), files: Vec::new(), last: None, coming: None };
        while let Some(step) = steps.blocking_recv() {
            match step {
                FileStep::Begin(path) => {
                    self.end_part(&mut parts)?;
                    parts.coming = Some((path, FileWriter::new(self.profile)));
                }
                FileStep::Bytes(bytes) => {
                    let profile = self.profile;
                    let (_, file) = parts
                        .coming
                        .get_or_insert_with(|| (String::new(), FileWriter::new(profile)));
                    let mut put = put(&self.files, &mut self.adding);
                    file.write(&bytes, &mut put).map_err(Failed::into_error)?;
                }
                FileStep::Finish { name, now_ms } => {
                    return self.finish(parts, &name, now_ms).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn end_part(&mut self, parts: &mut Parts) -> Result<(), Error> {
        let Some((path, file)) = parts.coming.take() else { return Ok(()) };
        let mut put = put(&self.files, &mut self.adding);
        let written = file.finish(&mut put).map_err(Failed::into_error)?;
        if !path.is_empty() {
            parts.tree.add(&path, &written).map_err(of_block)?;
            let (cid, size) = (written.cid.to_string(), written.size);
            parts.files.push(AddedFile { name: path, cid, size });
        }
        parts.last = Some(written);
        Ok(())
    }

    fn finish(mut self, mut parts: Parts, name: &str, now_ms: u64) -> Result<AddedFiles, Error> {
        if parts.coming.is_none() && parts.last.is_none() {
            // No bytes at all are a file, too.
            parts.coming = Some((String::new(), FileWriter::new(self.profile)));
        }
        self.end_part(&mut parts)?;
        let size = parts.files.iter().map(|file| file.size).sum();
        let alone = matches!(parts.files.as_slice(), [] | [_])
            && parts.files.iter().all(|file| !file.name.contains('/'));
        let (cid, size) = match parts.last {
            Some(file) if alone => (file.cid, file.size),
            _ => {
                let mut put = put(&self.files, &mut self.adding);
                let root = parts.tree.finish(self.profile, &mut put).map_err(Failed::into_error)?;
                (root.cid, size)
            }
        };
        self.adding.finish(std::slice::from_ref(&cid), name, now_ms)?;
        Ok(AddedFiles { cid, size, files: parts.files })
    }
}

/// Why a block was not taken: what `dag` says of it, or the disk.
pub(super) enum Failed {
    Block(optimusdb_dag::Error),
    Disk(optimusdb_storage::Error),
}

impl From<optimusdb_dag::Error> for Failed {
    fn from(error: optimusdb_dag::Error) -> Failed {
        Failed::Block(error)
    }
}

impl Failed {
    pub(super) fn into_error(self) -> Error {
        match self {
            Failed::Block(error) => of_block(error),
            Failed::Disk(error) => error.into(),
        }
    }
}

/// Where blocks go. When there is no room for one, what nobody wants is removed first.
pub(super) fn put<'a>(
    files: &'a Files,
    adding: &'a mut Adding,
) -> impl FnMut(&Cid, &[u8]) -> Result<(), Failed> + 'a {
    |cid, block| {
        let put = match adding.put(cid, block) {
            Err(optimusdb_storage::Error::NoRoom { .. }) if files.sweeper.now(&files.blocks) => {
                adding.put(cid, block)
            }
            put => put,
        };
        put.map_err(Failed::Disk)
    }
}
