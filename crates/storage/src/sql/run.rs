//! Running a statement on a connection.
//!
//! Each runs in a transaction of its own, which is one snapshot. A statement that writes returns its
//! rows only once it is committed, or collected.

use super::binary::{DocsAsText, Verdict};
use super::capture::SqlWrites;
use super::guard::Seen;
use super::link::SqlLink;
use super::statement::{SqlCell, SqlColumn, SqlSink, SqlStatement, SqlValue, bind, refused};
use super::tables::{SqlTable, SqlTableKind, quoted};
use crate::error::Error;
use crate::limits::{
    SQL_ANSWER_BYTES_MAX, SQL_BYTES_MAX, SQL_RETURNED_BYTES_MAX, SQL_STATEMENTS_KEPT_BYTES_MAX,
    USER_OBJECTS_MAX,
};
use rusqlite::{CachedStatement, ErrorCode, Statement};
use std::ops::{ControlFlow, DerefMut};
use std::sync::Arc;
use std::time::Instant;

/// What SQLite says of ON CONFLICT on a view.
const UPSERT: &str = "cannot UPSERT a view";

/// What a connection for reading found a statement to be.
pub(super) enum Prepared {
    /// It was run.
    Read { more: bool },
    /// It reads, and needs the text of documents where the connection has them in binary.
    NeedsText,
    /// It writes the users' own tables.
    Local,
    /// It writes the table of that name, which is replicated.
    Replicated(String),
}

/// Rows that wait for a commit.
#[derive(Debug, Default)]
pub struct SqlReturned {
    columns: Vec<SqlColumn>,
    rows: Vec<Vec<SqlValue>>,
}

impl SqlReturned {
    /// Hands them on.
    pub fn give(&self, sink: &mut dyn SqlSink) {
        sink.columns(&self.columns);
        for row in &self.rows {
            let cells: Vec<SqlCell<'_>> = row.iter().map(SqlCell::from).collect();
            if sink.row(&cells).is_break() {
                return;
            }
        }
    }
}

impl SqlSink for SqlReturned {
    fn columns(&mut self, columns: &[SqlColumn]) {
        columns.clone_into(&mut self.columns);
    }

    fn row(&mut self, row: &[SqlCell<'_>]) -> ControlFlow<()> {
        self.rows.push(row.iter().map(SqlValue::from).collect());
        ControlFlow::Continue(())
    }
}

impl SqlLink {
    /// Runs a statement if it reads.
    pub(super) fn read(
        &mut self,
        statement: &SqlStatement,
        sink: &mut dyn SqlSink,
    ) -> Result<Prepared, Error> {
        if self.verdicts.need_text(&statement.sql) {
            return Ok(Prepared::NeedsText);
        }
        self.within("BEGIN", statement, statement.deadline, |link| {
            let _watched = link.guard.watch();
            let mut prepared = link.prepare(&statement.sql)?;
            if !prepared.readonly() {
                // What a plan may do is asked once, when it is made: only what reads is kept.
                prepared.discard();
                // One that is not seen to write anything may be a DROP IF EXISTS of nothing.
                let replicated = link.guard.seen().replicated;
                return Ok(replicated.map_or(Prepared::Local, Prepared::Replicated));
            }
            let of_node = link.guard.saw_the_node_alone();
            let verdict = if link.is_binary() {
                link.verdicts.of(&link.guard.seen().docs, &prepared, &statement.sql)
            } else {
                Verdict::Same(Vec::new())
            };
            let most = SQL_ANSWER_BYTES_MAX;
            let more = match verdict {
                Verdict::NeedsText => return Ok(Prepared::NeedsText),
                Verdict::Same(docs) if docs.is_empty() => {
                    link.step(&mut prepared, statement, most, sink)?
                }
                Verdict::Same(docs) => {
                    let mut sink = DocsAsText::new(link.own("SELECT json(?1)")?, docs, sink);
                    link.step(&mut prepared, statement, most, &mut sink)?
                }
            };
            if statement.sql.len() > SQL_STATEMENTS_KEPT_BYTES_MAX {
                prepared.discard();
            } else if of_node {
                link.note_of_node(&statement.sql);
            }
            Ok(Prepared::Read { more })
        })
    }

