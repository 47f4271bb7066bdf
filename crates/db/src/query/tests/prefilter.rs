//! Filter and order against SQLite itself: never a row too few, and few too many where it counts.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use optimusdb_dag::{Address, LogCid, StoreKind};
use optimusdb_storage::{Database, Durability, Place, Scope, Select, SortKey, StoreRow};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::criteria;
use crate::limits::{CRITERIA_DEPTH_MAX, CRITERIA_NODES_MAX};
use crate::query::sort::{compare, sort_value};
use crate::query::{Criteria, Query};

/// A store whose rows a test writes, for there are thousands of cases and no entry matters here.
struct Rows {
    database: Database,
    store: StoreRow,
    raw: Connection,
}

thread_local! {
    static ROWS: Rows = Rows::new();
}

impl Rows {
    fn new() -> Rows {
        let place = Place::memory();
        let mut database = Database::open(&place, Durability::Relaxed).unwrap();
        let Place::Memory(number) = place else { unreachable!() };
        let raw = Connection::open(format!("file:/optimusdb-{number}?vfs=memdb")).unwrap();
        let address = Address::of_manifest(LogCid::of(b"manifest"));
        let mut tx = database.begin().unwrap();
        let store = tx.create_store("rows", StoreKind::Documents, &address, Scope::Plain).unwrap();
        tx.commit().unwrap();
        Rows { database, store, raw }
    }

    fn write(&self, documents: &[Value]) {
        let tx = self.raw.unchecked_transaction().unwrap();
        tx.execute("DELETE FROM documents", []).unwrap();
        let mut insert = tx
            .prepare_cached(
                "INSERT INTO documents (row, store, key, time, entry, doc)
                 VALUES ((?1 << 40) + ?2, ?1, ?3, 1, ?2, jsonb(?4))",
            )
            .unwrap();
        for (row, document) in (1_i64..).zip(documents) {
            let key = document["_id"].as_str().unwrap();
            insert.execute((self.store.id, row, key, document.to_string())).unwrap();
        }
        drop(insert);
        tx.commit().unwrap();
    }
}

/// The keys that a store of these documents answers, in its order.
fn select(documents: &[Value], select: &Select) -> Vec<String> {
    ROWS.with(|rows| {
        rows.write(documents);
        let mut keys = Vec::new();
        let each = |key: &str, _: &str| {
            keys.push(key.to_owned());
            ControlFlow::Continue(())
        };
        let answer = rows.database.view().documents(&rows.store, select, each);
        answer.unwrap_or_else(|error| panic!("{select:?}: {error}"));
        keys
    })
}

/// Those that the filter lets through, by key.
fn passing(documents: &[Value], criteria: &Criteria) -> Vec<String> {
    select(documents, &Select { filter: criteria.prefilter(), ..Select::default() })
}

fn assert_superset(documents: &[Value], criteria: &Criteria) {
    let rows = passing(documents, criteria);
    for document in documents.iter().filter(|document| criteria.matches(document)) {
        let id = document["_id"].as_str().unwrap();
        let is_there = rows.iter().any(|row| row == id);
        assert!(is_there, "{document} does not pass {:?}", criteria.prefilter());
    }
}

/// Keys that are easily taken for something else.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned),
        6 => prop::sample::select(vec!["a.b", "b.a", "0", "a.0", "a.b.a"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "", ".", "a\"", "a'b", "a]", "[0]", "$", "#", "a\\", "\\u0061", "\n", "\u{1}", "\u{7f}",
            "ä", "日.本", "\u{1f600}", "a\0b",
        ])
        .prop_map(str::to_owned),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(key(), 1..4).prop_map(|keys| keys.join("."))
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        (-6_i64..7).prop_map(|half| json!(half as f64 / 2.0)),
        prop::sample::select(vec![
            json!(u64::MAX),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(i64::MAX as u64 + 1),
            json!(9_007_199_254_740_992_u64),
            json!(9_007_199_254_740_993_u64),
            json!(9_007_199_254_740_992.0),
            json!(1e300),
            json!(5e-324),
            json!(1.797_693_134_862_315_7e308),
            json!(-1.1e-10),
            json!(0.1),
            json!(-0.0),
        ]),
        prop::sample::select(vec![
            "", "a", "b", "ab", "1", "ä", "a'b", "\"", "a\0b", "\n", "[1]", "true"
        ])
        .prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..3)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

