//! The envelope of a command: `{"method":{"cmd":…},"dstype":…,"criteria":…,"UpdateData":…,…}`.
//!
//! Parsed once and in one pass. Keys match in any case, and unknown ones are skipped: clients in the
//! field pad their requests with keys that other commands need. A known one that is there twice is
//! refused. Each wrong shape has its own message.

use std::fmt;
use std::net::IpAddr;

use optimusdb_db::{DEFAULT_STORE, Query};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::options;
use super::sort::SortedOptions;
use crate::http::error::ApiError;
use crate::http::keys::{Opened, quoted, twice, without_mark};
use crate::http::once::Once;
use crate::suggest;

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
    /// An object of known options, or null when absent.
    pub(super) options: Value,
    /// A statement of SQL, if there is one.
    pub(super) sqldml: Option<String>,
    /// The address that it came from, once that is known.
    pub(super) client: Option<IpAddr>,
    /// What a command takes beside documents, in any shape: clients pad their requests.
    args: Value,
    /// A file in base64, in any shape: clients pad their requests with an empty one.
    file: Value,
    /// A key that stands twice in an object of `criteria`.
    criteria_twice: Option<String>,
    /// An option that stands beside `options`.
    misplaced: Option<&'static str>,
    /// A key that is passed over and looks like one that says what is changed, and that one.
    mistyped: Option<(String, &'static str)>,
}

