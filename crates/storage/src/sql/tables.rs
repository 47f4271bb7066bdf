//! What statements see: temporary views on each connection, made anew when the stores or the users'
//! own views change.
//!
//! Every view has two layers. The outer one has the name that users know; the inner one begins with the
//! secret of the connection and reads the tables of the node, which [`super::guard`] lets nobody else
//! do. SQLite flattens both, so a condition on `_id` is a look-up in the index of the documents, and one
//! on a field of `doc` is that on the column. Virtual tables would see neither, and need `unsafe`.
//!
//! On the views of stores that can be written there are triggers, which hand each written row to
//! [`super::capture`].

use crate::catalog::{
    DATACATALOG_COLUMNS, catalog_documents, datacatalog, stamp, tosca_selects, toscametadata,
};
use crate::journal::logger_select;
use crate::stores::{Scope, StoreId, StoreRow, rows_of};
use optimusdb_dag::StoreKind;
use std::collections::BTreeSet;

/// A table as statements see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlTable {
    /// Its name.
    pub name: String,
    /// Where its rows come from.
    pub kind: SqlTableKind,
    /// Whether rows can be written.
    pub writable: bool,
    /// Whether its rows are the same on every node of the swarm.
    pub replicated: bool,
    /// Its columns, in order.
    pub columns: Vec<super::SqlColumn>,
}

/// Where the rows of a table come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlTableKind {
    /// A store, which is replicated unless it is this node's own.
    Store,
    /// The catalog, which is replicated.
    Catalog,
    /// This node, of itself and its peers.
    Node,
    /// A user, on this node alone.
    Local,
    /// A view of a user, on this node alone.
    View,
}

/// Who sees the tables of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Audience {
    /// The users of this node, who see all of it.
    #[default]
    Users,
    /// A peer, who sees these stores and nothing that is this node's own.
    Peer(BTreeSet<StoreId>),
}

impl Audience {
    /// Leaves out what it does not see. The catalog and what TOSCA files say are of all resource stores
    /// together: who does not see one of those sees neither.
    pub(super) fn retain(&self, stores: &[StoreRow], shown: &mut Vec<Shown>) {
        let Audience::Peer(seen) = self else { return };
        let sees = |store: &StoreRow| store.scope != Scope::Local && seen.contains(&store.id);
        let whole = stores.iter().all(|store| store.scope != Scope::Resource || sees(store));
        shown.retain(|view| match view.kind {
            SqlTableKind::Catalog => whole,
            SqlTableKind::Store => view
                .store
                .as_ref()
                .is_some_and(|store| sees(store) && (store.scope != Scope::Catalog || whole)),
            SqlTableKind::Node | SqlTableKind::Local | SqlTableKind::View => false,
        });
    }
}

/// A view that is shown, and the SELECT behind it.
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) kind: SqlTableKind,
    pub(super) writable: bool,
    /// Whether its `doc` is in binary.
    pub(super) binary: bool,
    /// The store whose rows they are.
    pub(super) store: Option<StoreRow>,
    select: String,
}

impl Shown {
    /// Whether its rows are the same on every node of the swarm.
    pub(super) fn replicated(&self) -> bool {
        match self.kind {
            SqlTableKind::Catalog => true,
            _ => self.store.as_ref().is_some_and(|store| store.scope != Scope::Local),
        }
    }
}

/// The columns of a store's table that come from its log.
const STORE_COLUMNS: [&str; 6] = ["_id", "doc", "_entry", "_writer", "_time", "_updated_at"];

