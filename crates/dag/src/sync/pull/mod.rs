//! The side that asks: a machine without IO.
//!
//! It compares the peer's summaries with ours from the root down, and asks for what is missing here,
//! oldest first. Invariants:
//!
//! - One request is on its way at a time. The next is given out together with the batch that the
//!   last one brought, before the batch.
//! - Entries are handed over in ascending order of [`Id`](super::Id), each once, parents before
//!   children as far as the peer is honest. They hash to what was asked for and belong to this log;
//!   whether they are valid is for the caller to find out, who ends the pull at the first that is not.
//! - Every reply brings the pull further, or is an error with the rule that it breaks, and a pull ends
//!   after [`PullLimits::requests_max`] requests whatever comes.
//! - What is kept is bounded: the differences in mind and what one reply brings.
//!
//! It remembers nothing beyond its end: to resume is to begin again.

mod batch;
mod difference;
mod error;
mod listing;

use std::collections::BTreeSet;

use batch::{Fetching, Ranging, check_identities};
use difference::{Difference, Frontier, Next};
pub use error::PullError;
use listing::IdListing;

use super::{Ask, Cell, Reply, Request, Summary, Tree};
use crate::limits::{
    JOIN_IDENTITIES_MAX, SYNC_FRONTIER_CELLS_MAX, SYNC_PULL_ENTRIES_MAX, SYNC_PULL_REQUESTS_MAX,
    SYNC_VERSION,
};
use crate::{Address, LogCid};

/// How much one pull may do. The defaults are those of [`crate::limits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullLimits {
    /// Cells kept in mind as different, beyond which the oldest are finished first.
    pub cells_max: usize,
    /// Entries handed over, after which the pull ends with the batch that reached it.
    pub entries_max: u64,
    /// Requests.
    pub requests_max: u64,
}

impl Default for PullLimits {
    fn default() -> PullLimits {
        PullLimits {
            cells_max: SYNC_FRONTIER_CELLS_MAX,
            entries_max: SYNC_PULL_ENTRIES_MAX,
            requests_max: SYNC_PULL_REQUESTS_MAX,
        }
    }
}

/// What a caller is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullEffect {
    /// Send this, and answer with [`Pull::on_reply`]. It need not wait until earlier batches are
    /// stored; the caller bounds how much waits.
    Ask(Request),
    /// Verify and store these.
    Entries {
        /// Blocks of entries that the tree lacked, ascending by time and address.
        blocks: Vec<Vec<u8>>,
        /// Blocks of identities that they name and that this pull has not handed over yet.
        identities: Vec<Vec<u8>>,
    },
    /// The pull is over.
    Done {
        /// Whether everything that the peer showed and that was missing here has been handed over.
        /// If not, a limit was reached: store what there is, and begin a new pull.
        level: bool,
    },
}

/// How far a pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PullProgress {
    /// Entries of the peer that are missing here and not handed over yet. An estimate out of
    /// counts, at times too low, until everything has been compared.
    pub behind: u64,
    /// Entries handed over.
    pub handed_over: u64,
    /// Requests given out.
    pub requests: u64,
    /// Entries that the peer has, as its root said.
    pub theirs: u64,
}

/// One comparison with one peer, and the entries that it brings.
#[derive(Debug)]
pub struct Pull {
    log: Address,
    limits: PullLimits,
    awaiting: Awaiting,
    // Continued when the blocks that are fetched have come.
    listing: Option<IdListing>,
    frontier: Frontier,
    identities: BTreeSet<LogCid>,
    handed_over: u64,
    requests: u64,
    /// Entries that the peer has, as its root said.
    theirs: u64,
}

/// The reply that is due.
#[derive(Debug)]
enum Awaiting {
    Nothing,
    Root,
    Children(Vec<Difference>),
    Ids(IdListing),
    Blocks(Fetching),
    Range(Ranging),
}

impl Pull {
    /// A pull of this store.
    pub fn new(log: Address, limits: PullLimits) -> Pull {
        Pull {
            log,
            limits,
            awaiting: Awaiting::Nothing,
            listing: None,
            frontier: Frontier::default(),
            identities: BTreeSet::new(),
            handed_over: 0,
            requests: 0,
            theirs: 0,
        }
    }

