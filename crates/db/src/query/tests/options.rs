//! Options of a read: what they mean, what they refuse, and projections.

use serde_json::{Value, json};

use crate::Error;
use crate::query::{Consistency, Query, SortOrder, Strategy};
use optimusdb_storage::Order;

fn query(options: Value) -> Query {
    Query::from_json(&Value::Null, &options).unwrap_or_else(|error| panic!("{options}: {error}"))
}

#[test]
fn nothing_given_asks_for_everything() {
    for options in [
        json!(null),
        json!({}),
        json!({"limit": null, "fields": [], "sort": [], "unheard_of": {"a": 1}}),
    ] {
        let query = query(options);
        assert_eq!((query.limit, query.skip, query.time_budget_ms), (None, 0, None));
        assert!(query.sort.is_empty() && query.fields.is_none() && !query.annotate_source);
        assert_eq!(query.strategy, Strategy::LocalThenRemoteMerge);
        assert_eq!(query.consistency, Consistency::BestEffort);
        assert!(matches!(query.order(), Order::Own));
    }
}

#[test]
fn everything_given() {
    let query = query(json!({
        "limit": 0, "skip": 2.0, "sort": [{"a": 1}, {"b.c": -1}, {"d": "DESC"}], "fields": ["a"],
        "strategy": "quorum", "consistency": "Strong", "quorum_n": 2, "min_rows": 1, "max_peers": 3,
        "time_budget_ms": 1200, "annotate_source": true,
    }));
    assert_eq!((query.limit, query.skip), (Some(0), 2));
    let sort: Vec<(&str, SortOrder)> = query.sort.iter().map(|(f, o)| (f.as_str(), *o)).collect();
    assert_eq!(
        sort,
        [("a", SortOrder::Ascending), ("b.c", SortOrder::Descending), ("d", SortOrder::Descending)]
    );
    assert_eq!(query.fields.as_ref().unwrap().names().collect::<Vec<_>>(), ["_id", "a"]);
    assert_eq!((query.strategy, query.consistency), (Strategy::Quorum, Consistency::All));
    assert_eq!((query.quorum_n, query.min_rows, query.max_peers), (Some(2), Some(1), Some(3)));
    assert_eq!((query.time_budget_ms, query.annotate_source), (Some(1200), true));
    assert_eq!(
        self::query(json!({"consistency": "eventual"})).consistency,
        Consistency::BestEffort
    );
    assert_eq!(self::query(json!({"sort": {"a": "asc"}})).sort.len(), 1);
}

#[test]
fn each_wrong_option_is_named() {
    let many_sort: Vec<Value> = (0..17).map(|i| json!({(i.to_string()): 1})).collect();
    let many_fields: Vec<String> = (0..257).map(|i| i.to_string()).collect();
    let rows = [
        (json!([]), "options takes an object"),
        (json!("x"), "options takes an object"),
        (json!({"limit": -1}), "option limit takes a whole number from 0, not -1"),
        (json!({"limit": "10"}), "option limit takes a whole number"),
        (json!({"limit": 1.5}), "option limit takes a whole number"),
        (json!({"skip": true}), "option skip takes a whole number"),
        (json!({"sort": "a"}), "option sort takes an array of"),
        (json!({"sort": ["a"]}), "option sort takes an array of"),
        (json!({"sort": [{"a": 0}]}), "option sort takes 1 or -1"),
        (json!({"sort": [{"a": "up"}]}), "option sort takes 1 or -1"),
        (json!({"sort": [{"$natural": 1}]}), "option sort cannot order by '$natural'"),
        (json!({"sort": {"score": {"$meta": "textScore"}}}), "option sort takes 1 or -1"),
        (json!({"sort": [{"a\0": 1}]}), "option sort cannot order by"),
        (json!({"sort": [{"a.b.c.d.e": 1}]}), "option sort cannot order by"),
        (json!({"sort": many_sort}), "SORT_FIELDS_MAX"),
        (json!({"fields": "a"}), "option fields takes an array of field names, not \"a\""),
        (json!({"fields": {"a": 1}}), "option fields takes an array of field names"),
        (json!({"fields": [1]}), "option fields takes an array of field names"),
        (json!({"fields": many_fields}), "PROJECTION_FIELDS_MAX"),
        (json!({"strategy": "FASTEST"}), "option strategy takes one of LOCAL_ONLY"),
        (json!({"strategy": 1}), "option strategy takes one of LOCAL_ONLY"),
        (json!({"consistency": "MOST"}), "option consistency takes one of BEST_EFFORT"),
        (json!({"quorum_n": "2"}), "option quorum_n takes"),
        (json!({"min_rows": -2}), "option min_rows takes"),
        (json!({"max_peers": []}), "option max_peers takes"),
        (json!({"time_budget_ms": "1s"}), "option time_budget_ms takes"),
        (json!({"annotate_source": 1}), "option annotate_source takes true or false, not 1"),
    ];
    for (options, expected) in rows {
        match Query::from_json(&Value::Null, &options) {
            Err(Error::Invalid(text)) => assert!(text.contains(expected), "{options}: {text}"),
            other => panic!("{options}: {other:?}"),
        }
    }
    assert!(Query::from_json(&json!("x"), &Value::Null).is_err());
}

#[test]
fn projections_keep_what_is_named() {
    let doc = json!({
        "_id": "1", "a": {"b": 1, "c": {"d": 2, "e": 3}}, "x.y": 4, "x": {"y": 5, "z": 6},
        "l": [{"p": 1, "q": 2}, 7, {"q": 3}, {"p": 4}], "n": null,
    });
    let rows = [
        (json!(["n"]), json!({"_id": "1", "n": null})),
        (json!(["a"]), json!({"_id": "1", "a": {"b": 1, "c": {"d": 2, "e": 3}}})),
        (json!(["a.b", "a.c.e"]), json!({"_id": "1", "a": {"b": 1, "c": {"e": 3}}})),
        (json!(["a.b", "a"]), json!({"_id": "1", "a": {"b": 1, "c": {"d": 2, "e": 3}}})),
        (json!(["x.y"]), json!({"_id": "1", "x.y": 4})),
        (json!(["x.z"]), json!({"_id": "1", "x": {"z": 6}})),
        (json!(["l.p"]), json!({"_id": "1", "l": [{"p": 1}, {"p": 4}]})),
        (json!(["l.2.q"]), json!({"_id": "1", "l": [{"q": 3}]})),
        (json!(["l.1"]), json!({"_id": "1", "l": [7]})),
        (json!(["none", "a.none", "n.none", "l.none"]), json!({"_id": "1"})),
        (json!(["_id"]), json!({"_id": "1"})),
    ];
    for (fields, expected) in rows {
        assert_eq!(query(json!({"fields": fields})).project(doc.clone()), expected, "{fields}");
    }
    assert_eq!(query(json!({})).project(doc.clone()), doc);
}
