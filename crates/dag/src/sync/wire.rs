//! Messages as bytes: `docs/format-sync.md`, section 2.
//!
//! Readers accept exactly what writers produce, so a message has one form. Every number is checked
//! before anything is made as large as it says.

use super::{Ask, Cell, Declined, Id, Reply, Request, Span, Summary};
use crate::limits::{
    CLOCK_TICKS_MAX, ENTRY_BYTES_MAX, IDENTITY_BYTES_MAX, SYNC_CELLS_MAX, SYNC_CHILD_CELLS_MAX,
    SYNC_ENTRIES_MAX, SYNC_IDS_MAX, SYNC_REPLY_BYTES_MAX, SYNC_REQUEST_BYTES_MAX, SYNC_SPANS_MAX,
};
use crate::{Address, Error, LogCid, varint};

const OPEN: u8 = 1;
const CHILDREN: u8 = 2;
const IDS: u8 = 3;
const RANGE: u8 = 4;
const BLOCKS: u8 = 5;

const ROOT: u8 = 1;
const CHILDREN_OF: u8 = 2;
const IDS_IN: u8 = 3;
const BLOCKS_OF: u8 = 4;
const DECLINED: u8 = 5;

impl Request {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let sort = match &self.ask {
            Ask::Open { .. } => OPEN,
            Ask::Children(_) => CHILDREN,
            Ask::Ids { .. } => IDS,
            Ask::Range { .. } => RANGE,
            Ask::Blocks(_) => BLOCKS,
        };
        let mut out = vec![sort];
        out.extend_from_slice(self.log.manifest().digest());
        match &self.ask {
            Ask::Open { version } => varint::put(&mut out, *version),
            Ask::Children(cells) => {
                varint::put(&mut out, cells.len() as u64);
                for cell in cells {
                    out.push(cell.level());
                    varint::put(&mut out, cell.index());
                }
            }
            Ask::Ids { spans, after } => {
                varint::put(&mut out, spans.len() as u64);
                let mut end = 0;
                for span in spans {
                    end = put_span(&mut out, *span, end);
                }
                put_after(&mut out, after.as_ref());
            }
            Ask::Range { span, after } => {
                put_span(&mut out, *span, 0);
                put_after(&mut out, after.as_ref());
            }
            Ask::Blocks(cids) => {
                varint::put(&mut out, cids.len() as u64);
                for cid in cids {
                    out.extend_from_slice(cid.digest());
                }
            }
        }
        out
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`Error::BlockTooLarge`], [`Error::Truncated`], [`Error::Trailing`], [`Error::NotMinimal`],
    /// or [`Error::SyncMessage`] with the rule.
    pub fn decode(bytes: &[u8]) -> Result<Request, Error> {
        crate::check_size("sync request", bytes.len(), SYNC_REQUEST_BYTES_MAX)?;
        let mut from = Cursor(bytes);
        let sort = from.byte()?;
        let log = Address::of_manifest(from.cid()?);
        let ask = match sort {
            OPEN => Ask::Open { version: from.varint()? },
            CHILDREN => Ask::Children(from.cells()?),
            IDS => {
                let n = from.number(1, SYNC_SPANS_MAX, "number of ranges")?;
                let mut spans = Vec::with_capacity(n);
                let mut end = 0;
                for _ in 0..n {
                    let span = from.span(end)?;
                    end = span.until;
                    spans.push(span);
                }
                let after = from.after(spans[0])?;
                Ask::Ids { spans, after }
            }
            RANGE => {
                let span = from.span(0)?;
                Ask::Range { span, after: from.after(span)? }
            }
            BLOCKS => {
                let n = from.number(1, SYNC_ENTRIES_MAX, "number of blocks")?;
                Ask::Blocks((0..n).map(|_| from.cid()).collect::<Result<_, _>>()?)
            }
            _ => return Err(Error::SyncMessage("unknown sort of request")),
        };
        from.end()?;
        Ok(Request { log, ask })
    }
}