    /// Runs a statement that changes the users' own tables. Answers what it returned, and how many rows
    /// it changed.
    pub(super) fn write(
        &mut self,
        statement: &SqlStatement,
    ) -> Result<(SqlReturned, usize), Error> {
        self.within("BEGIN IMMEDIATE", statement, statement.deadline, |link| {
            let mut seen = link.look(&statement.sql)?;
            // What SQLite renames it looks for in all that is defined, also in views that would see
            // more if they were shown.
            let aside = if seen.alters { link.put_views_aside()? } else { Vec::new() };
            let before = link.link.db.total_changes();
            let clashing = link.count_clashes()?;
            let mut returned = SqlReturned::default();
            {
                let _watched = link.guard.watch();
                let mut prepared = link.prepare(&statement.sql)?;
                seen = link.guard.seen();
                if seen.replicated.is_some() {
                    return Err(refused("the tables have changed meanwhile; try again"));
                }
                link.step(&mut prepared, statement, SQL_RETURNED_BYTES_MAX, &mut returned)?;
                prepared.discard();
            }
            let db = &link.link.db;
            let changes = if seen.defines { 0 } else { db.changes() };
            let affected = if db.total_changes() == before { 0 } else { changes };
            for view in &seen.dropped {
                // It was dropped where statements see it; now where it is kept.
                db.execute_batch(&format!("DROP VIEW main.{}", quoted(view)))?;
            }
            if seen.alters && link.count_clashes()? > clashing {
                return Err(refused(
                    "there is already a table of that name, of this node or a store",
                ));
            }
            for view in aside {
                db.execute_batch(&view.sql)?;
            }
            if seen.defines {
                link.count_objects()?;
            }
            Ok((returned, usize::try_from(affected).unwrap_or(usize::MAX)))
        })
    }

    fn count_objects(&self) -> Result<(), Error> {
        let count = "SELECT count(*) FROM main.sqlite_schema";
        let objects: i64 = self.link.db.query_row(count, [], |row| row.get(0))?;
        if objects > USER_OBJECTS_MAX {
            return Err(refused(format!(
                "users have {USER_OBJECTS_MAX} tables, views, indexes and triggers here, which is the \
                 limit"
            )));
        }
        Ok(())
    }

    /// What a statement would write to a store.
    pub(super) fn capture(
        &mut self,
        statement: &SqlStatement,
        deadline: Instant,
    ) -> Result<(SqlReturned, SqlWrites), Error> {
        self.capture.clear();
        let done = self.within("BEGIN", statement, deadline, |link| {
            let _watched = link.guard.watch();
            let mut prepared = link.prepare(&statement.sql)?;
            let seen = link.guard.seen();
            if seen.local || seen.replicated.is_none() {
                return Err(refused("the tables have changed meanwhile; try again"));
            }
            let mut returned = SqlReturned::default();
            let most = SQL_RETURNED_BYTES_MAX;
            let ran = link.step(&mut prepared, statement, most, &mut returned);
            prepared.discard();
            match ran {
                // The table that the triggers conflict in is nothing to a user.
                Err(Error::Statement { message, .. }) if message.ends_with("probe.there") => {
                    let table = seen.replicated.unwrap_or_default();
                    Err(refused(format!("UNIQUE constraint failed: {table}._id")))
                }
                ran => ran.map(|_| returned),
            }
        });
        match done {
            Ok(returned) => Ok((returned, self.capture.take())),
            Err(error) => Err(self.capture.why().unwrap_or(error)),
        }
    }

    /// The tables that statements see, with their columns.
    pub(super) fn tables(&mut self) -> Result<Vec<SqlTable>, Error> {
        self.link.db.execute_batch("BEGIN")?;
        let tables = self.refresh(None).and_then(|()| self.listed());
        self.link.db.execute_batch("COMMIT")?;
        tables
    }

    fn listed(&self) -> Result<Vec<SqlTable>, Error> {
        let db = &self.link.db;
        let columns = |schema: &str, name: &str| {
            let mut columns = self.own(
                "SELECT name, nullif(type, '') FROM pragma_table_xinfo(?2, ?1)
                 WHERE hidden IN (0, 2, 3)",
            )?;
            let columns = columns.query_map((schema, name), |row| {
                Ok(SqlColumn { name: row.get(0)?, declared: row.get(1)? })
            })?;
            columns.collect::<Result<Vec<_>, _>>()
        };
        let mut tables = Vec::new();
        for view in self.shown()? {
            let columns = columns("temp", &view.name)?;
            let (kind, writable, replicated) = (view.kind, view.writable, view.replicated());
            tables.push(SqlTable { name: view.name, kind, writable, replicated, columns });
        }
        let mut own = db.prepare(
            "SELECT name, type FROM main.sqlite_schema
             WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY name",
        )?;
        let mut own = own.query([])?;
        while let Some(row) = own.next()? {
            let (name, what): (String, String) = (row.get(0)?, row.get(1)?);
            let is_view = what == "view";
            if is_view && !self.user_views().iter().any(|view| view.name == name) {
                continue;
            }
            let kind = if is_view { SqlTableKind::View } else { SqlTableKind::Local };
            // A view may read what is gone; then nobody knows its columns.
            let schema = if is_view { "temp" } else { "main" };
            let columns = columns(schema, &name).unwrap_or_default();
            let (writable, replicated) = (!is_view, false);
            tables.push(SqlTable { name, kind, writable, replicated, columns });
        }
        Ok(tables)
    }

