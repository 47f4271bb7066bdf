//! Reading a store's log: its heads, its entries in their order, and what has come since a moment.

use super::View;
use crate::change::change;
use crate::entries;
use crate::error::Error;
use crate::heads;
use crate::stores::StoreRef;
use crate::uploads;
use optimusdb_dag::{Entry, LogCid};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

impl View<'_> {
    /// The heads of a store's log, least first. Where what is kept of them is damaged they are found again
    /// from the entries.
    pub fn heads(&self, store: &StoreRef) -> Result<Vec<Entry>, Error> {
        match heads::kept(self.db, store) {
            Err(error @ (Error::Corrupt(_) | Error::DamagedEntry { .. })) => {
                self.link.damage.note(&error);
                self.link.damage.note_heads(store.id);
                let (heads, damaged) = heads::found(self.db, store)?;
                damaged.iter().for_each(|error| self.link.damage.note(error));
                Ok(heads)
            }
            kept => self.link.noted(kept),
        }
    }

    /// How many heads a store's log has, and the addresses of those that came last, at most `heads_max`: least
    /// first, so that nodes with the same heads list them alike.
    pub fn newest_heads(
        &self,
        store: &StoreRef,
        heads_max: usize,
    ) -> Result<(usize, Vec<LogCid>), Error> {
        let mut count =
            self.db.prepare_cached("SELECT json_array_length(heads) FROM stores WHERE id = ?1")?;
        let count: i64 = count.query_row([store.id], |row| row.get(0))?;
        let mut newest = self.db.prepare_cached(
            "SELECT e.time, e.cid FROM stores s, json_each(s.heads) h JOIN entries e ON e.seq = h.value
             WHERE s.id = ?1 ORDER BY h.value DESC LIMIT ?2",
        )?;
        let heads =
            newest.query_map((store.id, heads_max as i64), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut heads: Vec<(i64, [u8; 32])> = heads.collect::<Result<_, _>>()?;
        heads.sort_unstable();
        let cids = heads.into_iter().map(|(_, cid)| LogCid::from_digest(cid)).collect();
        Ok((usize::try_from(count).unwrap_or_default(), cids))
    }

    /// Calls `each` with every entry of a store, by clock time and address and so parents before
    /// children, until it breaks.
    pub fn log(
        &self,
        store: &StoreRef,
        mut each: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut statement = self.db.prepare_cached(
            "SELECT seq FROM entries INDEXED BY entries_time WHERE store = ?1 ORDER BY time, cid",
        )?;
        let mut rows = statement.query([store.id])?;
        while let Some(row) = rows.next()? {
            if each(self.link.noted(entries::at(self.db, row.get(0)?))?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The same for the entries in rows after `after` alone, with their rows: what has come since
    /// one was read is in rows after its own.
    pub fn log_after(
        &self,
        store: &StoreRef,
        after: i64,
        mut each: impl FnMut(i64, Entry) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut statement = self
            .db
            .prepare_cached("SELECT seq FROM entries WHERE store = ?1 AND seq > ?2 ORDER BY seq")?;
        let mut rows = statement.query((store.id, after))?;
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            if each(seq, self.link.noted(entries::at(self.db, seq))?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The row of the newest entry of all stores; 0 without any.
    pub fn newest_row(&self) -> Result<i64, Error> {
        let mut statement = self.db.prepare_cached("SELECT coalesce(max(seq), 0) FROM entries")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// The keys of a store that entries in rows after `after` are about. `None` where these are more than
    /// `entries_max`, or where one of them may have replaced the document of another key.
    pub fn changed_keys(
        &self,
        store: &StoreRef,
        after: i64,
        entries_max: usize,
    ) -> Result<Option<BTreeSet<String>>, Error> {
        let (mut keys, mut left, mut known) = (BTreeSet::new(), entries_max, true);
        self.log_after(store, after, |_, entry| {
            known = left > 0 && !uploads::is_upload(store.kind, &entry);
            left = left.saturating_sub(1);
            keys.extend(change(store.kind, &entry).map(|change| change.key.into_owned()));
            if known { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(known.then_some(keys))
    }
}
