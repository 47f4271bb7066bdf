//! The keys of objects, forms and query strings that clients send, read strictly: in upper or lower
//! case, each once, and no unknown ones.
//!
//! Each place of the API names its keys in a [`Keys`] and reads what it is sent with it. An unknown key
//! is refused, since its sender would believe that it had an effect. The exception is the top level of a
//! command, which may have further keys and is not read here.

use std::collections::BTreeMap;

use axum::http::Uri;
use serde_json::Value;

use super::error::ApiError;
use super::once::Once;
use crate::suggest;

/// The keys that something may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    /// What has them, as messages say it, such as `'access'`.
    pub(super) of: &'static str,
    /// Every one of them.
    pub(super) known: &'static [&'static str],
    /// Keys that are sent by mistake, in lower case, and the right key for each.
    pub(super) instead: &'static [(&'static str, &'static str)],
}

/// Values under the names that their keys have in [`Keys::known`].
pub(super) type Opened<V> = BTreeMap<&'static str, V>;

impl Keys {
    /// The known key that `key` is, in any case.
    ///
    /// # Errors
    /// A 400 that names it, and the known one that comes nearest.
    pub(super) fn find(&self, key: &str) -> Result<&'static str, ApiError> {
        let found = self.known.iter().find(|known| known.eq_ignore_ascii_case(key));
        found.copied().ok_or_else(|| self.unknown(key))
    }

    /// Everything under its known name.
    ///
    /// # Errors
    /// A 400 for a key that is unknown, see [`find`](Keys::find), or there twice.
    pub(super) fn open<V>(
        &self,
        pairs: impl IntoIterator<Item = (String, V)>,
    ) -> Result<Opened<V>, ApiError> {
        let mut opened = Opened::new();
        for (key, value) in pairs {
            let name = self.find(&key)?;
            if opened.insert(name, value).is_some() {
                return Err(twice(name, self.of));
            }
        }
        Ok(opened)
    }

    /// The keys of a body that is a JSON object such as `example`; none of a body of nothing.
    ///
    /// # Errors
    /// A 400, also for what is no JSON, with its place, or no object.
    pub(super) fn open_body(&self, body: &[u8], example: &str) -> Result<Opened<Value>, ApiError> {
        let body = without_mark(body);
        if body.trim_ascii().is_empty() {
            return Ok(Opened::new());
        }
        match serde_json::from_slice(body) {
            Ok(Once { twice: Some(key), .. }) => Err(twice(&quoted(&key), self.of)),
            Ok(Once { value: Value::Object(object), .. }) => self.open(object),
            Ok(_) => Err(ApiError::bad_request(format!(
                "The request body must be a JSON object such as {example}."
            ))),
            Err(error) => Err(ApiError::bad_request(format!(
                "The request body is not JSON: {error}. Send an object such as {example}."
            ))),
        }
    }

    fn unknown(&self, key: &str) -> ApiError {
        let meant = self.instead.iter().find(|(said, _)| said.eq_ignore_ascii_case(key));
        let near = meant
            .map(|(_, meant)| *meant)
            .or_else(|| suggest::nearest(key, self.known.iter().copied()));
        let hint = near.map_or_else(|| ".".to_owned(), |near| format!(": did you mean '{near}'?"));
        let key = quoted(key);
        ApiError::bad_request(format!(
            "Unknown key '{key}' in {}{hint} Known are: {}.",
            self.of,
            self.known.join(", ")
        ))
    }
}

/// A JSON text without the byte order mark that some programs put before it.
pub(super) fn without_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json)
}

/// The refusal of a key that is there a second time, in what messages call `of`.
pub(super) fn twice(name: &str, of: &str) -> ApiError {
    ApiError::bad_request(format!("'{name}' is there twice in {of}."))
}

/// A client's key, as much of it as a message quotes.
pub(super) fn quoted(key: &str) -> String {
    key.chars().take(QUOTED_CHARS_MAX).collect()
}

/// Refuses a query string where the keys of a request stand in its body.
///
/// # Errors
/// A 400 that quotes it.
pub(super) fn no_query(uri: &Uri) -> Result<(), ApiError> {
    match uri.query() {
        None | Some("") => Ok(()),
        Some(query) => Err(ApiError::bad_request(format!(
            "'{}' in the query string means nothing here: what this request says stands in its path and its body.",
            quoted(query)
        ))),
    }
}

/// As much of a client's key as a message quotes.
const QUOTED_CHARS_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEYS: Keys = Keys {
        of: "the body",
        known: &["type", "target_store", "access"],
        instead: &[("write", "access.write")],
    };

    fn refusal(body: &str) -> String {
        KEYS.open_body(body.as_bytes(), "{}").unwrap_err().message().to_owned()
    }

    #[test]
    fn keys_match_in_any_case_and_have_their_own_name() {
        let opened = KEYS.open_body(br#"{"TYPE":1,"Target_Store":null}"#, "{}").ok().unwrap();
        assert_eq!(opened, Opened::from([("type", json!(1)), ("target_store", Value::Null)]));
        assert_eq!(KEYS.open_body(b" \n", "{}").ok().unwrap(), Opened::new());
        let marked = KEYS.open_body(b"\xef\xbb\xbf{\"type\":1}", "{}").ok().unwrap();
        assert_eq!(marked, Opened::from([("type", json!(1))]));
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest() {
        for (body, expected) in [
            (
                r#"{"acces":1}"#,
                "Unknown key 'acces' in the body: did you mean 'access'? Known are: type, target_store, access.",
            ),
            (r#"{"targetStore":1}"#, "did you mean 'target_store'?"),
            (r#"{"Write":[]}"#, "did you mean 'access.write'?"),
            (
                r#"{"colour":1}"#,
                "Unknown key 'colour' in the body. Known are: type, target_store, access.",
            ),
            (r#"{"":1}"#, "Unknown key '' in the body. Known"),
            (r#"{"type":1,"Type":1}"#, "'type' is there twice in the body."),
            (r#"{"type":1,"type":1}"#, "'type' is there twice in the body."),
            (r#"{"access":{"write":[],"write":["*"]}}"#, "'write' is there twice in the body."),
            ("[]", "must be a JSON object such as {}."),
            ("{", "not JSON: EOF while parsing an object at line 1 column 1."),
        ] {
            let message = refusal(body);
            assert!(message.contains(expected), "{body}: {message}");
        }
        assert!(refusal(&format!(r#"{{"{}":1}}"#, "k".repeat(10_000))).len() < 200);
    }
}
