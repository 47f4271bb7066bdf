//! Which blocks a CAR has, in which order: depth first, a block before what it names.
//!
//! Whoever sends a CAR is told which block is wanted next, hands it in, and is told whether to send
//! it. First come the blocks on the way of a path, then what its end stands for. A block whose bytes
//! are in its address is read and never sent.

use std::collections::HashSet;

use crate::limits::{CAR_SENT_BLOCKS_MAX, CAR_WAITING_BLOCKS_MAX};
use crate::unixfs::{Content, FileReader, Lister, content_of, exact_links_of};
use crate::{Cid, Codec, Error};

/// How much of what is below the end of a path belongs to a CAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarScope {
    /// The one block.
    Block,
    /// A file, or what is needed to list a directory; of anything else the one block.
    Entity,
    /// These bytes of a file; of anything else as [`CarScope::Entity`].
    Bytes(EntityBytes),
    /// Everything.
    All,
}

/// A range of a file, both ends counted in it; negative ones count from behind the end of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityBytes {
    /// The first byte.
    pub from: i64,
    /// The last byte, or the file's.
    pub to: Option<i64>,
}

impl EntityBytes {
    /// The bytes of a file of this size that are in the range; empty where none is.
    pub fn within(self, size: u64) -> std::ops::Range<u64> {
        let place = |n: i64| match u64::try_from(n) {
            Ok(n) => Some(n),
            Err(_) => size.checked_sub(n.unsigned_abs()),
        };
        let start = place(self.from).unwrap_or(0);
        let end = match self.to {
            None => size,
            Some(to) => place(to).map_or(0, |to| to.saturating_add(1)).min(size),
        };
        start.min(end)..end
    }
}

/// Walks the blocks of a CAR.
#[derive(Debug)]
pub struct CarWalk {
    /// The blocks on the way, the next one last.
    way: Vec<Cid>,
    end: End,
    /// What was sent, where nothing is sent twice.
    sent: Option<HashSet<Sent>>,
}

/// What stands for a block that was sent: the kind of its address, and enough of its digest that
/// nobody finds another one.
type Sent = (Codec, [u8; 16]);

/// What is walked at the end of a path.
#[derive(Debug)]
enum End {
    /// What it is follows from its block.
    Unknown(Cid, CarScope),
    /// Blocks and everything below them, the next one last.
    All(Vec<Cid>),
    File(FileReader),
    Directory(Lister),
    Over,
}

impl CarWalk {
    /// The walk over the blocks of a way, its first one first, and what its end stands for. With
    /// `twice`, a block is sent as often as it is met.
    pub fn new(mut way: Vec<Cid>, end: Cid, scope: CarScope, twice: bool) -> CarWalk {
        way.reverse();
        CarWalk { way, end: End::Unknown(end, scope), sent: (!twice).then(HashSet::new) }
    }

    /// The block that is wanted next; none at the end.
    pub fn wanted(&self) -> Option<&Cid> {
        self.upcoming().next()
    }

    /// The blocks that are known to be wanted, in their order, the next one first.
    pub fn upcoming(&self) -> impl Iterator<Item = &Cid> {
        let (all, file, rest) = match &self.end {
            End::Unknown(cid, _) => (&[][..], None, Some(cid)),
            End::All(waiting) => (waiting.as_slice(), None, None),
            End::File(reader) => (&[][..], Some(reader.upcoming()), None),
            End::Directory(lister) => (&[][..], None, lister.wanted()),
            End::Over => (&[][..], None, None),
        };
        let below = all.iter().rev().chain(file.into_iter().flatten()).chain(rest);
        self.way.iter().rev().chain(below)
    }

    /// Takes the block that is wanted, and answers whether it is to be sent.
    ///
    /// # Errors
    /// [`Error::FilesTooLarge`] beyond the limits of a walk, and what is wrong with the block.
    pub fn take(&mut self, block: &[u8]) -> Result<bool, Error> {
        let Some(cid) = self.wanted().cloned() else { return Ok(false) };
        let sends = !cid.is_identity() && self.is_new(&cid)?;
        if self.way.pop().is_some() {
            return Ok(sends);
        }
        match &mut self.end {
            End::Unknown(_, scope) => {
                let scope = *scope;
                self.end = end_of(&cid, block, scope)?;
            }
            End::All(waiting) => {
                waiting.pop();
                let links = exact_links_of(cid.codec(), block)?;
                if waiting.len() + links.len() > CAR_WAITING_BLOCKS_MAX {
                    return Err(Error::FilesTooLarge(
                        "a CAR has more blocks beside one another than 131,072",
                    ));
                }
                waiting.extend(links.into_iter().rev());
            }
            End::File(reader) => {
                reader.take(block)?;
            }
            End::Directory(lister) => {
                lister.take(block)?;
            }
            End::Over => {}
        }
        self.pass_over_sent();
        Ok(sends)
    }

    /// Whether a block was not sent yet, which it then counts as.
    fn is_new(&mut self, cid: &Cid) -> Result<bool, Error> {
        let Some(sent) = &mut self.sent else { return Ok(true) };
        let is_new = sent.insert(sent_of(cid));
        if sent.len() > CAR_SENT_BLOCKS_MAX {
            return Err(Error::FilesTooLarge(
                "a CAR without duplicates has more than 262,144 blocks; with them (dups=y) it may",
            ));
        }
        Ok(is_new)
    }

    /// What was sent with all below it is not looked at again.
    fn pass_over_sent(&mut self) {
        if let (End::All(waiting), Some(sent)) = (&mut self.end, &self.sent) {
            let is_sent = |cid: &Cid| !cid.is_identity() && sent.contains(&sent_of(cid));
            while waiting.last().is_some_and(is_sent) {
                waiting.pop();
            }
        }
    }
}

/// The walk that goes on from the block at the end of a path.
fn end_of(cid: &Cid, block: &[u8], scope: CarScope) -> Result<End, Error> {
    let bytes = match scope {
        CarScope::Block => return Ok(End::Over),
        CarScope::All => {
            let links = exact_links_of(cid.codec(), block)?;
            return Ok(End::All(links.into_iter().rev().collect()));
        }
        CarScope::Entity => EntityBytes { from: 0, to: None },
        CarScope::Bytes(bytes) => bytes,
    };
    if !matches!(cid.codec(), Codec::RAW | Codec::DAG_PB) {
        return Ok(End::Over);
    }
    Ok(match content_of(cid, block) {
        Ok(Content::File(size)) => {
            let mut reader = FileReader::new(cid.clone(), size, bytes.within(size));
            if reader.wanted().is_some() {
                reader.take(block)?;
            }
            End::File(reader)
        }
        Ok(Content::Directory) => {
            let mut lister = Lister::new(cid.clone());
            lister.take(block)?;
            End::Directory(lister)
        }
        // A link, or what is no part of a file at all: the block says so to whoever reads it.
        Ok(Content::Symlink(_)) | Err(Error::UnixFs(_)) => End::Over,
        Err(error) => return Err(error),
    })
}

fn sent_of(cid: &Cid) -> Sent {
    let digest = cid.hash().digest();
    let mut known = [0; 16];
    let length = digest.len().min(known.len());
    known[..length].copy_from_slice(&digest[..length]);
    (cid.codec(), known)
}