/// The views for these stores. `node` and `journal` are the schemas of the databases, with their dots,
/// and `secret` is what the names of inner views begin with.
/// A `binary` connection has documents as they are kept.
pub(super) fn shown(
    stores: Vec<StoreRow>,
    node: &str,
    journal: &str,
    secret: &str,
    binary: bool,
) -> Vec<Shown> {
    let fixed = |name: &str, kind, select| Shown {
        name: name.to_owned(),
        kind,
        writable: false,
        binary: false,
        store: None,
        select,
    };
    let catalog = stores.iter().find(|store| store.scope == Scope::Catalog).cloned();
    let mut shown = vec![
        Shown {
            writable: catalog.is_some(),
            store: catalog,
            ..fixed("datacatalog", SqlTableKind::Catalog, datacatalog(&inner_catalog(secret)))
        },
        fixed("toscametadata", SqlTableKind::Catalog, toscametadata(node)),
        fixed("optimusLogger", SqlTableKind::Node, logger_select(journal)),
        fixed("stores", SqlTableKind::Node, stores_select(node)),
        fixed("peers", SqlTableKind::Node, PEERS.to_owned()),
    ];
    // The guard trusts what its names begin with, and nothing else that reads the tables of the node.
    let tosca = tosca_selects(node, secret).into_iter();
    shown.extend(tosca.map(|(name, select)| fixed(name, SqlTableKind::Catalog, select)));
    for store in stores {
        // Of equal names the node's own stands: the store is there for JSON alone.
        let taken = shown.iter().any(|other| other.name.eq_ignore_ascii_case(&store.name));
        if taken || store.scope == Scope::Access {
            continue;
        }
        shown.push(Shown {
            name: store.name.clone(),
            kind: SqlTableKind::Store,
            writable: store.kind != StoreKind::Events
                && matches!(store.scope, Scope::Resource | Scope::Plain | Scope::Catalog),
            binary: binary && store.scope != Scope::Catalog,
            select: store_select(&store, node, secret, binary),
            store: Some(store),
        });
    }
    shown
}

/// The statements that make the views and their triggers, in batches.
pub(super) fn create(shown: &[Shown], node: &str, secret: &str) -> Vec<String> {
    let catalog = inner_catalog(secret);
    // Where a row with its `_id` is there, an INSERT writes here first: SQLite applies its OR clause.
    let mut batches = vec![format!(
        "CREATE TEMP TABLE {probe} (there INTEGER PRIMARY KEY, how TEXT);
         INSERT INTO {probe} VALUES (1, 'kept');
         CREATE TEMP VIEW {catalog} (key, doc) AS {};",
        catalog_documents(node),
        probe = inner(secret, "probe"),
    )];
    for (n, view) in shown.iter().enumerate() {
        let (outer, inner) = (quoted(&view.name), inner(secret, &format!("view{n}")));
        let mut sql = format!(
            "CREATE TEMP VIEW {inner} AS {}; CREATE TEMP VIEW {outer} AS SELECT * FROM {inner};",
            view.select
        );
        if let (true, Some(store)) = (view.writable, &view.store) {
            sql.push_str(&triggers(view, store, n, node, secret));
        }
        batches.push(sql);
    }
    batches
}

