//! What a statement may touch: SQLite's authorizer, and what it was told while it prepared one.
//!
//! Everything is denied that is not named here. The tables of the node are read by the views of
//! [`super::tables`] alone: SQLite names the innermost view or trigger that asks for a column, and
//! theirs have names that begin with a secret of the connection. A name that a statement can know
//! would not do, for a common table expression of that name passes for it. The secret is in no answer:
//! plans are not explained, the schema of the views is not read, and messages are searched for it.

use super::functions;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a statement was found to do.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// It writes to a table of the users, or changes their schema.
    pub(super) local: bool,
    /// It writes to the table of that name, which replicates.
    pub(super) replicated: Option<String>,
    /// It changes the schema.
    pub(super) defines: bool,
    /// It is an ALTER, which reads all that is defined.
    pub(super) alters: bool,
    /// The views of users that it drops, as they are seen on this connection.
    pub(super) dropped: Vec<String>,
    /// Why it was refused.
    pub(super) refused: Option<String>,
    /// It reads what may be a table or a view of a user.
    pub(super) users: bool,
    /// How it reads documents.
    pub(super) docs: DocsSeen,
}

/// How a statement reads the documents that its connection shows in binary.
#[derive(Debug, Clone, Default)]
pub(super) struct DocsSeen {
    /// SELECTs of its own.
    pub(super) selects: usize,
    /// Reads of `doc` as the argument of a function for which text and binary are the same.
    pub(super) inside: usize,
    /// Other reads of `doc`.
    pub(super) bare: usize,
    /// Whether it reads through something that may pass a document on unseen.
    pub(super) passed_on: bool,
    /// Whether it has just been asked for such a function: its first argument comes next.
    asked_for_json: bool,
}

/// Functions to which a document in binary is the same as its text, as their first argument.
const TAKE_BINARY: [&str; 6] =
    ["->", "->>", "json", "json_array_length", "json_extract", "json_type"];

/// The names that the guard decides by. All are in lower case.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// With which the names of the views and triggers begin that may read what is the node's.
    pub(super) secret: String,
    /// The tables that are shown, and that no table of users may be called like.
    pub(super) shown: HashSet<String>,
    /// Those that can be written, with the names that they are known by.
    pub(super) written: HashMap<String, String>,
    /// The views of users.
    pub(super) views: HashSet<String>,
    /// Those among the shown whose `doc` is in binary on this connection.
    pub(super) binary: HashSet<String>,
    /// Tables that SQLite makes up itself.
    pub(super) modules: HashSet<String>,
}

/// Tables that are made out of an argument.
const MADE_OF_JSON: [&str; 4] = ["json_each", "json_tree", "jsonb_each", "jsonb_tree"];

/// The state that the authorizer of a connection decides by.
#[derive(Debug, Clone, Default)]
pub(super) struct Authority(Arc<Mutex<AuthorityState>>);

#[derive(Debug, Default)]
struct AuthorityState {
    names: Names,
    seen: Seen,
    /// Whether what is prepared is a user's.
    watching: bool,
}

impl Authority {
    /// What SQLite asks.
    pub(super) fn authorizer(
        &self,
    ) -> impl for<'r> FnMut(AuthContext<'r>) -> Authorization + Send + 'static {
        let state = Arc::clone(&self.0);
        move |asked| {
            let mut state = lock(&state);
            if !state.watching {
                return Authorization::Allow;
            }
            match state.decide(&asked) {
                Ok(()) => Authorization::Allow,
                Err(why) => {
                    state.seen.refused.get_or_insert(why);
                    Authorization::Deny
                }
            }
        }
    }

    /// Takes up new names.
    pub(super) fn rename(&self, names: Names) {
        lock(&self.0).names = names;
    }

    /// From now on until the answer is dropped, what is prepared is a user's.
    pub(super) fn watch(&self) -> Watched<'_> {
        let mut state = lock(&self.0);
        state.seen = Seen::default();
        state.watching = true;
        Watched(self)
    }

    /// Whether a table of that name is shown.
    pub(super) fn is_shown(&self, name: &str) -> bool {
        lock(&self.0).names.shown.contains(&name.to_ascii_lowercase())
    }

    /// What was seen since.
    pub(super) fn seen(&self) -> Seen {
        lock(&self.0).seen.clone()
    }

    /// Whether what was prepared reads nothing that is a user's. Of what was prepared before nothing is
    /// seen, and so nothing known.
    pub(super) fn saw_the_node_alone(&self) -> bool {
        let seen = &lock(&self.0).seen;
        seen.docs.selects > 0 && !seen.users
    }
}