impl Envelope {
    /// Parses a request body. Every refusal is a 400.
    pub(super) fn parse(body: &[u8]) -> Result<Envelope, ApiError> {
        let body = without_mark(body);
        if body.trim_ascii().is_empty() {
            return Err(ApiError::bad_request(format!(
                "The request has no body. Send a JSON object such as {EXAMPLE}."
            )));
        }
        let mut raw: RawEnvelope =
            serde_json::from_slice(body).map_err(|error| not_an_envelope(&error))?;
        if let Some(name) = raw.twice {
            return Err(twice(name, "the request"));
        }
        if let Some(key) = &raw.options_twice {
            return Err(twice(&quoted(key), "'options'"));
        }
        let cmd = cmd_of(raw.take("method"))?;
        let store = match raw.take("dstype") {
            Value::Null => DEFAULT_STORE.to_owned(),
            Value::String(store) if store.is_empty() => DEFAULT_STORE.to_owned(),
            Value::String(store) => store,
            _ => {
                return Err(ApiError::bad_request(
                    "'dstype' must be a string: the name of a store.",
                ));
            }
        };
        Ok(Envelope {
            cmd,
            store,
            criteria: raw.take("criteria"),
            update_data: raw.take("UpdateData"),
            options: options::open(raw.take("options"))?,
            sqldml: match raw.take("sqldml") {
                Value::String(sql) => Some(sql),
                _ => None,
            },
            client: None,
            args: raw.take("args"),
            file: raw.take("file"),
            criteria_twice: raw.criteria_twice,
            misplaced: raw.misplaced,
            mistyped: raw.mistyped,
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

    /// The file in base64.
    ///
    /// # Errors
    /// A 400 when it is no text, or absent.
    pub(super) fn take_file(&mut self) -> Result<String, ApiError> {
        match std::mem::take(&mut self.file) {
            Value::String(file) => Ok(file),
            _ => Err(ApiError::bad_request(
                "'file' must be a string: the bytes of a file in base64.",
            )),
        }
    }

    /// Which documents a command changes: as [`Envelope::query`], and refused where an option stands
    /// beside `options`, or a key is nearly one of those that say what is changed, as padding that a client
    /// did not mean. What it should have spared would be gone.
    pub(super) fn changed(&self) -> Result<Query, ApiError> {
        if let Some((key, meant)) = &self.mistyped {
            return Err(ApiError::bad_request(format!(
                "'{}' means nothing here: did you mean '{meant}'?",
                quoted(key)
            )));
        }
        if let Some(name) = self.misplaced {
            return Err(ApiError::bad_request(format!(
                "'{name}' stands beside 'options', where it would not be heard; put it inside."
            )));
        }
        self.query()
    }

    /// Which documents a command is about: criteria and options.
    pub(super) fn query(&self) -> Result<Query, ApiError> {
        if let Some(key) = &self.criteria_twice {
            return Err(twice(&quoted(key), "an object of 'criteria'"));
        }
        let query = Query::from_json(&self.criteria, &self.options)?;
        Ok(Query { client: self.client, ..query })
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

/// `method` is padded like the envelope itself, so only its `cmd` is looked at.
fn cmd_of(method: Value) -> Result<String, ApiError> {
    let method = match method {
        Value::Null => {
            return Err(ApiError::bad_request(format!(
                "'method' is missing. Send a JSON object such as {EXAMPLE}."
            )));
        }
        Value::Object(method) => method,
        _ => {
            return Err(ApiError::bad_request(
                r#"'method' must be an object such as {"cmd":"crudget"}."#,
            ));
        }
    };
    let mut named = method.into_iter().filter(|(key, _)| key.eq_ignore_ascii_case("cmd"));
    let cmd = named.next().map(|(_, cmd)| cmd);
    if named.next().is_some() {
        return Err(twice("cmd", "'method'"));
    }
    match cmd {
        Some(Value::String(cmd)) => Ok(cmd),
        None | Some(Value::Null) => Err(ApiError::bad_request(
            r#"'method' names no command. Send it such as {"cmd":"crudget"}."#,
        )),
        Some(_) => {
            Err(ApiError::bad_request("'method.cmd' must be a string: the name of a command."))
        }
    }
}

/// The keys that mean something, by the names that messages call them.
const KEYS: [&str; 8] =
    ["method", "dstype", "criteria", "UpdateData", "options", "args", "file", "sqldml"];

/// The envelope before its shapes are checked.
#[derive(Default)]
struct RawEnvelope {
    parts: Opened<Value>,
    twice: Option<&'static str>,
    options_twice: Option<String>,
    criteria_twice: Option<String>,
    misplaced: Option<&'static str>,
    mistyped: Option<(String, &'static str)>,
}

impl RawEnvelope {
    /// A part; null when absent.
    fn take(&mut self, name: &str) -> Value {
        self.parts.remove(name).unwrap_or_default()
    }
}

/// Options that say which documents a command changes.
const NARROWING: [&str; 4] = ["limit", "skip", "sort", "if_entry"];

/// Keys that say what a command changes.
const CHOOSING: [&str; 4] = ["dstype", "criteria", "UpdateData", "options"];
/// Shorter keys are not taken for one of these.
const MISTYPED_BYTES_MIN: usize = 6;

/// A key of the envelope.
enum EnvelopeKey {
    /// One that means something, by its own name.
    Known(&'static str),
    /// The name of an option, which means nothing here.
    Option(&'static str),
    /// Padding that looks like one that means something.
    Mistyped(String, &'static str),
    /// Padding.
    Other,
}

impl<'de> Deserialize<'de> for EnvelopeKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = EnvelopeKey;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<EnvelopeKey, E> {
                let same = |name: &&'static str| name.eq_ignore_ascii_case(key);
                Ok(match (KEYS.into_iter().find(same), NARROWING.into_iter().find(same)) {
                    (Some(name), _) => EnvelopeKey::Known(name),
                    (None, Some(name)) => EnvelopeKey::Option(name),
                    (None, None) if key.len() >= MISTYPED_BYTES_MIN => {
                        let meant = CHOOSING.into_iter();
                        match suggest::nearest(key, meant) {
                            Some(meant) => EnvelopeKey::Mistyped(quoted(key), meant),
                            None => EnvelopeKey::Other,
                        }
                    }
                    (None, None) => EnvelopeKey::Other,
                })
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for RawEnvelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;

        impl<'de> Visitor<'de> for RawVisitor {
            type Value = RawEnvelope;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEnvelope, A::Error> {
                let mut raw = RawEnvelope::default();
                while let Some(key) = map.next_key()? {
                    let name = match key {
                        EnvelopeKey::Known(name) => name,
                        other => {
                            match other {
                                EnvelopeKey::Option(name) => raw.misplaced = Some(name),
                                EnvelopeKey::Mistyped(key, meant) => {
                                    raw.mistyped = Some((key, meant));
                                }
                                _ => {}
                            }
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    let value = match name {
                        "options" => {
                            let (options, twice) = map.next_value::<SortedOptions>()?.into_value();
                            raw.options_twice = twice;
                            options
                        }
                        "criteria" => {
                            let criteria = map.next_value::<Once>()?;
                            raw.criteria_twice = criteria.twice;
                            criteria.value
                        }
                        _ => map.next_value()?,
                    };
                    if raw.parts.insert(name, value).is_some() {
                        raw.twice = Some(name);
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