fn documents() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(prop::collection::vec((key(), value()), 0..4), 1..8).prop_map(|all| {
        let with_id = |(number, fields): (usize, Vec<(String, Value)>)| {
            let mut document = Map::from_iter(fields);
            document.insert("_id".to_owned(), json!(number.to_string()));
            Value::Object(document)
        };
        all.into_iter().enumerate().map(with_id).collect()
    })
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| json!(n)),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-(1_i64 << 53)..1 << 53).prop_map(|n| json!(n as f64)),
    ]
}

fn operators() -> impl Strategy<Value = Value> {
    let one = prop_oneof![
        (prop::sample::select(vec!["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), value())
            .prop_map(|(name, value)| json!({name: value})),
        (prop::sample::select(vec!["$in", "$nin", "$all"]), prop::collection::vec(value(), 0..4))
            .prop_map(|(name, values)| json!({name: values})),
        (scalar(), scalar()).prop_map(|(low, high)| json!({"$between": [low, high]})),
        any::<bool>().prop_map(|wanted| json!({"$exists": wanted})),
        prop::sample::select(vec!["a", "^b", "."]).prop_map(|regex| json!({"$regex": regex})),
        (0_u64..3).prop_map(|size| json!({"$size": size})),
        scalar().prop_map(|value| json!({"$contains": value})),
        (1_i64..4, -2_i64..3).prop_map(|(by, rest)| json!({"$mod": [by, rest]})),
        prop::sample::select(vec!["string", "int", "array", "null"])
            .prop_map(|name| json!({"$type": name})),
    ];
    one.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| json!({"$not": inner})),
            inner.clone().prop_map(|inner| json!({"$elemMatch": inner})),
            (inner.clone(), inner).prop_map(|(mut a, mut b)| {
                a.as_object_mut().unwrap().append(b.as_object_mut().unwrap());
                a
            }),
        ]
    })
}

