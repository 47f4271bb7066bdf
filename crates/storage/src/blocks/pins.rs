//! Pins: addresses below which nothing is removed, and how far what they keep is here.
//!
//! A pin is a wish: its blocks may be here or still have to come. Who brings them notes the outcome of each
//! try. What a user unpinned is declined: from then on only a user pins it.

use super::FileBlocks;
use crate::error::Error;
use crate::limits::PINS_MAX;
use optimusdb_dag::Cid;
use rusqlite::{Connection, OptionalExtension, Row};
use std::sync::atomic::{AtomicI64, Ordering};

/// A pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// What it keeps, with all below it.
    pub cid: Cid,
    /// What it is called; may be empty.
    pub name: String,
    /// When it was made, in milliseconds of the wall clock; of a replica, when it was contributed.
    pub created_ms: u64,
    /// Whether the node made it of its own accord, for the swarm contributed the file.
    pub replica: bool,
    /// How far it is here.
    pub outcome: PinOutcome,
}

/// How far what a pin keeps is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinOutcome {
    /// How far.
    pub state: PinState,
    /// Tries in vain since the last one that was not.
    pub tries: u32,
    /// When it is tried again, in milliseconds of the wall clock.
    pub due_ms: u64,
    /// What was wrong the last time; empty when nothing was.
    pub error: String,
}

/// How far something is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinState {
    /// Not known yet: it is to be fetched.
    Wanted,
    /// All of it is here.
    Here,
    /// It could not be had.
    Absent,
    /// There is no room for it.
    Skipped,
}

impl PinState {
    fn number(self) -> i64 {
        match self {
            PinState::Wanted => 0,
            PinState::Here => 1,
            PinState::Absent => 2,
            PinState::Skipped => 3,
        }
    }

    fn of(number: i64) -> PinState {
        match number {
            1 => PinState::Here,
            2 => PinState::Absent,
            3 => PinState::Skipped,
            _ => PinState::Wanted,
        }
    }
}

const COLUMNS: &str = "cid, name, created, replica, state, tries, due, error";

fn pin(row: &Row<'_>) -> Result<Pin, Error> {
    Ok(Pin {
        cid: Cid::from_bytes(row.get_ref(0)?.as_blob().map_err(not_a_blob)?)?,
        name: row.get(1)?,
        created_ms: row.get::<_, i64>(2)?.cast_unsigned(),
        replica: row.get(3)?,
        outcome: PinOutcome {
            state: PinState::of(row.get(4)?),
            tries: row.get(5)?,
            due_ms: row.get::<_, i64>(6)?.cast_unsigned(),
            error: row.get(7)?,
        },
    })
}

fn not_a_blob(error: rusqlite::types::FromSqlError) -> Error {
    Error::Corrupt(format!("an address in the tables of files: {error}"))
}

