//! The side that answers. It remembers nothing of earlier requests.

use std::collections::BTreeSet;

use super::{Ask, Cell, Declined, Holding, Id, Reply, Request, Span, Tree, Unreadable};
use crate::entry::Glance;
use crate::limits::{SYNC_BLOCKS_BYTES_MAX, SYNC_ENTRIES_MAX, SYNC_IDS_MAX, SYNC_VERSION};
use crate::{Address, Error, LogCid};

/// Answers one request: one frame in, one frame out. Work and bytes are bounded, whatever comes.
///
/// `find` gives the store with this address; `None` for one that is not here, or that the peer may
/// not have.
///
/// # Errors
/// [`Unreadable`] if our own entries could not be read. What came from outside is never an error:
/// it is answered with the reason.
pub fn serve<H: Holding>(
    request: &[u8],
    find: impl FnOnce(&Address) -> Result<Option<H>, Unreadable>,
) -> Result<Vec<u8>, Unreadable> {
    let reply = match Request::decode(request) {
        Ok(Request { ask: Ask::Open { version }, .. }) if version != SYNC_VERSION => {
            Reply::Declined(Declined::Version)
        }
        Ok(Request { log, ask }) => match find(&log)? {
            Some(store) => answer(&store, &ask)?,
            None => Reply::Declined(Declined::Unknown),
        },
        Err(_) => Reply::Declined(Declined::Malformed),
    };
    Ok(reply.encode())
}

fn answer(store: &dyn Holding, ask: &Ask) -> Result<Reply, Unreadable> {
    let tree = store.tree();
    match ask {
        Ask::Open { .. } => {
            let newest = tree.newest()?;
            Ok(Reply::Root { newest, summary: tree.summary(Cell::root(newest))? })
        }
        Ask::Children(cells) => {
            let children_of = |cell: &Cell| {
                let children = tree.children(*cell)?;
                Ok(children.into_iter().map(|(child, summary)| (child.slot(), summary)).collect())
            };
            Ok(Reply::Children(cells.iter().map(children_of).collect::<Result<_, _>>()?))
        }
        Ask::Ids { spans, after } => ids(tree, spans, *after),
        Ask::Range { span, after } => range(store, *span, *after),
        Ask::Blocks(cids) => blocks(store, cids),
    }
}

fn ids(tree: &dyn Tree, spans: &[Span], after: Option<Id>) -> Result<Reply, Unreadable> {
    let mut ids = Vec::new();
    for span in spans {
        // One more than fits shows whether there is more.
        let room = SYNC_IDS_MAX + 1 - ids.len();
        ids.extend(tree.ids(*span, after, room)?);
        if ids.len() > SYNC_IDS_MAX {
            ids.truncate(SYNC_IDS_MAX);
            return Ok(Reply::Ids { ids, more: true });
        }
    }
    Ok(Reply::Ids { ids, more: false })
}

fn range(store: &dyn Holding, span: Span, after: Option<Id>) -> Result<Reply, Unreadable> {
    let found = store.entries(span, after, SYNC_ENTRIES_MAX, SYNC_BLOCKS_BYTES_MAX)?;
    let mut reply = ReplyBlocks::new(store);
    for entry in found {
        if !reply.add(entry)? {
            break;
        }
    }
    let more = match reply.last {
        Some(last) => !store.tree().ids(span, Some(last), 1)?.is_empty(),
        None => false,
    };
    Ok(Reply::Blocks { entries: reply.entries, identities: reply.identities, more })
}

fn blocks(store: &dyn Holding, cids: &[LogCid]) -> Result<Reply, Unreadable> {
    let mut reply = ReplyBlocks::new(store);
    for cid in cids {
        let Some(entry) = store.entry(cid)? else { break };
        if !reply.add(entry)? {
            break;
        }
    }
    Ok(Reply::Blocks { entries: reply.entries, identities: reply.identities, more: false })
}

/// Entries and their identities, as many as one reply may hold.
struct ReplyBlocks<'s> {
    store: &'s dyn Holding,
    entries: Vec<Vec<u8>>,
    identities: Vec<Vec<u8>>,
    named: BTreeSet<LogCid>,
    bytes: usize,
    last: Option<Id>,
}

impl<'s> ReplyBlocks<'s> {
    fn new(store: &'s dyn Holding) -> ReplyBlocks<'s> {
        ReplyBlocks {
            store,
            entries: Vec::new(),
            identities: Vec::new(),
            named: BTreeSet::new(),
            bytes: 0,
            last: None,
        }
    }

    /// Adds an entry with its identity, unless it no longer fits.
    fn add(&mut self, entry: Vec<u8>) -> Result<bool, Unreadable> {
        let cid = LogCid::of(&entry);
        let broken = |e: Error| Unreadable(format!("entry {cid}: {e}"));
        let Glance { time, identity, .. } = Glance::of(&entry).map_err(broken)?;
        let writer = match self.named.contains(&identity) {
            true => None,
            false => Some(self.store.identity(&identity)?.ok_or_else(|| {
                Unreadable(format!("identity {identity} of entry {cid} is missing"))
            })?),
        };
        let bytes = entry.len() + writer.as_ref().map_or(0, Vec::len);
        if !self.entries.is_empty() && self.bytes + bytes > SYNC_BLOCKS_BYTES_MAX {
            return Ok(false);
        }
        self.bytes += bytes;
        self.named.insert(identity);
        self.identities.extend(writer);
        self.entries.push(entry);
        self.last = Some(Id { time, cid });
        Ok(true)
    }
}
