//! The limits that SQLite keeps itself, of a connection for statements of users.

use crate::connection::Link;
use crate::error::Error;
use crate::limits::{
    SQL_BYTES_MAX, SQL_COLUMNS_MAX, SQL_COMPOUND_SELECTS_MAX, SQL_EXPRESSION_LEVELS_MAX,
    SQL_INSTRUCTIONS_MAX, SQL_PARAMETERS_MAX, SQL_PATTERN_BYTES_MAX, SQL_TRIGGERS_MAX,
    SQL_VALUE_BYTES_MAX,
};
use rusqlite::limits::Limit;

/// Bounds what a statement may be. Statements of this node's own are within all of it, too.
pub(super) fn limit(link: &Link) -> Result<(), Error> {
    for (what, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, SQL_VALUE_BYTES_MAX),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX),
        (Limit::SQLITE_LIMIT_COLUMN, SQL_COLUMNS_MAX),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, SQL_EXPRESSION_LEVELS_MAX),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, SQL_COMPOUND_SELECTS_MAX),
        (Limit::SQLITE_LIMIT_VDBE_OP, SQL_INSTRUCTIONS_MAX),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, SQL_PATTERN_BYTES_MAX),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, SQL_PARAMETERS_MAX),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, SQL_TRIGGERS_MAX),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        link.db.set_limit(what, i32::try_from(most).unwrap_or(i32::MAX))?;
    }
    Ok(())
}