impl Reply {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Reply::Root { newest, summary } => {
                let mut out = vec![ROOT];
                varint::put(&mut out, newest.unwrap_or(0));
                if newest.is_some() {
                    put_summary(&mut out, summary);
                }
                out
            }
            Reply::Children(cells) => {
                let mut out = vec![CHILDREN_OF];
                varint::put(&mut out, cells.len() as u64);
                for children in cells {
                    varint::put(&mut out, children.len() as u64);
                    for (slot, summary) in children {
                        out.push(*slot);
                        put_summary(&mut out, summary);
                    }
                }
                out
            }
            Reply::Ids { ids, more } => {
                let mut out = vec![IDS_IN];
                varint::put(&mut out, ids.len() as u64);
                let mut before = 0;
                for id in ids {
                    varint::put(&mut out, id.time.wrapping_sub(before));
                    out.extend_from_slice(id.cid.digest());
                    before = id.time;
                }
                out.push(u8::from(*more));
                out
            }
            Reply::Blocks { entries, identities, more } => {
                let bytes: usize = entries.iter().chain(identities).map(|b| b.len() + 3).sum();
                let mut out = Vec::with_capacity(bytes + 8);
                out.push(BLOCKS_OF);
                for blocks in [entries, identities] {
                    varint::put(&mut out, blocks.len() as u64);
                    for block in blocks {
                        varint::put(&mut out, block.len() as u64);
                        out.extend_from_slice(block);
                    }
                }
                out.push(u8::from(*more));
                out
            }
            Reply::Declined(why) => vec![DECLINED, why.code()],
        }
    }

    /// Reads a reply.
    ///
    /// # Errors
    /// As [`Request::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Reply, Error> {
        crate::check_size("sync reply", bytes.len(), SYNC_REPLY_BYTES_MAX)?;
        let mut from = Cursor(bytes);
        let reply = match from.byte()? {
            ROOT => match from.time()? {
                0 => Reply::Root { newest: None, summary: Summary::EMPTY },
                newest => Reply::Root { newest: Some(newest), summary: from.summary()? },
            },
            CHILDREN_OF => {
                let n = from.number(0, SYNC_CELLS_MAX, "number of cells")?;
                Reply::Children((0..n).map(|_| from.children()).collect::<Result<_, _>>()?)
            }
            IDS_IN => {
                let ids = from.ids()?;
                Reply::Ids { ids, more: from.more()? }
            }
            BLOCKS_OF => {
                let entries = from.blocks(SYNC_ENTRIES_MAX, ENTRY_BYTES_MAX)?;
                let identities = from.blocks(entries.len(), IDENTITY_BYTES_MAX)?;
                Reply::Blocks { entries, identities, more: from.more()? }
            }
            DECLINED => Reply::Declined(Declined::of_code(from.byte()?)?),
            _ => return Err(Error::SyncMessage("unknown sort of reply")),
        };
        from.end()?;
        Ok(reply)
    }
}

impl Declined {
    fn code(self) -> u8 {
        match self {
            Declined::Unknown => 1,
            Declined::Busy => 2,
            Declined::Version => 3,
            Declined::Malformed => 4,
        }
    }

    fn of_code(code: u8) -> Result<Declined, Error> {
        [Declined::Unknown, Declined::Busy, Declined::Version, Declined::Malformed]
            .into_iter()
            .find(|why| why.code() == code)
            .ok_or(Error::SyncMessage("unknown reason"))
    }
}

/// Writes a range as seen from the end of the one before, and gives its own end.
fn put_span(out: &mut Vec<u8>, span: Span, end: u64) -> u64 {
    varint::put(out, span.from.wrapping_sub(end));
    varint::put(out, span.until.wrapping_sub(span.from));
    span.until
}

fn put_after(out: &mut Vec<u8>, after: Option<&Id>) {
    out.push(u8::from(after.is_some()));
    if let Some(id) = after {
        varint::put(out, id.time);
        out.extend_from_slice(id.cid.digest());
    }
}

fn put_summary(out: &mut Vec<u8>, summary: &Summary) {
    varint::put(out, summary.count);
    out.extend_from_slice(&summary.hash);
}

