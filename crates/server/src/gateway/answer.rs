//! One request, from its head to its answer.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use optimusdb_db::{Cid, Codec, Content, Error, Node, Reach};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::asked::AskedContent;
use super::describe::put;
use super::format::Format;
use super::found::{Failed, Found};
use super::limits::TURN_WAIT_MAX;
use super::path::ContentPath;
use super::refusal::{not_acceptable, of, too_many};
use super::{car, contents, directory, page, tar};
use crate::http::error::ApiError;
use crate::http::limits::REQUEST_TIMEOUT;

/// What the gateway answers with.
pub(super) struct Gateway {
    pub(super) node: Node,
    /// For what is here.
    pub(super) turns: Arc<Semaphore>,
    /// For what has to be looked for: waiting for it takes no turn from what is here.
    pub(super) distant_turns: Arc<Semaphore>,
}

/// Answers a request, and says for the figures which format it is about.
pub(super) async fn answer(
    gateway: &Gateway,
    head: &Parts,
    format: &mut &'static str,
) -> Result<Response, ApiError> {
    if head.uri.path() == "/" {
        return Ok(page::welcome());
    }
    let path = ContentPath::read(&head.uri)?;
    let asked = AskedContent::read(&head.uri, &head.headers)?;
    *format = asked.format.map_or("default", Format::name);
    // A page that could set one up for a whole root would control all that is below it.
    if path.is_bare_root() && has(&head.headers, "service-worker", "script") {
        return Err(ApiError::bad_request(
            "A service worker is registered below a root, behind a slash.",
        ));
    }
    if asked.format == Some(Format::IpnsRecord) {
        return Err(ApiError::bad_request("Records of IPNS are not under '/ipfs/'."));
    }
    let reach = match has(&head.headers, "cache-control", "only-if-cached") {
        true => Reach::Here,
        false => Reach::Peers,
    };
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    let answering = async {
        let here = gateway.node.has_block(&path.root).await;
        let here = here.map_err(|error| of(error, reach, true))?;
        let turns = if here { &gateway.turns } else { &gateway.distant_turns };
        let turn = timeout(TURN_WAIT_MAX, Arc::clone(turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(too_many()) };
        let asks = || !gateway.node.peers().is_empty();
        let found = gateway.node.locate(path.root.clone(), &path.below, reach, REQUEST_TIMEOUT);
        let located = found.await.map_err(|error| of(error, reach, asks()))?;
        let head_only = head.method == Method::HEAD;
        let (path, asked, headers) = (&path, &asked, &head.headers);
        let query = head.uri.query();
        let found =
            Found { path, asked, query, headers, head_only, located, reach, deadline, turn };
        let roots: Vec<String> = found.located.roots.iter().map(Cid::to_string).collect();
        let mut response = made(found).await.unwrap_or_else(|failed| match failed {
            Failed::Refused(refusal) => refusal.into_response(),
            Failed::Node(error) => of(error, reach, asks()).into_response(),
        });
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            complete(response.headers_mut(), path, asked, &roots.join(","));
        }
        Ok(response)
    };
    timeout(REQUEST_TIMEOUT, answering).await.unwrap_or_else(|_elapsed| {
        let why = format!("It was not found within {} s", REQUEST_TIMEOUT.as_secs());
        Err(of(Error::TimedOut(why), Reach::Peers, true))
    })
}

/// The answer in the format that was asked for, or in the one that the content has.
async fn made(found: Found<'_>) -> Result<Response, Failed> {
    let codec = found.located.cid.codec();
    let is_file = matches!(codec, Codec::RAW | Codec::DAG_PB);
    match found.asked.format {
        Some(Format::Raw) => contents::raw(found).await,
        Some(Format::Car) => car::answer(found).await,
        Some(Format::Tar) if is_file => tar::answer(found).await,
        Some(format) if contents::is_of(codec, format) => contents::value(found, format).await,
        Some(Format::Json) if is_file => as_it_is(found).await,
        Some(format) if !found.asked.anything => Err(mismatch(format, codec).into()),
        _ if is_file => as_it_is(found).await,
        _ => match contents::format_of(codec) {
            Some(Format::DagJson | Format::DagCbor) if found.asked.page => contents::shown(found),
            Some(format) => contents::value(found, format).await,
            None => Err(Failed::Refused(ApiError::bad_request(format!(
                "A block of codec {:#x} is answered with '?format=raw' alone.",
                codec.code()
            )))),
        },
    }
}

/// A file or directory.
async fn as_it_is(found: Found<'_>) -> Result<Response, Failed> {
    match found.located.content()? {
        Content::Directory => match found.asked.format {
            Some(Format::Json) if !found.asked.anything => {
                Err(not_acceptable("It is a directory, and not JSON.").into())
            }
            _ => directory::answer(found).await,
        },
        Content::File(size) => contents::file(found, size).await,
        Content::Symlink(target) => contents::symlink(found, target).await,
    }
}

fn mismatch(format: Format, codec: Codec) -> ApiError {
    not_acceptable(format!(
        "It has codec {:#x} and is not converted to '{}'; '?format=raw' answers the block as it is.",
        codec.code(),
        format.name()
    ))
}

/// Whether a header has this among its words.
fn has(headers: &HeaderMap, name: &str, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}

const X_IPFS_PATH: HeaderName = HeaderName::from_static("x-ipfs-path");
const X_IPFS_ROOTS: HeaderName = HeaderName::from_static("x-ipfs-roots");

/// What every answer with content says beside what it is.
fn complete(headers: &mut HeaderMap, path: &ContentPath, asked: &AskedContent, roots: &str) {
    // A header holds ASCII; clients that read others would read them differently.
    if path.shown.is_ascii() {
        put(headers, X_IPFS_PATH, &path.shown);
    }
    put(headers, X_IPFS_ROOTS, roots);
    if asked.negotiated {
        put(headers, header::VARY, "Accept");
    }
    if let Some(query) = &asked.same_as {
        put(headers, header::CONTENT_LOCATION, &format!("{}?{query}", path.written));
    }
}
