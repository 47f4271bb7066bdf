//! Values of SQLite in JSON: NULL, integers, floats and text as themselves, a blob as a text in base64.
//!
//! What JSON has no number for is a text, `Infinity` or `-Infinity`. Text that is no UTF-8 has
//! replacement characters.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use optimusdb_db::{SqlCell, SqlColumn};
use serde::Serialize;

/// Adds a value as JSON.
pub(super) fn json(cell: SqlCell<'_>, text: &mut String) {
    match cell {
        SqlCell::Null => text.push_str("null"),
        SqlCell::Real(x) if !x.is_finite() => quoted(infinity(x), text),
        SqlCell::Text(bytes) => quoted(&String::from_utf8_lossy(bytes), text),
        SqlCell::Integer(_) | SqlCell::Real(_) => text.push_str(&plain(cell)),
        SqlCell::Blob(_) => quoted(&plain(cell), text),
    }
}

/// A value as text without quotes; none of NULL.
pub(super) fn plain(cell: SqlCell<'_>) -> Cow<'_, str> {
    match cell {
        SqlCell::Null => "".into(),
        SqlCell::Integer(n) => n.to_string().into(),
        SqlCell::Real(x) if x.is_finite() => serde_json::Value::from(x).to_string().into(),
        SqlCell::Real(x) => infinity(x).into(),
        SqlCell::Text(bytes) => String::from_utf8_lossy(bytes),
        SqlCell::Blob(bytes) => STANDARD.encode(bytes).into(),
    }
}

/// Adds a text as JSON.
pub(super) fn quoted(value: &str, text: &mut String) {
    text.push_str(&serde_json::Value::from(value).to_string());
}

fn infinity(x: f64) -> &'static str {
    if x < 0.0 { "-Infinity" } else { "Infinity" }
}

/// Adds a row as a JSON array.
pub(super) fn array(row: &[SqlCell<'_>], text: &mut String) {
    text.push('[');
    for (i, cell) in row.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        json(*cell, text);
    }
    text.push(']');
}

/// Adds the columns as a JSON array of objects.
pub(super) fn columns(columns: &[SqlColumn], text: &mut String) {
    #[derive(Serialize)]
    struct Column<'c> {
        name: &'c str,
        #[serde(rename = "type")]
        declared: Option<&'c str>,
    }
    let columns: Vec<Column<'_>> = columns
        .iter()
        .map(|column| Column { name: &column.name, declared: column.declared.as_deref() })
        .collect();
    // Texts are always JSON.
    text.push_str(&serde_json::to_string(&columns).unwrap_or_default());
}
