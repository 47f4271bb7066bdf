//! The envelope of a command: `{"method":{"cmd":…},"dstype":…,"criteria":…,"UpdateData":…,…}`.
//!
//! Parsed once and in one pass. Keys match in any case, and unknown ones are skipped: clients in the
//! field pad their requests with keys that other commands need. Each wrong shape has its own message.

use std::fmt;

use optimusdb_db::{DEFAULT_STORE, Query};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::http::error::ApiError;

const EXAMPLE: &str = r#"{"method":{"cmd":"crudget"},"dstype":"dsswres","criteria":[{}]}"#;

/// A command as sent, its parts in the right shape.
#[derive(Debug)]
pub(super) struct Envelope {
    /// The command's name as sent, in any case.
    pub(super) cmd: String,
    /// The store; the default one when absent, empty or null.
    pub(super) store: String,
    /// Criteria, or the documents of a put; null when absent.
    pub(super) criteria: Value,
    /// The fields of an update; null when absent.
    pub(super) update_data: Value,
    /// An object, or null when absent.
    pub(super) options: Value,
    /// What a command takes beside documents, in any shape: clients pad their requests.
    args: Value,
}

impl Envelope {
    /// Parses a request body. Every refusal is a 400.
    pub(super) fn parse(body: &[u8]) -> Result<Envelope, ApiError> {
        if body.trim_ascii().is_empty() {
            return Err(ApiError::bad_request(format!(
                "The request has no body. Send a JSON object such as {EXAMPLE}."
            )));
        }
        let raw: Raw = serde_json::from_slice(body).map_err(|error| not_an_envelope(&error))?;
        let cmd = cmd_of(raw.method)?;
        let store = match raw.dstype {
            Value::Null => DEFAULT_STORE.to_owned(),
            Value::String(store) if store.is_empty() => DEFAULT_STORE.to_owned(),
            Value::String(store) => store,
            _ => {
                return Err(ApiError::bad_request(
                    "'dstype' must be a string: the name of a store.",
                ));
            }
        };
        if !matches!(raw.options, Value::Null | Value::Object(_)) {
            return Err(ApiError::bad_request(
                r#"'options' must be an object such as {"limit":10}."#,
            ));
        }
        Ok(Envelope {
            cmd,
            store,
            criteria: raw.criteria,
            update_data: raw.update_data,
            options: raw.options,
            args: raw.args,
        })
    }

    /// The first of `args`.
    ///
    /// # Errors
    /// A 400 that asks for it, when it is no text or an empty one.
    pub(super) fn first_arg(&self, wanted: &str) -> Result<&str, ApiError> {
        let first = self.args.get(0).and_then(Value::as_str).map(str::trim);
        first.filter(|text| !text.is_empty()).ok_or_else(|| {
            ApiError::bad_request(format!("'args' must hold {wanted} as its first text."))
        })
    }

    /// Criteria and options of a command that reads.
    pub(super) fn query(&self) -> Result<Query, ApiError> {
        Ok(Query::from_json(&self.criteria, &self.options)?)
    }
}

/// The objects of a part that may be an array or one object; none when it is absent.
pub(super) fn objects(part: Value, name: &'static str) -> Result<Vec<Value>, ApiError> {
    match part {
        Value::Null => Ok(Vec::new()),
        Value::Array(objects) => Ok(objects),
        object @ Value::Object(_) => Ok(vec![object]),
        _ => Err(ApiError::bad_request(format!(
            "'{name}' must be an array of objects or one object."
        ))),
    }
}

fn not_an_envelope(error: &serde_json::Error) -> ApiError {
    if error.is_data() {
        return ApiError::bad_request(format!(
            "The request body must be a JSON object such as {EXAMPLE}."
        ));
    }
    let error = error.to_string();
    if let Some(place) = error.strip_prefix("recursion limit exceeded") {
        return ApiError::bad_request(format!(
            "The request body is nested too deeply{place}: 127 levels are the most."
        ));
    }
    ApiError::bad_request(format!("The request body is not JSON: {error}."))
}

fn cmd_of(method: Option<Value>) -> Result<String, ApiError> {
    let mut method: Map<String, Value> = match method {
        None | Some(Value::Null) => {
            return Err(ApiError::bad_request(format!(
                "'method' is missing. Send a JSON object such as {EXAMPLE}."
            )));
        }
        Some(Value::Object(method)) => method,
        Some(_) => {
            return Err(ApiError::bad_request(
                r#"'method' must be an object such as {"cmd":"crudget"}."#,
            ));
        }
    };
    match method.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case("cmd")) {
        Some((_, Value::String(cmd))) => Ok(std::mem::take(cmd)),
        None | Some((_, Value::Null)) => Err(ApiError::bad_request(
            r#"'method' names no command. Send it such as {"cmd":"crudget"}."#,
        )),
        Some(_) => {
            Err(ApiError::bad_request("'method.cmd' must be a string: the name of a command."))
        }
    }
}

/// The envelope before its shapes are checked.
#[derive(Default)]
struct Raw {
    method: Option<Value>,
    dstype: Value,
    criteria: Value,
    update_data: Value,
    options: Value,
    args: Value,
}

/// The keys that mean something.
enum Key {
    Method,
    Dstype,
    Criteria,
    UpdateData,
    Options,
    Args,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                const KEYS: [(&str, Key); 6] = [
                    ("method", Key::Method),
                    ("dstype", Key::Dstype),
                    ("criteria", Key::Criteria),
                    ("updatedata", Key::UpdateData),
                    ("options", Key::Options),
                    ("args", Key::Args),
                ];
                let known = KEYS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
                Ok(known.map_or(Key::Other, |(_, key)| key))
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;

        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut raw = Raw::default();
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Method => raw.method = Some(map.next_value()?),
                        Key::Dstype => raw.dstype = map.next_value()?,
                        Key::Criteria => raw.criteria = map.next_value()?,
                        Key::UpdateData => raw.update_data = map.next_value()?,
                        Key::Options => raw.options = map.next_value()?,
                        Key::Args => raw.args = map.next_value()?,
                        Key::Other => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(raw)
            }
        }

        deserializer.deserialize_map(RawVisitor)
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
