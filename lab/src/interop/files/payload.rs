//! What is added on one side and read on the other: files whose bytes follow from their number.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Makes a file of `bytes` bytes, of no pattern that could be cut out.
pub(crate) fn make(path: PathBuf, number: u64, bytes: u64) -> Result<PathBuf> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    let mut writer = BufWriter::new(file);
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut left = bytes;
    while left > 0 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = state.to_le_bytes();
        let part = left.min(8);
        writer.write_all(&word[..usize::try_from(part)?])?;
        left -= part;
    }
    writer.flush()?;
    Ok(path)
}

/// Makes a directory of small files.
pub(super) fn make_directory(path: PathBuf, files: u64) -> Result<PathBuf> {
    fs::create_dir_all(&path)?;
    for number in 0..files {
        fs::write(path.join(name(number)), content(number))?;
    }
    Ok(path)
}

/// The name of a file in a directory.
pub(super) fn name(number: u64) -> String {
    format!("a file of number {number:06}.txt")
}

/// What is in it.
pub(super) fn content(number: u64) -> String {
    format!("this is number {number}\n")
}

/// Whether what was read is what was added.
pub(crate) fn compare(read: &[u8], added: &Path) -> Result<()> {
    let added = fs::read(added)?;
    ensure!(read.len() == added.len(), "{} bytes came of {}", read.len(), added.len());
    ensure!(read == added, "other bytes came than were added");
    Ok(())
}
