//! Which documents are read, in which order, as one statement.
//!
//! The relation that is read decides how fast that is: the documents of a store lie together in the
//! order of their arrival, an index has those that are there by key, and the catalog is computed.

use crate::stores::{Scope, StoreRow, rows_of};
use optimusdb_dag::StoreKind;
use rusqlite::types::Value;
use std::time::Instant;

/// A parameter of a [`Select`]'s condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// Text.
    Text(String),
    /// A 64-bit integer.
    Integer(i64),
    /// A 64-bit float.
    Real(f64),
    /// Bytes, which come after everything else in an order.
    Bytes(Vec<u8>),
}

impl From<&Param> for Value {
    fn from(param: &Param) -> Value {
        match param {
            Param::Text(text) => Value::Text(text.clone()),
            Param::Integer(n) => Value::Integer(*n),
            Param::Real(x) => Value::Real(*x),
            Param::Bytes(bytes) => Value::Blob(bytes.clone()),
        }
    }
}

/// What an order calls as `sort_value(json, path, descending)`: by which value the document is
/// ordered; `None` comes before all others. Every [`Order`] has the same one.
pub type SortValue = fn(&str, &str, bool) -> Option<Param>;

/// In which order documents come.
#[derive(Debug, Clone, Default)]
pub enum Order {
    /// By their keys' bytes; events in the order of the log, the oldest first. The same on every
    /// replica.
    #[default]
    Own,
    /// As they lie in the file, which is read from one end to the other.
    Stored,
    /// By the body of an ORDER BY over the columns `key` and `doc`, which may call the function.
    By(String, SortValue),
}

/// Which documents, in which order. The SQL is made by the query planner, never by a client.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// A condition over the columns `key` and `doc`, with `?` for the parameters.
    pub condition: Option<String>,
    /// The parameters of the condition.
    pub params: Vec<Param>,
    /// In which order.
    pub order: Order,
    /// When to give up, with [`Error::Interrupted`].
    pub deadline: Option<Instant>,
}

/// A derived document of the catalog is costly to make. The limit that limits nothing keeps SQLite
/// from putting its making in place of every mention of `doc`.
const CATALOG_MADE_ONCE: &str = "(SELECT key, doc FROM catalog_documents LIMIT -1) WHERE TRUE";

/// The same by key. SQLite reads it from within, and would sort it anew were it told to outside.
const CATALOG_BY_KEY: &str =
    "(SELECT key, doc FROM catalog_documents ORDER BY key LIMIT -1) WHERE TRUE";

/// The documents of an event log, beside what orders them.
const EVENTS: &str =
    "(SELECT d.key AS key, d.doc AS doc, v.time AS time, w.key AS writer, e.cid AS cid
   FROM events v CROSS JOIN documents d ON d.row = ? + v.entry
     JOIN entries e ON e.seq = v.entry JOIN writers w ON w.id = e.writer
   WHERE v.store = ?) WHERE TRUE";

/// The statement, and what it binds before the parameters of the condition.
pub(crate) fn select_sql(store: &StoreRow, select: &Select) -> (String, Vec<Value>) {
    let narrowed_by_key = select.condition.as_ref().is_some_and(|sql| sql.contains("key"));
    let [first, end] = rows_of(store.id);
    let mut order = match &select.order {
        Order::Own => Some("key"),
        Order::Stored => None,
        Order::By(sql, _) => Some(sql.as_str()),
    };
    let by_key = order.is_some_and(|sql| sql.starts_with("key"));
    let (relation, bound) = match (store.scope, store.kind, &select.order) {
        // Only without that limit does a condition on the key reach the index.
        (Scope::Catalog, ..) if narrowed_by_key => ("catalog_documents WHERE TRUE", Vec::new()),
        (Scope::Catalog, _, Order::Own) => {
            order = None;
            (CATALOG_BY_KEY, Vec::new())
        }
        (Scope::Catalog, ..) => (CATALOG_MADE_ONCE, Vec::new()),
        // Events have an order of their own.
        (_, StoreKind::Events, Order::Own) => {
            order = Some("time, writer, cid");
            (EVENTS, vec![Value::Integer(first), Value::Integer(store.id)])
        }
        _ if by_key => (
            "documents INDEXED BY documents_live WHERE store = ? AND doc IS NOT NULL",
            vec![Value::Integer(store.id)],
        ),
        _ => (
            "documents WHERE row >= ? AND row < ? AND doc IS NOT NULL",
            vec![Value::Integer(first), Value::Integer(end)],
        ),
    };
    let mut sql = format!("SELECT key, json(doc) FROM {relation}");
    for (before, part, after) in
        [(" AND (", select.condition.as_deref(), ")"), (" ORDER BY ", order, "")]
    {
        if let Some(part) = part {
            sql.extend([before, part, after]);
        }
    }
    (sql, bound)
}
