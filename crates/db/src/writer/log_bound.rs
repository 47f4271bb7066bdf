//! The write-ahead log between two transactions.

use optimusdb_storage::Database;

/// Keeps the log within its limit, whoever reads.
pub(super) fn keep(database: &mut Database) {
    match database.bound_log() {
        Ok(None) => {}
        Ok(Some(bytes)) => tracing::warn!(
            "the write-ahead log has {bytes} bytes, and the reads that kept it from being cut were ended"
        ),
        Err(error) => tracing::debug!("the write-ahead log stays for now: {error}"),
    }
}
