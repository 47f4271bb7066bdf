//! The entries of a store as fast sync sees them.
//!
//! Ids come from the index `entries_time` in order, and summaries are computed in one pass over
//! them. Those of inner cells are kept in [`Fingerprints`], and of leaves that are crowded: a pass
//! steps over what is known, so after the first it reads little more than what has changed.

use crate::check;
use crate::connection::Link;
use crate::damage::Damage;
use crate::entries;
use crate::error::Error;
use crate::fingerprints::Fingerprints;
use crate::limits::{FINGERPRINT_BATCH_CELLS_MAX, FINGERPRINT_LEAF_ENTRIES_MIN};
use crate::set_aside;
use crate::stores::{StoreId, StoreRef};
use optimusdb_dag::sync::{Cell, Holding, Id, Span, Summary, Summing, Tree, Unreadable};
use optimusdb_dag::{Address, LogCid};
use rusqlite::{Connection, OptionalExtension};

/// The entries of one store in one state: see [`crate::View::tree`].
#[derive(Debug)]
pub struct StoreTree<'c> {
    db: &'c Connection,
    fingerprints: Option<&'c Fingerprints>,
    damage: &'c Damage,
    store: StoreId,
    log: Address,
    // How many entries there are and were set aside, which names the state.
    state: i64,
}

impl<'c> StoreTree<'c> {
    pub(crate) fn new(
        link: &'c Link,
        fingerprints: Option<&'c Fingerprints>,
        store: &StoreRef,
    ) -> Result<StoreTree<'c>, Error> {
        let (db, damage) = (&link.db, &*link.damage);
        let entries: i64 = db
            .prepare_cached("SELECT entries FROM stores WHERE id = ?1")?
            .query_row([store.id], |row| row.get(0))?;
        let state = entries + set_aside::state_base(db)?;
        Ok(StoreTree { db, fingerprints, damage, store: store.id, log: store.address, state })
    }

    /// Computes the summary of a cell, and tells `closed` of the cells in it, but for those inside
    /// a cell whose summary was known.
    fn walk(&self, top: Cell, closed: &mut dyn FnMut(Cell, Summary)) -> Result<Summary, Error> {
        let mut fresh = Fresh { tree: self, cells: Vec::new() };
        let mut closed = |cell: Cell, summary| {
            closed(cell, summary);
            fresh.add(cell, summary);
        };
        let span = top.span();
        let mut summing = Summing::new(top);
        let mut statement = self.db.prepare_cached(
            "SELECT time, cid FROM entries INDEXED BY entries_time
             WHERE store = ?1 AND time >= ?2 AND time < ?3 ORDER BY time, cid",
        )?;
        // Before it everything has been added.
        let mut from = span.from;
        'seek: while from < span.until {
            let bounds = (self.store, from.cast_signed(), span.until.cast_signed());
            let mut rows = statement.query(bounds)?;
            while let Some(row) = rows.next()? {
                let time = row.get::<_, i64>(0)?.cast_unsigned();
                if time >= from {
                    if let Some((known, summary)) = self.known(top, time, from) {
                        summing.add_cell(known, summary, &mut closed);
                        from = known.span().until;
                        continue 'seek;
                    }
                    from = Cell::at(0, time).span().until;
                }
                let id = Id { time, cid: LogCid::from_digest(row.get(1)?) };
                summing.add(&id, &mut closed);
            }
            break;
        }
        Ok(summing.finish(&mut closed))
    }

    /// The largest cell within `top` that begins at `from` or later, holds `time` and is known.
    fn known(&self, top: Cell, time: u64, from: u64) -> Option<(Cell, Summary)> {
        self.fingerprints?.largest(self.store, self.state, top.level(), time, from)
    }

    fn summary_of(&self, cell: Cell) -> Result<Summary, Error> {
        let known = self.fingerprints.and_then(|f| f.get(self.store, self.state, cell));
        match known {
            Some(summary) => {
                if cfg!(debug_assertions) {
                    // What cannot be read is told by whoever needs it.
                    let _ = check::summary(self.db, self.store, cell, summary);
                }
                Ok(summary)
            }
            None => self.walk(cell, &mut |_, _| {}),
        }
    }

    fn children_of(&self, cell: Cell) -> Result<Vec<(Cell, Summary)>, Error> {
        let mut children = Vec::new();
        self.walk(cell, &mut |child, summary| {
            if child.level() + 1 == cell.level() {
                children.push((child, summary));
            }
        })?;
        Ok(children)
    }

    fn newest_of(&self) -> Result<Option<u64>, Error> {
        let mut statement = self.db.prepare_cached(
            "SELECT time FROM entries INDEXED BY entries_time WHERE store = ?1
             ORDER BY time DESC LIMIT 1",
        )?;
        let time: Option<i64> = statement.query_row([self.store], |row| row.get(0)).optional()?;
        Ok(time.map(i64::cast_unsigned))
    }

    fn ids_in(&self, span: Span, after: Option<Id>, ids_max: usize) -> Result<Vec<Id>, Error> {
        let mut statement = self.db.prepare_cached(
            "SELECT time, cid FROM entries INDEXED BY entries_time
             WHERE store = ?1 AND (time, cid) > (?2, ?3) AND time < ?4
             ORDER BY time, cid LIMIT ?5",
        )?;
        let (time, digest) = beginning(&span, after.as_ref());
        let limit = i64::try_from(ids_max).unwrap_or(i64::MAX);
        let ids = statement
            .query_map((self.store, time, digest, span.until.cast_signed(), limit), |row| {
                let time: i64 = row.get(0)?;
                Ok(Id { time: time.cast_unsigned(), cid: LogCid::from_digest(row.get(1)?) })
            })?
            .collect::<Result<_, _>>()?;
        Ok(ids)
    }
}

