//! Parameters of a statement, from JSON.
//!
//! Numbers, texts and null are themselves, a boolean is 1 or 0, bytes are `{"base64":"…"}`; any other
//! array or object is given as its JSON text, which is how a document is passed.

use optimusdb_db::{SqlParams, SqlValue};
use serde_json::Value;

use crate::http::error::ApiError;
use crate::http::upload::base64_text;

/// The parameters in `params`: an array, an object, or nothing.
pub(super) fn params(params: Value) -> Result<SqlParams, ApiError> {
    match params {
        Value::Null => Ok(SqlParams::Positional(Vec::new())),
        Value::Array(values) => {
            let values = values.into_iter().enumerate();
            let values = values.map(|(i, value)| param(value, &(i + 1).to_string()));
            Ok(SqlParams::Positional(values.collect::<Result<_, _>>()?))
        }
        Value::Object(values) => {
            let values = values.into_iter().map(|(name, value)| Ok((param(value, &name)?, name)));
            let values = values.collect::<Result<Vec<_>, ApiError>>()?;
            Ok(SqlParams::Named(values.into_iter().map(|(value, name)| (name, value)).collect()))
        }
        _ => Err(ApiError::bad_request(
            "'params' must be an array, or an object with the names of the parameters.",
        )),
    }
}

fn param(value: Value, name: &str) -> Result<SqlValue, ApiError> {
    Ok(match value {
        Value::Null => SqlValue::Null,
        Value::Bool(flag) => SqlValue::Integer(flag.into()),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), ..) => SqlValue::Integer(n),
            (None, None, Some(x)) => SqlValue::Real(x),
            _ => {
                return Err(ApiError::bad_request(format!(
                    "Parameter {name} is {number}, which is no integer of 64 bits: send it as a text."
                )));
            }
        },
        Value::String(text) => SqlValue::Text(text),
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("base64") => {
            let text = fields["base64"].as_str().unwrap_or_default();
            SqlValue::Blob(base64_text::decode(text).map_err(|why| {
                ApiError::bad_request(format!("Parameter {name} is not valid base64: {why}."))
            })?)
        }
        Value::Array(_) | Value::Object(_) => SqlValue::Text(value.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_json_are_values_of_sqlite() {
        let given = json!([null, true, 7, 0.5, "x", {"base64": "AP8="}, {"a": [1]}, [1]]);
        let SqlParams::Positional(values) = params(given).unwrap() else { panic!("by place") };
        assert_eq!(
            values,
            [
                SqlValue::Null,
                SqlValue::Integer(1),
                SqlValue::Integer(7),
                SqlValue::Real(0.5),
                SqlValue::Text("x".into()),
                SqlValue::Blob(vec![0, 255]),
                SqlValue::Text(r#"{"a":[1]}"#.into()),
                SqlValue::Text("[1]".into()),
            ]
        );
        for refused in [json!(1), json!("x"), json!([u64::MAX]), json!({"a": {"base64": "!"}})] {
            assert!(params(refused).is_err());
        }
    }
}
