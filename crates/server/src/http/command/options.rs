//! Which options there are, and which of them this version does not know how to honour.
//!
//! Every command takes the same names: one that means nothing to a command is passed over, so that
//! a client may send all commands the same options. An unknown name is refused for every command.
//! What an option's value may be is up to what reads it.

use serde_json::{Map, Value};

use super::Command;
use crate::http::error::ApiError;
use crate::http::keys::Keys;

/// The options of all commands.
const KEYS: Keys = Keys {
    of: "'options'",
    known: &[
        "limit",
        "skip",
        "since",
        "sort",
        "fields",
        "cursor",
        "count",
        "distinct",
        "aggregate",
        "at",
        "explain",
        "time_budget_ms",
        "strategy",
        "consistency",
        "quorum_n",
        "min_rows",
        "max_peers",
        "annotate_source",
        "include_local",
        "force_remote",
        "stale_ok_ttl_ms",
        "client_filters",
        "write_concern",
        "if_entry",
        "upsert",
        "entries",
        "peers",
    ],
    instead: &[
        ("offset", "skip"),
        ("projection", "fields"),
        ("select", "fields"),
        ("order", "sort"),
        ("order_by", "sort"),
        ("timeout", "time_budget_ms"),
        ("dstype", "dstype' beside 'options"),
        ("criteria", "criteria' beside 'options"),
        ("updatedata", "UpdateData' beside 'options"),
        ("args", "args' beside 'options"),
        ("trace_id", "trace_id' beside 'options"),
    ],
};

const READS: &[Command] = &[Command::CrudGet, Command::Query];
const QUERY: &[Command] = &[Command::Query];
const WRITES: &[Command] = &[Command::CrudPut, Command::CrudUpdate, Command::CrudDelete];
const UPDATE: &[Command] = &[Command::CrudUpdate];

/// Options that would change the answer or the write, were they in this version, with the commands
/// to which they mean something.
const NOT_BUILT: [(&str, &[Command]); 13] = [
    ("cursor", READS),
    ("count", READS),
    ("distinct", READS),
    ("aggregate", READS),
    ("at", READS),
    ("explain", READS),
    ("include_local", QUERY),
    ("force_remote", QUERY),
    ("client_filters", QUERY),
    ("write_concern", WRITES),
    ("if_entry", WRITES),
    ("entries", WRITES),
    ("upsert", UPDATE),
];

/// Options under their own names; a request without any has null.
pub(super) fn open(options: Value) -> Result<Value, ApiError> {
    match options {
        Value::Null => Ok(Value::Null),
        Value::Object(options) => {
            let opened = KEYS.open(options)?.into_iter();
            let named: Map<String, Value> = opened.map(|(name, v)| (name.to_owned(), v)).collect();
            Ok(Value::Object(named))
        }
        _ => Err(ApiError::bad_request(r#"'options' must be an object such as {"limit":10}."#)),
    }
}

/// Refuses with a 501 what the command would do otherwise if this version knew how.
pub(super) fn check_built(command: Command, options: &Value) -> Result<(), ApiError> {
    for (name, commands) in NOT_BUILT {
        let asked = options.get(name).is_some_and(|value| asks_for_something(name, value));
        if asked && commands.contains(&command) {
            return Err(ApiError::not_built(format!("The option {name} is not in this version.")));
        }
    }
    let fields = options.get("fields").and_then(Value::as_array).into_iter().flatten();
    let leaves_out = fields.filter_map(Value::as_str).any(|path| path.starts_with('-'));
    if leaves_out && READS.contains(&command) {
        return Err(ApiError::not_built(
            "Leaving fields out (\"-a\") is not in this version: 'fields' names those to keep.",
        ));
    }
    Ok(())
}

/// Whether an option asks for anything else than what is done without it.
fn asks_for_something(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag != (name == "include_local"),
        // This node is the one that every write is on.
        Value::Number(nodes) if name == "write_concern" => nodes.as_u64().is_none_or(|n| n > 1),
        Value::Array(items) => items.iter().any(|item| asks_for_something(name, item)),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use serde_json::json;

    #[test]
    fn options_match_in_any_case_and_unknown_ones_are_named() {
        assert_eq!(open(json!({"Limit": 1})).ok(), Some(json!({"limit": 1})));
        assert_eq!(open(Value::Null).ok(), Some(Value::Null));
        for (options, expected) in [
            (json!({"offset": 1}), "Unknown key 'offset' in 'options': did you mean 'skip'?"),
            (json!({"projection": []}), "did you mean 'fields'?"),
            (json!({"limt": 1}), "did you mean 'limit'?"),
            (json!({"criteria": [{}]}), "did you mean 'criteria' beside 'options'?"),
            (json!({"limit": 1, "LIMIT": 2}), "'limit' is there twice in 'options'."),
            (json!([]), "'options' must be an object"),
        ] {
            let message = open(options).unwrap_err().message().to_owned();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn what_is_not_built_is_refused_where_it_would_mean_something() {
        for (command, options) in [
            (Command::CrudGet, json!({"count": true})),
            (Command::Query, json!({"include_local": false})),
            (Command::Query, json!({"client_filters": [{"a": 1}]})),
            (Command::CrudPut, json!({"write_concern": 2})),
            (Command::CrudDelete, json!({"if_entry": "zdpu"})),
            (Command::CrudUpdate, json!({"upsert": true})),
            (Command::CrudGet, json!({"fields": ["-a.b"]})),
        ] {
            let refused = check_built(command, &options).unwrap_err().into_response();
            assert_eq!(refused.status(), 501, "{options}");
        }
        for (command, options) in [
            (Command::CrudPut, json!({"count": true, "upsert": true, "force_remote": true})),
            (Command::CrudGet, json!({"cursor": null, "explain": false, "aggregate": {}})),
            (Command::Query, json!({"include_local": true, "client_filters": [{}]})),
            (Command::CrudPut, json!({"write_concern": 1, "limit": 3})),
            (Command::Help, Value::Null),
        ] {
            assert!(check_built(command, &options).is_ok(), "{options}");
        }
    }
}
