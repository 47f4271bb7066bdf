//! Reading a CAR as it comes.

use crate::cbor::Reader;
use crate::limits::{CAR_HEADER_BYTES_MAX, CAR_ROOTS_MAX, CAR_SECTION_BYTES_MAX};
use crate::limits::{FILE_BLOCK_BYTES_MAX, VARINT_BYTES_MAX};
use crate::{Cid, Error, Ipld, varint};

/// The first bytes of a CAR of version 2: a header of version 1 that says 2.
const PRAGMA: [u8; 11] = *b"\x0a\xa1gversion\x02";
/// Bytes of the header that follows it, and of those before which the blocks cannot begin.
const V2_HEADER_BYTES: usize = 40;
const V2_DATA_AT_MIN: u64 = (PRAGMA.len() + V2_HEADER_BYTES) as u64;

/// Takes a CAR apart.
#[derive(Debug)]
pub struct CarReader {
    /// What came and is not taken apart yet: less than a section.
    held: Vec<u8>,
    stage: CarStage,
    /// Bytes that belong to the blocks, where the header of version 2 says so.
    left: Option<u64>,
    version: u8,
    roots: Vec<Cid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CarStage {
    Header,
    V2Header,
    /// Bytes between the header of version 2 and the blocks.
    Skip(u64),
    Sections,
    /// Behind the blocks, where an index may be.
    Behind,
}

impl Default for CarReader {
    fn default() -> CarReader {
        CarReader {
            held: Vec::new(),
            stage: CarStage::Header,
            left: None,
            version: 1,
            roots: Vec::new(),
        }
    }
}

impl CarReader {
    /// Takes the next bytes of the stream and hands over the blocks that are whole, each with its
    /// address. A block of an identity hash is in its address, and is passed over.
    ///
    /// # Errors
    /// What is wrong with the stream: [`Error::Car`], [`Error::BlockMismatch`],
    /// [`Error::BlockTooLarge`] or what an address is refused for; and what `put` fails with.
    pub fn read<E: From<Error>>(
        &mut self,
        bytes: &[u8],
        put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut held = std::mem::take(&mut self.held);
        if held.is_empty() {
            let mut rest = bytes;
            while self.step(&mut rest, put)? {}
            held.extend_from_slice(rest);
        } else {
            held.extend_from_slice(bytes);
            let mut rest = held.as_slice();
            while self.step(&mut rest, put)? {}
            let taken = held.len() - rest.len();
            // Nothing is moved while a section grows, however small its pieces are.
            held.drain(..taken);
        }
        self.held = held;
        Ok(())
    }

    /// Ends the stream, and answers the roots as they were written.
    ///
    /// # Errors
    /// [`Error::Car`] when it breaks off in the middle.
    pub fn finish(self) -> Result<Vec<Cid>, Error> {
        let whole = match self.stage {
            CarStage::Sections => self.held.is_empty() && self.left.is_none_or(|left| left == 0),
            CarStage::Behind => true,
            _ => false,
        };
        if whole { Ok(self.roots) } else { Err(Error::Car("it breaks off in the middle")) }
    }

    /// Takes one piece off the front; false when it is not whole yet.
    fn step<E: From<Error>>(
        &mut self,
        rest: &mut &[u8],
        put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        match self.stage {
            CarStage::Header => Ok(self.header(rest)?),
            CarStage::V2Header => Ok(self.v2_header(rest)?),
            CarStage::Skip(left) => {
                let taken = left.min(rest.len() as u64);
                *rest = &rest[taken as usize..];
                self.stage =
                    if taken == left { CarStage::Header } else { CarStage::Skip(left - taken) };
                Ok(taken == left)
            }
            CarStage::Sections => {
                let Some(section) = self.piece(rest, CAR_SECTION_BYTES_MAX)? else {
                    return Ok(false);
                };
                if section.is_empty() {
                    return if self.stage == CarStage::Behind {
                        Ok(true)
                    } else {
                        Err(Error::Car("a section is empty").into())
                    };
                }
                let mut block = section;
                let cid = Cid::take(&mut block).map_err(E::from)?;
                crate::check_size("block of a CAR", block.len(), FILE_BLOCK_BYTES_MAX)?;
                if !cid.verifies(block) {
                    return Err(Error::BlockMismatch(cid.to_string()).into());
                }
                if !cid.is_identity() {
                    put(&cid, block)?;
                }
                Ok(true)
            }
            CarStage::Behind => {
                *rest = &[];
                Ok(false)
            }
        }
    }

