//! Which documents are read, in which order, as one statement.
//!
//! The relation that is read decides how fast that is: the documents of a store lie together in the
//! order of their arrival, an index has those of all stores by key, and the catalog is computed.

use crate::error::Error;
use crate::filter::{Condition, Filter};
use crate::limits::WALKED_STORES_MAX;
use crate::order::{Order, order_by};
use crate::stores::{Scope, StoreRef, rows_of};
use optimusdb_dag::{OrderKey, StoreKind};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::time::Instant;

/// Which documents, in which order.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// Those that pass, and maybe others; all if there is none.
    pub filter: Option<Filter>,
    /// In which order.
    pub order: Order,
    /// Of events in their own order, those after this place in it.
    pub after: Option<OrderKey>,
    /// When to give up, with [`Error::Interrupted`](crate::Error::Interrupted).
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

/// Whether the documents of a store come by key soonest along the index, which has those of all
/// stores. Where they are too few among the others, reading them as they lie and sorting is less work.
pub(crate) fn is_walked(db: &Connection, store: &StoreRef) -> Result<bool, Error> {
    let mut counts = db.prepare_cached(
        "SELECT documents * ?2 >= (SELECT sum(documents) FROM stores) FROM stores WHERE id = ?1",
    )?;
    Ok(counts.query_row((store.id, WALKED_STORES_MAX), |row| row.get(0))?)
}

/// The statement, and what it binds; `walked` is what [`is_walked`] says of the store.
pub(crate) fn select_sql(store: &StoreRef, select: &Select, walked: bool) -> (String, Vec<Value>) {
    let asks_of_key = select.filter.as_ref().is_some_and(Filter::asks_of_key);
    let [first, end] = rows_of(store.id);
    let mut order = match &select.order {
        Order::Own => Some("key".to_owned()),
        Order::Stored => None,
        Order::By(fields, _) => Some(order_by(fields)),
    };
    let (relation, mut params) = match (store.scope, store.kind, &select.order) {
        // Only without that limit does a condition on the key reach the index.
        (Scope::Catalog, ..) if asks_of_key => ("catalog_documents WHERE TRUE", Vec::new()),
        (Scope::Catalog, _, Order::Own) => {
            order = None;
            (CATALOG_BY_KEY, Vec::new())
        }
        (Scope::Catalog, ..) => (CATALOG_MADE_ONCE, Vec::new()),
        // Events have an order of their own.
        (_, StoreKind::Events, Order::Own) => {
            order = Some("time, writer, cid".to_owned());
            (EVENTS, vec![Value::Integer(first), Value::Integer(store.id)])
        }
        (_, _, by) if walked && by.is_by_key() => (
            "documents INDEXED BY documents_key WHERE store = ? AND doc IS NOT NULL",
            vec![Value::Integer(store.id)],
        ),
        _ => (
            "documents WHERE row >= ? AND row < ? AND doc IS NOT NULL",
            vec![Value::Integer(first), Value::Integer(end)],
        ),
    };
    let mut sql = format!("SELECT key, json(doc) FROM {relation}");
    if let Some(filter) = &select.filter {
        let condition = Condition::from(filter);
        sql.extend([" AND ", &condition.sql]);
        params.extend(condition.params);
    }
    if let (Some(after), StoreKind::Events, Order::Own) = (&select.after, store.kind, &select.order)
    {
        sql.push_str(" AND (time, writer, cid) > (?, ?, ?)");
        params.push(Value::Integer(after.time.cast_signed()));
        params.push(Value::Text(after.id.to_string()));
        params.push(Value::Blob(after.cid.digest().to_vec()));
    }
    if let Some(order) = order {
        sql.extend([" ORDER BY ", &order]);
    }
    (sql, params)
}

#[cfg(test)]
mod tests;
