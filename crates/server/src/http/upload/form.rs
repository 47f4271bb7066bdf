//! An upload as a multipart form: the parts `file`, `filename`, `store_full_structure`, `target_store`.

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use optimusdb_db::ToscaUpload;

use super::KEYS;
use crate::http::error::ApiError;
use crate::http::keys::{Opened, twice};

/// Whether the request says that it brings a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).map_or(b"".as_slice(), |value| value.as_bytes());
    let kind =
        content_type.split_at_checked("multipart/".len()).map_or(b"".as_slice(), |(kind, _)| kind);
    kind.eq_ignore_ascii_case(b"multipart/")
}

/// Reads the form. Only `file` is required; its own file name serves where `filename` is absent.
pub(super) async fn read(parts: Parts, body: Bytes) -> Result<ToscaUpload, ApiError> {
    let request = Request::from_parts(parts, Body::from(body));
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| {
        ApiError::bad_request(format!("Not a multipart form: {}.", error.body_text()))
    })?;
    let mut file = None;
    let mut own_filename = None;
    let mut filename = None;
    let mut store_full_structure = true;
    let mut target_store = None;
    let mut seen = Opened::new();
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        let part = KEYS.find(field.name().unwrap_or_default())?;
        if seen.insert(part, ()).is_some() {
            return Err(twice(part, KEYS.of));
        }
        match part {
            "file" => {
                own_filename = field.file_name().filter(|name| !name.is_empty()).map(str::to_owned);
                file = Some(field.bytes().await.map_err(|error| broken(&error))?);
            }
            "filename" => filename = text(field).await?,
            "target_store" => target_store = text(field).await?,
            "store_full_structure" => store_full_structure = flag(text(field).await?)?,
            _ => {}
        }
    }
    let file = file.ok_or_else(|| ApiError::bad_request("The form has no part 'file'."))?;
    Ok(ToscaUpload {
        bytes: file.into(),
        filename: filename.or(own_filename),
        store_full_structure,
        target_store,
    })
}

/// A part's text, if there is any.
async fn text(field: Field<'_>) -> Result<Option<String>, ApiError> {
    let text = field.text().await.map_err(|error| broken(&error))?;
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

    #[tokio::test]
    async fn the_files_own_name_serves_unless_another_is_given() {
        let file = part(r#"name="file"; filename="own.yaml""#, "a: 1");
        let upload = form(&format!("{file}--XX--\n")).await.unwrap();
        assert_eq!(upload.bytes, b"a: 1");
        assert_eq!(upload.filename.as_deref(), Some("own.yaml"));
        assert!(upload.store_full_structure);

        let named = part(r#"name="filename""#, "given.yaml")
            + &part(r#"name="store_full_structure""#, "false");
        let upload = form(&format!("{named}{file}{}--XX--\n", part(r#"name="target_store""#, "t")))
            .await
            .unwrap();
        assert_eq!(upload.filename.as_deref(), Some("given.yaml"));
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
