//! `/files`: files and directories, added and read.
//!
//! Bytes are streamed both ways. What is added has no limit but the disk's, so the deadline is one
//! for each piece. What is read may be a web page of a stranger: it is served so that a browser runs
//! nothing of it here.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::multipart::MultipartError;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use optimusdb_db::{AddedFile, Cid, Content, Error, FileAdd, FoundFile, Profile, reason};
use serde::Serialize;
use tokio::time::timeout;

use super::error::ApiError;
use super::keys::Keys;
use super::limits::{FILE_PAUSE_MAX, REQUEST_TIMEOUT};
use super::pieces::{self, Part};
use super::upload::{disposition, form};
use super::{Api, answer, content_type, range};

const KEYS: Keys = Keys { of: "the query string", known: &["profile", "name"], instead: &[] };

/// What was added, as it is answered.
#[derive(Serialize)]
struct FilesReceipt {
    cid: String,
    path: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<AddedFile>>,
}

/// `PUT /files[?profile=][&name=]`: the bytes of a file, or a form whose parts are files. The name is that of the pin
/// and of the contribution.
pub(super) async fn add(
    State(api): State<Arc<Api>>,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let Query(parameters) = parameters.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let mut parameters = KEYS.open(parameters)?;
    let profile = match parameters.remove("profile") {
        None => None,
        Some(name) => Some(name.parse().map_err(|_| {
            let known = Profile::ALL.map(Profile::name).join(", ");
            ApiError::bad_request(format!("'profile' must be one of {known}."))
        })?),
    };
    no_coding(request.headers())?;
    let mut adding = api.node.add_files(profile)?;
    let is_form = form::is_form(request.headers());
    let of_part = if is_form {
        add_form(&mut adding, request).await?
    } else {
        add_bytes(&mut adding, request.into_body()).await?;
        String::new()
    };
    let name = parameters.remove("name").unwrap_or(of_part);
    let added = finish(async move { api.node.contribute(adding, name).await }).await?;
    let files = is_form.then_some(added.files);
    let (cid, size) = (added.cid.to_string(), added.size);
    Ok(answer::data(&FilesReceipt { path: format!("/ipfs/{cid}"), cid, size, files }))
}

/// Ends an add in a task of its own: a client that hangs up now finds all of it, or nothing.
pub(super) async fn finish<T: Send + 'static>(
    ending: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, ApiError> {
    let ended = tokio::spawn(ending).await;
    Ok(ended.map_err(|e| ApiError::internal(format!("adding files: {e}")))??)
}

async fn add_bytes(adding: &mut FileAdd, body: Body) -> Result<(), ApiError> {
    let mut body = body.into_data_stream();
    while let Some(bytes) = next(&mut body).await? {
        adding.write(bytes).await?;
    }
    Ok(())
}

/// The next piece of a body that is streamed.
///
/// # Errors
/// 408 when none comes in time, 400 when the client breaks off.
pub(super) async fn next(body: &mut BodyDataStream) -> Result<Option<Bytes>, ApiError> {
    match timeout(FILE_PAUSE_MAX, body.next()).await {
        Ok(piece) => piece.transpose().map_err(|error| {
            ApiError::bad_request(format!("The request body broke off: {}", reason(&error)))
        }),
        Err(_elapsed) => Err(out_of_patience()),
    }
}

fn out_of_patience() -> ApiError {
    ApiError::client_timed_out(format!(
        "Nothing of the request body arrived for {} s.",
        FILE_PAUSE_MAX.as_secs()
    ))
}

