//! Bytes: of a file, of a block.

use std::borrow::Cow;
use std::ops::Range;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use optimusdb_db::{Codec, Error, Located};
use tokio::sync::OwnedSemaphorePermit;

use super::describe::{Description, Disposition, MADE_HERE};
use super::format::Format;
use super::found::{Failed, Found};
use super::limits::{FIRST_BYTES_MAX, PAGE_LINKS_MAX};
use super::page;
use super::refusal::not_acceptable;
use crate::http::content_type;
use crate::http::pieces::{self, Part};
use crate::http::range::is_known;
use crate::version::VERSION;

/// Plain JSON and CBOR, by their numbers in the multicodec table.
const JSON: u64 = 0x0200;
const CBOR: u64 = 0x51;

/// The format that a block has by its codec.
pub(super) fn format_of(codec: Codec) -> Option<Format> {
    match codec {
        Codec::DAG_JSON => Some(Format::DagJson),
        Codec::DAG_CBOR => Some(Format::DagCbor),
        codec if codec.code() == JSON => Some(Format::Json),
        codec if codec.code() == CBOR => Some(Format::Cbor),
        _ => None,
    }
}

/// Whether a block of this codec is of a format: each is of its own, and one with links is of the one
/// without, too.
pub(super) fn is_of(codec: Codec, format: Format) -> bool {
    let own = format_of(codec);
    own == Some(format)
        || matches!(
            (own, format),
            (Some(Format::DagJson), Format::Json) | (Some(Format::DagCbor), Format::Cbor)
        )
}

/// The block as it is.
pub(super) async fn raw(found: Found<'_>) -> Result<Response, Failed> {
    let cid = &found.located.cid;
    let mut description = Description::new(format!("\"{cid}.raw\""), Format::Raw.media_type());
    let name = found.asked.filename.clone().unwrap_or_else(|| format!("{cid}.bin"));
    description.disposition = Some((Disposition::Attachment, name));
    block(found, description).await
}

/// A block whose bytes are of a format.
pub(super) async fn value(found: Found<'_>, format: Format) -> Result<Response, Failed> {
    let cid = &found.located.cid;
    let tag = format!("\"{cid}.{}\"", format.name());
    let mut description = Description::new(tag, format.media_type());
    let is_text = matches!(format, Format::DagJson | Format::Json);
    let (shown, ending) = match is_text {
        true => (Disposition::Inline, "json"),
        false => (Disposition::Attachment, "cbor"),
    };
    let shown = if found.asked.download { Disposition::Attachment } else { shown };
    let name = found.asked.filename.clone().unwrap_or_else(|| format!("{cid}.{ending}"));
    description.disposition = Some((shown, name));
    block(found, description).await
}

async fn block(found: Found<'_>, description: Description) -> Result<Response, Failed> {
    let block = found.located.block.clone();
    bytes(found, description, block).await
}

/// The page of a block that has links.
pub(super) fn shown(found: Found<'_>) -> Result<Response, Failed> {
    let cid = &found.located.cid;
    let tag = format!("\"DagIndex-{VERSION}_CID-{cid}\"");
    let mut links = found.located.links()?;
    links.truncate(PAGE_LINKS_MAX);
    let page = page::block(cid, &found.located.block, &links);
    let mut description = Description::new(tag, page::HTML);
    description.cache = MADE_HERE;
    Ok(page::answer(found.headers, &description, Body::from(page)))
}

/// A file of this size.
pub(super) async fn file(found: Found<'_>, size: u64) -> Result<Response, Failed> {
    let tag = format!("\"{}\"", found.located.cid);
    let name = found.path.last_name().map(str::to_owned);
    file_named(found, size, tag, name).await
}

/// A file of this size, with a tag, and the name that its type is told from.
pub(super) async fn file_named(
    found: Found<'_>,
    size: u64,
    tag: String,
    name: Option<String>,
) -> Result<Response, Failed> {
    let content_type = type_of(&found, size, name).await;
    let wants_json = found.asked.format == Some(Format::Json) && !found.asked.anything;
    if wants_json && content_type != Format::Json.media_type() {
        return Err(not_acceptable("It is a file, and not JSON.").into());
    }
    let mut description = Description::new(tag, content_type);
    description.sniffed = true;
    description.disposition = disposition(&found);
    part(found, description, size, async |located, range, turn| {
        pieces::body(located.into_file()?.read(size, range), turn).await
    })
    .await
}

/// A symbolic link, whose content is where it points.
pub(super) async fn symlink(found: Found<'_>, target: Vec<u8>) -> Result<Response, Failed> {
    let tag = format!("\"{}\"", found.located.cid);
    let mut description = Description::new(tag, "inode/symlink");
    description.disposition = disposition(&found);
    bytes(found, description, target.into()).await
}

/// What is at hand whole.
async fn bytes(
    found: Found<'_>,
    description: Description,
    bytes: Bytes,
) -> Result<Response, Failed> {
    part(found, description, bytes.len() as u64, async |_, range, turn| {
        let bytes = bytes.slice(range.start as usize..range.end as usize);
        pieces::body((!bytes.is_empty()).then_some(bytes), turn).await
    })
    .await
}

/// The part of `size` bytes that is asked for, out of a body that `body` makes.
async fn part(
    found: Found<'_>,
    description: Description,
    size: u64,
    body: impl AsyncFnOnce(Located, Range<u64>, OwnedSemaphorePermit) -> Result<Body, Error>,
) -> Result<Response, Failed> {
    let mut response = if is_known(found.headers, &description.tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let part = Part::asked(found.headers, &description.tag, size)?;
        let body = match found.head_only {
            true => Body::empty(),
            false => body(found.located, part.range.clone(), found.turn).await?,
        };
        part.answer(body)
    };
    description.write(response.headers_mut());
    Ok(response)
}

/// The type of a file: by the name that the request gives it, by its own, by its first bytes.
async fn type_of(found: &Found<'_>, size: u64, name: Option<String>) -> Cow<'static, str> {
    let names = [found.asked.filename.as_deref(), name.as_deref()];
    let by_name = names.into_iter().flatten().find_map(content_type::by_name);
    if let Some(content_type) = by_name {
        return content_type;
    }
    if size == 0 {
        return content_type::by_first_bytes(b"").into();
    }
    let first = found.located.first_bytes(size, FIRST_BYTES_MAX).await;
    first.map_or(content_type::OCTETS, |bytes| content_type::by_first_bytes(&bytes)).into()
}

/// How a browser is to take a file, where the request says it.
fn disposition(found: &Found<'_>) -> Option<(Disposition, String)> {
    let Found { asked, path, located, .. } = found;
    let shown = if asked.download { Disposition::Attachment } else { Disposition::Inline };
    if !asked.download && asked.filename.is_none() {
        return None;
    }
    let own = || path.last_name().map_or_else(|| located.cid.to_string(), str::to_owned);
    Some((shown, asked.filename.clone().unwrap_or_else(own)))
}