/// What the first entry of a range comes after, as columns of the index. No digest is empty, so the
/// empty one is before all.
fn beginning<'i>(span: &Span, after: Option<&'i Id>) -> (i64, &'i [u8]) {
    match after {
        Some(id) if id.time >= span.from => (id.time.cast_signed(), id.cid.digest()),
        _ => (span.from.cast_signed(), &[]),
    }
}

/// Summaries that were computed and are worth keeping.
struct Fresh<'t, 'c> {
    tree: &'t StoreTree<'c>,
    cells: Vec<(Cell, Summary)>,
}

impl Fresh<'_, '_> {
    fn add(&mut self, cell: Cell, summary: Summary) {
        let is_crowded = summary.count >= FINGERPRINT_LEAF_ENTRIES_MIN;
        if self.tree.fingerprints.is_some() && (cell.level() > 0 || is_crowded) {
            self.cells.push((cell, summary));
            if self.cells.len() >= FINGERPRINT_BATCH_CELLS_MAX {
                self.share();
            }
        }
    }

    fn share(&mut self) {
        if let Some(fingerprints) = self.tree.fingerprints {
            fingerprints.keep(self.tree.store, self.tree.state, self.cells.drain(..));
        }
    }
}

impl Drop for Fresh<'_, '_> {
    fn drop(&mut self) {
        self.share();
    }
}

impl StoreTree<'_> {
    fn unreadable(&self, error: Error) -> Unreadable {
        self.damage.note(&error);
        Unreadable(error.to_string())
    }
}

impl Tree for StoreTree<'_> {
    fn newest(&self) -> Result<Option<u64>, Unreadable> {
        self.newest_of().map_err(|error| self.unreadable(error))
    }

    fn summary(&self, cell: Cell) -> Result<Summary, Unreadable> {
        self.summary_of(cell).map_err(|error| self.unreadable(error))
    }

    fn children(&self, cell: Cell) -> Result<Vec<(Cell, Summary)>, Unreadable> {
        self.children_of(cell).map_err(|error| self.unreadable(error))
    }

    fn ids(&self, span: Span, after: Option<Id>, ids_max: usize) -> Result<Vec<Id>, Unreadable> {
        self.ids_in(span, after, ids_max).map_err(|error| self.unreadable(error))
    }
}

impl Holding for StoreTree<'_> {
    fn tree(&self) -> &dyn Tree {
        self
    }

    fn entries(
        &self,
        span: Span,
        after: Option<Id>,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, Unreadable> {
        let after = beginning(&span, after.as_ref());
        let until = span.until.cast_signed();
        // Whoever asked finds what is left out elsewhere, by its children.
        let on_damaged = |error| self.damage.note(&error);
        entries::blocks(self.db, self.store, after, until, (entries_max, bytes_max), on_damaged)
            .map_err(|error| self.unreadable(error))
    }

    fn entry(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Unreadable> {
        match entries::block(self.db, cid, |log| *log == self.log) {
            Err(error @ Error::DamagedEntry { .. }) => {
                self.damage.note(&error);
                Ok(None)
            }
            read => read.map_err(|error| self.unreadable(error)),
        }
    }

    fn identity(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Unreadable> {
        let found = self
            .db
            .prepare_cached("SELECT bytes FROM blocks WHERE cid = ?1")
            .and_then(|mut statement| {
                statement.query_row([cid.digest()], |row| row.get(0)).optional()
            })
            .map_err(|e| self.unreadable(e.into()))?;
        Ok(found.filter(|bytes: &Vec<u8>| LogCid::of(bytes) == *cid))
    }
}
