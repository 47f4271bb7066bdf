//! Which way SQLite takes to the documents.

use super::*;
use crate::connection::read_only;
use crate::filter::{Field, Predicate};
use crate::{Database, Durability, Place};
use optimusdb_dag::{Address, LogCid};

fn about(field: &str) -> Option<Filter> {
    Filter::field(Field::new(field).unwrap(), &[Predicate::Texts(vec!["k"])])
}

/// The plan for a store of that scope, in which the documents come by key.
fn plan(scope: Scope, filter: Option<Filter>, walked: bool) -> String {
    let place = Place::memory();
    let mut database = Database::open(&place, Durability::Relaxed).unwrap();
    let mut tx = database.begin().unwrap();
    let address = Address::of_manifest(LogCid::of(b"manifest"));
    let store = tx.create_store("s", StoreKind::Documents, &address, scope).unwrap();
    tx.commit().unwrap();
    let (sql, params) = select_sql(&store, &Select { filter, ..Select::default() }, walked);
    let reader = read_only(&place).unwrap();
    let mut statement = reader.db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = statement.query_map(rusqlite::params_from_iter(params), |row| row.get(3)).unwrap();
    steps.collect::<Result<Vec<String>, _>>().unwrap().join("; ")
}

/// Where a store is walked, nothing is sorted, and what comes first is there at once.
#[test]
fn a_store_is_walked_or_sorted() {
    let walked = plan(Scope::Resource, about("n"), true);
    assert_eq!(walked, "SCAN documents USING INDEX documents_key");
    let sorted = plan(Scope::Resource, about("n"), false);
    assert!(sorted.contains("INTEGER PRIMARY KEY (rowid>? AND rowid<?)"), "{sorted}");
    assert!(sorted.contains("USE TEMP B-TREE FOR ORDER BY"), "{sorted}");
}

#[test]
fn a_condition_on_the_key_uses_the_index() {
    for filter in [about("_id"), Filter::all([about("_id"), about("n")])] {
        for walked in [true, false] {
            let plan = plan(Scope::Resource, filter.clone(), walked);
            assert!(plan.contains("documents_key (key=?"), "{plan}");
        }
    }
    let plan = plan(Scope::Catalog, about("_id"), true);
    assert!(plan.contains("documents_key (key=?)"), "{plan}");
}

/// What a field is called decides nothing.
#[test]
fn a_field_that_is_called_like_a_key_is_none() {
    for name in ["keywords", "key", "public.key"] {
        let [named, other] = [name, "words"].map(|name| plan(Scope::Catalog, about(name), true));
        assert_eq!(named, other);
        let select = Select { filter: about(name), ..Select::default() };
        assert!(!select.filter.unwrap().asks_of_key(), "{name}");
    }
}
