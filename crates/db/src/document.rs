//! A document on its way in: JSON from outside becomes a value that the log can carry.
//!
//! What a store of values or of events takes looks like a document, too: `{"_id":…,"value":…}`, of
//! an event without the `_id`, which it gets from its entry.

use crate::clock::now_ms;
use crate::dollar;
use crate::error::Error;
use crate::limits::{DOCUMENT_BYTES_MAX, ID_BYTES_MAX};
use optimusdb_dag::{Ipld, Operation, Payload, StoreKind};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What may be written: a document, value or event as the payload of its entry, its `_id` (none of an
/// event), and how many bytes it has.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) id: String,
    pub(crate) payload: Payload,
    pub(crate) bytes: usize,
}

/// Checks everything that a store of this kind is to take, and drops the earlier ones of equal
/// `_id`s: the last wins. Events are all kept.
pub(crate) fn check_all(kind: StoreKind, documents: Vec<Value>) -> Result<Vec<Checked>, Error> {
    let check = match kind {
        StoreKind::Documents => check_sent,
        StoreKind::KeyValue => check_pair,
        StoreKind::Events => check_event,
    };
    let checked = documents.into_iter().enumerate();
    let checked = checked.map(|(i, document)| check(document).map_err(|e| at(i, e)));
    if kind == StoreKind::Events {
        return checked.collect();
    }
    let mut kept: Vec<Option<Checked>> = Vec::with_capacity(checked.len());
    let mut place = std::collections::HashMap::with_capacity(checked.len());
    for document in checked {
        let document = document?;
        if let Some(earlier) = place.insert(document.id.clone(), kept.len()) {
            kept[earlier] = None;
        }
        kept.push(Some(document));
    }
    Ok(kept.into_iter().flatten().collect())
}

fn at(index: usize, error: Error) -> Error {
    match error {
        Error::Invalid(text) => Error::Invalid(format!("document {index}: {text}")),
        Error::TooLarge(text) => Error::TooLarge(format!("document {index}: {text}")),
        other => other,
    }
}

/// Checks a document that a client sends as it is.
fn check_sent(document: Value) -> Result<Checked, Error> {
    document.as_object().map_or(Ok(()), dollar::check_document)?;
    check(document)
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

/// Checks a key with its value: `{"_id":…,"value":…}`.
fn check_pair(pair: Value) -> Result<Checked, Error> {
    const WANTED: &str = "a key-value store takes {\"_id\":\"<key>\",\"value\":<any JSON>}";
    let (id, value) = parts(pair, WANTED)?;
    match id {
        Some(Value::String(id)) => check_value(check_id(&id)?.to_owned(), to_ipld(value)),
        Some(other) => {
            Err(Error::Invalid(format!("_id must be a string, not {}: {WANTED}", kind_of(&other))))
        }
        None => Err(Error::Invalid(format!("_id is missing: {WANTED}"))),
    }
}

/// Checks an event: `{"value":…}`.
fn check_event(event: Value) -> Result<Checked, Error> {
    const WANTED: &str = "an event log takes {\"value\":<any JSON>}";
    let (id, value) = parts(event, WANTED)?;
    if id.is_some() {
        return Err(Error::Invalid(format!(
            "the _id of an event is the hash of its entry, and not given: {WANTED}"
        )));
    }
    check_added(to_ipld(value))
}

/// `_id` and `value` of an object that has no other field.
fn parts(object: Value, wanted: &str) -> Result<(Option<Value>, Value), Error> {
    let Value::Object(mut fields) = object else {
        return Err(Error::Invalid(format!("{wanted}, not {}", kind_of(&object))));
    };
    let id = fields.remove("_id");
    let value = fields.remove("value");
    if let Some((name, _)) = fields.iter().next() {
        return Err(Error::Invalid(format!("{name:?} has no place here: {wanted}")));
    }
    let value = value.ok_or_else(|| Error::Invalid(format!("value is missing: {wanted}")))?;
    Ok((id, value))
}

/// Checks a document or value that is to be written under `id`.
pub(crate) fn check_value(id: String, raw: Ipld) -> Result<Checked, Error> {
    let operation = Operation::Put { key: id.clone(), value: raw };
    let (payload, bytes) = encoded(operation, || format!("_id {id:?}"))?;
    Ok(Checked { id, payload, bytes })
}

/// Checks an event.
pub(crate) fn check_added(raw: Ipld) -> Result<Checked, Error> {
    let (payload, bytes) = encoded(Operation::Add { value: raw }, || "it".to_owned())?;
    Ok(Checked { id: String::new(), payload, bytes })
}

/// The payload of an operation, encoded once and for all, and the bytes of its value.
fn encoded(operation: Operation, name: impl Fn() -> String) -> Result<(Payload, usize), Error> {
    let payload = Payload::new(operation.into_payload(Some(now_ms())))
        .map_err(|e| Error::Invalid(format!("{}: {e}", name())))?;
    let bytes = payload.value_bytes();
    if bytes > DOCUMENT_BYTES_MAX {
        return Err(Error::TooLarge(format!(
            "{} has {bytes} bytes; a document may have {DOCUMENT_BYTES_MAX}",
            name()
        )));
    }
    Ok((payload, bytes))
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

    fn value(checked: &Checked) -> &Ipld {
        let Ipld::Map(fields) = checked.payload.as_ref() else { panic!("a payload is a map") };
        &fields["value"]
    }

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
        let checked = check(doc).unwrap();
        let Ipld::Map(fields) = value(&checked) else {
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
            let checked = check(serde_json::from_str(&text).unwrap()).unwrap();
            let Ipld::Map(fields) = value(&checked) else { panic!("a document is a map") };
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
        let kept = check_all(StoreKind::Documents, docs).unwrap();
        let ids: Vec<&str> = kept.iter().map(|d| d.id.as_str()).collect();
        assert_eq!(ids, ["b", "a"]);
    }

    #[test]
    fn values_and_events_have_a_shape_of_their_own() {
        let check = |kind, document: Value| check_all(kind, vec![document]);
        let pair = check(StoreKind::KeyValue, json!({"_id": "k", "value": [1.0, null]})).unwrap();
        assert_eq!(pair[0].id, "k");
        assert_eq!(*value(&pair[0]), Ipld::List(vec![Ipld::Integer(1), Ipld::Null]));
        let event = check(StoreKind::Events, json!({"value": null})).unwrap();
        assert_eq!((event[0].id.as_str(), value(&event[0])), ("", &Ipld::Null));
        for (kind, wrong, says) in [
            (StoreKind::KeyValue, json!({"value": 1}), "_id is missing"),
            (StoreKind::KeyValue, json!({"_id": "k"}), "value is missing"),
            (StoreKind::KeyValue, json!({"_id": 1, "value": 1}), "not a number"),
            (StoreKind::KeyValue, json!({"_id": "", "value": 1}), "_id is empty"),
            (StoreKind::KeyValue, json!({"_id": "k", "value": 1, "x": 2}), "\"x\" has no place"),
            (StoreKind::KeyValue, json!([]), "not an array"),
            (StoreKind::Events, json!({"_id": "k", "value": 1}), "hash of its entry"),
            (StoreKind::Events, json!({"n": 1}), "\"n\" has no place"),
            (StoreKind::Events, json!({}), "value is missing"),
            (StoreKind::Events, json!({"value": {"__proto__": 1}}), "document 0: it: "),
        ] {
            let text = check(kind, wrong).unwrap_err().to_string();
            assert!(text.contains(says), "{text}");
        }
    }
}
