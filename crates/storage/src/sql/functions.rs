//! Which functions a statement may call, and the ones that are ours.
//!
//! What is not listed cannot be called: functions with side effects, those of extensions, and those
//! whose single call may take time or memory that no limit of SQLite bounds (`json_patch` and
//! `json_pretty` among them). Four that people need are made anew, with the same results and an end:
//! `instr` and `replace` search in linear time, and `json_group_array` and `json_group_object` stop at
//! the size of the largest value.

use crate::error::Error;
use crate::limits::SQL_VALUE_BYTES_MAX;
use optimusdb_dag::LogCid;
use rusqlite::functions::{Aggregate, Context, FunctionFlags, SubType};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};

/// The functions that statements may call, sorted.
const CALLABLE: [&str; 133] = [
    "->",
    "->>",
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg",
    "ceil",
    "ceiling",
    "changes",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "cos",
    "cosh",
    "count",
    "cume_dist",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "degrees",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "format",
    "glob",
    "group_concat",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_type",
    "json_valid",
    "jsonb",
    "jsonb_array",
    "jsonb_extract",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_remove",
    "jsonb_replace",
    "jsonb_set",
    "julianday",
    "lag",
    "last_insert_rowid",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "max",
    "median",
    "min",
    "mod",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "percentile",
    "percentile_cont",
    "percentile_disc",
    "pi",
    "pow",
    "power",
    "printf",
    "quote",
    "radians",
    "random",
    "randomblob",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sha256_hex",
    "sign",
    "sin",
    "sinh",
    "soundex",
    "sqlite_version",
    "sqrt",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "subtype",
    "sum",
    "tan",
    "tanh",
    "time",
    "timediff",
    "total",
    "total_changes",
    "trim",
    "trunc",
    "typeof",
    "unhex",
    "unicode",
    "unistr",
    "unistr_quote",
    "unixepoch",
    "unlikely",
    "upper",
    "zeroblob",
];

/// The subtype of a text that is JSON.
const JSON: std::ffi::c_uint = 74;

/// Whether a statement may call the function of that name.
pub(super) fn is_callable(name: &str) -> bool {
    CALLABLE.binary_search(&name.to_ascii_lowercase().as_str()).is_ok()
}

/// Defines ours on a connection.
pub(super) fn define(db: &Connection) -> Result<(), Error> {
    let plain = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    // For the views: the address of an entry or a manifest as text.
    db.create_scalar_function("log_cid", 1, plain, |context| {
        let digest: Option<[u8; 32]> = context.get(0)?;
        Ok(digest.map(|digest| LogCid::from_digest(digest).to_string()))
    })?;
    db.create_scalar_function("instr", 2, plain, |context| Ok(instr(context)))?;
    db.create_scalar_function("replace", 3, plain, |context| replace(context))?;
    let nesting = plain | FunctionFlags::SQLITE_SUBTYPE | FunctionFlags::SQLITE_RESULT_SUBTYPE;
    db.create_aggregate_function("json_group_array", 1, nesting, Grouped { named: false })?;
    db.create_aggregate_function("json_group_object", 2, nesting, Grouped { named: true })?;
    Ok(())
}

/// Where the second argument begins in the first, in characters from 1; in bytes where both are blobs.
fn instr(context: &Context<'_>) -> Option<i64> {
    let (hay, needle) = (context.get_raw(0), context.get_raw(1));
    if let (ValueRef::Blob(hay), ValueRef::Blob(needle)) = (hay, needle) {
        // Every byte is a character of its own: the search in text is linear.
        let wide = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
        let (hay, needle) = (wide(hay), wide(needle));
        return Some(position(&hay, &needle));
    }
    Some(position(&text_of(hay)?, &text_of(needle)?))
}

fn position(hay: &str, needle: &str) -> i64 {
    hay.find(needle).map_or(0, |at| 1 + hay[..at].chars().count() as i64)
}

fn replace(context: &Context<'_>) -> Result<Option<String>> {
    let [text, from, to] = [0, 1, 2].map(|i| text_of(context.get_raw(i)));
    let (Some(text), Some(from), Some(to)) = (text, from, to) else { return Ok(None) };
    if from.is_empty() {
        return Ok(Some(text));
    }
    let found = text.matches(&from).count();
    // What is taken out is in the text, so this does not go below zero.
    let bytes = (text.len() - found * from.len()).saturating_add(found.saturating_mul(to.len()));
    if bytes > SQL_VALUE_BYTES_MAX {
        return Err(too_big());
    }
    Ok(Some(text.replace(&from, &to)))
}

/// A value as text; none of NULL.
fn text_of(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(n) => Some(n.to_string()),
        ValueRef::Real(x) => Some(format!("{x:?}")),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

fn too_big() -> rusqlite::Error {
    failed("string or blob too big")
}

fn failed(why: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(why.into())
}

/// `json_group_array`, or with a name for each value `json_group_object`.
struct Grouped {
    named: bool,
}

impl Aggregate<String, (String, SubType)> for Grouped {
    fn init(&self, _: &mut Context<'_>) -> Result<String> {
        Ok(String::new())
    }

    fn step(&self, context: &mut Context<'_>, text: &mut String) -> Result<()> {
        let at = usize::from(self.named);
        if self.named {
            // A value without a name is left out.
            let Some(name) = text_of(context.get_raw(0)) else { return Ok(()) };
            separate(text);
            text.push_str(&serde_json::Value::String(name).to_string());
            text.push(':');
        } else {
            separate(text);
        }
        let is_json = context.get_subtype(at) == JSON;
        match context.get_raw(at) {
            ValueRef::Text(bytes) if is_json => text.push_str(&String::from_utf8_lossy(bytes)),
            ValueRef::Text(bytes) => {
                let value = String::from_utf8_lossy(bytes).into_owned();
                text.push_str(&serde_json::Value::String(value).to_string());
            }
            ValueRef::Null => text.push_str("null"),
            ValueRef::Integer(n) => text.push_str(&n.to_string()),
            ValueRef::Real(x) if x.is_finite() => text.push_str(&format!("{x:?}")),
            ValueRef::Real(x) => text.push_str(if x < 0.0 { "-9e999" } else { "9e999" }),
            ValueRef::Blob(_) => return Err(failed("JSON cannot hold BLOB values")),
        }
        if text.len() > SQL_VALUE_BYTES_MAX {
            return Err(too_big());
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, text: Option<String>) -> Result<(String, SubType)> {
        let text = text.unwrap_or_default();
        let whole = if self.named { format!("{{{text}}}") } else { format!("[{text}]") };
        Ok((whole, Some(JSON)))
    }
}

fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push(',');
    }
}

/// An argument as it may be kept.
pub(super) fn owned(value: ValueRef<'_>) -> Value {
    match value {
        // What is no UTF-8 cannot be part of a document.
        ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        other => other.try_into().unwrap_or(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(CALLABLE.is_sorted());
        assert!(is_callable("JSON_Extract") && !is_callable("load_extension"));
    }
}
