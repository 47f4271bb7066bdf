//! Saving what was fetched for the user: under the download directory, never outside it.
//!
//! Names come from strangers. Each is one plain name of a file; what is there under it is replaced
//! by a rename, so a symbolic link is replaced and not followed, and no half of a file is ever seen.

use super::transfers::{Running, TransferReason, Transfers};
use super::{Files, FoundFile, Located, Reach, off_task};
use crate::error::Error;
use crate::limits::{FILE_FIND_MS_MAX, FILE_READ_MS_MAX, SAVED_FILES_MAX};
use optimusdb_dag::Cid;
use optimusdb_dag::unixfs::Content;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl Files {
    /// Saves what a path leads to, and answers where it is. What takes longer than `time` goes on, as a transfer
    /// that is shown; what is not found by then does not.
    pub(crate) async fn save(
        self: &Arc<Self>,
        root: Cid,
        path: &str,
        time: Duration,
    ) -> Result<PathBuf, Error> {
        let (files, path) = (Arc::clone(self), path.to_owned());
        let turn = Files::turn(&self.saves, "saved")?;
        let begun = Instant::now();
        let saving = tokio::spawn(async move {
            let _turn = turn;
            let (cid, why) = (root.clone(), TransferReason::Get);
            let running = Transfers::begin(&files.transfers, cid, path.clone(), why, 0);
            let saved = save(&files, root, &path, &running).await;
            if let (Err(error), true) = (&saved, begun.elapsed() >= time) {
                tracing::warn!("{} was not saved: {error}", running.progress());
            }
            saved
        });
        match tokio::time::timeout(time, saving).await {
            Ok(saved) => saved.map_err(|e| Error::Internal(format!("saving a file: {e}")))?,
            Err(_) => Err(Error::TimedOut(format!(
                "it is not all saved after {} ms; that goes on, and GET /transfers shows how far it is",
                time.as_millis()
            ))),
        }
    }
}

async fn save(
    files: &Arc<Files>,
    root: Cid,
    path: &str,
    running: &Running,
) -> Result<PathBuf, Error> {
    let name = path.rsplit('/').find(|name| !name.is_empty());
    let name = name.map_or_else(|| root.to_string(), str::to_owned);
    let directory = files.download_dir.clone();
    fs_step(directory.clone(), |directory| fs::create_dir_all(directory)).await?;
    let target = directory.join(plain_name(&name)?);
    // Directories are gone through without recursion.
    let mut waiting = vec![(root, path.to_owned(), target.clone())];
    let mut saved = 0;
    while let Some((root, path, target)) = waiting.pop() {
        saved += 1;
        if saved > SAVED_FILES_MAX {
            return Err(Error::TooLarge(format!(
                "the directory holds more than {SAVED_FILES_MAX} files; {SAVED_FILES_MAX} of them are saved"
            )));
        }
        let deadline = Instant::now() + Duration::from_millis(FILE_FIND_MS_MAX);
        let found = Located::find(files, root, &path, Reach::Peers, deadline).await?.into_file()?;
        match found.content {
            Content::File(size) => save_file(found, size, target, running).await?,
            Content::Directory => {
                fs_step(target.clone(), make_directory).await?;
                for entry in found.list(deadline).await? {
                    waiting.push((entry.cid, String::new(), target.join(plain_name(&entry.name)?)));
                }
            }
            Content::Symlink(_) => {
                return Err(Error::Invalid(
                    "it is a symbolic link, and those are not saved".into(),
                ));
            }
        }
    }
    Ok(target)
}

/// A name that is one file in its directory, and nothing else.
fn plain_name(name: &str) -> Result<&str, Error> {
    let plain = !matches!(name, "" | "." | "..")
        && !name.contains(['/', '\\', '\0', ':'])
        && name.len() <= optimusdb_dag::limits::NAME_BYTES_MAX;
    if plain {
        return Ok(name);
    }
    let shown: String = name.chars().take(80).collect();
    Err(Error::Invalid(format!("{shown:?} cannot be the name of a file here")))
}

/// A name for a file that is not whole yet. Nobody else has it, neither who saves the same beside it nor a file
/// that is saved.
fn part_name() -> Result<String, Error> {
    let random = getrandom::u64();
    let random =
        random.map_err(|e| Error::Internal(format!("the system gave no randomness: {e}")))?;
    Ok(format!(".{random:016x}.part"))
}

async fn fs_step(
    path: PathBuf,
    step: impl FnOnce(&Path) -> std::io::Result<()> + Send + 'static,
) -> Result<(), Error> {
    off_task(move || step(&path).map_err(|e| disk(&path, &e))).await
}

fn disk(path: &Path, error: &std::io::Error) -> Error {
    let text = format!("cannot save {}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::Unavailable(text),
        _ => Error::Denied(text),
    }
}

fn make_directory(path: &Path) -> std::io::Result<()> {
    match fs::create_dir(path) {
        // A link to a directory is none.
        Err(e) if e.kind() == ErrorKind::AlreadyExists && fs::symlink_metadata(path)?.is_dir() => {
            Ok(())
        }
        made => made,
    }
}

async fn save_file(
    found: FoundFile,
    size: u64,
    target: PathBuf,
    running: &Running,
) -> Result<(), Error> {
    let part = Part(target.with_file_name(part_name()?));
    let path = part.0.clone();
    let mut file = off_task(move || {
        let opened = OpenOptions::new().create_new(true).write(true).open(&path);
        opened.map_err(|e| disk(&path, &e))
    })
    .await?;
    let saving = async {
        let mut stream = found.read(size, 0..u64::MAX);
        while let Some(bytes) = stream.next().await? {
            running.here(bytes.len() as u64);
            let path = part.0.clone();
            file = off_task(move || write(file, &bytes).map_err(|e| disk(&path, &e))).await?;
        }
        let (from, to) = (part.0.clone(), target.clone());
        fs_step(target.clone(), move |_| {
            file.sync_all()?;
            fs::rename(&from, &to)
        })
        .await
    };
    let time = Duration::from_millis(FILE_READ_MS_MAX);
    tokio::time::timeout(time, saving).await.map_err(|_| {
        Error::TimedOut(format!("the file was not saved within {FILE_READ_MS_MAX} ms"))
    })?
}

fn write(mut file: File, bytes: &[u8]) -> std::io::Result<File> {
    file.write_all(bytes).map(|()| file)
}

/// A file that is not whole yet; removed when it does not become whole.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Once it is renamed there is none.
        let _ = fs::remove_file(&self.0);
    }
}
