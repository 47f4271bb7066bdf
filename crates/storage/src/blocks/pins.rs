//! Pins: addresses below which nothing is removed.

use super::FileBlocks;
use crate::error::Error;
use crate::limits::PINS_MAX;
use optimusdb_dag::Cid;
use rusqlite::Connection;

/// A pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// What it keeps, with all below it.
    pub cid: Cid,
    /// What it is called; may be empty.
    pub name: String,
    /// When it was made, in milliseconds of the wall clock.
    pub created_ms: u64,
}

impl FileBlocks {
    /// All pins, oldest first.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub fn pins(&self) -> Result<Vec<Pin>, Error> {
        self.read(|link| {
            let mut statement = link
                .db
                .prepare_cached("SELECT cid, name, created FROM pins ORDER BY created, cid")?;
            let mut rows = statement.query([])?;
            let mut pins = Vec::new();
            while let Some(row) = rows.next()? {
                let cid = Cid::from_bytes(&row.get::<_, Vec<u8>>(0)?)?;
                let created_ms = row.get::<_, i64>(2)? as u64;
                pins.push(Pin { cid, name: row.get(1)?, created_ms });
            }
            Ok(pins)
        })
    }

    /// Pins an address, whether its blocks are here or not; one that is pinned gets the new name.
    ///
    /// # Errors
    /// [`Error::TooMany`] pins; when the disk does not take it.
    pub fn pin(&self, cid: &Cid, name: &str, now_ms: u64) -> Result<(), Error> {
        let writer = self.writer();
        put(&writer.db, cid, name, now_ms)?;
        self.guard.wanted(cid);
        Ok(())
    }

    /// Takes a pin away; false when there was none.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn unpin(&self, cid: &Cid) -> Result<bool, Error> {
        let writer = self.writer();
        let mut statement = writer.db.prepare_cached("DELETE FROM pins WHERE cid = ?1")?;
        Ok(statement.execute([cid.to_bytes()])? > 0)
    }
}

pub(super) fn put(db: &Connection, cid: &Cid, name: &str, now_ms: u64) -> Result<(), Error> {
    let count: i64 = db.prepare_cached("SELECT count(*) FROM pins")?.query_row([], |r| r.get(0))?;
    if count >= PINS_MAX {
        return Err(Error::TooMany(format!("this node has {PINS_MAX} pins, and takes no more")));
    }
    db.prepare_cached(
        "INSERT INTO pins (cid, name, created) VALUES (?1, ?2, ?3)
         ON CONFLICT (cid) DO UPDATE SET name = excluded.name WHERE excluded.name <> ''",
    )?
    .execute((cid.to_bytes(), name, i64::try_from(now_ms).unwrap_or(i64::MAX)))?;
    Ok(())
}