/// While it lives, a user's statement is prepared or run.
pub(super) struct Watched<'g>(&'g Authority);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).watching = false;
    }
}

fn lock(state: &Mutex<AuthorityState>) -> MutexGuard<'_, AuthorityState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AuthorityState {
    fn decide(&mut self, asked: &AuthContext<'_>) -> Result<(), String> {
        let schema = asked.database_name.unwrap_or_default();
        let trusted = asked.accessor.is_some_and(|name| name.starts_with(&self.names.secret));
        if !trusted {
            self.note_docs(schema, asked);
            self.note_users(schema, asked);
        }
        match asked.action {
            AuthAction::Select | AuthAction::Recursive => Ok(()),
            AuthAction::Read { table_name, column_name } => {
                self.read(schema, table_name, column_name, trusted)
            }
            AuthAction::Function { function_name } => {
                // The ones that SQLite renames with can be called by nobody else.
                let renames = self.seen.alters && function_name.starts_with("sqlite_");
                if trusted || renames || functions::is_callable(function_name) {
                    return Ok(());
                }
                Err(format!("the function {function_name} cannot be called"))
            }
            AuthAction::Insert { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::Delete { table_name } => self.write(schema, table_name, trusted),
            _ => self.define(schema, &asked.action),
        }
    }

    /// Keeps account of how documents are read.
    fn note_docs(&mut self, schema: &str, asked: &AuthContext<'_>) {
        let docs = &mut self.seen.docs;
        let after_json = std::mem::take(&mut docs.asked_for_json);
        match asked.action {
            AuthAction::Select => match asked.accessor.map(str::to_ascii_lowercase) {
                None => docs.selects += 1,
                Some(name) => docs.passed_on |= !self.names.shown.contains(&name),
            },
            AuthAction::Function { function_name } => {
                docs.asked_for_json = TAKE_BINARY.contains(&function_name);
            }
            AuthAction::Read { table_name, column_name } => {
                let table = table_name.to_ascii_lowercase();
                docs.passed_on |= schema != "temp" || self.names.views.contains(&table);
                let doc = column_name == "doc" && self.names.binary.contains(&table);
                if schema == "temp" && doc && after_json {
                    docs.inside += 1;
                } else if schema == "temp" && doc {
                    docs.bare += 1;
                    // A common table expression, which may be called like a store.
                    docs.passed_on |= asked.accessor.is_some();
                }
            }
            _ => {}
        }
    }

    /// Keeps account of whether anything of users is read. Without a column SQLite names no schema.
    fn note_users(&mut self, schema: &str, asked: &AuthContext<'_>) {
        let shown = |name: &str| {
            name.starts_with(&self.names.secret)
                || self.names.shown.contains(&name.to_ascii_lowercase())
        };
        let through = asked.accessor.is_some_and(|name| !shown(name));
        let table = match asked.action {
            AuthAction::Read { table_name, column_name } => {
                schema != "temp" || column_name.is_empty() || !shown(table_name)
            }
            _ => false,
        };
        self.seen.users |= through || table;
    }

    fn read(&self, schema: &str, table: &str, column: &str, trusted: bool) -> Result<(), String> {
        let lower = table.to_ascii_lowercase();
        let of_sqlite = lower.starts_with("sqlite_") && lower != "sqlite_sequence";
        let made_up = lower.starts_with("pragma_")
            || self.names.modules.contains(&lower) && !MADE_OF_JSON.contains(&lower.as_str());
        let may = match schema {
            _ if trusted => true,
            // Of a table without a column that is wanted SQLite names neither view nor schema. It may
            // be a common table expression. The node's tables have no name that leads to them.
            _ if column.is_empty() => !made_up && (!of_sqlite || self.seen.alters),
            "main" => !made_up && (!of_sqlite || self.seen.defines),
            "temp" => !of_sqlite || self.seen.alters || !self.seen.dropped.is_empty(),
            _ => false,
        };
        if may { Ok(()) } else { Err(format!("no such table: {table}")) }
    }

    fn write(&mut self, schema: &str, table: &str, trusted: bool) -> Result<(), String> {
        let lower = table.to_ascii_lowercase();
        match schema {
            _ if trusted => Ok(()),
            // SQLite keeps it from statements, and writes there itself.
            "main" if lower == "sqlite_master" => Ok(()),
            "main" => {
                self.seen.local = true;
                Ok(())
            }
            "temp" if lower == "sqlite_temp_master" => Ok(()),
            // SQLite asks for this, too, when it drops one.
            "temp" if !self.seen.dropped.is_empty() && self.names.views.contains(&lower) => Ok(()),
            "temp" => match self.names.written.get(&lower) {
                Some(name) => {
                    self.seen.replicated = Some(name.clone());
                    Ok(())
                }
                None => Err(format!("{table} cannot be written with SQL")),
            },
            _ => Err(format!("no such table: {table}")),
        }
    }

    fn define(&mut self, schema: &str, action: &AuthAction<'_>) -> Result<(), String> {
        match *action {
            AuthAction::CreateTable { table_name: name }
            | AuthAction::CreateView { view_name: name }
                if schema == "main" =>
            {
                self.free(name)?;
            }
            AuthAction::CreateIndex { .. }
            | AuthAction::CreateTrigger { .. }
            | AuthAction::DropTable { .. }
            | AuthAction::DropView { .. }
            | AuthAction::DropIndex { .. }
            | AuthAction::DropTrigger { .. }
                if schema == "main" => {}
            AuthAction::AlterTable { database_name: "main", .. } => self.seen.alters = true,
            // An index is filled by its CREATE.
            AuthAction::Reindex { .. } if self.seen.defines => return Ok(()),
            AuthAction::DropTempView { view_name }
                if self.names.views.contains(&view_name.to_ascii_lowercase()) =>
            {
                self.seen.dropped.push(view_name.to_owned());
            }
            AuthAction::DropTempView { view_name: name }
            | AuthAction::DropTempTable { table_name: name } => {
                return Err(format!("{name} cannot be dropped with SQL"));
            }
            _ => return Err(refusal(action).to_owned()),
        }
        self.seen.local = true;
        self.seen.defines = true;
        Ok(())
    }

    /// Refuses a name that is taken by what everyone sees.
    fn free(&self, name: &str) -> Result<(), String> {
        let lower = name.to_ascii_lowercase();
        if self.names.shown.contains(&lower) || MADE_OF_JSON.contains(&lower.as_str()) {
            return Err(format!("there is already a table named {name}, of this node or a store"));
        }
        Ok(())
    }
}

/// Why what no statement may do is refused.
fn refusal(action: &AuthAction<'_>) -> &'static str {
    match action {
        AuthAction::Pragma { .. } => "PRAGMA is not allowed",
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
            "no other database is reached: ATTACH, DETACH and VACUUM are not allowed"
        }
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
            "each statement is a transaction of its own: BEGIN, COMMIT, ROLLBACK and SAVEPOINT are \
             not allowed"
        }
        AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => "what is temporary cannot be made: leave TEMP out",
        AuthAction::CreateVtable { .. } | AuthAction::DropVtable { .. } => {
            "virtual tables are not allowed"
        }
        AuthAction::Analyze { .. } | AuthAction::Reindex { .. } => {
            "ANALYZE and REINDEX are not allowed"
        }
        _ => "the statement does what is not allowed",
    }
}
