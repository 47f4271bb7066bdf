//! `PUT /car`: blocks of any codec, with their addresses, in one stream.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;

use super::error::ApiError;
use super::files::{finish, next, no_coding};
use super::keys::no_query;
use super::{Api, answer};

/// What was in a CAR.
#[derive(Serialize)]
struct CarReceipt {
    roots: Vec<String>,
    blocks: u64,
    bytes: u64,
}

/// `PUT /car`: all of its blocks are on the disk when this answers, and its roots pinned.
pub(super) async fn add(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, ApiError> {
    no_query(request.uri())?;
    no_coding(request.headers())?;
    let mut adding = api.node.add_car()?;
    let mut body = request.into_body().into_data_stream();
    while let Some(bytes) = next(&mut body).await? {
        adding.write(bytes).await?;
    }
    let added = finish(async move { api.node.finish_car(adding).await }).await?;
    let roots = added.roots.iter().map(ToString::to_string).collect();
    Ok(answer::data(&CarReceipt { roots, blocks: added.blocks, bytes: added.bytes }))
}
