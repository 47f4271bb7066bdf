//! The disk below the figures: what it takes by itself, and what a repository takes of it.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Bench;

/// Writes that the disk is asked to keep, to know its pace.
const SYNC_ROUNDS: usize = 200;
/// Size of a block that the file system counts in.
const BLOCK_BYTES: u64 = 512;

/// One line about the machine: its cores, how busy they are, and the median time of a small synced
/// write.
///
/// # Errors
/// When the scratch directory cannot be written.
pub(super) fn describe(bench: &Bench<'_>) -> Result<String> {
    let path = bench.scratch.path("sync");
    let mut file =
        File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    let mut taken: Vec<Duration> = Vec::with_capacity(SYNC_ROUNDS);
    for _ in 0..SYNC_ROUNDS {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        taken.push(started.elapsed());
    }
    taken.sort();
    let busy = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Ok(format!(
        "{} cores, shared by node and load; {} busy in the minute before; a synced write of 4 KiB takes {} us\n",
        available_parallelism()?,
        busy.split(' ').next().unwrap_or("?"),
        taken[SYNC_ROUNDS / 2].as_micros(),
    ))
}

/// What the files below `directory` occupy on disk, in bytes.
///
/// # Errors
/// When a directory cannot be read.
pub(super) fn occupied_bytes(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                pending.push(entry.path());
            } else {
                bytes += metadata.blocks() * BLOCK_BYTES;
            }
        }
    }
    Ok(bytes)
}
