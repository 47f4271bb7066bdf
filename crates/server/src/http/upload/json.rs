//! An upload as JSON: `{"file":"<base64>","filename":…,"store_full_structure":…,"target_store":…}`.

use optimusdb_db::{ToscaFile, ToscaUpload};
use serde_json::Value;

use super::{KEYS, base64_text};
use crate::http::error::ApiError;
use crate::http::keys::Opened;

const EXAMPLE: &str = r#"{"file":"<base64>","filename":"service.yaml"}"#;

/// Reads the body. Only `file` is required.
pub(super) fn read(body: &[u8]) -> Result<ToscaUpload, ApiError> {
    if body.trim_ascii().is_empty() {
        return Err(ApiError::bad_request(format!(
            "The upload has no body. Send {EXAMPLE} or a multipart form."
        )));
    }
    let body = KEYS.open_body(body, EXAMPLE)?;
    let file = string(&body, "file")?;
    let file =
        file.ok_or_else(|| ApiError::bad_request(format!("'file' is missing. Send {EXAMPLE}.")))?;
    let bytes = base64_text::decode(file)
        .map_err(|why| ApiError::bad_request(format!("'file' must be standard base64: {why}.")))?;
    let filename = string(&body, "filename")?.map(str::to_owned);
    Ok(ToscaUpload {
        files: vec![ToscaFile { bytes, filename }],
        store_full_structure: flag(&body, "store_full_structure")?,
        target_store: string(&body, "target_store")?.map(str::to_owned),
    })
}

/// A string that is there and not empty.
fn string<'a>(body: &'a Opened<Value>, key: &str) -> Result<Option<&'a str>, ApiError> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(ApiError::bad_request(format!("'{key}' must be a string."))),
    }
}

/// A boolean that is true when absent.
fn flag(body: &Opened<Value>, key: &str) -> Result<bool, ApiError> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(true),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(ApiError::bad_request(format!("'{key}' must be true or false."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_is_required() {
        let upload = read(br#"{"file":"YTogMQo=","filename":""}"#).ok().unwrap();
        let file = |filename| ToscaFile { bytes: b"a: 1\n".into(), filename };
        assert_eq!(upload.files, [file(None)]);
        assert_eq!((upload.target_store, upload.store_full_structure), (None, true));

        let upload = read(
            br#"{"file":"data:text/yaml;base64,YTogMQo","filename":"a.yaml","store_full_structure":false,"Target_Store":"t"}"#,
        );
        let upload = upload.ok().unwrap();
        assert_eq!(upload.files, [file(Some("a.yaml".to_owned()))]);
        assert_eq!(upload.target_store.as_deref(), Some("t"));
        assert!(!upload.store_full_structure);
    }

    #[test]
    fn each_wrong_shape_has_its_message() {
        for (body, expected) in [
            ("", "has no body"),
            ("{", "not JSON: EOF while parsing an object at line 1 column 1"),
            ("[]", "must be a JSON object"),
            ("{}", "'file' is missing"),
            (r#"{"file":""}"#, "'file' is missing"),
            (r#"{"file":1}"#, "'file' must be a string"),
            (
                r#"{"file":"YTog*QoX"}"#,
                "'file' must be standard base64: character '*' at position 5",
            ),
            (r#"{"file":"YQ==","targetStore":"t"}"#, "did you mean 'target_store'?"),
            (r#"{"file":"YQ==","filename":[]}"#, "'filename' must be a string"),
            (r#"{"file":"YQ==","store_full_structure":"yes"}"#, "must be true or false"),
        ] {
            let refusal = read(body.as_bytes()).err().unwrap();
            assert!(refusal.message().contains(expected), "{body}: {}", refusal.message());
        }
    }
}