/// The triggers that hand the rows written to a view on.
fn triggers(view: &Shown, store: &StoreRow, n: usize, node: &str, secret: &str) -> String {
    let outer = quoted(&view.name);
    let name = |event: &str| inner(secret, &format!("{event}{n}"));
    let probe = inner(secret, "probe");
    let catalog = store.scope == Scope::Catalog;
    let there = if catalog {
        format!("EXISTS (SELECT 1 FROM {} WHERE key = written_id())", inner_catalog(secret))
    } else {
        format!(
            "EXISTS (SELECT 1 FROM {node}documents
               WHERE key = written_id() AND store = {} AND doc IS NOT NULL)",
            store.id
        )
    };
    let (insert, update) = if view.kind == SqlTableKind::Catalog {
        let new: Vec<String> =
            DATACATALOG_COLUMNS.iter().map(|column| format!("NEW.{column}")).collect();
        let old: Vec<String> =
            DATACATALOG_COLUMNS.iter().map(|column| format!("OLD.{column}")).collect();
        let (new, old) = (new.join(", "), old.join(", "));
        let before =
            format!("(SELECT json(doc) FROM {} WHERE key = OLD._id)", inner_catalog(secret));
        (format!("write_row(NULL, {new})"), format!("write_row({before}, {new}, {old})"))
    } else {
        let kept: Vec<String> = STORE_COLUMNS[2..]
            .iter()
            .map(|column| format!("NEW.{column} IS NOT OLD.{column}"))
            .collect();
        let given: Vec<String> =
            STORE_COLUMNS[2..].iter().map(|column| format!("NEW.{column} IS NOT NULL")).collect();
        (
            format!("write_document(NULL, NEW._id, json(NEW.doc), {})", given.join(" OR ")),
            format!("write_document(OLD._id, NEW._id, json(NEW.doc), {})", kept.join(" OR ")),
        )
    };
    // The first step names the row; the last one keeps it, unless the OR clause has it left out.
    format!(
        "CREATE TEMP TRIGGER {} INSTEAD OF INSERT ON {outer} BEGIN
           SELECT {insert};
           INSERT INTO {probe} SELECT 1, 'replaced' WHERE coalesce(written_there(), {there});
           SELECT write_end(coalesce(written_there(), {there}), (SELECT how FROM {probe}));
           UPDATE {probe} SET how = 'kept';
         END;
         CREATE TEMP TRIGGER {} INSTEAD OF UPDATE ON {outer} BEGIN
           SELECT {update};
           SELECT write_end(0, '');
         END;
         CREATE TEMP TRIGGER {} INSTEAD OF DELETE ON {outer} BEGIN
           SELECT write_delete(OLD._id);
         END;",
        name("insert"),
        name("update"),
        name("delete"),
    )
}

fn inner(secret: &str, name: &str) -> String {
    quoted(&format!("{secret}{name}"))
}

fn inner_catalog(secret: &str) -> String {
    inner(secret, "catalog")
}

/// A name as SQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn store_select(store: &StoreRow, node: &str, secret: &str, binary: bool) -> String {
    if store.scope == Scope::Catalog {
        return format!(
            "SELECT key AS _id, json(doc) AS doc, NULL AS _entry, NULL AS _writer, NULL AS _time,
               NULL AS _updated_at FROM {}",
            inner_catalog(secret)
        );
    }
    let [first, end] = rows_of(store.id);
    let doc = if binary { "d.doc" } else { "json(d.doc)" };
    // The rows of a store lie together. That most rows are in there is to say that a condition on the
    // key narrows more.
    format!(
        "SELECT d.key AS _id, {doc} AS doc,
           (SELECT log_cid(e.cid) FROM {node}entries AS e WHERE e.seq = d.entry) AS _entry,
           (SELECT w.key FROM {node}entries AS e JOIN {node}writers AS w ON w.id = e.writer
            WHERE e.seq = d.entry) AS _writer,
           d.time AS _time, {} AS _updated_at
         FROM {node}documents AS d
         WHERE d.store = {} AND likelihood(d.row >= {first}, 0.97)
           AND likelihood(d.row < {end}, 0.97) AND d.doc IS NOT NULL",
        stamp("d.updated"),
        store.id,
    )
}

fn stores_select(node: &str) -> String {
    format!(
        "SELECT name, kind AS type, '/orbitdb/' || log_cid(manifest) AS address, documents, entries,
           scope <> 'local' AS replicated
         FROM {node}stores"
    )
}

const PEERS: &str = "SELECT p.value ->> '$.ID' AS peer_id, p.value -> '$.Addrs' AS addrs,
   p.value ->> '$.direction' AS direction, p.value ->> '$.rtt_ms' AS rtt_ms,
   p.value ->> '$.connected_s' AS connected_s, p.value ->> '$.agent' AS agent,
   p.value ->> '$.region' AS region
 FROM json_each(peers_now()) AS p";