/// What is left of a message.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    fn end(&self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Trailing) }
    }

    fn varint(&mut self) -> Result<u64, Error> {
        varint::take(&mut self.0)
    }

    fn number(&mut self, min: usize, max: usize, what: &'static str) -> Result<usize, Error> {
        let n = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if (min..=max).contains(&n) { Ok(n) } else { Err(Error::SyncMessage(what)) }
    }

    fn time(&mut self) -> Result<u64, Error> {
        let time = self.varint()?;
        if time <= CLOCK_TICKS_MAX { Ok(time) } else { Err(Error::ClockRange(time)) }
    }

    fn cid(&mut self) -> Result<LogCid, Error> {
        let digest = self.take(32)?.try_into().map_err(|_| Error::Truncated)?;
        Ok(LogCid::from_digest(digest))
    }

    fn more(&mut self) -> Result<bool, Error> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::SyncMessage("neither yes nor no")),
        }
    }

    fn summary(&mut self) -> Result<Summary, Error> {
        let count = self.varint()?;
        if !(1..=CLOCK_TICKS_MAX).contains(&count) {
            return Err(Error::SyncMessage("number of entries"));
        }
        Ok(Summary { count, hash: *self.cid()?.digest() })
    }

    fn cells(&mut self) -> Result<Vec<Cell>, Error> {
        let n = self.number(1, SYNC_CELLS_MAX, "number of cells")?;
        let mut cells = Vec::with_capacity(n);
        let mut end = 0;
        for _ in 0..n {
            let level = self.byte()?;
            let cell = Cell::new(level, self.varint()?)
                .filter(|cell| cell.level() > 0)
                .ok_or(Error::SyncMessage("there is no such cell, or it has no children"))?;
            if cell.span().from < end {
                return Err(Error::SyncMessage("cells are out of order"));
            }
            end = cell.span().until;
            cells.push(cell);
        }
        Ok(cells)
    }

    /// A range that begins at `end` or later.
    fn span(&mut self, end: u64) -> Result<Span, Error> {
        const BEYOND: Error = Error::SyncMessage("a range ends beyond the last time");
        let from = end.checked_add(self.varint()?).ok_or(BEYOND)?;
        let ticks = self.varint()?;
        if ticks == 0 {
            return Err(Error::SyncMessage("an empty range"));
        }
        let until = from.checked_add(ticks).filter(|end| *end <= CLOCK_TICKS_MAX + 1);
        Ok(Span { from, until: until.ok_or(BEYOND)? })
    }

    fn after(&mut self, first: Span) -> Result<Option<Id>, Error> {
        if !self.more()? {
            return Ok(None);
        }
        let id = Id { time: self.time()?, cid: self.cid()? };
        if first.contains(id.time) {
            Ok(Some(id))
        } else {
            Err(Error::SyncMessage("to go on after an id beyond the range"))
        }
    }

    fn children(&mut self) -> Result<Vec<(u8, Summary)>, Error> {
        let n = self.number(0, SYNC_CHILD_CELLS_MAX as usize, "number of children")?;
        let mut children: Vec<(u8, Summary)> = Vec::with_capacity(n);
        for _ in 0..n {
            let slot = self.byte()?;
            let ascends = children.last().is_none_or(|(before, _)| *before < slot);
            if !ascends || u64::from(slot) >= SYNC_CHILD_CELLS_MAX {
                return Err(Error::SyncMessage("children are out of order"));
            }
            children.push((slot, self.summary()?));
        }
        Ok(children)
    }

    fn ids(&mut self) -> Result<Vec<Id>, Error> {
        let n = self.number(0, SYNC_IDS_MAX, "number of ids")?;
        let mut ids: Vec<Id> = Vec::with_capacity(n);
        let mut time = 0u64;
        for _ in 0..n {
            let gap = self.varint()?;
            time = time
                .checked_add(gap)
                .filter(|time| *time <= CLOCK_TICKS_MAX)
                .ok_or(Error::ClockRange(time))?;
            let id = Id { time, cid: self.cid()? };
            if ids.last().is_some_and(|before| *before >= id) {
                return Err(Error::SyncMessage("ids are out of order"));
            }
            ids.push(id);
        }
        Ok(ids)
    }

    fn blocks(&mut self, blocks_max: usize, bytes_max: usize) -> Result<Vec<Vec<u8>>, Error> {
        let n = self.number(0, blocks_max, "number of blocks")?;
        // A block takes at least the byte of its length, so this is no more than was received.
        let mut blocks = Vec::with_capacity(n.min(self.0.len()));
        for _ in 0..n {
            let bytes = self.number(1, bytes_max, "bytes of a block")?;
            blocks.push(self.take(bytes)?.to_vec());
        }
        Ok(blocks)
    }
}
