//! An upload as a multipart form: the parts `file`, `filename`, `store_full_structure`, `target_store`.

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use optimusdb_db::limits::UPLOAD_FILES_MAX;
use optimusdb_db::{ToscaFile, ToscaUpload};

use super::{KEYS, base64_text, disposition};
use crate::http::error::ApiError;
use crate::http::keys::{Opened, twice};

/// Whether the request says that it brings a form.
pub(in crate::http) fn is_form(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).map_or(b"".as_slice(), |value| value.as_bytes());
    let kind =
        content_type.split_at_checked("multipart/".len()).map_or(b"".as_slice(), |(kind, _)| kind);
    kind.eq_ignore_ascii_case(b"multipart/")
}

/// Reads the form. Only `file` is required, and may be there several times; its own file name serves
/// where `filename` is absent.
pub(super) async fn read(parts: Parts, body: Bytes) -> Result<ToscaUpload, ApiError> {
    let request = Request::from_parts(parts, Body::from(body));
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| {
        ApiError::bad_request(format!("Not a multipart form: {}.", error.body_text()))
    })?;
    let mut files = Vec::new();
    let mut texts = Opened::new();
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        let part = KEYS.find(field.name().unwrap_or_default())?;
        if part == "file" {
            if files.len() == UPLOAD_FILES_MAX {
                return Err(ApiError::too_large(format!(
                    "The form has more than {UPLOAD_FILES_MAX} files (UPLOAD_FILES_MAX)."
                )));
            }
            let filename = disposition::filename(field.headers())
                .map_err(|why| ApiError::bad_request(format!("The form cannot be read: {why}.")))?;
            files.push(ToscaFile { filename, bytes: content(field).await? });
        } else if texts.insert(part, text(field).await?).is_some() {
            return Err(twice(part, KEYS.of));
        }
    }
    let mut given = |part| texts.remove(part).flatten();
    let (filename, target_store) = (given("filename"), given("target_store"));
    let store_full_structure = flag(given("store_full_structure"))?;
    match (files.as_mut_slice(), filename) {
        ([], _) => return Err(ApiError::bad_request("The form has no part 'file'.")),
        ([file], Some(filename)) => file.filename = Some(filename),
        (_, Some(_)) => {
            return Err(ApiError::bad_request(
                "'filename' names one file, and the form has several: give each 'file' its own name.",
            ));
        }
        (_, None) => {}
    }
    Ok(ToscaUpload { files, store_full_structure, target_store })
}

/// What a part holds, taken out of its transfer encoding.
async fn content(field: Field<'_>) -> Result<Vec<u8>, ApiError> {
    let encoding = field.headers().get("content-transfer-encoding").cloned();
    let bytes = field.bytes().await.map_err(|error| broken(&error))?;
    let encoding = encoding.as_ref().map_or(b"binary".as_slice(), |value| value.as_bytes());
    match encoding.trim_ascii().to_ascii_lowercase().as_slice() {
        b"binary" | b"8bit" | b"7bit" => Ok(bytes.into()),
        b"base64" => base64_text::decode(&String::from_utf8_lossy(&bytes)).map_err(|why| {
            ApiError::bad_request(format!("A part says that it is base64, and is not: {why}."))
        }),
        other => Err(ApiError::bad_request(format!(
            "The Content-Transfer-Encoding '{:.20}' is unknown; known are: base64, binary, 8bit, 7bit.",
            String::from_utf8_lossy(other)
        ))),
    }
}

