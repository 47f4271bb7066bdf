//! How this folder refuses what it was sent: always as [`Error::Invalid`], in words that name the
//! operator or option and what was found.

use serde_json::Value;

use crate::Error;

/// A refusal in any words.
pub(super) fn invalid(text: impl Into<String>) -> Error {
    Error::Invalid(text.into())
}

/// "x takes y, not z": the one form of every complaint about a shape.
pub(super) fn wrong(what: &str, expected: &str, found: &Value) -> Error {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) if value.len() <= 40 => format!("{value:?}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    };
    invalid(format!("{what} takes {expected}, not {found}"))
}
