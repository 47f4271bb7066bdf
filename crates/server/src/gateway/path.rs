//! The path of a request: which root, and what below it.

use axum::http::{StatusCode, Uri};
use optimusdb_db::Cid;
use percent_encoding::percent_decode_str;

use crate::http::error::ApiError;
use crate::http::files;

/// A path under `/ipfs/`.
#[derive(Debug)]
pub(super) struct ContentPath {
    pub(super) root: Cid,
    /// What is below the root, decoded, without a slash in front.
    pub(super) below: String,
    /// All of it as it was asked for.
    pub(super) written: String,
    /// All of it, decoded.
    pub(super) shown: String,
}

impl ContentPath {
    /// Reads the path of a URL.
    ///
    /// # Errors
    /// 404 for one elsewhere, 501 for one of IPNS, 400 for a root that is no address.
    pub(super) fn read(uri: &Uri) -> Result<ContentPath, ApiError> {
        let written = uri.path();
        if written == "/ipns" || written.starts_with("/ipns/") {
            let why = "Names of IPNS are not resolved here; ask for '/ipfs/' and an address.";
            return Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, why));
        }
        let Some(rest) = written.strip_prefix("/ipfs/") else {
            let why = "No such path. The gateway serves '/ipfs/' and an address.";
            return Err(ApiError::new(StatusCode::NOT_FOUND, why));
        };
        let (root, below) = rest.split_once('/').unwrap_or((rest, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Ok(ContentPath {
            root: files::cid(&decoded(root))?,
            below: decoded(below),
            written: written.to_owned(),
            shown: decoded(written),
        })
    }

    /// Whether it is a root alone, without the slash that makes it a place of its own.
    pub(super) fn is_bare_root(&self) -> bool {
        self.written.matches('/').count() == 2
    }

    /// Whether it is written as a directory.
    pub(super) fn is_directory(&self) -> bool {
        self.written.ends_with('/')
    }

    /// The last name of it, where there is one below the root.
    pub(super) fn last_name(&self) -> Option<&str> {
        self.below.rsplit('/').find(|name| !name.is_empty())
    }
}
