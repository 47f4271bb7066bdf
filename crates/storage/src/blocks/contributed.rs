//! What the swarm has contributed, as far as its log was read: whether there is a verdict, and the pins of a
//! node that keeps all of it.
//!
//! Contributions are entries of a log in the other database, which is read once. A contribution and how far
//! the log was read are noted in one transaction, so none is missed and none counts twice.

use super::FileBlocks;
use super::pins::time;
use crate::error::Error;
use crate::limits::REPLICA_PINS_MAX;
use optimusdb_dag::{Cid, LogCid};
use rusqlite::{OptionalExtension, TransactionBehavior};

/// A file that a node of the swarm has contributed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributed {
    /// Its address.
    pub cid: Cid,
    /// Its name, as its contributor says; may be empty.
    pub name: String,
    /// Its bytes, as its contributor says, if it does.
    pub size: Option<u64>,
    /// When it was contributed, in milliseconds of the wall clock.
    pub created_ms: u64,
    /// How often a verdict was looked for in vain.
    pub tries: u32,
}

/// How far the log of the contributions was read: the row of its last entry, and that entry, so that another
/// database is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadUpTo {
    /// The row.
    pub row: i64,
    /// The entry in it.
    pub entry: LogCid,
}

impl FileBlocks {
    /// How far the contributions were read.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub fn contributions_read(&self) -> Result<Option<ReadUpTo>, Error> {
        self.read(|link| {
            let mut statement =
                link.db.prepare_cached("SELECT row, entry FROM contributions_read")?;
            let read = statement.query_row([], |row| {
                Ok(ReadUpTo { row: row.get(0)?, entry: LogCid::from_digest(row.get(1)?) })
            });
            Ok(read.optional()?)
        })
    }

    /// Notes what was contributed, and up to where the log was read. With `pinned`, what is new and not declined
    /// is pinned as a replica; as many as there may be pins.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn note_contributed(
        &self,
        contributed: &[Contributed],
        read: ReadUpTo,
        pinned: bool,
    ) -> Result<(), Error> {
        let mut writer = self.writer();
        let tx = writer.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for file in contributed {
            let size = file.size.map(time);
            tx.prepare_cached(
                "INSERT OR IGNORE INTO contributed (cid, name, size, created) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((file.cid.to_bytes(), &file.name, size, time(file.created_ms)))?;
        }
        if pinned {
            for file in contributed {
                self.pin_replica(&tx, &file.cid.to_bytes())?;
            }
        }
        tx.prepare_cached(
            "INSERT OR REPLACE INTO contributions_read (one, row, entry) VALUES (1, ?1, ?2)",
        )?
        .execute((read.row, read.entry.digest()))?;
        Ok(tx.commit()?)
    }

    /// Pins everything that was contributed before, or, with `pinned` false, takes away the replicas of which
    /// not all is here: what is here stays.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn pin_contributed(&self, pinned: bool) -> Result<(), Error> {
        let mut writer = self.writer();
        if !pinned {
            writer.db.execute("DELETE FROM pins WHERE replica = 1 AND state <> 1", [])?;
            self.pins.recount(&writer.db)?;
            return Ok(());
        }
        let tx = writer.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let unpinned: Vec<Vec<u8>> = tx
            .prepare("SELECT cid FROM contributed WHERE cid NOT IN (SELECT cid FROM pins)")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for key in unpinned {
            self.pin_replica(&tx, &key)?;
        }
        Ok(tx.commit()?)
    }

    fn pin_replica(&self, db: &rusqlite::Connection, key: &[u8]) -> Result<(), Error> {
        let wanted = "SELECT NOT EXISTS (SELECT 1 FROM pins WHERE cid = ?1)
            AND NOT EXISTS (SELECT 1 FROM declined WHERE cid = ?1)";
        let wanted: bool = db.prepare_cached(wanted)?.query_row([key], |row| row.get(0))?;
        // Beyond the limit they stay contributions that are not kept.
        if wanted && self.pins.one_more(REPLICA_PINS_MAX) {
            db.prepare_cached(
                "INSERT INTO pins (cid, name, created, replica)
                 SELECT cid, name, created, 1 FROM contributed WHERE cid = ?1",
            )?
            .execute([key])?;
        }
        Ok(())
    }

    /// A contribution; none when there is no such.
    ///
    /// # Errors
    /// As [`FileBlocks::contributions_read`].
    pub fn contributed(&self, cid: &Cid) -> Result<Option<Contributed>, Error> {
        self.read(|link| {
            let mut statement = link.db.prepare_cached(
                "SELECT cid, name, size, created, tries FROM contributed WHERE cid = ?1",
            )?;
            let mut rows = statement.query([cid.to_bytes()])?;
            rows.next()?.map(file).transpose()
        })
    }

    /// Contributions without a verdict whose turn has come.
    ///
    /// # Errors
    /// As [`FileBlocks::contributions_read`].
    pub fn unjudged(&self, due_ms: u64, limit: usize) -> Result<Vec<Contributed>, Error> {
        self.read(|link| {
            let mut statement = link.db.prepare_cached(
                "SELECT cid, name, size, created, tries FROM contributed
                 WHERE judged = 0 AND due <= ?1 ORDER BY due LIMIT ?2",
            )?;
            let mut rows = statement.query((time(due_ms), limit as i64))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(file(row)?);
            }
            Ok(found)
        })
    }

    /// When the next of them is due, in milliseconds of the wall clock.
    ///
    /// # Errors
    /// As [`FileBlocks::contributions_read`].
    pub fn next_unjudged_due(&self) -> Result<Option<u64>, Error> {
        self.read(|link| {
            let sql = "SELECT min(due) FROM contributed WHERE judged = 0";
            let due: Option<i64> = link.db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok(due.map(i64::cast_unsigned))
        })
    }

    /// Notes that there is a verdict, or with `due_ms` when one is looked for again.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn note_judged(&self, cid: &Cid, due_ms: Option<u64>) -> Result<(), Error> {
        let writer = self.writer();
        writer
            .db
            .prepare_cached(
                "UPDATE contributed SET judged = ?2 IS NULL, due = coalesce(?2, 0), tries = tries + 1
                 WHERE cid = ?1",
            )?
            .execute((cid.to_bytes(), due_ms.map(time)))?;
        Ok(())
    }

    /// All of a contribution has come: it is judged soon, also when others did before.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn judge_anew(&self, cid: &Cid) -> Result<(), Error> {
        let writer = self.writer();
        writer
            .db
            .prepare_cached("UPDATE contributed SET judged = 0, due = 0 WHERE cid = ?1")?
            .execute([cid.to_bytes()])?;
        Ok(())
    }
}

fn file(row: &rusqlite::Row<'_>) -> Result<Contributed, Error> {
    Ok(Contributed {
        cid: Cid::from_bytes(&row.get::<_, Vec<u8>>(0)?)?,
        name: row.get(1)?,
        size: row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned),
        created_ms: row.get::<_, i64>(3)?.cast_unsigned(),
        tries: row.get(4)?,
    })
}