fn expression() -> impl Strategy<Value = Value> {
    let field = prop_oneof![9 => path(), 1 => Just("_id".to_owned())];
    let condition =
        prop_oneof![value(), operators(), (0_u8..9).prop_map(|id| json!(id.to_string()))];
    let one = (field, condition).prop_map(|(field, condition)| json!({field: condition}));
    one.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (
                prop::sample::select(vec!["$and", "$or", "$nor"]),
                prop::collection::vec(inner.clone(), 1..4)
            )
                .prop_map(|(name, parts)| json!({name: parts})),
            inner.clone().prop_map(|inner| json!({"$not": inner})),
            prop::collection::vec(inner, 0..3).prop_map(|parts| {
                let mut all = Map::new();
                for mut part in parts {
                    all.append(part.as_object_mut().unwrap());
                }
                Value::Object(all)
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_row_too_few(
        documents in documents(),
        branches in prop::collection::vec(expression(), 0..3),
    ) {
        // A condition may be refused: some keys look like operators.
        if let Ok(criteria) = Criteria::parse(&Value::from(branches)) {
            assert_superset(&documents, &criteria);
        }
    }

    #[test]
    fn no_row_too_few_for_one_condition(
        documents in documents(),
        path in path(),
        condition in prop_oneof![value(), operators()],
    ) {
        if let Ok(criteria) = Criteria::parse(&json!({path: condition})) {
            assert_superset(&documents, &criteria);
        }
    }

    #[test]
    fn no_number_too_few(number in number()) {
        let documents = [json!({"_id": "0", "a": number}), json!({"_id": "1", "a": [number]})];
        for condition in [
            number.clone(),
            json!({"$in": [number]}),
            json!({"$in": [number, 1.5, 7]}),
            json!({"$gte": number}),
            json!({"$lte": number}),
            json!({"$between": [number, number]}),
        ] {
            let criteria = criteria(json!({"a": condition}));
            assert!(documents.iter().all(|document| criteria.matches(document)));
            assert_superset(&documents, &criteria);
        }
    }

    #[test]
    fn sql_and_rust_agree_on_what_decides_an_order(
        documents in documents(),
        field in path(),
        descending in any::<bool>(),
    ) {
        let direction = if descending { -1 } else { 1 };
        let options = json!({"sort": [{field.clone(): direction}]});
        // SQLite takes a NUL within a text for its end.
        let clean = documents.iter().all(|document| !document.to_string().contains("\\u0000"));
        if let (Ok(query), true) = (Query::from_json(&Value::Null, &options), clean) {
            let keys = select(&documents, &Select { order: query.order(), ..Select::default() });
            prop_assert_eq!(keys.len(), documents.len());
            let by = |key: &String| {
                let document = &documents[key.parse::<usize>().unwrap()];
                (sort_value(&document.to_string(), &field, descending), document)
            };
            for pair in keys.windows(2) {
                let ((a, first), (b, second)) = (by(&pair[0]), by(&pair[1]));
                let order = compare(&a, &b);
                let order = if descending { order.reverse() } else { order };
                let in_order = match order {
                    Ordering::Less => true,
                    // The last bits of a decimal are SQLite's.
                    Ordering::Equal => pair[0] < pair[1] || matches!(a, SortKey::Number(_)),
                    Ordering::Greater => are_close(&a, &b),
                };
                prop_assert!(in_order, "by {}, {} came before {}", field, first, second);
            }
        }
    }
}

fn are_close(a: &SortKey, b: &SortKey) -> bool {
    let (SortKey::Number(a), SortKey::Number(b)) = (a, b) else { return false };
    let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
    (a - b).abs() <= b.abs() * 1e-12 + 1e-300
}

fn selected(documents: &[Value], given: Value) -> Vec<String> {
    let criteria = criteria(given);
    assert_superset(documents, &criteria);
    assert!(criteria.prefilter().is_some());
    passing(documents, &criteria)
}

#[test]
fn plain_conditions_select() {
    let documents: Vec<Value> = (0..100)
        .map(|n| {
            let mut document = json!({
                "_id": format!("{n:03}"), "s": format!("s{n}"), "n": n, "f": n as f64 + 0.5,
                "even": n % 2 == 0, "o": {"p": {"q": n}}, "o.r": n, "k\"'\\\n]": n,
                "tags": [n, n + 1],
            });
            if n == 50 {
                document["opt"] = Value::Null;
            }
            document
        })
        .collect();
    let rows: Vec<(Value, usize)> = vec![
        (json!({"s": "s7"}), 1),
        (json!({"_id": "007"}), 1),
        (json!({"_id": {"$gte": "090"}, "even": true}), 5),
        (json!({"_id": {"$in": ["001", "002", "x"]}}), 2),
        (json!({"_id": {"$in": ["001", "002", "x"]}, "n": 1}), 1),
        (json!({"n": 7}), 1),
        (json!({"n": 7.0}), 1),
        (json!({"f": 7.5}), 1),
        (json!({"n": {"$gt": 90}}), 10),
        (json!({"n": {"$gte": 90, "$lt": 92}}), 3),
        (json!({"n": {"$between": [10, 12]}}), 3),
        (json!({"n": {"$in": [1, 5, 2.5]}}), 2),
        (json!({"n": {"$gt": "90"}}), 0),
        (json!({"s": {"$gt": 5}}), 0),
        (json!({"s": {"$lt": 5}}), 0),
        (json!({"s": {"$lte": "s10"}}), 3),
        (json!({"s": {"$in": ["s1", "s2"]}}), 2),
        (json!({"s": {"$in": []}}), 0),
        (json!({"even": true}), 50),
        (json!({"opt": {"$exists": true}}), 1),
        (json!({"o.p.q": 7}), 1),
        (json!({"o.r": 7}), 1),
        (json!({"o": {"p": {"q": 7}}}), 100),
        (json!({"k\"'\\\n]": 7}), 1),
        (json!({"tags": 7}), 100),
        (json!({"n": {"$ne": 7}, "s": "s8"}), 1),
        (json!({"$or": [{"s": "s1"}, {"n": 2}]}), 2),
        (json!({"$and": [{"s": "s1"}, {"$not": {"n": 2}}]}), 1),
        (json!([{"s": "s1"}, {"s": "s2"}, {"_id": "003"}]), 3),
    ];
    for (given, expected) in rows {
        assert_eq!(selected(&documents, given.clone()).len(), expected, "{given}");
    }
}

/// SQLite takes the key of the document for `a`.
#[test]
fn a_key_with_a_nul_hides_nothing() {
    let documents = [json!({"_id": "0", "a\0b": 1})];
    for condition in
        [json!(null), json!({"$exists": false}), json!({"$ne": 1}), json!({"$in": [null]})]
    {
        let criteria = criteria(json!({"a": condition}));
        assert!(criteria.matches(&documents[0]));
        assert_superset(&documents, &criteria);
    }
}

#[test]
fn what_sql_cannot_say_is_left_to_matching() {
    for given in [
        json!(null),
        json!({}),
        json!({"a": {"$ne": 1}}),
        json!({"$nor": [{"a": 1}]}),
        json!({"$or": [{"a": 1}, {"b": {"$nin": [2]}}]}),
        json!([{"a": 1}, {}]),
        json!({"a": null}),
        json!({"a": {"$in": [1, null]}}),
        json!({"a": {"$exists": false}}),
        json!({"a.b.c.d.e": 1}),
        json!({"a\0": 1}),
        json!({"a": "x\0"}),
        json!({"a": {"$in": ["y", "x\0"]}}),
    ] {
        assert_eq!(criteria(given.clone()).prefilter(), None, "{given}");
    }
}

#[test]
fn sqlite_takes_the_largest_expressions() {
    let documents = [json!({"_id": "0", "a": {"b": {"c": {"d": 1}}}})];
    let mut deep = json!({"a.b.c.d": 1});
    for level in 5..CRITERIA_DEPTH_MAX {
        deep = if level % 2 == 0 {
            json!({"$and": [deep, {"a": 1}]})
        } else {
            json!({"$or": [deep, {"a": {"b": {"c": {"d": 1}}}}]})
        };
    }
    assert_superset(&documents, &criteria(deep));
    let wide: Vec<Value> = (0..CRITERIA_NODES_MAX / 3 - 1).map(|n| json!({"a": n})).collect();
    assert_eq!(criteria(json!({"$or": wide})).prefilter(), None);
    let some: Vec<Value> = (0..90).map(|n| json!({"a": n})).collect();
    assert_superset(&documents, &criteria(json!({"$or": some})));
    assert_superset(&documents, &criteria(json!({"$and": wide, "a.b.c.d": 1})));
    let ids: Vec<String> = (0..CRITERIA_NODES_MAX - 4).map(|n| n.to_string()).collect();
    assert_eq!(selected(&documents, json!({"_id": {"$in": ids}, "a.b": {"$exists": true}})), ["0"]);
}

/// What a filter asks is known of it, whatever the fields are called.
#[test]
fn only_conditions_on_the_id_ask_of_the_key() {
    for (given, expected) in [
        (json!({"_id": {"$in": ["a", "b"]}, "n": 1}), true),
        (json!({"n": 1, "$or": [{"n": 2}, {"_id": {"$gte": "a"}}]}), true),
        (json!({"keywords": "a", "key": "b"}), false),
        (json!({"n": "_id"}), false),
        (json!({"a._id": "b"}), false),
        // Nothing is asked of the key where the other side of an OR asks nothing.
        (json!({"n": 1, "$or": [{"_id": "a"}, {"n": {"$ne": 2}}]}), false),
    ] {
        let filter = criteria(given.clone()).prefilter().unwrap();
        assert_eq!(filter.asks_of_key(), expected, "{given}");
    }
}

fn sorted(documents: &[Value], sort: Value) -> String {
    let query = Query::from_json(&Value::Null, &json!({"sort": sort})).unwrap();
    select(documents, &Select { order: query.order(), ..Select::default() }).concat()
}

#[test]
fn order_follows_the_classes_of_values() {
    let documents = [
        json!({"_id": "a", "v": "text"}),
        json!({"_id": "b", "v": 2}),
        json!({"_id": "c"}),
        json!({"_id": "d", "v": null}),
        json!({"_id": "e", "v": [[1]]}),
        json!({"_id": "f", "v": {"w": 1}}),
        json!({"_id": "g", "v": -1.5}),
        json!({"_id": "h", "v": "Text"}),
        json!({"_id": "i", "v": true}),
        json!({"_id": "j", "v": false}),
        json!({"_id": "k", "v": []}),
    ];
    let order = |sort: Value| sorted(&documents, sort);
    assert_eq!(order(json!([{"v": 1}])), "kcdgbhafeji");
    assert_eq!(order(json!([{"v": -1}])), "ijefahbgcdk");
    assert_eq!(order(json!([{"_id": -1}])), "kjihgfedcba");
    assert_eq!(order(json!([{"none": 1}, {"_id": -1}])), "kjihgfedcba");
    assert_eq!(order(json!([{"v.w": -1}])), "fabcdeghijk");
    assert_eq!(order(json!([{"x') DESC; DROP TABLE documents; --": 1}])), "abcdefghijk");
}

#[test]
fn of_an_array_the_least_or_the_greatest_element_counts() {
    let documents = [
        json!({"_id": "a", "v": [3, 9]}),
        json!({"_id": "b", "v": 5}),
        json!({"_id": "c", "v": [7, 1]}),
        json!({"_id": "d", "v": []}),
        json!({"_id": "e", "v": ["x", 8]}),
        json!({"_id": "f", "v": [null, 4]}),
    ];
    assert_eq!(sorted(&documents, json!([{"v": 1}])), "dfcabe");
    assert_eq!(sorted(&documents, json!([{"v": -1}])), "eacbfd");
    let nested = [
        json!({"_id": "a", "v": [{"n": 3}, {"n": 9}]}),
        json!({"_id": "b", "v": {"n": 5}}),
        json!({"_id": "c", "v": [{"n": [7, 1]}]}),
        json!({"_id": "d", "v": []}),
        json!({"_id": "e", "v": [{"n": 8}, {}]}),
        json!({"_id": "f", "v": [{"n": 6}, 2]}),
        json!({"_id": "g", "v": [{"n": []}]}),
    ];
    assert_eq!(sorted(&nested, json!([{"v.n": 1}])), "gdefcab");
    assert_eq!(sorted(&nested, json!([{"v.n": -1}])), "aecfbdg");
    assert_eq!(sorted(&nested, json!([{"v.0.n": 1}])), "gbdcafe");
}

#[test]
fn a_key_that_holds_dots_decides_as_it_does_in_criteria() {
    let documents = [
        json!({"_id": "a", "p.q": null, "p": {"q": 9}}),
        json!({"_id": "b", "p": {"q": 4}}),
        json!({"_id": "c", "p.q": 7, "p": {"q": 1}}),
        json!({"_id": "d", "p.q": {}, "p": {"q": {"r": 1}}}),
    ];
    assert_eq!(sorted(&documents, json!([{"p.q": 1}])), "abcd");
    // The key `p.q` is there, and no `r` in it.
    assert_eq!(sorted(&documents, json!([{"p.q.r": -1}])), "abcd");
    for (first, wanted) in [("a", json!(null)), ("b", json!(4)), ("c", json!(7))] {
        let found = criteria(json!({"p.q": wanted}));
        let ids: Vec<&Value> =
            documents.iter().filter(|d| found.matches(d)).map(|d| &d["_id"]).collect();
        assert_eq!(ids, [first]);
    }
}
