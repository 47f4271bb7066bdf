//! Sorting: by which value a document is ordered.
//!
//! That is a value of SQLite's, whose sorter moves to the disk what does not fit into memory. The
//! classes come in MongoDB's order: an empty array, then null and what is not there, numbers, texts,
//! objects, arrays, booleans. Of an array its least element counts, or the greatest where the order
//! is descending; so do the elements of arrays on the way. Objects, and arrays within arrays, are
//! ordered by their JSON text.
//!
//! Most documents have a plain value at the end of a plain path: [`order_by`] finds it in SQL, and
//! leaves the others to [`sort_value`], which reads the whole document.

use std::cmp::Ordering;

use optimusdb_storage::{Param, SqlPath, quote};
use serde_json::{Number, Value};

use super::compare::compare_numbers;
use super::options::SortOrder;
use super::path::Path;

/// SQLite puts NULL, numbers, texts and blobs in this order. An empty array is NULL, and null the
/// number below all others; what comes after texts is a blob that begins with its class.
const NULL_SQL: &str = "-9e999";
const OBJECT: u8 = 3;
const ARRAY: u8 = 4;
const BOOL: u8 = 8;

/// The body of an ORDER BY over the columns `key` and `doc`, ending in `key` so that equal documents
/// keep an order. A field that SQLite cannot be told is left out.
pub(super) fn order_by(sort: &[(String, SortOrder)]) -> String {
    let mut terms = Vec::new();
    for (field, order) in sort {
        let (direction, descending) = match order {
            SortOrder::Ascending => ("ASC", false),
            SortOrder::Descending => ("DESC", true),
        };
        if field == "_id" {
            // Nothing after it could decide anything.
            terms.push(format!("key {direction}"));
            return terms.join(", ");
        }
        if let Some(path) = SqlPath::new(field) {
            terms.push(format!("{} {direction}", term(field, &path, descending)));
        }
    }
    terms.push("key ASC".to_owned());
    terms.join(", ")
}

fn term(field: &str, path: &SqlPath, descending: bool) -> String {
    let [literals @ .., nested] = path.places.as_slice() else { return NULL_SQL.to_owned() };
    let any = format!("sort_value(json(doc), {}, {})", quote(field), u8::from(descending));
    let kind = format!("json_type(doc, {nested})");
    let plain = format!(
        "CASE {kind} WHEN 'true' THEN x'{BOOL:02x}01' WHEN 'false' THEN x'{BOOL:02x}00' \
         WHEN 'array' THEN {any} WHEN 'object' THEN {any} \
         ELSE coalesce(json_extract(doc, {nested}), {NULL_SQL}) END"
    );
    // A key that holds dots wins, and arrays have elements.
    let literal_way = path.on_the_way.iter().filter(|way| !path.nested_way.contains(way));
    let literals = literals.iter().chain(literal_way);
    let literals = literals.map(|place| format!("json_type(doc, {place}) IS NOT NULL"));
    let arrays = path.nested_way.iter().map(|way| format!("json_type(doc, {way}) = 'array'"));
    let special: Vec<String> = literals.chain(arrays).collect();
    if special.is_empty() {
        plain
    } else {
        format!("CASE WHEN {} THEN {any} ELSE {plain} END", special.join(" OR "))
    }
}

/// The value by which a document, given as JSON, is ordered.
pub(super) fn sort_value(json: &str, field: &str, descending: bool) -> Option<Param> {
    // What the index holds is JSON, and what a statement names is a path.
    let (path, document) = (Path::new(field).ok()?, serde_json::from_str::<Value>(json).ok()?);
    let wins = if descending { Ordering::Greater } else { Ordering::Less };
    let mut best: Option<Key<'_>> = None;
    path.each(&document, &mut |value| match value {
        Some(Value::Array(items)) if items.is_empty() => Key::EmptyArray.offer(&mut best, wins),
        Some(Value::Array(items)) => {
            items.iter().for_each(|item| Key::of(item).offer(&mut best, wins));
        }
        value => Key::of(value.unwrap_or(&Value::Null)).offer(&mut best, wins),
    });
    best.unwrap_or(Key::Null).into_param()
}

/// What is compared, the classes in their order.
enum Key<'v> {
    EmptyArray,
    Null,
    Number(&'v Number),
    Text(&'v str),
    /// Objects and arrays as JSON, and booleans, behind the number of their class.
    Bytes(Vec<u8>),
}

impl<'v> Key<'v> {
    fn of(value: &'v Value) -> Key<'v> {
        let json = |class: u8| Key::Bytes([&[class], value.to_string().as_bytes()].concat());
        match value {
            Value::Null => Key::Null,
            Value::Number(number) => Key::Number(number),
            Value::String(text) => Key::Text(text),
            Value::Object(_) => json(OBJECT),
            Value::Array(_) => json(ARRAY),
            Value::Bool(flag) => Key::Bytes(vec![BOOL, u8::from(*flag)]),
        }
    }

    /// Takes the place of the best so far if it is better.
    fn offer(self, best: &mut Option<Key<'v>>, wins: Ordering) {
        if best.as_ref().is_none_or(|best| self.compare(best) == wins) {
            *best = Some(self);
        }
    }

    fn class(&self) -> u8 {
        match self {
            Key::EmptyArray => 0,
            Key::Null => 1,
            Key::Number(_) => 2,
            Key::Text(_) => 3,
            Key::Bytes(_) => 4,
        }
    }

    fn compare(&self, other: &Key<'_>) -> Ordering {
        match (self, other) {
            (Key::Number(a), Key::Number(b)) => compare_numbers(a, b).unwrap_or(Ordering::Equal),
            (Key::Text(a), Key::Text(b)) => a.cmp(b),
            (Key::Bytes(a), Key::Bytes(b)) => a.cmp(b),
            (a, b) => a.class().cmp(&b.class()),
        }
    }

    fn into_param(self) -> Option<Param> {
        match self {
            Key::EmptyArray => None,
            Key::Null => Some(Param::Real(f64::NEG_INFINITY)),
            Key::Number(number) => {
                Some(number.as_i64().map_or_else(
                    || Param::Real(number.as_f64().unwrap_or_default()),
                    Param::Integer,
                ))
            }
            Key::Text(text) => Some(Param::Text(text.to_owned())),
            Key::Bytes(bytes) => Some(Param::Bytes(bytes)),
        }
    }
}