/// A part's text, if there is any.
async fn text(field: Field<'_>) -> Result<Option<String>, ApiError> {
    let name = field.name().unwrap_or_default().to_owned();
    let text = String::from_utf8(content(field).await?)
        .map_err(|_| ApiError::bad_request(format!("'{name}' is not UTF-8.")))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn flag(text: Option<String>) -> Result<bool, ApiError> {
    match text.as_deref() {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(ApiError::bad_request("'store_full_structure' must be true or false.")),
    }
}

fn broken(error: &MultipartError) -> ApiError {
    ApiError::bad_request(format!("The multipart form cannot be read: {}.", error.body_text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn form(body: &str) -> Result<ToscaUpload, String> {
        let request = Request::builder()
            .header(header::CONTENT_TYPE, "Multipart/form-data; boundary=XX")
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        assert!(is_form(&parts.headers));
        let body = Bytes::from(body.replace('\n', "\r\n"));
        read(parts, body).await.map_err(|refusal| refusal.message().to_owned())
    }

    fn part(disposition: &str, content: &str) -> String {
        format!("--XX\nContent-Disposition: form-data; {disposition}\n\n{content}\n")
    }

    fn named(name: &str, content: &str) -> ToscaFile {
        ToscaFile { bytes: content.into(), filename: Some(name.to_owned()) }
    }

    #[tokio::test]
    async fn several_files_are_all_kept_under_their_own_names() {
        let files = part(r#"name="file"; filename="a.yaml""#, "a: 1")
            + &part(r#"name="File"; filename*=utf-8''%C3%BC.yaml"#, "b: 2");
        let upload = form(&format!("{files}--XX--\n")).await.unwrap();
        assert_eq!(upload.files, [named("a.yaml", "a: 1"), named("ü.yaml", "b: 2")]);
        let one = part(r#"name="filename""#, "c.yaml");
        let refused = form(&format!("{files}{one}--XX--\n")).await.err().unwrap();
        assert!(refused.contains("names one file"), "{refused}");
        let many = part(r#"name="file""#, "a: 1").repeat(UPLOAD_FILES_MAX + 1);
        assert!(form(&format!("{many}--XX--\n")).await.err().unwrap().contains("UPLOAD_FILES_MAX"));
    }

    #[tokio::test]
    async fn a_part_is_taken_out_of_its_transfer_encoding() {
        let encoded = |encoding: &str, content: &str| {
            let lines = format!("name=\"file\"\nContent-Transfer-Encoding: {encoding}");
            format!("{}--XX--\n", part(&lines, content))
        };
        for (encoding, content) in
            [("base64", "YTog\nMQ=="), ("BASE64 ", "YTogMQ"), ("binary", "a: 1"), ("8bit", "a: 1")]
        {
            let upload = form(&encoded(encoding, content)).await.unwrap();
            assert_eq!(upload.files[0].bytes, b"a: 1", "{encoding}");
        }
        let refused = form(&encoded("base64", "a: 1")).await.err().unwrap();
        assert!(refused.contains("character ':' at position 2"), "{refused}");
        let refused = form(&encoded("quoted-printable", "a")).await.err().unwrap();
        assert!(refused.contains("'quoted-printable' is unknown"), "{refused}");
    }

    #[tokio::test]
    async fn the_files_own_name_serves_unless_another_is_given() {
        let file = part(r#"name="file"; filename="own.yaml""#, "a: 1");
        let upload = form(&format!("{file}--XX--\n")).await.unwrap();
        assert_eq!(upload.files, [named("own.yaml", "a: 1")]);
        assert!(upload.store_full_structure);

        let other = part(r#"name="filename""#, "given.yaml")
            + &part(r#"name="store_full_structure""#, "false");
        let upload = form(&format!("{other}{file}{}--XX--\n", part(r#"name="target_store""#, "t")))
            .await
            .unwrap();
        assert_eq!(upload.files, [named("given.yaml", "a: 1")]);
        assert_eq!(upload.target_store.as_deref(), Some("t"));
        assert!(!upload.store_full_structure);
    }

    #[tokio::test]
    async fn broken_forms_are_refused() {
        assert!(
            form(&format!("{}--XX--\n", part(r#"name="filename""#, "y")))
                .await
                .err()
                .unwrap()
                .contains("no part 'file'")
        );
        for (wrong, expected) in [
            (part(r#"name="targetStore""#, "t"), "did you mean 'target_store'?"),
            (part(r#"filename="x""#, "t"), "Unknown key ''"),
            (part(r#"name="FileName""#, "a").repeat(2), "'filename' is there twice"),
        ] {
            let message = form(&format!("{wrong}--XX--\n")).await.err().unwrap();
            assert!(message.contains(expected), "{message}");
        }
        assert!(
            form(&part(r#"name="file""#, "a: 1")).await.err().unwrap().contains("cannot be read")
        );
        assert!(form("nonsense").await.err().unwrap().contains("cannot be read"));
    }
}
