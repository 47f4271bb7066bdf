//! A statement as it comes in, and what comes out of it.

use crate::error::Error;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// One statement of a user.
pub struct SqlStatement {
    /// Its text.
    pub sql: String,
    /// What its parameters are.
    pub params: SqlParams,
    /// When to give up, with [`Error::Interrupted`].
    pub deadline: Instant,
    /// Rows after which no more are wanted.
    pub rows_max: u64,
    /// The peers of the moment: a JSON array of objects, which the table `peers` shows.
    pub peers: String,
    /// Asked now and then: whether nobody waits for the answer any more.
    pub is_gone: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl fmt::Debug for SqlStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStatement").field("sql", &self.sql).finish_non_exhaustive()
    }
}

impl SqlStatement {
    /// About how many bytes it holds.
    pub fn bytes(&self) -> usize {
        let bytes = |value: &SqlValue| match value {
            SqlValue::Text(text) => text.len(),
            SqlValue::Blob(bytes) => bytes.len(),
            SqlValue::Null | SqlValue::Integer(_) | SqlValue::Real(_) => size_of::<u64>(),
        };
        self.sql.len()
            + match &self.params {
                SqlParams::Positional(values) => values.iter().map(bytes).sum::<usize>(),
                SqlParams::Named(values) => {
                    values.iter().map(|(name, value)| name.len() + bytes(value)).sum()
                }
            }
    }
}

/// The parameters of a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlParams {
    /// By their places, from the first.
    Positional(Vec<SqlValue>),
    /// By their names, with or without the sign in front.
    Named(Vec<(String, SqlValue)>),
}

/// A value of SQLite that is kept.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names are SQLite's")]
pub enum SqlValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// A value of a row that is being read.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "the names are SQLite's")]
pub enum SqlCell<'r> {
    Null,
    Integer(i64),
    Real(f64),
    /// Text, or what was meant to be: it need not be UTF-8.
    Text(&'r [u8]),
    Blob(&'r [u8]),
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlColumn {
    /// Its name, as the statement gives it.
    pub name: String,
    /// The type that its table declares; none of an expression.
    pub declared: Option<String>,
}

/// Who takes the result of a statement.
pub trait SqlSink {
    /// Is told the columns, before any row.
    fn columns(&mut self, columns: &[SqlColumn]);
    /// Takes a row, in the statement's own order, until it breaks.
    fn row(&mut self, row: &[SqlCell<'_>]) -> ControlFlow<()>;
}

impl SqlCell<'_> {
    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            SqlCell::Text(bytes) | SqlCell::Blob(bytes) => 8 + bytes.len() as u64,
            SqlCell::Null | SqlCell::Integer(_) | SqlCell::Real(_) => 8,
        }
    }
}

impl<'r> From<&'r SqlValue> for SqlCell<'r> {
    fn from(value: &'r SqlValue) -> SqlCell<'r> {
        match value {
            SqlValue::Null => SqlCell::Null,
            SqlValue::Integer(n) => SqlCell::Integer(*n),
            SqlValue::Real(x) => SqlCell::Real(*x),
            SqlValue::Text(text) => SqlCell::Text(text.as_bytes()),
            SqlValue::Blob(bytes) => SqlCell::Blob(bytes),
        }
    }
}

impl From<&SqlCell<'_>> for SqlValue {
    fn from(cell: &SqlCell<'_>) -> SqlValue {
        match cell {
            SqlCell::Null => SqlValue::Null,
            SqlCell::Integer(n) => SqlValue::Integer(*n),
            SqlCell::Real(x) => SqlValue::Real(*x),
            SqlCell::Text(bytes) => SqlValue::Text(String::from_utf8_lossy(bytes).into_owned()),
            SqlCell::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
        }
    }
}

impl<'r> From<ValueRef<'r>> for SqlCell<'r> {
    fn from(value: ValueRef<'r>) -> SqlCell<'r> {
        match value {
            ValueRef::Null => SqlCell::Null,
            ValueRef::Integer(n) => SqlCell::Integer(n),
            ValueRef::Real(x) => SqlCell::Real(x),
            ValueRef::Text(bytes) => SqlCell::Text(bytes),
            ValueRef::Blob(bytes) => SqlCell::Blob(bytes),
        }
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            SqlValue::Null => ValueRef::Null,
            SqlValue::Integer(n) => ValueRef::Integer(*n),
            SqlValue::Real(x) => ValueRef::Real(*x),
            SqlValue::Text(text) => ValueRef::Text(text.as_bytes()),
            SqlValue::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Gives a prepared statement its parameters: each exactly one.
pub(super) fn bind(
    prepared: &mut rusqlite::Statement<'_>,
    params: &SqlParams,
) -> Result<(), Error> {
    let wanted = prepared.parameter_count();
    match params {
        SqlParams::Positional(values) => {
            if values.len() != wanted {
                return Err(refused(format!(
                    "the statement has {wanted} parameters, and {} were given",
                    values.len()
                )));
            }
            for (i, value) in values.iter().enumerate() {
                prepared.raw_bind_parameter(i + 1, value)?;
            }
        }
        SqlParams::Named(values) => {
            let mut given = vec![false; wanted];
            for (name, value) in values {
                let Some(at) = place_of(prepared, name)? else {
                    return Err(refused(format!("the statement has no parameter {name:?}")));
                };
                if std::mem::replace(&mut given[at - 1], true) {
                    return Err(refused(format!("the parameter {name:?} is given twice")));
                }
                prepared.raw_bind_parameter(at, value)?;
            }
            if let Some(missing) = given.iter().position(|given| !given) {
                let name = prepared.parameter_name(missing + 1).unwrap_or("?").to_owned();
                return Err(refused(format!("the parameter {name:?} is not given")));
            }
        }
    }
    Ok(())
}

fn place_of(
    prepared: &rusqlite::Statement<'_>,
    name: &str,
) -> Result<Option<usize>, rusqlite::Error> {
    if name.contains('\0') {
        return Ok(None);
    }
    if name.starts_with([':', '@', '$']) {
        return prepared.parameter_index(name);
    }
    for sign in [':', '@', '$'] {
        if let Some(at) = prepared.parameter_index(&format!("{sign}{name}"))? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The statement is wrong as it stands.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::Statement { message: message.into(), offset: None }
}
