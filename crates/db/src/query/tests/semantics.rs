//! One table per operator: criteria, document, whether they match.

use serde_json::{Value, json};

use super::criteria;

fn check(rows: &[(Value, Value, bool)]) {
    for (given, document, expected) in rows {
        assert_eq!(
            criteria(given.clone()).matches(document),
            *expected,
            "criteria {given}, document {document}"
        );
    }
}

#[test]
fn arrays_are_or_and_keys_are_and() {
    let doc = json!({"a": 1, "b": 2});
    check(&[
        (json!(null), doc.clone(), true),
        (json!([]), doc.clone(), true),
        (json!({}), doc.clone(), true),
        (json!([{}]), doc.clone(), true),
        (json!([{"a": 9}, {}]), doc.clone(), true),
        (json!({"a": 1, "b": 2}), doc.clone(), true),
        (json!({"a": 1, "b": 3}), doc.clone(), false),
        (json!([{"a": 9}, {"b": 2}]), doc.clone(), true),
        (json!([{"a": 9}, {"b": 9}]), doc, false),
    ]);
}

#[test]
fn equality_is_by_value() {
    check(&[
        (json!({"a": 1}), json!({"a": 1.0}), true),
        (json!({"a": 1.0}), json!({"a": 1}), true),
        (json!({"a": -0.0}), json!({"a": 0}), true),
        (json!({"a": 1}), json!({"a": "1"}), false),
        (json!({"a": 1}), json!({"a": true}), false),
        (json!({"a": 0}), json!({"a": false}), false),
        (json!({"a": ""}), json!({"a": null}), false),
        // Neighbours that a float cannot tell apart.
        (json!({"a": 9_007_199_254_740_993_u64}), json!({"a": 9_007_199_254_740_992_u64}), false),
        (json!({"a": 9_007_199_254_740_992.0}), json!({"a": 9_007_199_254_740_993_u64}), false),
        (json!({"a": u64::MAX}), json!({"a": u64::MAX}), true),
        (json!({"a": u64::MAX}), json!({"a": u64::MAX as f64}), false),
        (json!({"a": {"x": 1, "y": [1, 2]}}), json!({"a": {"y": [1.0, 2], "x": 1}}), true),
        (json!({"a": {"x": 1}}), json!({"a": {"x": 1, "y": 2}}), false),
        (json!({"a": {}}), json!({"a": {}}), true),
        (json!({"a": {}}), json!({"a": {"x": 1}}), false),
        (json!({"a": "ü"}), json!({"a": "ü"}), true),
        (json!({"a": "u"}), json!({"a": "U"}), false),
    ]);
}

#[test]
fn an_array_equals_itself_and_contains_its_elements() {
    check(&[
        (json!({"t": "x"}), json!({"t": ["y", "x"]}), true),
        (json!({"t": "z"}), json!({"t": ["y", "x"]}), false),
        (json!({"t": ["y", "x"]}), json!({"t": ["y", "x"]}), true),
        (json!({"t": ["x", "y"]}), json!({"t": ["y", "x"]}), false),
        (json!({"t": ["x"]}), json!({"t": [["x"], 1]}), true),
        (json!({"t": "x"}), json!({"t": [["x"]]}), false),
        (json!({"t": {"a": 1}}), json!({"t": [{"a": 1}, {"a": 2}]}), true),
        (json!({"t": []}), json!({"t": []}), true),
        (json!({"t": null}), json!({"t": [1, null]}), true),
        (json!({"t": null}), json!({"t": []}), false),
    ]);
}

#[test]
fn null_is_null_or_missing() {
    check(&[
        (json!({"a": null}), json!({"a": null}), true),
        (json!({"a": null}), json!({}), true),
        (json!({"a": null}), json!({"a": 0}), false),
        (json!({"a.b": null}), json!({"a": {"b": 1}}), false),
        (json!({"a.b": null}), json!({"a": 1}), true),
        (json!({"a": {"$eq": null}}), json!({}), true),
        (json!({"a": {"$ne": null}}), json!({}), false),
        (json!({"a": {"$ne": null}}), json!({"a": 0}), true),
        (json!({"a": {"$in": [1, null]}}), json!({}), true),
        (json!({"a": {"$nin": [1, null]}}), json!({}), false),
    ]);
}