/// Adds the files of a form, and answers the name of the one that is alone.
async fn add_form(adding: &mut FileAdd, request: Request) -> Result<String, ApiError> {
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| {
        ApiError::bad_request(format!("Not a multipart form: {}.", error.body_text()))
    })?;
    let (mut count, mut name) = (0_usize, String::new());
    loop {
        let field = timeout(FILE_PAUSE_MAX, form.next_field()).await;
        let field = field.map_err(|_elapsed| out_of_patience())?.map_err(|error| broken(&error))?;
        let Some(mut field) = field else { break };
        let path = disposition::filename(field.headers())
            .map_err(|why| ApiError::bad_request(format!("The form cannot be read: {why}.")))?
            .ok_or_else(|| ApiError::bad_request("A part of the form has no file name."))?;
        count += 1;
        name = if count == 1 && !path.contains('/') { path.clone() } else { String::new() };
        adding.begin(path).await?;
        loop {
            let bytes = timeout(FILE_PAUSE_MAX, field.chunk()).await;
            let bytes = bytes.map_err(|_elapsed| out_of_patience())?;
            match bytes.map_err(|error| broken(&error))? {
                Some(bytes) => adding.write(bytes).await?,
                None => break,
            }
        }
    }
    if count == 0 {
        return Err(ApiError::bad_request("The form has no files."));
    }
    Ok(name)
}

fn broken(error: &MultipartError) -> ApiError {
    ApiError::bad_request(format!("The multipart form cannot be read: {}.", error.body_text()))
}

/// Files are taken as they come: what is compressed stays so, and its address with it.
///
/// # Errors
/// 415 for a body with a content coding.
pub(super) fn no_coding(headers: &HeaderMap) -> Result<(), ApiError> {
    let coded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.is_empty() && !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if coded {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Files are taken as they come: send the body without a Content-Encoding.",
        ));
    }
    Ok(())
}

/// The address in a path.
///
/// # Errors
/// 400 for what is none.
pub(crate) fn cid(text: &str) -> Result<Cid, ApiError> {
    text.parse().map_err(|error| {
        let text: String = text.chars().take(80).collect();
        ApiError::bad_request(format!("'{text}': {error}."))
    })
}

/// `GET|HEAD /files/{cid}`.
pub(super) async fn root(
    State(api): State<Arc<Api>>,
    Path(root): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    read(&api, &root, "", &headers).await
}

/// `GET|HEAD /files/{cid}/{path}`.
pub(super) async fn below(
    State(api): State<Arc<Api>>,
    Path((root, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    read(&api, &root, &path, &headers).await
}

async fn read(
    api: &Api,
    root: &str,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let found = api.node.find_file(cid(root)?, path, REQUEST_TIMEOUT).await?;
    let tag = format!("\"{}\"", found.cid);
    match found.content {
        Content::File(size) => file(found, size, &tag, path, headers).await,
        Content::Directory => directory(&found).await,
        Content::Symlink(_) => {
            Err(ApiError::bad_request("That is a symbolic link, which has no content."))
        }
    }
}

/// What is in a directory.
async fn directory(found: &FoundFile) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Entry {
        name: String,
        cid: String,
        size: u64,
    }
    #[derive(Serialize)]
    struct Directory {
        cid: String,
        entries: Vec<Entry>,
    }
    let entries = found.list(tokio::time::Instant::now() + REQUEST_TIMEOUT).await?;
    let entry = |e: optimusdb_db::ListedEntry| Entry {
        name: e.name,
        cid: e.cid.to_string(),
        size: e.blocks_bytes,
    };
    let entries = entries.into_iter().map(entry).collect();
    Ok(answer::data(&Directory { cid: found.cid.to_string(), entries }))
}

async fn file(
    found: FoundFile,
    size: u64,
    tag: &str,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let mut response = if range::is_known(headers, tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let part = Part::asked(headers, tag, size)?;
        part.answer(pieces::body(found.read(size, part.range.clone()), ()).await?)
    };
    describe(&mut response, tag, path);
    Ok(response)
}

/// For how long caches keep what never changes.
pub(crate) const IMMUTABLE: &str = "public, max-age=29030400, immutable";

/// What is said of every file. Its bytes never change under its address.
fn describe(response: &mut Response, tag: &str, path: &str) {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    let content_type = content_type::by_name(path).unwrap_or(content_type::OCTETS.into());
    if let Ok(content_type) = HeaderValue::try_from(content_type.as_ref()) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, IMMUTABLE),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
