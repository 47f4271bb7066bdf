//! A connection for statements of users.
//!
//! Its main database is that of the users' own tables; the node's and the journal's are attached, to
//! be read alone, under names that no statement knows. What statements see of them are temporary
//! views. They are made anew when a store or a view of a user has come or gone, which is looked for
//! before each statement, in its own snapshot. While the node's database is as it was, its stores are not
//! listed again, and a kept statement that reads nothing of the users' does not touch their database.
//!
//! Statements of this node's own begin with a comment that has the secret in it: a user's of the same
//! text must not meet one that was prepared without the guard.

use super::binary::Verdicts;
use super::bounds::limit;
use super::capture::Capture;
use super::functions;
use super::guard::{Authority, Names};
use super::tables::{Audience, Shown, create, quoted, shown};
use crate::connection::{Durability, Link, Place, read_only, read_write, to_nothing};
use crate::error::Error;
use crate::limits::{SQL_CACHE_KIB, SQL_STEPS_PER_LOOK, STATEMENTS_MAX, USER_TABLES_BYTES_MAX};
use crate::stores;
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{CachedStatement, Result as Answer};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Where the databases are that statements reach.
#[derive(Debug, Clone)]
pub struct SqlPlaces {
    /// The node's.
    pub node: Place,
    /// The journal's.
    pub journal: Place,
    /// The one of the users' own tables.
    pub user: Place,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Reading: nothing can be written with it.
    Read,
    /// Reading for peers: where the others have the users' tables, it has an empty database.
    PeerRead,
    /// Writing the users' own tables.
    Write,
    /// Finding out what a statement would write to a store: only the triggers of the views run.
    Capture,
}

/// A connection with its views.
#[derive(Debug)]
pub(super) struct SqlLink {
    pub(super) link: Link,
    pub(super) guard: Authority,
    pub(super) capture: Capture,
    pub(super) secret: String,
    peers: Arc<Mutex<String>>,
    role: Role,
    audience: Audience,
    /// Whether it shows documents in binary, see [`super::binary`].
    binary: bool,
    pub(super) verdicts: Verdicts,
    /// What the views were made of; none if they have to be made anew.
    made_of: Option<MadeOf>,
    /// How often they were made.
    times_made: u64,
    /// Statements that are kept and found to read nothing of the users'. The views are enough for them.
    of_node: RefCell<HashSet<String>>,
    views: Vec<UserView>,
    /// The tables of the node whose names lead nowhere.
    hidden: Vec<String>,
}

/// What the views of a connection were made of.
#[derive(Debug)]
struct MadeOf {
    /// The state of the node's database, which any commit there changes.
    node: i64,
    stores: String,
    /// The schema of the users' tables.
    schema: i64,
}

/// A view that a user made.
#[derive(Debug, Clone)]
pub(super) struct UserView {
    pub(super) name: String,
    /// Its CREATE VIEW.
    pub(super) sql: String,
}

