//! What the writer does between transactions: the checkpoint, and mending what the disk did not keep.

use super::work::{Done, Work};
use super::{WriteJob, WriterThread};
use crate::error::{Error, Kind};
use crate::limits::WRITE_MS_MAX;
use optimusdb_storage::Checkpoint;
use std::time::{Duration, Instant};

impl WriterThread {
    /// Does one step of upkeep and answers it. An error ends the thread.
    pub(super) fn upkeep(&mut self, job: WriteJob) -> Result<(), Error> {
        if matches!(job.work, Work::Mend) {
            let mended = self.mend();
            job.answer(mended.clone().map(|()| Done::Count(0)));
            return mended;
        }
        // Other steps, as sweeping blocks of files that nobody wants, are writes in a transaction.
        if !matches!(job.work, Work::Checkpoint) {
            return self.batch(vec![job]);
        }
        let moved = self.database.checkpoint(Checkpoint::Passive);
        if let Err(error) = &moved {
            self.unmoved_since.get_or_insert_with(Instant::now);
            tracing::debug!("the write-ahead log stays for now: {error}");
        }
        job.answer(moved.map(|()| Done::Count(0)).map_err(Error::from));
        Ok(())
    }

    /// Asks for the write-ahead log to be moved into the database file, if there is anything to be
    /// moved: so the next start has little to read, and a later commit does not have to move it.
    pub(super) fn ask_for_checkpoint(&mut self) {
        if self.unmoved_since.take().is_some() {
            let deadline = Instant::now() + Duration::from_millis(WRITE_MS_MAX);
            // A full lane, or one that is closed, has what it needs.
            self.lanes.try_upkeep(WriteJob { work: Work::Checkpoint, deadline, reply: None });
        }
    }

    /// Has what readers found to be damaged looked at, and mended. An error ends the thread.
    pub(super) fn mend(&mut self) -> Result<(), Error> {
        if self.database.lost_entries() > 0 && !self.disk.is_anything_lost() {
            self.database.let_lost_go();
        }
        let suspects = self.disk.suspects();
        if suspects.is_empty() {
            return Ok(());
        }
        let mended = self.database.begin().and_then(|mut tx| {
            let mended = tx.mend(suspects)?;
            tx.commit()?;
            Ok(mended)
        });
        // What was mended may have been a head.
        self.tips.clear();
        match mended.map_err(Error::from) {
            Ok(mended) => {
                let stores = self.database.view().stores()?;
                self.disk.mended(&mended, &stores);
                self.disk.count(self.database.view());
                self.figures.renamed(&[], &stores);
                self.accesses.committed(stores.iter().map(|store| &**store));
                Ok(())
            }
            Err(error) if is_survived(&error) => {
                tracing::error!("what is damaged cannot be mended: {error}");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether the writer goes on after a batch that failed so: nothing of it was kept.
pub(super) fn is_survived(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unavailable | Kind::Corrupt)
}
