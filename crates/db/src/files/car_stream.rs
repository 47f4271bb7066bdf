//! A CAR on its way out, block by block.

use super::ahead::Ahead;
use super::fetch::Fetcher;
use super::held::Held;
use super::of_block;
use crate::error::Error;
use crate::limits::STREAM_PIECE_BYTES;
use bytes::{Bytes, BytesMut};
use optimusdb_dag::Cid;
use optimusdb_dag::car::{CarWalk, header, section};

/// Bytes of a CAR of version 1.
#[derive(Debug)]
pub struct CarStream {
    walk: CarWalk,
    ahead: Ahead,
    _held: Held,
    /// What is not handed over yet.
    piece: BytesMut,
}

impl CarStream {
    pub(super) fn new(root: Cid, walk: CarWalk, fetcher: Fetcher, held: Held) -> CarStream {
        let piece = BytesMut::from(header(&[root]).as_slice());
        CarStream { walk, ahead: Ahead::new(fetcher), _held: held, piece }
    }

    /// The next bytes; nothing at the end.
    ///
    /// # Errors
    /// A block that is missing or damaged. What was given before is right, and not all of it.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while self.piece.len() < STREAM_PIECE_BYTES {
            let Some(cid) = self.walk.wanted().cloned() else { break };
            let Some(block) = self.ahead.next(self.walk.upcoming()).await? else { break };
            if self.walk.take(&block).map_err(of_block)? {
                self.piece.extend_from_slice(&section(&cid, block.len()));
                self.piece.extend_from_slice(&block);
            }
        }
        let piece = self.piece.split().freeze();
        Ok((!piece.is_empty()).then_some(piece))
    }
}