impl SqlLink {
    pub(super) fn open(places: &SqlPlaces, role: Role, binary: bool) -> Result<SqlLink, Error> {
        let mut link = match role {
            Role::Write => read_write(&places.user, Durability::Full)?,
            Role::Read | Role::Capture => read_only(&places.user)?,
            Role::PeerRead => to_nothing()?,
        };
        let db = &link.db;
        if role == Role::Capture {
            // A trigger counts as writing to the temporary schema. The files are open to be read.
            db.pragma_update(None, "query_only", false)?;
        }
        let random: String =
            db.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))?;
        let secret = format!("x{random}");
        for (schema, place) in [("n", &places.node), ("j", &places.journal)] {
            let uri = place.uri();
            let mode = if uri.contains('?') { "&mode=ro" } else { "?mode=ro" };
            db.execute(&format!("ATTACH ?1 AS {secret}{schema}"), [format!("{uri}{mode}")])?;
        }
        for schema in ["main".to_owned(), format!("{secret}n")] {
            db.pragma_update(Some(schema.as_str()), "cache_size", -SQL_CACHE_KIB)?;
        }
        if role == Role::Write {
            let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
            db.pragma_update(None, "max_page_count", USER_TABLES_BYTES_MAX / page)?;
        }
        for (config, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        ] {
            db.set_db_config(config, on)?;
        }
        limit(&link)?;
        functions::define(db)?;
        let capture = Capture::default();
        capture.define(db)?;
        let peers = Arc::new(Mutex::new(String::new()));
        let now = Arc::clone(&peers);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        db.create_scalar_function("peers_now", 0, flags, move |_| {
            Ok(now.lock().unwrap_or_else(PoisonError::into_inner).clone())
        })?;
        link.look_every(SQL_STEPS_PER_LOOK)?;
        let guard = Authority::default();
        link.db.authorizer(Some(guard.authorizer()))?;
        let (views, hidden) = (Vec::new(), Vec::new());
        let verdicts = Verdicts::default();
        Ok(SqlLink {
            link,
            guard,
            capture,
            secret,
            peers,
            role,
            audience: Audience::Users,
            binary,
            verdicts,
            made_of: None,
            times_made: 0,
            of_node: RefCell::default(),
            views,
            hidden,
        })
    }

    /// The schema of the node's database, with its dot.
    fn node(&self) -> String {
        format!("{}n.", self.secret)
    }

    /// Says who sees its tables from the next statement on.
    pub(super) fn show_to(&mut self, audience: &Audience) {
        if self.audience != *audience {
            self.audience.clone_from(audience);
            self.forget_views();
        }
    }

    /// Says who the peers are.
    pub(super) fn set_peers(&self, peers: &str) {
        peers.clone_into(&mut self.peers.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether it may write.
    pub(super) fn writes(&self) -> bool {
        self.role == Role::Write
    }

    /// How often the views were made.
    pub(super) fn times_made(&self) -> u64 {
        self.times_made
    }

    /// The views have to be made anew.
    pub(super) fn forget_views(&mut self) {
        self.made_of = None;
    }

    /// A statement of this node's own, kept prepared.
    pub(super) fn own(&self, sql: &str) -> Answer<CachedStatement<'_>> {
        self.link.db.prepare_cached(&format!("/*{}*/ {sql}", self.secret))
    }

    /// Notes that a statement which is kept prepared reads nothing of the users'.
    pub(super) fn note_of_node(&self, sql: &str) {
        let mut known = self.of_node.borrow_mut();
        if !known.contains(sql) {
            if known.len() >= STATEMENTS_MAX {
                known.clear();
            }
            known.insert(sql.to_owned());
        }
    }

    /// Whether it is a table of the node.
    pub(super) fn is_hidden(&self, name: &str) -> bool {
        self.hidden.iter().any(|hidden| hidden.eq_ignore_ascii_case(name))
    }

    /// Whether it shows documents in binary.
    pub(super) fn is_binary(&self) -> bool {
        self.binary
    }

    /// The views that users made.
    pub(super) fn user_views(&self) -> &[UserView] {
        &self.views
    }

    /// What is shown of the node, as it is now.
    pub(super) fn shown(&self) -> Result<Vec<Shown>, Error> {
        let node = self.node();
        let stores = stores::list_in(&self.link.db, &node)?;
        let journal = format!("{}j.", self.secret);
        let mut shown = shown(stores.clone(), &node, &journal, &self.secret, self.binary);
        self.audience.retain(&stores, &mut shown);
        Ok(shown)
    }

    /// Makes the views anew if what they are made of has changed. Within the transaction of that
    /// statement, if it is for one.
    pub(super) fn refresh(&mut self, sql: Option<&str>) -> Result<(), Error> {
        let number = |sql: &str| self.own(sql)?.query_row([], |row| row.get::<_, i64>(0));
        // It changes with every commit of another connection, and this one never writes there.
        let node = number(&format!("PRAGMA {}data_version", self.node()))?;
        let of_node = sql.is_some_and(|sql| self.of_node.borrow().contains(sql));
        let stores = match &self.made_of {
            Some(made) if made.node == node && of_node => return Ok(()),
            Some(made) if made.node == node => made.stores.clone(),
            _ => self.listed_stores()?,
        };
        let schema = match &self.made_of {
            Some(made) if of_node && made.stores == stores => made.schema,
            _ => number("PRAGMA main.schema_version")?,
        };
        if let Some(made) = &mut self.made_of
            && (made.schema, &made.stores) == (schema, &stores)
        {
            made.node = node;
            return Ok(());
        }
        self.forget_views();
        self.times_made += 1;
        let reads = matches!(self.role, Role::Read | Role::PeerRead);
        if reads {
            self.link.db.pragma_update(None, "query_only", false)?;
        }
        self.make_views()?;
        if reads {
            self.link.db.pragma_update(None, "query_only", true)?;
        }
        self.made_of = Some(MadeOf { node, stores, schema });
        Ok(())
    }

    fn listed_stores(&self) -> Answer<String> {
        let list = "SELECT json_group_array(id || ' ' || name) FROM";
        self.own(&format!("{list} {}stores", self.node()))?.query_row([], |row| row.get(0))
    }

    fn make_views(&mut self) -> Result<(), Error> {
        self.drop_views()?;
        self.verdicts.clear();
        self.of_node.borrow_mut().clear();
        self.link.db.flush_prepared_statement_cache();
        let shown = self.shown()?;
        let db = &self.link.db;
        for batch in create(&shown, &self.node(), &self.secret) {
            db.execute_batch(&batch)?;
        }
        let names: HashSet<String> =
            shown.iter().map(|view| view.name.to_ascii_lowercase()).collect();
        let mut of_users =
            db.prepare("SELECT name, sql FROM main.sqlite_schema WHERE type = 'view'")?;
        let of_users =
            of_users.query_map([], |row| Ok(UserView { name: row.get(0)?, sql: row.get(1)? }))?;
        self.views = of_users.collect::<Result<_, _>>()?;
        // Where it was made, a view sees only what is there, too: the users' tables. Shown, it sees all.
        self.views.retain(|view| !names.contains(&view.name.to_ascii_lowercase()));
        for view in &self.views {
            if let Some(rest) = view.sql.strip_prefix("CREATE VIEW ") {
                db.execute_batch(&format!("CREATE TEMP VIEW {rest}"))?;
            }
        }
        self.hidden = self.hide(&names)?;
        let mut modules = db.prepare("SELECT lower(name) FROM pragma_module_list")?;
        let modules = modules.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let written: HashMap<String, String> = shown
            .iter()
            .filter(|view| view.writable)
            .map(|view| (view.name.to_ascii_lowercase(), view.name.clone()))
            .collect();
        self.guard.rename(Names {
            secret: self.secret.clone(),
            shown: names,
            written,
            binary: shown
                .iter()
                .filter(|view| view.binary)
                .map(|view| view.name.to_ascii_lowercase())
                .collect(),
            views: self.views.iter().map(|view| view.name.to_ascii_lowercase()).collect(),
            modules,
        });
        Ok(())
    }

    /// Has the names of the node's own tables lead nowhere, except where something else is called so.
    /// Otherwise SQLite would find the tables, in what is attached.
    fn hide(&self, shown: &HashSet<String>) -> Result<Vec<String>, Error> {
        let db = &self.link.db;
        let mut names = db.prepare(&format!(
            "SELECT name FROM (SELECT name, type FROM {0}n.sqlite_schema
               UNION SELECT name, type FROM {0}j.sqlite_schema)
             WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite^_%' ESCAPE '^'
               AND name NOT IN (SELECT name COLLATE NOCASE FROM main.sqlite_schema)",
            self.secret
        ))?;
        let names = names.query_map([], |row| row.get(0))?;
        let mut names: Vec<String> = names.collect::<Result<_, _>>()?;
        names.retain(|name| !shown.contains(&name.to_ascii_lowercase()));
        for name in &names {
            let name = quoted(name);
            db.execute_batch(&format!("CREATE TEMP VIEW {name} AS SELECT 1 FROM main.{name}"))?;
        }
        Ok(names)
    }

    fn drop_views(&self) -> Result<(), Error> {
        let db = &self.link.db;
        let mut made = db
            .prepare("SELECT type, name FROM temp.sqlite_schema WHERE type IN ('view', 'table')")?;
        let made: Vec<(String, String)> =
            made.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        for (what, name) in made {
            db.execute_batch(&format!("DROP {what} temp.{}", quoted(&name)))?;
        }
        Ok(())
    }

    /// Tables of users that are called like one that is shown, which came later.
    pub(super) fn count_clashes(&self) -> Result<usize, Error> {
        let mut names =
            self.link.db.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table'")?;
        let mut names = names.query([])?;
        let mut clashes = 0;
        while let Some(row) = names.next()? {
            clashes +=
                usize::from(self.guard.is_shown(row.get_ref(0)?.as_str().unwrap_or_default()));
        }
        Ok(clashes)
    }

    /// Drops the views of users where statements see them, and where they are kept; answers how to
    /// make them again. Within a transaction.
    pub(super) fn put_views_aside(&self) -> Result<Vec<UserView>, Error> {
        let db = &self.link.db;
        let mut kept =
            db.prepare("SELECT name, sql FROM main.sqlite_schema WHERE type = 'view'")?;
        let kept: Vec<UserView> = kept
            .query_map([], |row| Ok(UserView { name: row.get(0)?, sql: row.get(1)? }))?
            .collect::<Result<_, _>>()?;
        for view in &kept {
            db.execute_batch(&format!("DROP VIEW main.{}", quoted(&view.name)))?;
        }
        for name in self.views.iter().map(|view| &view.name).chain(&self.hidden) {
            db.execute_batch(&format!("DROP VIEW IF EXISTS temp.{}", quoted(name)))?;
        }
        Ok(kept)
    }
}