#[test]
fn null_through_arrays_of_objects() {
    let some = json!({"a": [{"b": 1}, {"c": 2}]});
    let all = json!({"a": [{"b": 1}, {"b": [2]}]});
    let (empty, plain) = (json!({"a": []}), json!({"a": [1, null, [{"c": 1}]]}));
    let mut rows = Vec::new();
    for (document, lacks, exists) in [
        (some.clone(), true, true),
        (all.clone(), false, true),
        (empty.clone(), false, false),
        (plain.clone(), false, false),
        (json!({"a": [{"b": null}]}), true, true),
        (json!({"a": [{"b": [1, null]}]}), true, true),
        (json!({"a": [1, {"c": 1}]}), true, false),
        (json!({"a": 1}), true, false),
        (json!({"a": {"c": 1}}), true, false),
        (json!({}), true, false),
    ] {
        for (condition, holds) in [
            (json!(null), lacks),
            (json!({"$eq": null}), lacks),
            (json!({"$in": [7, null]}), lacks),
            (json!({"$gte": null}), lacks),
            (json!({"$ne": null}), !lacks),
            (json!({"$nin": [null]}), !lacks),
            (json!({"$not": {"$eq": null}}), !lacks),
            (json!({"$exists": true}), exists),
            (json!({"$exists": false}), !exists),
        ] {
            rows.push((json!({"a.b": condition}), document.clone(), holds));
        }
    }
    check(&rows);
    check(&[
        (json!({"a.b.c": null}), json!({"a": [{"b": [{"c": 1}, {}]}]}), true),
        (json!({"a.b.c": null}), json!({"a": [{"b": []}]}), false),
        (json!({"a.b.c": null}), json!({"a": [{"b": []}, {}]}), true),
        (json!({"a.5": null}), json!({"a": [1]}), true),
        (json!({"a.0": null}), json!({"a": [null]}), true),
        (json!({"a.0.b": null}), json!({"a": [{"b": 1}, {}]}), false),
    ]);
}

#[test]
fn any_id_is_above_null() {
    let doc = json!({"_id": "x", "a": 1});
    for condition in [
        json!({"$gt": null}),
        json!({"$gte": null}),
        json!({"$exists": true}),
        json!({"$gt": null, "$gte": null}),
    ] {
        let all = criteria(json!([{"_id": condition}]));
        assert!(all.matches(&doc) && all.matches_all() && !all.is_absent(), "{condition}");
        assert_eq!(all.by_id(), None);
    }
    check(&[
        (json!({"_id": {"$gt": null}, "a": 1}), doc.clone(), true),
        (json!({"_id": {"$gt": null}, "a": 2}), doc.clone(), false),
        (json!({"_id": {"$gt": null, "$lt": "m"}}), doc.clone(), false),
        (json!({"_id": {"$not": {"$gt": null}}}), doc.clone(), false),
        (json!({"_id": {"$lt": null}}), doc.clone(), false),
        (json!({"_id": {"$lte": null}}), doc.clone(), false),
        (json!({"_id": null}), doc.clone(), false),
        (json!({"_id": {"$exists": false}}), doc, false),
    ]);
    assert!(!criteria(json!({"_id": {"$exists": false}})).matches_all());
    assert!(!criteria(json!({"a": {"$exists": true}})).matches_all());
}

