//! How much of a disk is free for this process.

use rustix::fs::statvfs;
use std::path::Path;

/// Free bytes of the file system that `path` is on; none where the system does not say.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let file_system = statvfs(path).ok()?;
    file_system.f_bavail.checked_mul(file_system.f_frsize)
}
