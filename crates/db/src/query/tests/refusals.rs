//! What the parser refuses, and that it says what and why.

use serde_json::{Value, json};

use crate::limits::*;
use crate::query::Criteria;
use crate::{Error, Kind};

fn refusal(given: &Value) -> String {
    match Criteria::parse(given) {
        Err(error @ Error::Invalid(_)) => {
            assert_eq!(error.kind(), Kind::Invalid);
            let text = error.to_string();
            assert!(!text.contains('\n'), "more than one line: {text}");
            text
        }
        other => panic!("{given}: {other:?}"),
    }
}

#[test]
fn each_mistake_is_named() {
    let rows = [
        (json!("x"), "criteria takes an object or an array of objects, not \"x\""),
        (json!(5), "not 5"),
        (json!([{"a": 1}, 5]), "not 5"),
        (json!([null]), "not null"),
        (json!([[{"a": 1}]]), "not an array of 1"),
        (json!({"a": {"$foo": 1}}), "unknown operator '$foo'; known operators: $eq, $ne"),
        (json!({"$foo": 1}), "unknown operator '$foo'; known operators: $eq, $ne"),
        (json!({"a": {"b": 1, "$foo": 1}}), "unknown operator '$foo'"),
        (json!({"$where": "1"}), "unknown operator '$where'"),
        (json!({"a": {"$not": {"$foo": 1}}}), "unknown operator '$foo'"),
        (json!({"a": {"$elemMatch": {"$foo": 1}}}), "unknown operator '$foo'"),
        (json!({"$or": [{"$foo": 1}]}), "unknown operator '$foo'"),
        (json!({"a": {"$gt": 1, "b": 1}}), "operator '$gt' and plain key 'b'"),
        (json!({"$gt": 1}), "operator '$gt' needs a field"),
        (json!({"a": {"$or": [{"$gt": 1}]}}), "operator '$or' joins criteria objects"),
        (json!({"$and": []}), "$and needs at least one"),
        (json!({"$or": 5}), "$or takes an array of criteria objects, not 5"),
        (json!({"$nor": [5]}), "$nor takes an array of criteria objects, not 5"),
        (json!({"$not": [{"a": 1}]}), "$not takes a criteria object"),
        (json!({"a": {"$not": 5}}), "$not under a field takes an object of operators, not 5"),
        (json!({"a": {"$not": {"b": 5}}}), "$not under a field takes an object of operators"),
        (json!({"a": {"$in": 5}}), "$in takes an array, not 5"),
        (json!({"a": {"$nin": {"b": 1}}}), "$nin takes an array, not an object"),
        (json!({"a": {"$all": "x"}}), "$all takes an array, not \"x\""),
        (json!({"a": {"$between": [1]}}), "$between takes an array of two values"),
        (json!({"a": {"$between": 1}}), "$between takes an array of two values"),
        (json!({"a": {"$exists": "yes"}}), "$exists takes true or false, not \"yes\""),
        (json!({"a": {"$exists": 2}}), "$exists takes true or false, not 2"),
        (json!({"a": {"$size": -1}}), "$size takes a number of elements, not -1"),
        (json!({"a": {"$size": 1.5}}), "$size takes a number of elements"),
        (json!({"a": {"$type": "text"}}), "$type takes one of string, number"),
        (json!({"a": {"$type": 2}}), "$type takes one of string, number"),
        (json!({"a": {"$type": []}}), "$type takes one of string, number"),
        (json!({"a": {"$elemMatch": 5}}), "$elemMatch takes a criteria object"),
        (json!({"a": {"$regex": 5}}), "$regex takes a string, not 5"),
        (json!({"a": {"$regex": "("}}), "invalid pattern in $regex: \"(\": unclosed group"),
        (json!({"a": {"$regex": "(?=x)"}}), "invalid pattern in $regex"),
        (json!({"a": {"$regex": "x", "$options": "g"}}), "unknown flag 'g' in $options"),
        (json!({"a": {"$regex": "x", "$options": 1}}), "$options takes a string of flags"),
        (json!({"a": {"$options": "i"}}), "$options needs a $regex"),
        (json!({"a": {"$in": [{"$regex": "^1"}]}}), "'$regex' stands inside a value"),
        (json!({"a": {"$nin": [1, {"$regex": "^1"}]}}), "'$regex' stands inside a value"),
        (json!({"a": {"$nin": [[{"$gt": 1}]]}}), "'$gt' stands inside a value"),
        (json!({"a": {"$all": [{"$eq": 1}]}}), "'$eq' stands inside a value"),
        (json!({"a": {"$ne": {"$gt": 1}}}), "'$gt' stands inside a value"),
        (json!({"a": {"$ne": {"b": {"$foo": 1}}}}), "'$foo' stands inside a value"),
        (json!({"a": {"$gt": {"$foo": 1}}}), "'$foo' stands inside a value"),
        (json!({"a": {"$contains": {"$eq": 1}}}), "'$eq' stands inside a value"),
        (json!({"a": {"b": {"$gt": 1}}}), "name the field by its path"),
        (json!({"a": [{"$gt": 1}]}), "'$gt' stands inside a value"),
        (json!({"a": {"$mod": 4}}), "$mod takes an array of two whole numbers"),
        (json!({"a": {"$mod": [4]}}), "$mod takes an array of two whole numbers"),
        (json!({"a": {"$mod": [4, 1, 1]}}), "$mod takes an array of two whole numbers"),
        (json!({"a": {"$mod": [0, 1]}}), "the divisor not 0"),
        (json!({"a": {"$mod": [4, 0.5]}}), "$mod takes an array of two whole numbers"),
        (json!({"$contains": "x"}), "operator '$contains' needs a field"),
        (json!({"$set": {"a": 1}}), "unknown operator '$set'"),
    ];
    for (given, expected) in rows {
        let text = refusal(&given);
        assert!(text.contains(expected), "{given}: {text}");
    }
}