#[test]
fn contains_and_mod() {
    check(&[
        (json!({"a": {"$contains": "x"}}), json!({"a": ["y", "x"]}), true),
        (json!({"a": {"$contains": "x"}}), json!({"a": ["yxy"]}), false),
        (json!({"a": {"$contains": "x"}}), json!({"a": "yxy"}), true),
        (json!({"a": {"$contains": "X"}}), json!({"a": "yxy"}), false),
        (json!({"a": {"$contains": ""}}), json!({"a": ""}), true),
        (json!({"a": {"$contains": "1"}}), json!({"a": 1}), false),
        (json!({"a": {"$contains": 1}}), json!({"a": [2, 1.0]}), true),
        (json!({"a": {"$contains": 1}}), json!({"a": 1}), false),
        (json!({"a": {"$contains": 1}}), json!({"a": "1"}), false),
        (json!({"a": {"$contains": null}}), json!({"a": [null]}), true),
        (json!({"a": {"$contains": null}}), json!({}), false),
        (json!({"a": {"$contains": {"b": 1}}}), json!({"a": [{"b": 1}]}), true),
        (json!({"a": {"$contains": [1]}}), json!({"a": [[1], 2]}), true),
        (json!({"a.b": {"$contains": "x"}}), json!({"a": [{"b": "y"}, {"b": "xx"}]}), true),
        (json!({"a": {"$not": {"$contains": "x"}}}), json!({}), true),
        (json!({"a": {"$mod": [4, 1]}}), json!({"a": 9}), true),
        (json!({"a": {"$mod": [4, 1]}}), json!({"a": 8}), false),
        (json!({"a": {"$mod": [4, 1]}}), json!({"a": 9.7}), true),
        (json!({"a": {"$mod": [4.0, -1]}}), json!({"a": -9}), true),
        (json!({"a": {"$mod": [4, 3]}}), json!({"a": -9}), false),
        (json!({"a": {"$mod": [-4, 1]}}), json!({"a": 9}), true),
        (json!({"a": {"$mod": [10, 5]}}), json!({"a": u64::MAX}), true),
        (json!({"a": {"$mod": [2, 0]}}), json!({"a": 1e300}), false),
        (json!({"a": {"$mod": [4, 1]}}), json!({"a": "9"}), false),
        (json!({"a": {"$mod": [4, 1]}}), json!({"a": [8, 9]}), true),
        (json!({"a": {"$mod": [4, 0]}}), json!({}), false),
        // What `$eq` takes, it takes as it stands.
        (json!({"a": {"$eq": {"$get_input": "x"}}}), json!({"a": {"$get_input": "x"}}), true),
        (json!({"a.$get_input": "x"}), json!({"a": {"$get_input": "x"}}), true),
    ]);
}

#[test]
fn dotted_paths_reach_in_and_literal_keys_win() {
    let list = json!({"a": [{"b": 1}, {"b": [2, 3]}, 7, [{"b": 9}]]});
    check(&[
        (json!({"a.b": 1}), json!({"a": {"b": 1}}), true),
        (json!({"a.b": 1}), list.clone(), true),
        (json!({"a.b": 3}), list.clone(), true),
        (json!({"a.b": 9}), list.clone(), false),
        (json!({"a.0.b": 1}), list.clone(), true),
        (json!({"a.1.b": 1}), list.clone(), false),
        (json!({"a.1.b.0": 2}), list.clone(), true),
        (json!({"a.2": 7}), list.clone(), true),
        (json!({"a.3.b": 9}), list.clone(), true),
        (json!({"a.9": 7}), list.clone(), false),
        (json!({"a.+1.b": 2}), list, false),
        (json!({"a.0": 1}), json!({"a": {"0": 1}}), true),
        (json!({"a.b": 1}), json!({"a.b": 1}), true),
        (json!({"a.b": 2}), json!({"a.b": 1, "a": {"b": 2}}), false),
        (json!({"a.b": 1}), json!({"a.b": 1, "a": {"b": 2}}), true),
        (json!({"x.a.b": 1}), json!({"x": {"a.b": 1, "a": {"b": 2}}}), true),
        (json!({"x.a.b": 1}), json!({"x": [{"a.b": 1}]}), true),
        (json!({"t.tosca.nodes.Root.d": 1}), json!({"t": {"tosca.nodes.Root": {"d": 1}}}), true),
        (json!({"": 1}), json!({"": 1}), true),
        (json!({"a.": 1}), json!({"a": {"": 1}}), true),
        (json!({"ä.ö": 1}), json!({"ä": {"ö": 1}}), true),
    ]);
}