/// A time as the tables have it.
pub(super) fn time(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

impl FileBlocks {
    /// All pins, oldest first.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub fn pins(&self) -> Result<Vec<Pin>, Error> {
        self.pins_after(None, usize::MAX)
    }

    /// So many pins behind that of an address, or from the first one on; oldest first. None behind an address that
    /// is not pinned.
    ///
    /// # Errors
    /// As [`FileBlocks::pins`].
    pub fn pins_after(&self, after: Option<&Cid>, limit: usize) -> Result<Vec<Pin>, Error> {
        self.read(|link| {
            let sql = format!(
                "SELECT {COLUMNS} FROM pins
                 WHERE ?1 IS NULL OR (created, cid) > (SELECT created, cid FROM pins WHERE cid = ?1)
                 ORDER BY created, cid LIMIT ?2"
            );
            let mut statement = link.db.prepare_cached(&sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = statement.query((after.map(Cid::to_bytes), limit))?;
            let mut pins = Vec::new();
            while let Some(row) = rows.next()? {
                pins.push(pin(row)?);
            }
            Ok(pins)
        })
    }

    /// The pin of an address.
    ///
    /// # Errors
    /// As [`FileBlocks::pins`].
    pub fn pin_of(&self, cid: &Cid) -> Result<Option<Pin>, Error> {
        self.read(|link| {
            let sql = format!("SELECT {COLUMNS} FROM pins WHERE cid = ?1");
            let mut statement = link.db.prepare_cached(&sql)?;
            let mut rows = statement.query([cid.to_bytes()])?;
            rows.next()?.map(pin).transpose()
        })
    }

    /// Pins of which not all is here, of users or replicas: those that were tried least first, of these the newest.
    ///
    /// # Errors
    /// As [`FileBlocks::pins`].
    pub fn partial_pins(
        &self,
        replica: bool,
        due_ms: u64,
        limit: usize,
    ) -> Result<Vec<Pin>, Error> {
        self.read(|link| {
            let sql = format!(
                "SELECT {COLUMNS} FROM pins WHERE state <> 1 AND replica = ?1 AND due <= ?2
                 ORDER BY tries, created DESC LIMIT ?3"
            );
            let mut statement = link.db.prepare_cached(&sql)?;
            let mut rows = statement.query((replica, time(due_ms), limit as i64))?;
            let mut pins = Vec::new();
            while let Some(row) = rows.next()? {
                pins.push(pin(row)?);
            }
            Ok(pins)
        })
    }

    /// How many pins there are in each state, in the order of [`PinState`]; those of users, then replicas.
    ///
    /// # Errors
    /// As [`FileBlocks::pins`].
    pub fn pin_counts(&self) -> Result<[[u64; 4]; 2], Error> {
        self.read(|link| {
            let counted = "SELECT replica, state, count(*) FROM pins GROUP BY replica, state";
            let mut statement = link.db.prepare_cached(counted)?;
            let mut rows = statement.query([])?;
            let mut counts = [[0; 4]; 2];
            while let Some(row) = rows.next()? {
                let (replica, state): (bool, i64) = (row.get(0)?, row.get(1)?);
                let count = row.get::<_, i64>(2)?.cast_unsigned();
                counts[usize::from(replica)][PinState::of(state).number() as usize] += count;
            }
            Ok(counts)
        })
    }

    /// When the next of the partial pins is due, in milliseconds of the wall clock.
    ///
    /// # Errors
    /// As [`FileBlocks::pins`].
    pub fn next_pin_due(&self) -> Result<Option<u64>, Error> {
        self.read(|link| {
            let sql = "SELECT min(due) FROM pins WHERE state <> 1";
            let due: Option<i64> =
                link.db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?.flatten();
            Ok(due.map(i64::cast_unsigned))
        })
    }

    /// Pins an address for a user, whether its blocks are here or not; one that is pinned gets the new
    /// name, and a replica becomes a pin of the user.
    ///
    /// # Errors
    /// [`Error::TooMany`] pins; when the disk does not take it.
    pub fn pin(&self, cid: &Cid, name: &str, now_ms: u64) -> Result<(), Error> {
        let mut writer = self.writer();
        let tx = writer.db.transaction()?;
        put(&tx, &self.pins, cid, name, now_ms, PinState::Wanted)?;
        tx.commit()?;
        drop(writer);
        self.guard.wanted(cid);
        Ok(())
    }

    /// Takes a pin away for a user; false when there was none. No replica is made of it from now on.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn unpin(&self, cid: &Cid) -> Result<bool, Error> {
        let mut writer = self.writer();
        let tx = writer.db.transaction()?;
        let was_pinned = tx.execute("DELETE FROM pins WHERE cid = ?1", [cid.to_bytes()])? > 0;
        if was_pinned {
            tx.execute("INSERT OR IGNORE INTO declined (cid) VALUES (?1)", [cid.to_bytes()])?;
        }
        tx.commit()?;
        if was_pinned {
            self.pins.one_less();
        }
        Ok(was_pinned)
    }

    /// Notes how far a pin came; nothing when it was taken away.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn note_outcome(&self, cid: &Cid, outcome: &PinOutcome) -> Result<(), Error> {
        let writer = self.writer();
        writer
            .db
            .prepare_cached(
                "UPDATE pins SET state = ?2, tries = ?3, due = ?4, error = ?5 WHERE cid = ?1",
            )?
            .execute((
                cid.to_bytes(),
                outcome.state.number(),
                outcome.tries,
                time(outcome.due_ms),
                &outcome.error,
            ))?;
        Ok(())
    }

    /// What could not be had is tried at once: somebody came who may have it.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn try_absent_pins(&self) -> Result<(), Error> {
        let writer = self.writer();
        writer.db.execute("UPDATE pins SET due = 0 WHERE state = 2", [])?;
        Ok(())
    }
}

/// How many pins there are: counted at the start, and from then on as they come and go, for counting a
/// million takes longer than making one. A transaction that is undone may leave it one too high.
#[derive(Debug)]
pub(super) struct PinCount(AtomicI64);

impl PinCount {
    pub(super) fn of(db: &Connection) -> Result<PinCount, Error> {
        let count = db.query_row("SELECT count(*) FROM pins", [], |row| row.get(0))?;
        Ok(PinCount(AtomicI64::new(count)))
    }

    /// Notes one more; false when there are `most` already.
    pub(super) fn one_more(&self, most: i64) -> bool {
        let fits = self.0.fetch_add(1, Ordering::Relaxed) < most;
        if !fits {
            self.one_less();
        }
        fits
    }

    pub(super) fn recount(&self, db: &Connection) -> Result<(), Error> {
        self.0.store(PinCount::of(db)?.0.into_inner(), Ordering::Relaxed);
        Ok(())
    }

    fn one_less(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Pins an address for a user.
pub(super) fn put(
    db: &Connection,
    count: &PinCount,
    cid: &Cid,
    name: &str,
    now_ms: u64,
    state: PinState,
) -> Result<(), Error> {
    let key = cid.to_bytes();
    let mut pinned = db.prepare_cached("SELECT 1 FROM pins WHERE cid = ?1")?;
    if !pinned.exists([&key])? && !count.one_more(PINS_MAX) {
        return Err(Error::TooMany(format!("this node has {PINS_MAX} pins, and takes no more")));
    }
    // What is known to be here stays so; what is not is looked at anew.
    db.prepare_cached(
        "INSERT INTO pins (cid, name, created, state) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (cid) DO UPDATE SET replica = 0, tries = 0, due = 0, error = '',
           name = iif(excluded.name <> '', excluded.name, name),
           state = iif(state = 1, 1, excluded.state)",
    )?
    .execute((&key, name, time(now_ms), state.number()))?;
    db.prepare_cached("DELETE FROM declined WHERE cid = ?1")?.execute([&key])?;
    Ok(())
}
