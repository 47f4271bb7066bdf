//! Blocks that were read lately, for others who want them now.
//!
//! What many read at once comes from the disk, and is hashed, once. A block stays for a moment only:
//! what is removed is gone soon, and damage on the disk is noticed.

use crate::limits::{RECENT_BLOCKS_BYTES_MAX, RECENT_MS_MAX};
use bytes::Bytes;
use optimusdb_dag::Cid;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Blocks in memory, the oldest of which makes room.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    blocks: HashMap<Cid, Bytes>,
    /// The blocks, with when they were read, the oldest first.
    order: VecDeque<(Cid, Instant)>,
    bytes: usize,
}

impl Recent {
    /// A block, if it was read lately.
    pub(super) fn get(&self, cid: &Cid) -> Option<Bytes> {
        let mut kept = self.kept();
        kept.forget_old();
        kept.blocks.get(cid).cloned()
    }

    /// A block was read, which hashes to its address.
    pub(super) fn put(&self, cid: Cid, block: Bytes) {
        let mut kept = self.kept();
        let bytes = block.len();
        if kept.blocks.insert(cid.clone(), block).is_some() {
            return;
        }
        kept.bytes += bytes;
        kept.order.push_back((cid, Instant::now()));
        while kept.bytes > RECENT_BLOCKS_BYTES_MAX {
            kept.forget_first();
        }
    }

    /// Something is not wanted any more.
    pub(super) fn clear(&self) {
        *self.kept() = Kept::default();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget_old(&mut self) {
        let lately = Duration::from_millis(RECENT_MS_MAX);
        while self.order.front().is_some_and(|(_, read)| read.elapsed() > lately) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((cid, _)) = self.order.pop_front()
            && let Some(block) = self.blocks.remove(&cid)
        {
            self.bytes -= block.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use optimusdb_dag::{Codec, HashCode};

    #[test]
    fn the_oldest_makes_room() {
        let recent = Recent::default();
        let block = Bytes::from(vec![0; RECENT_BLOCKS_BYTES_MAX / 4]);
        let cid = |n: u8| Cid::of(Codec::RAW, HashCode::Sha2_256, &[n]).unwrap();
        for n in 0..5 {
            recent.put(cid(n), block.clone());
            recent.put(cid(n), block.clone());
        }
        assert_eq!(recent.get(&cid(0)), None);
        assert!((1..5).all(|n| recent.get(&cid(n)).is_some()));
        recent.clear();
        assert_eq!(recent.get(&cid(4)), None);
    }
}
