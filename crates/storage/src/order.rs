//! In which order documents come, and the SQL made of it.
//!
//! Most documents have a plain value at the end of a plain path: SQL finds it. The others are left
//! to a [`SortValue`], which reads the whole document.

use crate::filter::{Field, FieldPath, quote};
use rusqlite::types::Value;
use serde_json::Number;

/// In which order documents come.
#[derive(Debug, Clone, Default)]
pub enum Order {
    /// By their keys' bytes; events in the order of the log, the oldest first. The same on every
    /// replica.
    #[default]
    Own,
    /// As they lie in the file, which is read from one end to the other.
    Stored,
    /// By these fields, the first decides first, and equal documents by their keys.
    By(Vec<SortField>, SortValue),
}

/// A field that documents are ordered by.
#[derive(Debug, Clone, PartialEq)]
pub struct SortField {
    /// Which one.
    pub field: Field,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// Says by what a document, given as JSON, is ordered for a path and a direction (`true` is
/// descending). Every [`Order`] has the same one.
pub type SortValue = fn(&str, &str, bool) -> SortKey;

/// By what a document is ordered for one field. The classes come in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// An empty array.
    EmptyArray,
    /// Null, or nothing there.
    Null,
    /// A number.
    Number(Number),
    /// A string, by its bytes.
    Text(String),
    /// An object, by its JSON text.
    Object(String),
    /// An array within an array, by its JSON text.
    Array(String),
    /// A boolean, false first.
    Bool(bool),
}

/// SQLite puts NULL, numbers, texts and blobs in this order. An empty array is NULL, and null the
/// number below all others; what comes after texts is a blob that begins with its class.
const NULL_SQL: &str = "-9e999";
const OBJECT: u8 = 3;
const ARRAY: u8 = 4;
const BOOL: u8 = 8;

impl From<SortKey> for Value {
    fn from(key: SortKey) -> Value {
        let blob = |class: u8, content: &[u8]| Value::Blob([&[class], content].concat());
        match key {
            SortKey::EmptyArray => Value::Null,
            SortKey::Null => Value::Real(f64::NEG_INFINITY),
            SortKey::Number(number) => number
                .as_i64()
                .map_or_else(|| Value::Real(number.as_f64().unwrap_or_default()), Value::Integer),
            SortKey::Text(text) => Value::Text(text),
            SortKey::Object(json) => blob(OBJECT, json.as_bytes()),
            SortKey::Array(json) => blob(ARRAY, json.as_bytes()),
            SortKey::Bool(flag) => blob(BOOL, &[u8::from(flag)]),
        }
    }
}

impl Order {
    /// Whether the key alone decides.
    pub(crate) fn is_by_key(&self) -> bool {
        match self {
            Order::Own => true,
            Order::Stored => false,
            Order::By(fields, _) => fields.first().is_none_or(|first| first.field == Field::Key),
        }
    }
}

/// The body of an ORDER BY over the columns `key` and `doc`, ending in `key` so that equal documents
/// keep an order. It may call `sort_value`.
pub(crate) fn order_by(fields: &[SortField]) -> String {
    let mut terms = Vec::new();
    for SortField { field, descending } in fields {
        let direction = if *descending { "DESC" } else { "ASC" };
        match field {
            Field::Key => {
                // Nothing after it could decide anything.
                terms.push(format!("key {direction}"));
                return terms.join(", ");
            }
            Field::Path(path) => terms.push(format!("{} {direction}", term(path, *descending))),
        }
    }
    terms.push("key ASC".to_owned());
    terms.join(", ")
}

fn term(path: &FieldPath, descending: bool) -> String {
    let [literals @ .., nested] = path.places.as_slice() else { return NULL_SQL.to_owned() };
    let any = format!("sort_value(json(doc), {}, {})", quote(&path.text), u8::from(descending));
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
