//! Reading the log of the contributions: each is noted once, and with `-full-replica` pinned.
//!
//! What clients or other programs add to that store without an address of a file is passed over.

use super::{Files, off_task};
use crate::clock::now_ms;
use crate::error::Error;
use crate::limits::{CONTRIBUTIONS_READ_MAX, FILE_NAME_BYTES_MAX, KEEP_RETRY_MS};
use crate::lookup_pool::LookupPool;
use optimusdb_dag::{Cid, Entry, Ipld, OperationRef, StoreKind};
use optimusdb_storage::{Contributed, ReadUpTo, StoreRef};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Files {
    /// The store of the contributions has grown, or an entry of it is back. Never waits: the writer calls it.
    pub(crate) fn contributions_grew(&self, put_back: bool) {
        self.from_the_start.fetch_or(put_back, Ordering::Relaxed);
        self.news.notify_one();
    }

    /// Reads what is contributed, as long as it is let.
    pub(crate) async fn follow(self: Arc<Self>, lookups: LookupPool, store: StoreRef) {
        let (blocks, pinned) = (self.blocks(), self.full_replica);
        if let Err(error) = off_task(move || blocks.pin_contributed(pinned)).await {
            tracing::warn!("what was contributed before is not pinned: {error}");
        }
        self.keeping.wake();
        loop {
            match self.read_some(&lookups, store).await {
                Ok(true) => {}
                Ok(false) => self.news.notified().await,
                Err(error) => {
                    tracing::warn!("contributions were not read: {error}");
                    tokio::time::sleep(Duration::from_millis(KEEP_RETRY_MS)).await;
                }
            }
        }
    }

    /// Reads on; false when there is no more.
    async fn read_some(&self, lookups: &LookupPool, store: StoreRef) -> Result<bool, Error> {
        let blocks = self.blocks();
        let read = off_task(move || blocks.contributions_read()).await?;
        let read = read.filter(|_| !self.from_the_start.swap(false, Ordering::Relaxed));
        let news = lookups.read(move |view| {
            let mut news: Vec<(i64, Entry)> = Vec::new();
            let mut some = |after| {
                view.log_after(&store, after, |row, entry| {
                    news.push((row, entry));
                    let full = news.len() > CONTRIBUTIONS_READ_MAX;
                    if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
            };
            some(read.map_or(0, |read| read.row - 1))?;
            // The last one that was read comes first; if it is another, so is the database.
            if let Some(read) = read {
                if news
                    .first()
                    .is_some_and(|(row, entry)| *row == read.row && entry.cid() == read.entry)
                {
                    news.remove(0);
                } else {
                    news.clear();
                    view.log_after(&store, 0, |row, entry| {
                        news.push((row, entry));
                        let full = news.len() >= CONTRIBUTIONS_READ_MAX;
                        if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    })?;
                }
            }
            Ok(news)
        });
        let news = news.await?;
        let Some((row, last)) = news.last() else { return Ok(false) };
        let read = ReadUpTo { row: *row, entry: last.cid() };
        let contributed: Vec<Contributed> =
            news.iter().filter_map(|(_, entry)| contributed(entry)).collect();
        let (blocks, pinned) = (self.blocks(), self.full_replica);
        off_task(move || blocks.note_contributed(&contributed, read, pinned)).await?;
        self.keeping.wake();
        self.judging.notify_one();
        Ok(true)
    }
}

/// What an entry contributes, if it does.
fn contributed(entry: &Entry) -> Option<Contributed> {
    let (OperationRef::Add { value: Ipld::Map(fields) }, at) =
        OperationRef::of(StoreKind::Events, entry.payload())?
    else {
        return None;
    };
    let text = |name: &str| match fields.get(name) {
        Some(Ipld::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let cid = root_of(text("path")?)?;
    let name = text("name").filter(|name| name.len() <= FILE_NAME_BYTES_MAX).unwrap_or_default();
    let size = match fields.get("size") {
        Some(Ipld::Integer(size)) => u64::try_from(*size).ok(),
        _ => None,
    };
    let created = text("creationTS").and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let created = created.and_then(|at| u64::try_from(at.as_millisecond()).ok()).or(at);
    let now = now_ms();
    // Nobody puts itself in front by a time that is yet to come.
    let created_ms = created.unwrap_or(now).min(now);
    Some(Contributed { cid, name: name.to_owned(), size, created_ms, tries: 0 })
}

/// The address that a path begins with.
pub(crate) fn root_of(path: &str) -> Option<Cid> {
    path.strip_prefix("/ipfs/")?.split('/').next()?.parse().ok()
}
