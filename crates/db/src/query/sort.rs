//! Sorting: by which value a document is ordered.
//!
//! The classes come in MongoDB's order, which is that of [`SortKey`]: an empty array, then null and
//! what is not there, numbers, texts, objects, arrays, booleans. Of an array its least element
//! counts, or the greatest where the order is descending; so do the elements of arrays on the way.
//! Objects, and arrays within arrays, are ordered by their JSON text.
//!
//! SQLite orders, and its sorter moves to the disk what does not fit into memory.

use std::cmp::Ordering;

use optimusdb_storage::SortKey;
use serde_json::Value;

use super::compare::compare_numbers;
use super::path::Path;

/// By what a document, given as JSON, is ordered.
pub(super) fn sort_value(json: &str, field: &str, descending: bool) -> SortKey {
    // What the index holds is JSON, and what a statement names is a path.
    let (Ok(path), Ok(document)) = (Path::new(field), serde_json::from_str::<Value>(json)) else {
        return SortKey::Null;
    };
    let wins = if descending { Ordering::Greater } else { Ordering::Less };
    let mut best: Option<SortKey> = None;
    let mut offer = |key: SortKey| {
        if best.as_ref().is_none_or(|best| compare(&key, best) == wins) {
            best = Some(key);
        }
    };
    path.each(&document, &mut |value| match value {
        Some(Value::Array(items)) if items.is_empty() => offer(SortKey::EmptyArray),
        Some(Value::Array(items)) => items.iter().for_each(|item| offer(key_of(item))),
        value => offer(key_of(value.unwrap_or(&Value::Null))),
    });
    best.unwrap_or(SortKey::Null)
}

fn key_of(value: &Value) -> SortKey {
    match value {
        Value::Null => SortKey::Null,
        Value::Number(number) => SortKey::Number(number.clone()),
        Value::String(text) => SortKey::Text(text.clone()),
        Value::Object(_) => SortKey::Object(value.to_string()),
        Value::Array(_) => SortKey::Array(value.to_string()),
        Value::Bool(flag) => SortKey::Bool(*flag),
    }
}

pub(super) fn compare(a: &SortKey, b: &SortKey) -> Ordering {
    match (a, b) {
        (SortKey::Number(a), SortKey::Number(b)) => {
            compare_numbers(a, b).unwrap_or(Ordering::Equal)
        }
        (SortKey::Text(a), SortKey::Text(b))
        | (SortKey::Object(a), SortKey::Object(b))
        | (SortKey::Array(a), SortKey::Array(b)) => a.cmp(b),
        (SortKey::Bool(a), SortKey::Bool(b)) => a.cmp(b),
        (a, b) => class(a).cmp(&class(b)),
    }
}

fn class(key: &SortKey) -> u8 {
    match key {
        SortKey::EmptyArray => 0,
        SortKey::Null => 1,
        SortKey::Number(_) => 2,
        SortKey::Text(_) => 3,
        SortKey::Object(_) => 4,
        SortKey::Array(_) => 5,
        SortKey::Bool(_) => 6,
    }
}
