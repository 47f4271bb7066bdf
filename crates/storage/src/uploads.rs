//! Which document of a file name stands: one for each name and store, whatever the order of arrival.
//!
//! A file is uploaded under an id that follows from its name and content, so the same name uploaded
//! on two nodes at once makes two documents, and neither node could delete the other's. The rule is
//! that of the index, for names instead of keys: the greatest PUT of a file of that name counts, and
//! every other document of an uploaded file of that name is replaced by it as a tombstone replaces
//! what it deletes. That PUT counts on when its document has been deleted, or changed into another.
//!
//! A document that was not uploaded, though it may have the fields of one, has another id and stands.

use crate::entries;
use crate::error::Error;
use crate::stores::{StoreId, StoreRef};
use crate::tosca;
use optimusdb_dag::{Entry, Ipld, OperationRef, StoreKind};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

/// The end of the id of an uploaded file's document: hexadecimal digits that follow from the name
/// and the content.
pub fn upload_digits(filename: &str, content: &[u8]) -> String {
    let hash =
        Sha256::new().chain_update(filename).chain_update([0]).chain_update(content).finalize();
    hex::encode(&hash[..8])
}

/// What the PUT of a document means to the others of its file name.
pub(crate) struct Upload {
    /// Whether a greater PUT of another document of that name is known.
    pub(crate) replaced: bool,
    /// Documents that this one replaced.
    pub(crate) replaces: i64,
}

impl Upload {
    /// What anything else means to them.
    pub(crate) const NONE: Upload = Upload { replaced: false, replaces: 0 };
}

/// Notes the PUT of a document, stored in row `seq`, and takes away what it replaces.
pub(crate) fn note(
    db: &Connection,
    store: &StoreRef,
    seq: i64,
    entry: &Entry,
    key: &str,
    document: &Ipld,
) -> Result<Upload, Error> {
    let Some(filename) = uploaded_file(key, document) else { return Ok(Upload::NONE) };
    let Some((earlier, standing)) = standing(db, store.id, filename)? else {
        set_standing(db, store.id, filename, key, seq)?;
        return Ok(Upload::NONE);
    };
    if Some(entry.order()) < entries::order_at(db, standing)? {
        return Ok(Upload { replaced: earlier != key, replaces: 0 });
    }
    if earlier == key {
        set_standing(db, store.id, filename, key, seq)?;
        return Ok(Upload::NONE);
    }
    // First what may fail: a damaged document is mended, and then all of this is done once more.
    // Where its row is another entry's by now, it has been replaced, deleted or changed already.
    let replaced: Option<i64> = db
        .prepare_cached(
            "UPDATE documents SET doc = NULL
             WHERE key = ?1 AND store = ?2 AND entry = ?3 AND doc IS NOT NULL RETURNING row",
        )?
        .query_row((earlier, store.id, standing), |row| row.get(0))
        .optional()?;
    set_standing(db, store.id, filename, key, seq)?;
    if let Some(row) = replaced {
        tosca::remove(db, row)?;
    }
    Ok(Upload { replaced: false, replaces: i64::from(replaced.is_some()) })
}

/// Whether a document that its key's greatest PUT makes is replaced by another of its file name.
pub(crate) fn is_replaced(
    db: &Connection,
    store: &StoreRef,
    key: &str,
    document: &Ipld,
) -> Result<bool, Error> {
    let Some(filename) = uploaded_file(key, document) else { return Ok(false) };
    Ok(standing(db, store.id, filename)?.is_some_and(|(standing, _)| standing != key))
}

/// Whether an entry puts the document of an uploaded file, which may replace another of its name.
pub(crate) fn is_upload(kind: StoreKind, entry: &Entry) -> bool {
    match OperationRef::of(kind, entry.payload()) {
        Some((OperationRef::Put { key, value }, _)) => uploaded_file(key, value).is_some(),
        _ => false,
    }
}

/// Drops what was noted for a store.
pub(crate) fn clear(db: &Connection, store: StoreId) -> Result<(), Error> {
    db.execute("DELETE FROM uploads WHERE store = ?1", [store])?;
    Ok(())
}

/// The key and row of the greatest PUT of a file of that name.
fn standing(
    db: &Connection,
    store: StoreId,
    filename: &str,
) -> Result<Option<(String, i64)>, Error> {
    let mut statement =
        db.prepare_cached("SELECT key, entry FROM uploads WHERE store = ?1 AND filename = ?2")?;
    Ok(statement.query_row((store, filename), |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn set_standing(
    db: &Connection,
    store: StoreId,
    filename: &str,
    key: &str,
    seq: i64,
) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT INTO uploads (store, filename, key, entry) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (store, filename) DO UPDATE SET key = excluded.key, entry = excluded.entry",
    )?
    .execute((store, filename, key, seq))?;
    Ok(())
}

/// The name of the file that a document of that key was uploaded from, if it was.
fn uploaded_file<'d>(key: &str, document: &'d Ipld) -> Option<&'d str> {
    let Ipld::Map(fields) = document else { return None };
    let (Ipld::String(name), Ipld::String(content)) =
        (fields.get("_filename")?, fields.get("_original_yaml")?)
    else {
        return None;
    };
    let digits = key.strip_prefix("tosca_")?.rsplit('_').next()?;
    (digits == upload_digits(name, content.as_bytes())).then_some(name)
}