#[test]
fn comparisons() {
    check(&[
        (json!({"a": {"$gt": 1}}), json!({"a": 1}), false),
        (json!({"a": {"$gt": 1}}), json!({"a": 1.5}), true),
        (json!({"a": {"$gte": 1}}), json!({"a": 1.0}), true),
        (json!({"a": {"$lt": 2}}), json!({"a": 1}), true),
        (json!({"a": {"$lte": 2}}), json!({"a": 2.5}), false),
        (json!({"a": {"$gt": 1, "$lt": 3}}), json!({"a": 2}), true),
        (json!({"a": {"$gt": 1, "$lt": 3}}), json!({"a": 3}), false),
        (
            json!({"a": {"$gt": 9_007_199_254_740_992.0}}),
            json!({"a": 9_007_199_254_740_993_u64}),
            true,
        ),
        (json!({"a": {"$lt": -0.5}}), json!({"a": -1}), true),
        (json!({"a": {"$gt": -0.5}}), json!({"a": 0}), true),
        (json!({"a": {"$lt": 1e300}}), json!({"a": u64::MAX}), true),
        (json!({"a": {"$gt": -1e300}}), json!({"a": i64::MIN}), true),
        (json!({"a": {"$gt": "b"}}), json!({"a": "c"}), true),
        (json!({"a": {"$gt": "b"}}), json!({"a": "B"}), false),
        (json!({"a": {"$lt": "é"}}), json!({"a": "z"}), true),
        (json!({"a": {"$gt": 1}}), json!({"a": "2"}), false),
        (json!({"a": {"$lt": "2"}}), json!({"a": 1}), false),
        (json!({"a": {"$gt": false}}), json!({"a": true}), false),
        (json!({"a": {"$gte": true}}), json!({"a": true}), false),
        (json!({"a": {"$gte": null}}), json!({"a": null}), true),
        (json!({"a": {"$lte": null}}), json!({}), true),
        (json!({"a": {"$gte": null}}), json!({"a": 0}), false),
        (json!({"a": {"$gt": null}}), json!({"a": 1}), false),
        (json!({"a": {"$gt": null}}), json!({"a": null}), false),
        (json!({"a": {"$lt": null}}), json!({}), false),
        (json!({"a": {"$not": {"$gt": null}}}), json!({"a": 1}), true),
        (json!({"a": {"$lt": 5}}), json!({}), false),
        (json!({"a": {"$gt": 5}}), json!({"a": [1, 9]}), true),
        (json!({"a": {"$gt": 5, "$lt": 2}}), json!({"a": [1, 9]}), true),
        (json!({"a": {"$between": [2, 4]}}), json!({"a": 2}), true),
        (json!({"a": {"$between": [2, 4]}}), json!({"a": 4.0}), true),
        (json!({"a": {"$between": [2, 4]}}), json!({"a": 4.1}), false),
        (json!({"a": {"$between": [2, 4]}}), json!({"a": [1, 9]}), false),
        (json!({"a": {"$between": [2, 4]}}), json!({"a": [1, 3]}), true),
        (json!({"a": {"$between": ["b", "d"]}}), json!({"a": "c"}), true),
        (json!({"a": {"$between": [1, "d"]}}), json!({"a": "c"}), false),
        (json!({"a": {"$between": [4, 2]}}), json!({"a": 3}), false),
    ]);
}

#[test]
fn eq_ne_in_nin() {
    check(&[
        (json!({"a": {"$eq": 1}}), json!({"a": 1}), true),
        (json!({"a": {"$eq": {"$gt": 1}}}), json!({"a": {"$gt": 1}}), true),
        (json!({"a": {"$ne": 1}}), json!({"a": 2}), true),
        (json!({"a": {"$ne": 1}}), json!({"a": 1.0}), false),
        (json!({"a": {"$ne": 1}}), json!({}), true),
        (json!({"a": {"$ne": 1}}), json!({"a": [1, 2]}), false),
        (json!({"a": {"$in": [1, "x"]}}), json!({"a": "x"}), true),
        (json!({"a": {"$in": [1, "x"]}}), json!({"a": 1.0}), true),
        (json!({"a": {"$in": [1.5, true]}}), json!({"a": 1.5}), true),
        (json!({"a": {"$in": [1e300]}}), json!({"a": 1e300}), true),
        (json!({"a": {"$in": [true]}}), json!({"a": 1}), false),
        (json!({"a": {"$in": [[1, 2]]}}), json!({"a": [1, 2]}), true),
        (json!({"a": {"$in": [{"b": 1}]}}), json!({"a": {"b": 1}}), true),
        (json!({"a": {"$in": ["x"]}}), json!({"a": ["w", "x"]}), true),
        (json!({"a": {"$in": []}}), json!({"a": 1}), false),
        (json!({"a": {"$nin": [1, "x"]}}), json!({"a": 2}), true),
        (json!({"a": {"$nin": [1, "x"]}}), json!({"a": "x"}), false),
        (json!({"a": {"$nin": [1]}}), json!({}), true),
        (json!({"a": {"$nin": []}}), json!({"a": 1}), true),
    ]);
}