    /// Begins, and gives the first request.
    pub fn start(&mut self) -> Request {
        *self = Pull::new(self.log, self.limits.clone());
        self.requests = 1;
        self.awaiting = Awaiting::Root;
        Request { log: self.log, ask: Ask::Open { version: SYNC_VERSION } }
    }

    /// The reply to the last request has come. `tree` is our store as it is now, or was when an
    /// earlier batch was not stored yet. Entries for which `is_known` is true are not asked for: they
    /// are about to be stored, or were refused.
    ///
    /// # Errors
    /// The rule that the peer breaks, or why it cannot go on. The pull is over with that.
    pub fn on_reply(
        &mut self,
        tree: &dyn Tree,
        is_known: &dyn Fn(&LogCid) -> bool,
        reply: Reply,
    ) -> Result<Vec<PullEffect>, PullError> {
        let awaiting = std::mem::replace(&mut self.awaiting, Awaiting::Nothing);
        let batch = match (awaiting, reply) {
            (Awaiting::Nothing, _) => return Err(PullError::NotAwaited),
            (_, Reply::Declined(why)) => return Err(PullError::Declined(why)),
            (Awaiting::Root, Reply::Root { newest, summary }) => {
                let cell = Cell::root(newest);
                self.theirs = summary.count;
                self.differ(cell, summary, tree.summary(cell)?);
                None
            }
            (Awaiting::Children(asked), Reply::Children(answered)) => {
                self.compare(tree, &asked, answered)?;
                None
            }
            (Awaiting::Ids(mut listing), Reply::Ids { ids, more }) => {
                let wanted = listing.take(tree, is_known, &ids, more)?;
                if !listing.is_over() {
                    self.listing = Some(listing);
                }
                if !wanted.is_empty() {
                    self.awaiting = Awaiting::Blocks(Fetching { wanted: wanted.into() });
                }
                None
            }
            (
                Awaiting::Blocks(mut fetching),
                Reply::Blocks { entries, identities, more: false },
            ) => {
                let named = fetching.take(&self.log, &entries)?;
                if !fetching.wanted.is_empty() {
                    self.awaiting = Awaiting::Blocks(fetching);
                }
                Some(self.hand_over(named, entries, identities)?)
            }
            (Awaiting::Range(mut ranging), Reply::Blocks { entries, identities, more }) => {
                let named = ranging.take(&self.log, &entries, more)?;
                if more {
                    self.awaiting = Awaiting::Range(ranging);
                }
                Some(self.hand_over(named, entries, identities)?)
            }
            _ => return Err(PullError::OtherQuestion),
        };
        let next = self.next(batch.is_some())?;
        Ok(match (next, batch) {
            (PullEffect::Ask(request), Some(batch)) => vec![PullEffect::Ask(request), batch],
            (next, Some(batch)) => vec![batch, next],
            (next, None) => vec![next],
        })
    }

    /// How far it is.
    pub fn progress(&self) -> PullProgress {
        let awaited = match &self.awaiting {
            Awaiting::Nothing | Awaiting::Root => 0,
            Awaiting::Children(cells) => {
                cells.iter().fold(0, |sum: u64, d| sum.saturating_add(d.lacking()))
            }
            Awaiting::Ids(listing) => listing.lacking(),
            Awaiting::Blocks(fetching) => fetching.wanted.len() as u64,
            Awaiting::Range(ranging) => ranging.said.saturating_sub(ranging.found),
        };
        let listed = self.listing.as_ref().map_or(0, IdListing::lacking);
        PullProgress {
            behind: self.frontier.lacking().saturating_add(awaited).saturating_add(listed),
            handed_over: self.handed_over,
            requests: self.requests,
            theirs: self.theirs,
        }
    }

    /// Keeps a cell in mind if the peer has something there that we may lack.
    fn differ(&mut self, cell: Cell, theirs: Summary, ours: Summary) {
        if theirs != ours && !theirs.is_empty() {
            self.frontier.add(Difference { cell, theirs, ours: ours.count });
        }
    }

