//! Found documents, and rows of SQL, sent as they come: `{"status":200,"data":[…]}`.
//!
//! Nothing is sent before it is known whether there is more than one chunk: an early failure has its
//! own status, and a small answer is one body with its length. A failure later on breaks the
//! transfer off, since a well-formed answer with documents missing would be a lie.

use std::fmt::Display;
use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use optimusdb_db::{Documents, Error, SqlAnswer};
use tokio::time::timeout;

use super::answer::DATA_PREFIX;
use super::error::ApiError;
use super::json;
use super::limits::REQUEST_TIMEOUT;

/// Where documents come from; the node's, but for tests.
pub(super) trait ChunkSource: Send + 'static {
    /// The next chunk of comma-joined JSON documents; from the second on it begins with its comma.
    fn next(&mut self) -> impl Future<Output = Option<Result<String, Error>>> + Send;
}

impl ChunkSource for Documents {
    fn next(&mut self) -> impl Future<Output = Option<Result<String, Error>>> + Send {
        Documents::next(self)
    }
}

impl ChunkSource for SqlAnswer {
    fn next(&mut self) -> impl Future<Output = Option<Result<String, Error>>> + Send {
        SqlAnswer::next(self)
    }
}

/// An answer whose text is made where it comes from.
pub(super) async fn text(
    mut source: impl ChunkSource,
    content_type: &'static str,
) -> Result<Response, ApiError> {
    let first = source.next().await.transpose()?.unwrap_or_default();
    let body = match source.next().await.transpose()? {
        None => Body::from(first),
        Some(second) => streamed([first, second].concat(), source, ""),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

/// An array of all `documents`, or None when there is none.
pub(super) async fn array(mut documents: impl ChunkSource) -> Result<Option<Response>, ApiError> {
    let Some(first) = documents.next().await.transpose()? else {
        return Ok(None);
    };
    let Some(second) = documents.next().await.transpose()? else {
        return Ok(Some(json::answer([DATA_PREFIX, "[", &first, "]}\n"].concat())));
    };
    let head = [DATA_PREFIX, "[", &first, &second].concat();
    Ok(Some(json::answer(streamed(head, documents, "]}\n"))))
}

fn streamed(head: String, source: impl ChunkSource, tail: &'static str) -> Body {
    let parts = stream::try_unfold(StreamPart::Head(head, source), move |at| part(at, tail));
    Body::from_stream(parts)
}

/// What comes next in a streamed answer.
enum StreamPart<D> {
    Head(String, D),
    Chunk(D),
    End,
}

async fn part<D: ChunkSource>(
    part: StreamPart<D>,
    tail: &'static str,
) -> io::Result<Option<(Bytes, StreamPart<D>)>> {
    match part {
        StreamPart::Head(head, documents) => {
            Ok(Some((Bytes::from(head), StreamPart::Chunk(documents))))
        }
        StreamPart::Chunk(mut documents) => {
            match timeout(REQUEST_TIMEOUT, documents.next()).await {
                Ok(Some(Ok(chunk))) => Ok(Some((Bytes::from(chunk), StreamPart::Chunk(documents)))),
                Ok(None) => Ok(Some((Bytes::from_static(tail.as_bytes()), StreamPart::End))),
                Ok(Some(Err(error))) => Err(broken_off(&error)),
                Err(elapsed) => Err(broken_off(&elapsed)),
            }
        }
        StreamPart::End => Ok(None),
    }
}

fn broken_off(error: &dyn Display) -> io::Error {
    tracing::error!(%error, "an answer was broken off: it could not be read to the end");
    io::Error::other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::IntoIter;

    struct Given(IntoIter<Result<String, Error>>);

    impl ChunkSource for Given {
        async fn next(&mut self) -> Option<Result<String, Error>> {
            self.0.next()
        }
    }

    fn chunks(chunks: &[Result<&str, &str>]) -> Given {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|chunk| chunk.map(str::to_owned).map_err(|error| Error::Corrupt(error.to_owned())))
            .collect();
        Given(chunks.into_iter())
    }

    async fn body(response: Response) -> Result<String, axum::Error> {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn has_length(response: &Response) -> bool {
        use axum::body::HttpBody;
        response.body().size_hint().exact().is_some()
    }

    #[tokio::test]
    async fn nothing_found_is_the_callers_to_word() {
        assert!(array(chunks(&[])).await.ok().unwrap().is_none());
    }

    #[tokio::test]
    async fn one_chunk_is_one_body() {
        let response = array(chunks(&[Ok("{},{}")])).await.ok().unwrap().unwrap();
        assert!(has_length(&response));
        assert_eq!(body(response).await.unwrap(), "{\"status\":200,\"data\":[{},{}]}\n");
    }

    #[tokio::test]
    async fn more_chunks_are_streamed_in_order() {
        let response = array(chunks(&[Ok("1,2"), Ok(",3"), Ok(",4,5"), Ok(",6")]))
            .await
            .ok()
            .unwrap()
            .unwrap();
        assert!(!has_length(&response));
        assert_eq!(body(response).await.unwrap(), "{\"status\":200,\"data\":[1,2,3,4,5,6]}\n");
    }

    #[tokio::test]
    async fn early_failures_have_their_status_and_later_ones_break_the_transfer() {
        for early in [vec![Err("broken")], vec![Ok("1"), Err("broken")]] {
            assert_eq!(array(chunks(&early)).await.err().unwrap().message(), "broken");
        }
        let late = array(chunks(&[Ok("1"), Ok(",2"), Err("broken")])).await.ok().unwrap().unwrap();
        assert!(body(late).await.is_err());
    }
}
