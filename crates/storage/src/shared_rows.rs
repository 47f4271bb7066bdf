//! Rows that many entries share: the keys of their writers, the addresses of their stores.
//!
//! A wrong byte in one of them makes all these entries unreadable, though each is as it was written. What
//! such a row held can be told from the identities and manifests that are kept, and an entry proves it:
//! with the right one its block has its address again.

use crate::entries;
use crate::error::Error;
use optimusdb_dag::{Address, Identity, LogCid, Manifest, StoredEntry};
use rusqlite::{Connection, OptionalExtension};

/// Whether the entry in row `seq` can be read once a row that it shares is made right, which it then is.
pub(crate) fn made_right(db: &Connection, seq: i64) -> Result<bool, Error> {
    let Some(parts) = entries::parts_at(db, seq)? else { return Ok(false) };
    let found = with_block(db, &parts.identity)?.and_then(|identity| key_of(&parts, &identity));
    let found = match found {
        None => among_all(db, &parts)?,
        found => found,
    };
    match found {
        Some(Shared::Key(key)) => right_writer(db, seq, (&parts.identity, &key))?,
        Some(Shared::Identity(cid)) => right_writer(db, seq, (&cid, &parts.key))?,
        Some(Shared::Store(log)) => {
            db.execute(
                "UPDATE stores SET manifest = ?2 WHERE id = (SELECT store FROM entries WHERE seq = ?1)",
                (seq, log.manifest().digest()),
            )?;
        }
        None => return Ok(false),
    };
    Ok(true)
}

/// Makes the writer of the entry in row `seq` the one with this identity and key. That one may be there
/// already, if it has written since: then all entries of the wrong row become its.
fn right_writer(db: &Connection, seq: i64, right: (&LogCid, &str)) -> Result<(), Error> {
    let wrong: i64 =
        db.query_row("SELECT writer FROM entries WHERE seq = ?1", [seq], |row| row.get(0))?;
    let (identity, key) = (right.0.digest(), right.1);
    let there: Option<i64> = db
        .query_row(
            "SELECT id FROM writers WHERE identity = ?1 AND key = ?2 AND id <> ?3",
            (identity, key, wrong),
            |row| row.get(0),
        )
        .optional()?;
    match there {
        None => {
            db.execute(
                "UPDATE writers SET identity = ?2, key = ?3 WHERE id = ?1",
                (wrong, identity, key),
            )?;
        }
        Some(there) => {
            db.execute("UPDATE entries SET writer = ?2 WHERE writer = ?1", (wrong, there))?;
            db.execute("DELETE FROM writers WHERE id = ?1", [wrong])?;
        }
    }
    Ok(())
}

/// What a shared row should hold.
enum Shared {
    Key(String),
    Identity(LogCid),
    Store(Address),
}

fn is_right(parts: &StoredEntry) -> bool {
    LogCid::of(&parts.block()) == parts.cid
}

fn with_block(db: &Connection, cid: &LogCid) -> Result<Option<Vec<u8>>, Error> {
    let mut statement = db.prepare_cached("SELECT bytes FROM blocks WHERE cid = ?1")?;
    Ok(statement.query_row([cid.digest()], |row| row.get(0)).optional()?)
}

/// The key that the identity of the entry has, if that makes it right.
fn key_of(parts: &StoredEntry, identity: &[u8]) -> Option<Shared> {
    let key = Identity::decode(parts.identity, identity).ok()?.public_key;
    let parts = StoredEntry { key, ..parts.clone() };
    is_right(&parts).then_some(Shared::Key(parts.key))
}

/// Tries every identity and every manifest that is kept.
fn among_all(db: &Connection, parts: &StoredEntry) -> Result<Option<Shared>, Error> {
    let mut statement = db.prepare("SELECT cid, bytes FROM blocks")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Ok(cid) = row.get(0).map(LogCid::from_digest) else { continue };
        let Ok(bytes) = row.get_ref(1)?.as_blob() else { continue };
        if Identity::decode(cid, bytes).is_ok_and(|identity| identity.public_key == parts.key)
            && is_right(&StoredEntry { identity: cid, ..parts.clone() })
        {
            return Ok(Some(Shared::Identity(cid)));
        }
        let log = Address::of_manifest(cid);
        if Manifest::decode(cid, bytes).is_ok() && is_right(&StoredEntry { log, ..parts.clone() }) {
            return Ok(Some(Shared::Store(log)));
        }
    }
    Ok(None)
}
