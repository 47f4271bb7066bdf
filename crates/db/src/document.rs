//! A document on its way in: JSON from outside becomes a value that the log can carry.

use crate::error::Error;
use crate::limits::{DOCUMENT_BYTES_MAX, ID_BYTES_MAX};
use optimusdb_dag::{Ipld, value};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A document that may be written: its `_id`, its value and about how large its entry will be.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) id: String,
    pub(crate) value: Ipld,
    pub(crate) bytes: usize,
}

/// Checks every document and drops the earlier ones of equal `_id`s: the last wins.
pub(crate) fn check_all(documents: Vec<Value>) -> Result<Vec<Checked>, Error> {
    let mut checked: Vec<Option<Checked>> = Vec::with_capacity(documents.len());
    let mut place = std::collections::HashMap::with_capacity(documents.len());
    for (i, document) in documents.into_iter().enumerate() {
        let document = check(document).map_err(|e| at(i, e))?;
        if let Some(earlier) = place.insert(document.id.clone(), checked.len()) {
            checked[earlier] = None;
        }
        checked.push(Some(document));
    }
    Ok(checked.into_iter().flatten().collect())
}

fn at(index: usize, error: Error) -> Error {
    match error {
        Error::Invalid(text) => Error::Invalid(format!("document {index}: {text}")),
        Error::TooLarge(text) => Error::TooLarge(format!("document {index}: {text}")),
        other => other,
    }
}

/// Checks one document.
pub(crate) fn check(document: Value) -> Result<Checked, Error> {
    let Value::Object(fields) = document else {
        return Err(Error::Invalid(format!(
            "a document is a JSON object with a string _id, not {}",
            kind_of(&document)
        )));
    };
    let id = match fields.get("_id") {
        Some(Value::String(id)) => check_id(id)?.to_owned(),
        Some(other) => {
            return Err(Error::Invalid(format!("_id must be a string, not {}", kind_of(other))));
        }
        None => return Err(Error::Invalid("_id is missing".into())),
    };
    check_value(id, to_ipld(Value::Object(fields)))
}

/// Checks a value that is to be written under `id`.
pub(crate) fn check_value(id: String, raw: Ipld) -> Result<Checked, Error> {
    let invalid = |e: optimusdb_dag::Error| Error::Invalid(format!("_id {id:?}: {e}"));
    let value = value::normalise(raw).map_err(invalid)?;
    let bytes = value::encode(&value).map_err(invalid)?.len();
    if bytes > DOCUMENT_BYTES_MAX {
        return Err(Error::TooLarge(format!(
            "_id {id:?} has {bytes} bytes; a document may have {DOCUMENT_BYTES_MAX}"
        )));
    }
    Ok(Checked { id, value, bytes })
}

fn check_id(id: &str) -> Result<&str, Error> {
    if id.is_empty() {
        return Err(Error::Invalid("_id is empty".into()));
    }
    if id.len() > ID_BYTES_MAX {
        return Err(Error::Invalid(format!(
            "_id has {} bytes; it may have {ID_BYTES_MAX}",
            id.len()
        )));
    }
    if id.contains('\0') {
        return Err(Error::Invalid("_id contains a NUL character".into()));
    }
    Ok(id)
}

/// JSON as a value of the log, numbers as they were written: an integer of up to 64 bits stays
/// exact, any other number is a 64-bit float. The JSON parser has bounded the depth.
pub(crate) fn to_ipld(json: Value) -> Ipld {
    match json {
        Value::Null => Ipld::Null,
        Value::Bool(b) => Ipld::Bool(b),
        Value::Number(n) => match (n.as_i128(), n.as_f64()) {
            (Some(n), _) => Ipld::Integer(n),
            (None, x) => Ipld::Float(x.unwrap_or(f64::NAN)),
        },
        Value::String(s) => Ipld::String(s),
        Value::Array(items) => Ipld::List(items.into_iter().map(to_ipld).collect()),
        Value::Object(fields) => Ipld::Map(to_ipld_map(fields)),
    }
}

/// The fields of a JSON object as a map of the log.
pub(crate) fn to_ipld_map(fields: Map<String, Value>) -> BTreeMap<String, Ipld> {
    fields.into_iter().map(|(k, v)| (k, to_ipld(v))).collect()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(document: Value) -> String {
        check(document).unwrap_err().to_string()
    }

    #[test]
    fn an_id_is_a_short_text() {
        assert!(check(json!({"_id": "a"})).is_ok());
        assert!(check(json!({"_id": "é".repeat(512)})).is_ok());
        assert_eq!(message(json!({"a": 1})), "_id is missing");
        assert_eq!(message(json!({"_id": 7})), "_id must be a string, not a number");
        assert_eq!(message(json!({"_id": ""})), "_id is empty");
        assert!(message(json!({"_id": "x".repeat(1025)})).contains("1025 bytes"));
        assert!(message(json!({"_id": "a\0b"})).contains("NUL"));
        assert!(message(json!("text")).contains("not a string"));
    }

    #[test]
    fn numbers_keep_their_value() {
        let doc =
            json!({"_id": "n", "a": 1.0, "b": 9_007_199_254_740_993_u64, "c": 0.5, "d": u64::MAX});
        let Ipld::Map(fields) = check(doc).unwrap().value else {
            panic!("a document is a map");
        };
        assert_eq!(fields["a"], Ipld::Integer(1));
        assert_eq!(fields["b"], Ipld::Integer(9_007_199_254_740_993));
        assert_eq!(fields["c"], Ipld::Float(0.5));
        assert_eq!(fields["d"], Ipld::Integer(i128::from(u64::MAX)));
    }

    proptest::proptest! {
        #[test]
        fn floats_come_back_to_the_last_digit(x in proptest::num::f64::NORMAL) {
            let text = format!("{{\"_id\": \"f\", \"x\": {x:?}}}");
            let value = check(serde_json::from_str(&text).unwrap()).unwrap().value;
            let Ipld::Map(fields) = value else { panic!("a document is a map") };
            match &fields["x"] {
                Ipld::Float(y) => proptest::prop_assert_eq!(x.to_bits(), y.to_bits()),
                Ipld::Integer(n) => proptest::prop_assert_eq!(x, *n as f64),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_the_log_cannot_carry_is_refused_by_name() {
        let text = message(json!({"_id": "p", "a": {"__proto__": 1}}));
        assert!(text.contains("__proto__"), "{text}");
    }

    #[test]
    fn size_is_bounded_at_the_byte() {
        let overhead =
            check(json!({"_id": "s", "t": "x".repeat(100_000)})).unwrap().bytes - 100_000;
        let fits = DOCUMENT_BYTES_MAX - overhead;
        assert!(check(json!({"_id": "s", "t": "x".repeat(fits)})).is_ok());
        let over = check(json!({"_id": "s", "t": "x".repeat(fits + 1)})).unwrap_err();
        assert!(matches!(over, Error::TooLarge(_)));
    }

    #[test]
    fn of_equal_ids_the_last_wins() {
        let docs =
            vec![json!({"_id": "a", "n": 1}), json!({"_id": "b"}), json!({"_id": "a", "n": 2})];
        let kept = check_all(docs).unwrap();
        let ids: Vec<&str> = kept.iter().map(|d| d.id.as_str()).collect();
        assert_eq!(ids, ["b", "a"]);
    }
}