    fn compare(
        &mut self,
        tree: &dyn Tree,
        asked: &[Difference],
        answered: Vec<Vec<(u8, Summary)>>,
    ) -> Result<(), PullError> {
        if asked.len() != answered.len() {
            let (asked, answered) = (asked.len(), answered.len());
            return Err(PullError::CellsAnswered { asked, answered });
        }
        for (parent, children) in asked.iter().zip(answered) {
            let theirs: Vec<(Cell, Summary)> = children
                .into_iter()
                .filter_map(|(slot, summary)| Some((parent.cell.child(slot)?, summary)))
                .collect();
            let found = Summary::of_children(theirs.iter().copied());
            check_grown(parent.cell, parent.theirs, found)?;
            let mut ours = tree.children(parent.cell)?.into_iter().peekable();
            for (cell, summary) in theirs {
                while ours.next_if(|(our, _)| *our < cell).is_some() {}
                let our = ours.next_if(|(our, _)| *our == cell);
                self.differ(cell, summary, our.map_or(Summary::EMPTY, |(_, summary)| summary));
            }
        }
        Ok(())
    }

    fn hand_over(
        &mut self,
        named: BTreeSet<LogCid>,
        blocks: Vec<Vec<u8>>,
        identities: Vec<Vec<u8>>,
    ) -> Result<PullEffect, PullError> {
        let cids = check_identities(named, &identities)?;
        self.handed_over += blocks.len() as u64;
        // With more writers than it remembers, it may hand over one of them again.
        if self.identities.len() + cids.len() > JOIN_IDENTITIES_MAX {
            self.identities.clear();
        }
        let mut new = cids.into_iter().map(|cid| self.identities.insert(cid));
        let identities = identities.into_iter().filter(|_| new.next().unwrap_or(true)).collect();
        Ok(PullEffect::Entries { blocks, identities })
    }

    /// What is to be asked next, if anything.
    fn next(&mut self, came: bool) -> Result<PullEffect, PullError> {
        if matches!(self.awaiting, Awaiting::Nothing) {
            self.awaiting = match self.listing.take() {
                Some(listing) => Awaiting::Ids(listing),
                None => match self.frontier.take(self.limits.cells_max) {
                    None => return Ok(PullEffect::Done { level: true }),
                    Some(Next::Children(cells)) => Awaiting::Children(cells),
                    Some(Next::Ids(cells)) => Awaiting::Ids(IdListing::new(cells)),
                    Some(Next::Range { span, first, said }) => {
                        Awaiting::Range(Ranging { span, first, said, found: 0, last: None })
                    }
                },
            };
        }
        let spent = self.requests >= self.limits.requests_max;
        if spent && !came && self.handed_over == 0 {
            self.awaiting = Awaiting::Nothing;
            return Err(PullError::NothingNew(self.requests));
        }
        if spent || self.handed_over >= self.limits.entries_max {
            self.awaiting = Awaiting::Nothing;
            return Ok(PullEffect::Done { level: false });
        }
        self.requests += 1;
        let ask = match &self.awaiting {
            Awaiting::Nothing | Awaiting::Root => Ask::Open { version: SYNC_VERSION },
            Awaiting::Children(cells) => Ask::Children(cells.iter().map(|d| d.cell).collect()),
            Awaiting::Ids(listing) => listing.ask(),
            Awaiting::Blocks(fetching) => fetching.ask(),
            Awaiting::Range(ranging) => ranging.ask(),
        };
        Ok(PullEffect::Ask(Request { log: self.log, ask }))
    }
}

/// What a cell holds is at least what its summary said: entries are added and never leave. With as
/// many, it is the same.
fn check_grown(cell: Cell, said: Summary, found: Summary) -> Result<(), PullError> {
    if found.count < said.count {
        return Err(PullError::CountShrank { cell, said: said.count, found: found.count });
    }
    if found.count == said.count && found.hash != said.hash {
        return Err(PullError::SummaryWrong { cell });
    }
    Ok(())
}
