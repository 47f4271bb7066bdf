//! How many bytes blocks may take, and how many they take.
//!
//! Counted are the bytes of the blocks, also of those that are being added. On the disk they take up to
//! twice as much until a sweep has written thinned segments anew.

use crate::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct Room {
    used: AtomicU64,
    /// Absent when only the disk sets an end.
    bytes_max: Option<u64>,
}

/// What blocks take, and may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomFigures {
    /// Bytes of all blocks.
    pub used: u64,
    /// Bytes that they may take, if that was said.
    pub bytes_max: Option<u64>,
}

impl Room {
    pub(super) fn new(used: u64, bytes_max: Option<u64>) -> Room {
        Room { used: AtomicU64::new(used), bytes_max }
    }

    /// Takes room for a block.
    ///
    /// # Errors
    /// [`Error::NoRoom`] when there is none.
    pub(super) fn take(&self, bytes: u64) -> Result<(), Error> {
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            let sum = used.saturating_add(bytes);
            self.bytes_max.is_none_or(|most| sum <= most).then_some(sum)
        });
        match (taken, self.bytes_max) {
            (Err(used), Some(bytes_max)) => Err(Error::NoRoom { used, more: bytes, bytes_max }),
            _ => Ok(()),
        }
    }

    /// Gives back the room of blocks that are gone.
    pub(super) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn figures(&self) -> RoomFigures {
        RoomFigures { used: self.used.load(Ordering::Relaxed), bytes_max: self.bytes_max }
    }
}