    fn header(&mut self, rest: &mut &[u8]) -> Result<bool, Error> {
        let Some(header) = self.piece(rest, CAR_HEADER_BYTES_MAX)? else { return Ok(false) };
        if self.version == 1 && header == &PRAGMA[1..] {
            (self.version, self.stage) = (2, CarStage::V2Header);
            return Ok(true);
        }
        self.roots = roots_of(header)?;
        self.stage = CarStage::Sections;
        Ok(true)
    }

    fn v2_header(&mut self, rest: &mut &[u8]) -> Result<bool, Error> {
        let Some((header, after)) = rest.split_at_checked(V2_HEADER_BYTES) else {
            return Ok(false);
        };
        *rest = after;
        let number = |at: usize| {
            header[at..at + 8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let skipped = number(16).checked_sub(V2_DATA_AT_MIN);
        let skipped = skipped.ok_or(Error::Car("its blocks begin inside its header"))?;
        self.left = Some(number(24));
        self.stage = CarStage::Skip(skipped);
        Ok(true)
    }

    /// Takes what a length stands before; none when it is not whole yet. At the end of the blocks
    /// of version 2 it is empty.
    fn piece<'r>(
        &mut self,
        rest: &mut &'r [u8],
        bytes_max: usize,
    ) -> Result<Option<&'r [u8]>, Error> {
        if self.left == Some(0) && self.stage == CarStage::Sections {
            self.stage = CarStage::Behind;
            return Ok(Some(&[]));
        }
        let mut after = *rest;
        let length = match varint::take(&mut after) {
            Ok(length) => length,
            Err(Error::Truncated) if rest.len() < VARINT_BYTES_MAX => return Ok(None),
            Err(_) => return Err(Error::Car("a length is no number")),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= bytes_max);
        let length = length.ok_or(match self.stage {
            CarStage::Sections => Error::Car("a section is larger than a block may be"),
            _ => Error::Car("its header is too large, or it is something else"),
        })?;
        let Some((piece, after)) = after.split_at_checked(length) else { return Ok(None) };
        let taken = (rest.len() - after.len()) as u64;
        if let Some(left) = &mut self.left {
            let ends = Error::Car("a section reaches beyond the end of the blocks");
            *left = left.checked_sub(taken).ok_or(ends)?;
        }
        *rest = after;
        Ok(Some(piece))
    }
}

fn roots_of(header: &[u8]) -> Result<Vec<Cid>, Error> {
    let mut reader = Reader::new(header);
    let header = reader.value().ok().filter(|_| reader.end().is_ok());
    let Some(Ipld::Map(mut fields)) = header else {
        return Err(Error::Car("its header cannot be read"));
    };
    if fields.remove("version") != Some(Ipld::Integer(1)) {
        return Err(Error::Car("it is of a version other than 1 and 2"));
    }
    let Some(Ipld::List(roots)) = fields.remove("roots") else {
        return Err(Error::Car("its header has no list of roots"));
    };
    if !fields.is_empty() {
        return Err(Error::Car("its header has more than roots and a version"));
    }
    if roots.is_empty() || roots.len() > CAR_ROOTS_MAX {
        return Err(Error::Car("it has no root, or more than 1,024"));
    }
    let roots = roots.into_iter().map(|root| match root {
        Ipld::Link(root) => Cid::from_bytes(&root.to_bytes()),
        _ => Err(Error::Car("a root is no link")),
    });
    roots.collect()
}
