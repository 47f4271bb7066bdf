//! Keys that begin with `$` in what is to be written.
//!
//! Documents may hold them: TOSCA 2.0 has functions such as `$get_input`. What is meant as an operator
//! of other databases' updates must not become a field by accident, as no query could name it.

use crate::error::Error;
use serde_json::{Map, Value};

/// Operators of updates elsewhere, none of them a function of TOSCA.
const UPDATE_OPERATORS: [&str; 15] = [
    "$set",
    "$unset",
    "$inc",
    "$push",
    "$pull",
    "$addToSet",
    "$setOnInsert",
    "$mul",
    "$rename",
    "$currentDate",
    "$pop",
    "$pushAll",
    "$pullAll",
    "$each",
    "$bit",
];

fn is_update_operator(key: &str) -> bool {
    UPDATE_OPERATORS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// Refuses fields of an update that begin with `$`, such keys right under a field, and operators of
/// updates at any depth.
pub(crate) fn check_fields(fields: &Map<String, Value>) -> Result<(), Error> {
    for (name, value) in fields {
        let below = value.as_object().and_then(|map| map.keys().find(|key| key.starts_with('$')));
        let wrong = Some(name).filter(|name| name.starts_with('$')).or(below);
        if let Some(key) = wrong.or_else(|| update_operator_in(value)) {
            return Err(refused("UpdateData", key));
        }
    }
    Ok(())
}

/// Refuses a new document that has an operator of updates for a field.
pub(crate) fn check_document(fields: &Map<String, Value>) -> Result<(), Error> {
    match fields.keys().find(|key| is_update_operator(key)) {
        Some(key) => Err(refused("a document", key)),
        None => Ok(()),
    }
}

/// The recursion is as deep as the request, which the parser of JSON bounds.
fn update_operator_in(value: &Value) -> Option<&String> {
    match value {
        Value::Array(items) => items.iter().find_map(update_operator_in),
        Value::Object(map) => map
            .keys()
            .find(|key| is_update_operator(key))
            .or_else(|| map.values().find_map(update_operator_in)),
        _ => None,
    }
}

fn refused(place: &str, key: &str) -> Error {
    let what = if is_update_operator(key) {
        "operators of updates are not in this version"
    } else {
        "it is no operator, and no name for a field here"
    };
    let key = key.escape_debug();
    Error::Invalid(format!(
        "'{key}' in {place}: {what}; plain fields are set directly, as in {{\"status\": \"active\"}}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: &Value) -> &Map<String, Value> {
        value.as_object().unwrap()
    }

    #[test]
    fn operators_are_no_fields() {
        for (wrong, key) in [
            (json!({"$set": {"a": 9}}), "'$set'"),
            (json!({"a": 1, "$unset": ["b"]}), "'$unset'"),
            (json!({"$foo": 1}), "'$foo' in UpdateData: it is no operator"),
            (json!({"$": 1}), "'$'"),
            (json!({"n": {"$inc": 1}}), "'$inc'"),
            (json!({"n": {"$foo": 1}}), "'$foo'"),
            (json!({"a": {"b": [{"$PUSH": 1}]}}), "'$PUSH'"),
        ] {
            let text = check_fields(fields(&wrong)).unwrap_err().to_string();
            assert!(text.contains(key) && text.contains("set directly"), "{wrong}: {text}");
        }
    }

    #[test]
    fn what_tosca_holds_is_data() {
        let tree =
            json!({"templates": {"server": {"properties": {"size": {"$get_input": "size"}}}}});
        assert_eq!(check_fields(fields(&tree)), Ok(()));
        for document in [
            json!({"_id": "a", "$get_input": "x"}),
            json!({"_id": "a", "p": {"$set": {"$inc": 1}}}),
        ] {
            assert_eq!(check_document(fields(&document)), Ok(()));
        }
        assert!(check_document(fields(&json!({"_id": "a", "$set": {"n": 1}}))).is_err());
    }
}