    /// Does `work` in a transaction, with the views as they are now. What fails is undone.
    pub(super) fn within<T>(
        &mut self,
        begin: &str,
        statement: &SqlStatement,
        deadline: Instant,
        work: impl FnOnce(&SqlLink) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if statement.sql.len() > SQL_BYTES_MAX {
            return Err(refused(format!(
                "the statement has {} bytes; {SQL_BYTES_MAX} are allowed: give values as parameters",
                statement.sql.len()
            )));
        }
        if let Some(at) = statement.sql.find('\0') {
            let message = "the statement has a NUL character in it".to_owned();
            return Err(Error::Statement { message, offset: Some(at) });
        }
        self.set_peers(&statement.peers);
        self.own(begin)?.execute([])?;
        let times_made = self.times_made();
        let done = self.refresh(Some(&statement.sql)).and_then(|()| {
            let gone = Arc::clone(&statement.is_gone);
            let _bounded = self.link.until_gone(deadline, gone);
            work(self)
        });
        // What only read has nothing to undo, and its views stay.
        let undo = done.is_err() && self.writes();
        if !self.link.db.is_autocommit() {
            self.own(if undo { "ROLLBACK" } else { "COMMIT" })?.execute([])?;
        }
        if undo && self.times_made() != times_made {
            self.forget_views();
        }
        done
    }

    /// What a statement does.
    fn look(&self, sql: &str) -> Result<Seen, Error> {
        let _watched = self.guard.watch();
        self.prepare(sql)?.discard();
        Ok(self.guard.seen())
    }

    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, Error> {
        let prepared = self.link.db.prepare_cached(sql).map_err(|error| self.said(error))?;
        if prepared.is_explain() != 0 {
            prepared.discard();
            return Err(refused("EXPLAIN is not allowed"));
        }
        Ok(prepared)
    }

    /// Steps through a statement. Answers whether there were more rows than wanted.
    fn step<'c>(
        &self,
        prepared: &mut impl DerefMut<Target = Statement<'c>>,
        statement: &SqlStatement,
        bytes_max: u64,
        sink: &mut dyn SqlSink,
    ) -> Result<bool, Error> {
        bind(prepared, &statement.params).map_err(|error| match error {
            Error::Sqlite(error) => self.said(error),
            other => other,
        })?;
        let columns: Vec<SqlColumn> = prepared
            .columns()
            .map(|column| SqlColumn {
                name: column.name().to_owned(),
                declared: column.decl_type().map(str::to_owned),
            })
            .collect();
        sink.columns(&columns);
        let (mut taken, mut bytes) = (0, 0);
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.said(error))? {
            if taken == statement.rows_max {
                return Ok(true);
            }
            taken += 1;
            let mut cells = Vec::with_capacity(columns.len());
            for column in 0..columns.len() {
                let cell = SqlCell::from(row.get_ref(column)?);
                bytes += cell.bytes();
                cells.push(cell);
            }
            if bytes > bytes_max {
                return Err(Error::TooMany(format!(
                    "the rows have more than {bytes_max} bytes together; ask for fewer"
                )));
            }
            if sink.row(&cells).is_break() || Instant::now() >= statement.deadline {
                return Err(Error::Interrupted);
            }
        }
        Ok(false)
    }

    /// An error of SQLite in the words for a user.
    fn said(&self, error: rusqlite::Error) -> Error {
        use rusqlite::Error as Said;
        let (message, offset) = match &error {
            Said::SqlInputError { msg, offset, .. } => (msg.clone(), usize::try_from(*offset).ok()),
            Said::MultipleStatement => ("there is more than one statement".to_owned(), None),
            Said::Empty => ("there is no statement".to_owned(), None),
            Said::SqliteFailure(failure, message) => match failure.code {
                ErrorCode::Unknown
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
                | ErrorCode::ReadOnly
                | ErrorCode::ParameterOutOfRange
                | ErrorCode::AuthorizationForStatementDenied => {
                    (message.clone().unwrap_or_else(|| failure.to_string()), None)
                }
                _ => return Error::from(error),
            },
            _ => return Error::from(error),
        };
        let message = match self.guard.seen().refused {
            Some(refused) => refused,
            None if message == UPSERT => {
                format!("{message}: use INSERT OR REPLACE or INSERT OR IGNORE")
            }
            None => message,
        };
        self.without_secret(message, offset)
    }

    fn without_secret(&self, message: String, offset: Option<usize>) -> Error {
        let mut message = message;
        if let Some(name) = message.strip_prefix("no such table: main.")
            && self.is_hidden(name)
        {
            message = format!("no such table: {name}");
        }
        let message = if message.contains(&self.secret) {
            message.replace(&self.secret, "…")
        } else {
            message
        };
        Error::Statement { message, offset }
    }
}