#[test]
fn exists_size_type() {
    check(&[
        (json!({"a": {"$exists": true}}), json!({"a": null}), true),
        (json!({"a": {"$exists": true}}), json!({}), false),
        (json!({"a": {"$exists": 1}}), json!({"a": 0}), true),
        (json!({"a": {"$exists": false}}), json!({}), true),
        (json!({"a": {"$exists": 0}}), json!({"a": 0}), false),
        (json!({"a.b": {"$exists": true}}), json!({"a": [1, {"b": 0}]}), true),
        (json!({"a": {"$size": 2}}), json!({"a": [1, [2]]}), true),
        (json!({"a": {"$size": 2.0}}), json!({"a": [1, [2]]}), true),
        (json!({"a": {"$size": 1}}), json!({"a": [1, [2]]}), false),
        (json!({"a": {"$size": 0}}), json!({"a": []}), true),
        (json!({"a": {"$size": 0}}), json!({}), false),
        (json!({"a": {"$type": "string"}}), json!({"a": "x"}), true),
        (json!({"a": {"$type": "number"}}), json!({"a": 1.5}), true),
        (json!({"a": {"$type": "int"}}), json!({"a": 1}), true),
        (json!({"a": {"$type": "int"}}), json!({"a": 1.0}), true),
        (json!({"a": {"$type": "int"}}), json!({"a": 1e300}), false),
        (json!({"a": {"$type": "double"}}), json!({"a": 1.5}), true),
        (json!({"a": {"$type": "double"}}), json!({"a": 1}), false),
        (json!({"a": {"$type": "bool"}}), json!({"a": false}), true),
        (json!({"a": {"$type": "object"}}), json!({"a": {}}), true),
        (json!({"a": {"$type": "array"}}), json!({"a": []}), true),
        (json!({"a": {"$type": "null"}}), json!({"a": null}), true),
        (json!({"a": {"$type": "null"}}), json!({}), false),
        (json!({"a": {"$type": ["int", "string"]}}), json!({"a": "x"}), true),
        (json!({"a": {"$type": "string"}}), json!({"a": [1, "x"]}), true),
    ]);
}

#[test]
fn regex() {
    check(&[
        (json!({"a": {"$regex": "b+"}}), json!({"a": "abbc"}), true),
        (json!({"a": {"$regex": "^b"}}), json!({"a": "abbc"}), false),
        (json!({"a": {"$regex": "(?i)B"}}), json!({"a": "abbc"}), true),
        (json!({"a": {"$regex": "B", "$options": "i"}}), json!({"a": "abbc"}), true),
        (json!({"a": {"$options": "ix", "$regex": "B # two of them"}}), json!({"a": "abbc"}), true),
        (json!({"a": {"$regex": "^c$", "$options": "m"}}), json!({"a": "ab\nc"}), true),
        (json!({"a": {"$regex": "b.c", "$options": "s"}}), json!({"a": "ab\nc"}), true),
        (json!({"a": {"$regex": "b"}}), json!({"a": ["x", "b"]}), true),
        (json!({"a": {"$regex": "1"}}), json!({"a": 1}), false),
        (json!({"a": {"$regex": ""}}), json!({}), false),
        (json!({"a": {"$regex": "(a+)+$"}}), json!({"a": "a".repeat(50_000) + "b"}), false),
    ]);
}