#[test]
fn each_limit_is_named() {
    let mut deep = json!({"a": 1});
    let mut deep_value = json!(1);
    let mut deep_not = json!({"$eq": 1});
    for _ in 0..CRITERIA_DEPTH_MAX {
        deep = json!({"$and": [deep]});
        deep_value = json!([deep_value]);
        deep_not = json!({"$not": deep_not});
    }
    let many: Vec<Value> = (0..CRITERIA_NODES_MAX).map(Value::from).collect();
    let regexes: Vec<Value> =
        (0..=CRITERIA_REGEXES_MAX).map(|_| json!({"a": {"$regex": "x"}})).collect();
    let rows = [
        (deep, "CRITERIA_DEPTH_MAX"),
        (json!({"a": deep_value}), "CRITERIA_DEPTH_MAX"),
        (json!({"a": deep_not}), "CRITERIA_DEPTH_MAX"),
        (json!({"a": {"$in": many}}), "CRITERIA_NODES_MAX"),
        (json!({"a": {"$regex": "x".repeat(REGEX_BYTES_MAX + 1)}}), "REGEX_BYTES_MAX"),
        (json!({"a": {"$regex": "(\\w{100}){1000}"}}), "REGEX_COMPILED_BYTES_MAX"),
        (json!(regexes), "CRITERIA_REGEXES_MAX"),
        (json!({".".repeat(PATH_SEGMENTS_MAX): 1}), "PATH_SEGMENTS_MAX"),
    ];
    for (given, limit) in rows {
        let text = refusal(&given);
        assert!(text.contains(limit), "{text}");
    }
}

#[test]
fn up_to_the_limits_is_fine() {
    let mut deep = json!({"a": 1});
    for _ in 1..CRITERIA_DEPTH_MAX {
        deep = json!({"$and": [deep]});
    }
    assert!(Criteria::parse(&deep).unwrap().matches(&json!({"a": 1})));
    let many: Vec<Value> = (0..CRITERIA_NODES_MAX - 2).map(Value::from).collect();
    assert!(Criteria::parse(&json!({"a": {"$in": many}})).unwrap().matches(&json!({"a": 7})));
}

#[test]
fn text_search_is_not_in_this_version() {
    for given in [json!({"$text": {"$search": "x"}}), json!({"a": {"$text": "x"}})] {
        let error = Criteria::parse(&given).unwrap_err();
        assert_eq!(error.kind(), Kind::NotBuilt, "{given}");
        assert!(error.to_string().contains("'$text' is not in this version"), "{error}");
    }
}
