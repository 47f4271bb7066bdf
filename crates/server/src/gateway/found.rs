//! Content that was found, on its way to an answer.

use axum::http::HeaderMap;
use optimusdb_db::{Error, Located, Reach};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::asked::AskedContent;
use super::path::ContentPath;
use crate::http::error::ApiError;

/// A request whose content was found.
pub(super) struct Found<'r> {
    pub(super) path: &'r ContentPath,
    pub(super) asked: &'r AskedContent,
    /// The query string as it was sent.
    pub(super) query: Option<&'r str>,
    pub(super) headers: &'r HeaderMap,
    /// Whether no more than the head is wanted.
    pub(super) head_only: bool,
    pub(super) located: Located,
    pub(super) reach: Reach,
    pub(super) deadline: Instant,
    /// The turn of this request, until its last byte is sent.
    pub(super) turn: OwnedSemaphorePermit,
}

/// Why content that was found is not answered.
pub(super) enum Failed {
    /// It was asked for in a way that does not fit.
    Refused(ApiError),
    /// What is missing, or wrong with it.
    Node(Error),
}

impl From<ApiError> for Failed {
    fn from(refusal: ApiError) -> Failed {
        Failed::Refused(refusal)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Node(error)
    }
}