#[test]
fn and_or_nor_not() {
    let doc = json!({"a": 1, "b": 2});
    check(&[
        (json!({"$and": [{"a": 1}, {"b": 2}]}), doc.clone(), true),
        (json!({"$and": [{"a": 1}, {"b": 3}]}), doc.clone(), false),
        (json!({"$and": {"a": 1}}), doc.clone(), true),
        (json!({"$or": [{"a": 9}, {"b": 2}]}), doc.clone(), true),
        (json!({"$or": [{"a": 9}, {"b": 9}]}), doc.clone(), false),
        (json!({"b": 2, "$or": [{"a": 9}, {"a": 1}]}), doc.clone(), true),
        (json!({"$nor": [{"a": 9}, {"b": 9}]}), doc.clone(), true),
        (json!({"$nor": [{"a": 9}, {"b": 2}]}), doc.clone(), false),
        (json!({"$not": {"a": 1, "b": 9}}), doc.clone(), true),
        (json!({"$not": {"a": 1}}), doc.clone(), false),
        (json!({"a": {"$not": {"$gt": 3}}}), doc.clone(), true),
        (json!({"a": {"$not": {"$gt": 0}}}), doc.clone(), false),
        (json!({"z": {"$not": {"$gt": 0}}}), doc.clone(), true),
        (json!({"a": {"$not": {"$gt": 0, "$lt": 1}}}), doc.clone(), true),
        (json!({"a": {"$not": {"$not": {"$eq": 1}}}}), doc, true),
    ]);
}

#[test]
fn all_and_elem_match() {
    let doc = json!({
        "t": ["x", "y"], "s": "x", "p": [{"n": "a", "v": 1}, {"n": "b", "v": 5}],
        "n": [[1, 2], [3]], "i": [1, 8],
    });
    let on = |criteria: Value, expected: bool| (criteria, doc.clone(), expected);
    check(&[
        on(json!({"t": {"$all": ["y", "x"]}}), true),
        on(json!({"t": {"$all": ["y", "z"]}}), false),
        on(json!({"t": {"$all": []}}), false),
        on(json!({"s": {"$all": ["x"]}}), true),
        on(json!({"p.n": {"$all": ["a", "b"]}}), true),
        on(json!({"p": {"$all": [{"$elemMatch": {"n": "a"}}, {"$elemMatch": {"v": 5}}]}}), true),
        on(json!({"p": {"$elemMatch": {"n": "a", "v": 1}}}), true),
        on(json!({"p": {"$elemMatch": {"n": "a", "v": 5}}}), false),
        on(json!({"p": {"$elemMatch": {"$or": [{"n": "z"}, {"v": {"$gt": 4}}]}}}), true),
        on(json!({"p": {"$elemMatch": {}}}), true),
        on(json!({"t": {"$elemMatch": {}}}), false),
        on(json!({"i": {"$elemMatch": {"$gt": 1, "$lt": 8}}}), false),
        on(json!({"i": {"$elemMatch": {"$gt": 1, "$lt": 9}}}), true),
        on(json!({"n": {"$elemMatch": {"$size": 1}}}), true),
        on(json!({"n": {"$elemMatch": {"0": 3}}}), true),
        on(json!({"s": {"$elemMatch": {"$eq": "x"}}}), false),
    ]);
}

#[test]
fn absent_is_not_all() {
    assert!(criteria(json!(null)).is_absent());
    assert!(criteria(json!([])).is_absent());
    assert!(!criteria(json!([{}])).is_absent());
    assert!(!criteria(json!({})).is_absent());
    for all in [json!(null), json!([]), json!({}), json!([{}]), json!([{"a": 1}, {}])] {
        assert!(criteria(all).matches_all());
    }
    assert!(!criteria(json!([{"a": 1}])).matches_all());
}

#[test]
fn by_id_is_the_whole_condition_or_nothing() {
    let rows = [
        (json!({"_id": "x"}), Some(vec!["x"])),
        (json!({"_id": {"$eq": "x"}}), Some(vec!["x"])),
        (json!({"_id": {"$in": ["y", "x", "y"]}}), Some(vec!["x", "y"])),
        (json!([{"_id": "x"}, {"_id": {"$in": ["z"]}}]), Some(vec!["x", "z"])),
        (json!({"_id": 5}), Some(vec![])),
        (json!({"_id": {"$in": ["x", 5, null]}}), Some(vec!["x"])),
        (json!({"_id": "x", "a": 1}), None),
        (json!({"_id": {"$eq": "x", "$ne": "y"}}), None),
        (json!([{"_id": "x"}, {"a": 1}]), None),
        (json!([{"_id": "x"}, {}]), None),
        (json!({"_id": {"$gt": "x"}}), None),
        (json!({}), None),
        (json!(null), None),
    ];
    for (given, expected) in rows {
        assert_eq!(criteria(given.clone()).by_id(), expected, "{given}");
    }
}
