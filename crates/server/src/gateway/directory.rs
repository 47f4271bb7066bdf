//! Directories: their page of their own if they have one, or a list of what is in them.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use optimusdb_db::Content;

use super::contents;
use super::describe::{Description, MADE_HERE, put};
use super::found::{Failed, Found};
use super::page::{self, Listing};
use crate::http::range::is_known;
use crate::version::VERSION;

/// The page that a directory shows instead of its list.
const INDEX: &str = "index.html";

/// A directory.
pub(super) async fn answer(found: Found<'_>) -> Result<Response, Failed> {
    if !found.path.is_directory() {
        return Ok(with_slash(&found));
    }
    let index = found.located.entry(INDEX, found.reach, found.deadline).await?;
    if let Some(index) = index
        && let Content::File(size) = index.content()?
    {
        // The page is what the directory looks like, so it has the directory's tag.
        let tag = format!("\"{}\"", found.located.cid);
        let found = Found { located: index, ..found };
        return contents::file_named(found, size, tag, Some(INDEX.to_owned())).await;
    }
    list(found).await
}

/// Links on a page are relative to the last slash.
fn with_slash(found: &Found<'_>) -> Response {
    let mut response = StatusCode::MOVED_PERMANENTLY.into_response();
    let headers = response.headers_mut();
    let query = found.query.map(|query| format!("?{query}")).unwrap_or_default();
    put(headers, header::LOCATION, &format!("{}/{query}", found.path.written));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(MADE_HERE));
    response
}

async fn list(found: Found<'_>) -> Result<Response, Failed> {
    let cid = found.located.cid.clone();
    let mut description = Description::new(format!("\"DirIndex-{VERSION}_CID-{cid}\""), page::HTML);
    description.cache = MADE_HERE;
    if found.head_only || is_known(found.headers, &description.tag) {
        return Ok(page::answer(found.headers, &description, Body::empty()));
    }
    let Found { located, deadline, turn, .. } = found;
    let entries = located.into_file()?.list(deadline).await?;
    let pieces = Listing::new(found.path, &cid, entries).map(move |piece| {
        // The turn ends with the last piece.
        let _turn = &turn;
        Ok::<Bytes, io::Error>(piece.into())
    });
    Ok(page::answer(found.headers, &description, Body::from_stream(stream::iter(pieces))))
}
