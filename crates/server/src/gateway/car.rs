//! CARs: the blocks on the way of a path, and those that its end stands for.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use optimusdb_db::{CarScope, Content, EntityBytes};

use super::describe::{Description, Disposition};
use super::format::Format;
use super::found::{Failed, Found};
use crate::http::error::ApiError;
use crate::http::pieces;
use crate::http::range::is_known;

/// A CAR, streamed.
pub(super) async fn answer(found: Found<'_>) -> Result<Response, Failed> {
    let car = found.asked.car;
    if let (CarScope::Bytes(bytes), Ok(Content::File(size))) = (car.scope, found.located.content())
        && is_outside(bytes, size)
    {
        let why = format!("The file has {size} bytes, and none in 'entity-bytes'.");
        return Err(ApiError::bad_request(why).into());
    }
    let cid = &found.located.cid;
    let dups = if car.twice { 'y' } else { 'n' };
    let tag = format!("W/\"{}.car.{:x}\"", found.located.roots[0], mark(&found));
    let content_type = format!("{}; version=1; order=dfs; dups={dups}", Format::Car.media_type());
    let mut description = Description::new(tag, content_type);
    let name = found.asked.filename.clone().unwrap_or_else(|| format!("{cid}.car"));
    description.disposition = Some((Disposition::Attachment, name));
    let mut response = if is_known(found.headers, description.tag.trim_start_matches("W/")) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if found.head_only {
        Response::new(Body::empty())
    } else {
        let stream = found.located.into_car(car.scope, car.twice);
        Response::new(pieces::body(stream, found.turn).await?)
    };
    description.write(response.headers_mut());
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    Ok(response)
}

/// What tells CARs of one root apart: the path, and what was asked for.
fn mark(found: &Found<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for root in &found.located.roots {
        root.to_string().hash(&mut hasher);
    }
    (found.path.below.as_str(), format!("{:?}", found.asked.car)).hash(&mut hasher);
    hasher.finish()
}

/// Whether a file of this size has nothing of a range, though it has something.
fn is_outside(bytes: EntityBytes, size: u64) -> bool {
    size > 0 && bytes.within(size).is_empty()
}
