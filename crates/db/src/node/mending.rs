//! Mending what the disk did not keep: the writer makes again what is derived, peers are asked for
//! entries that are set aside, and waited for when commits were lost. Free space is watched here, too.

use super::Node;
use crate::error::Error;
use crate::limits::{
    DISK_LOOK_MS, LOST_LOOK_MS, MEND_FETCHES_MAX, MEND_MS, MEND_RETRY_MS, WRITE_MS_MAX,
};
use crate::writer::{Lane, ReceivedEntries, Work};
use optimusdb_dag::{Entry, LogCid};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

impl Node {
    /// Mends what readers noted, and fetches what is set aside, until nothing is written any more.
    pub(super) async fn keep_mending(self) {
        let mut asked: Option<Instant> = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(MEND_MS)) => {}
                () = self.inner.writer.ended() => return,
            }
            if self.inner.disk.damage().is_suspected()
                && let Err(error) = self.upkeep(Work::Mend).await
            {
                tracing::warn!("what is damaged was not mended: {error}");
            }
            let retry = Duration::from_millis(MEND_RETRY_MS);
            let due = asked.is_none_or(|asked| asked.elapsed() >= retry);
            if due && self.inner.disk.is_anything_away() && !self.peers().is_empty() {
                asked = Some(Instant::now());
                if let Err(error) = self.fetch_what_is_away().await {
                    tracing::warn!("entries that are damaged here were not put back: {error}");
                }
            }
        }
    }

    /// Waits until peers have given back what was lost, or nobody is waited for any more.
    pub(super) async fn await_what_was_lost(self) {
        let disk = &self.inner.disk;
        let mut seen_level = false;
        while disk.is_anything_lost() {
            if disk.holds_writes().is_none() {
                disk.lost_is_over(false);
                break;
            }
            let level = self.inner.replication.get().is_some_and(|it| it.is_level());
            if level && seen_level {
                disk.lost_is_over(true);
                break;
            }
            seen_level = level;
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(LOST_LOOK_MS)) => {}
                () = self.inner.writer.ended() => return,
            }
        }
    }

    /// Looks how much of the disk is free, until nothing is written any more.
    pub(super) async fn watch_space(self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(DISK_LOOK_MS)) => {}
                () = self.inner.writer.ended() => return,
            }
            let space = self.inner.space.clone();
            // What could not be kept is tried again, as if a peer had come with it.
            if tokio::task::spawn_blocking(move || space.look()).await.unwrap_or(false) {
                self.inner.files.peer_came();
            }
        }
    }

    async fn upkeep(&self, work: Work) -> Result<(), Error> {
        let deadline = Instant::now() + Duration::from_millis(WRITE_MS_MAX);
        self.inner.writer.write(Lane::Upkeep, work, deadline).await.map(drop)
    }

    /// Asks peers for some of what is set aside, and puts back what they have.
    async fn fetch_what_is_away(&self) -> Result<(), Error> {
        let away = self.read(|view| view.set_aside(MEND_FETCHES_MAX)).await?;
        let mut fetching = JoinSet::new();
        for (_, cid) in away {
            let node = self.clone();
            fetching.spawn(async move { node.put_back(cid).await });
        }
        while let Some(done) = fetching.join_next().await {
            done.map_err(|e| Error::Internal(format!("fetching: {e}")))??;
        }
        Ok(())
    }

    /// Puts an entry back, if a peer has it. Its address is proof enough: it was judged when it first came.
    async fn put_back(&self, cid: LogCid) -> Result<(), Error> {
        let Some(replication) = self.inner.replication.get() else { return Ok(()) };
        let Ok(block) = replication.swarm().fetch(cid, Vec::new()).await else { return Ok(()) };
        let Ok(entry) = Entry::decode(cid, &block) else { return Ok(()) };
        let log = *entry.log();
        let Some(row) = self.read(move |view| view.store_at(&log)).await? else { return Ok(()) };
        let received = ReceivedEntries { entries: vec![entry], ..ReceivedEntries::default() };
        self.upkeep(Work::Join { store: row.store, received }).await
    }
}
