//! Bytes that are sent as they come: all of them, or a part.
//!
//! The first pieces are made before the status line is sent, so what fails at once has a status of its
//! own. A failure later on breaks the transfer off: a short answer that looks whole would be a lie.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use optimusdb_db::{CarStream, Error, FileStream};

use super::error::ApiError;
use super::limits::FIRST_PIECES_BYTES;
use super::range::{self, AskedRange};

/// Where the pieces come from.
pub(crate) trait Pieces: Send + 'static {
    /// The next piece; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Error>> + Send;
}

impl Pieces for FileStream {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        FileStream::next(self).await
    }
}

impl Pieces for CarStream {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        CarStream::next(self).await
    }
}

/// The one piece of what is at hand whole.
impl Pieces for Option<Bytes> {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(self.take())
    }
}

/// A body of these pieces. `held` is kept until the last one is sent, or nobody waits for them.
///
/// # Errors
/// What goes wrong with the first [`FIRST_PIECES_BYTES`].
pub(crate) async fn body<P: Pieces, H: Send + 'static>(
    mut pieces: P,
    held: H,
) -> Result<Body, Error> {
    let (mut first, mut bytes) = (VecDeque::new(), 0);
    while bytes < FIRST_PIECES_BYTES {
        let Some(piece) = pieces.next().await? else { break };
        bytes += piece.len();
        first.push_back(piece);
    }
    Ok(Body::from_stream(stream::try_unfold((first, pieces, held), piece)))
}

type LeftPieces<P, H> = (VecDeque<Bytes>, P, H);

async fn piece<P: Pieces, H>(
    (mut first, mut pieces, held): LeftPieces<P, H>,
) -> io::Result<Option<(Bytes, LeftPieces<P, H>)>> {
    let bytes = match first.pop_front() {
        Some(bytes) => Some(bytes),
        None => pieces.next().await.map_err(|error| {
            tracing::warn!("an answer was broken off: {error}");
            io::Error::other(error.to_string())
        })?,
    };
    Ok(bytes.map(|bytes| (bytes, (first, pieces, held))))
}

/// Which bytes are sent of how many.
#[derive(Debug)]
pub(crate) struct Part {
    /// These.
    pub(crate) range: Range<u64>,
    size: u64,
    status: StatusCode,
}

impl Part {
    /// The part that a request asks for, of what has this tag and size.
    ///
    /// # Errors
    /// 416 when there is no such part.
    pub(crate) fn asked(headers: &HeaderMap, tag: &str, size: u64) -> Result<Part, ApiError> {
        match range::asked(headers, tag, size) {
            AskedRange::Whole => Ok(Part { range: 0..size, size, status: StatusCode::OK }),
            AskedRange::Part(range) => {
                Ok(Part { range, size, status: StatusCode::PARTIAL_CONTENT })
            }
            AskedRange::Nothing => {
                let refusal = ApiError::new(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    format!("There are {size} bytes, and none in the range that was asked for."),
                );
                Err(match HeaderValue::try_from(format!("bytes */{size}")) {
                    Ok(whole) => refusal.with_header(header::CONTENT_RANGE, whole),
                    Err(_) => refusal,
                })
            }
        }
    }

    /// An answer with the bytes of the part.
    pub(crate) fn answer(&self, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, (self.range.end - self.range.start).into());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if self.status == StatusCode::PARTIAL_CONTENT {
            let Range { start, end } = self.range;
            let part = format!("bytes {start}-{}/{}", end.saturating_sub(1), self.size);
            if let Ok(part) = HeaderValue::try_from(part) {
                headers.insert(header::CONTENT_RANGE, part);
            }
        }
        response
    }
}
