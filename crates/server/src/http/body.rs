//! Request bodies: read with a size limit, a deadline and a share of the memory for bodies.
//!
//! A small body costs nothing beyond itself: one that arrives in one piece is not even copied. One
//! above [`BODY_FREE_BYTES`] first gets room for its full length, so that clients together cannot
//! fill the memory, and so that no two wait for each other half read. Content types are not looked at.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use optimusdb_db::{Error, reason};

use super::coding;
use super::error::ApiError;
use super::limits::{
    BODIES_BYTES_MAX, BODY_BYTES_MAX, BODY_FREE_BYTES, BODY_READ_TIMEOUT, PARSED_BYTES_MAX,
    PARSED_TOGETHER_BYTES_MAX, WEIGHED_BYTES_MIN,
};
use super::weight::parsed_bytes;

/// A body that was read whole. Its share of the memory for bodies is held as long as it lives.
pub(super) struct ReceivedBody {
    /// The bytes, without a content coding.
    pub(super) bytes: Bytes,
    /// The share of the memory, for large bodies.
    pub(super) room: BodyRoom,
}

/// A share of the memory for bodies; given back when dropped.
pub(super) struct BodyRoom(
    #[allow(dead_code, reason = "held, never read")] Option<OwnedSemaphorePermit>,
);

/// Reads bodies; one for the whole API, as the memory is shared.
#[derive(Clone)]
pub(super) struct BodyReader {
    pub(super) kib_free: Arc<Semaphore>,
    parsed_kib_free: Arc<Semaphore>,
}

impl BodyReader {
    /// A reader with all its memory free.
    pub(super) fn new() -> Self {
        BodyReader {
            kib_free: Arc::new(Semaphore::new(BODIES_BYTES_MAX / 1024)),
            parsed_kib_free: Arc::new(Semaphore::new(PARSED_TOGETHER_BYTES_MAX / 1024)),
        }
    }

    /// Reads a body to its end, without its content coding. 413 above the limit, 408 when it does not
    /// come in time, 400 when the client breaks it off, 415 for an unknown coding. What is left then
    /// is taken from the connection in `unread.rs`.
    pub(super) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<ReceivedBody, ApiError> {
        let (body, coded) = coding::decoded(headers, body)?;
        let declared = declared_length(headers).filter(|_| !coded);
        if declared.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
            return Err(too_large());
        }
        match timeout(BODY_READ_TIMEOUT, self.collect(declared, body.into_data_stream())).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(ApiError::client_timed_out(format!(
                "The request body did not arrive within {} s.",
                BODY_READ_TIMEOUT.as_secs()
            ))),
        }
    }

    /// Room for the values of a JSON body, before they are made. 413 when they are too many.
    pub(super) async fn room_to_parse(&self, json: &[u8]) -> Result<BodyRoom, ApiError> {
        if json.len() < WEIGHED_BYTES_MIN {
            return Ok(BodyRoom(None));
        }
        let bytes = parsed_bytes(json);
        if bytes > PARSED_BYTES_MAX {
            return Err(ApiError::too_large(format!(
                "The values of the request would take about {} MiB of memory, over the limit of {} \
                 MiB; send fewer at a time.",
                bytes / (1024 * 1024),
                PARSED_BYTES_MAX / (1024 * 1024)
            )));
        }
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let waiting = Arc::clone(&self.parsed_kib_free).acquire_many_owned(kib);
        match timeout(BODY_READ_TIMEOUT, waiting).await {
            Ok(Ok(permit)) => Ok(BodyRoom(Some(permit))),
            Ok(Err(_)) | Err(_) => Err(Error::Unavailable(
                "too many large requests are being carried out; try again".to_owned(),
            )
            .into()),
        }
    }

    async fn collect(
        &self,
        declared: Option<u64>,
        mut stream: BodyDataStream,
    ) -> Result<ReceivedBody, ApiError> {
        let first = match stream.next().await {
            None => Bytes::new(),
            Some(chunk) => chunk.map_err(broken_off)?,
        };
        if declared == Some(first.len() as u64) {
            return Ok(ReceivedBody { bytes: first, room: BodyRoom(None) });
        }
        let mut room = None;
        let mut bytes = BytesMut::with_capacity(declared_capacity(declared));
        bytes.extend_from_slice(&first);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(broken_off)?;
            let length = bytes.len() + chunk.len();
            if length > BODY_BYTES_MAX {
                return Err(too_large());
            }
            if length > BODY_FREE_BYTES && room.is_none() {
                room = Some(self.room(declared).await?);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(ReceivedBody { bytes: bytes.freeze(), room: BodyRoom(room) })
    }

    /// Room for the whole of a body: of its declared length, else of the longest possible.
    async fn room(&self, declared: Option<u64>) -> Result<OwnedSemaphorePermit, ApiError> {
        let length = declared.unwrap_or(BODY_BYTES_MAX as u64).min(BODY_BYTES_MAX as u64);
        let kib = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.kib_free).acquire_many_owned(kib).await;
        permit.map_err(|_closed| ApiError::internal("the memory for bodies was closed"))
    }
}

fn broken_off(error: axum::Error) -> ApiError {
    ApiError::bad_request(format!("The request body broke off: {}", reason(&error)))
}

fn too_large() -> ApiError {
    ApiError::too_large(format!(
        "The request body is over the limit of {} MiB ({BODY_BYTES_MAX} bytes).",
        BODY_BYTES_MAX / (1024 * 1024)
    ))
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A declared length is a promise of a stranger: no more memory is set aside for it than is free.
fn declared_capacity(declared: Option<u64>) -> usize {
    usize::try_from(declared.unwrap_or(0)).unwrap_or(BODY_FREE_BYTES).min(BODY_FREE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use futures_util::stream;

    fn chunked(chunks: usize, chunk_bytes: usize) -> Body {
        let chunk = Bytes::from(vec![b'x'; chunk_bytes]);
        Body::from_stream(stream::iter(
            (0..chunks).map(move |_| Ok::<_, std::io::Error>(chunk.clone())),
        ))
    }

    fn declaring(length: usize) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_LENGTH, length.to_string().parse().unwrap())])
    }

    #[tokio::test]
    async fn bodies_up_to_the_limit_are_read_whole() {
        let reader = BodyReader::new();
        let small = reader.read(&declaring(2), Body::from("{}")).await.ok().unwrap();
        assert_eq!(small.bytes, "{}");
        let none = reader.read(&HeaderMap::new(), Body::empty()).await.ok().unwrap();
        assert!(none.bytes.is_empty());

        let exact =
            reader.read(&HeaderMap::new(), chunked(16, BODY_BYTES_MAX / 16)).await.ok().unwrap();
        assert_eq!(exact.bytes.len(), BODY_BYTES_MAX);
        assert_eq!(reader.kib_free.available_permits(), (BODIES_BYTES_MAX - BODY_BYTES_MAX) / 1024);
        drop(exact);
        assert_eq!(reader.kib_free.available_permits(), BODIES_BYTES_MAX / 1024);
    }

    #[tokio::test]
    async fn bodies_above_the_limit_are_refused_whether_declared_or_not() {
        let reader = BodyReader::new();
        let undeclared =
            reader.read(&HeaderMap::new(), chunked(17, BODY_BYTES_MAX / 16)).await.err().unwrap();
        assert_eq!(undeclared.into_response().status(), 413);
        let declared =
            reader.read(&declaring(BODY_BYTES_MAX + 1), Body::empty()).await.err().unwrap();
        assert_eq!(declared.into_response().status(), 413);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_a_bad_request() {
        let broken = Body::from_stream(stream::iter([
            Ok(Bytes::from("{")),
            Err(std::io::Error::other("gone")),
        ]));
        let refusal = BodyReader::new().read(&HeaderMap::new(), broken).await.err().unwrap();
        assert!(refusal.message().contains("broke off"), "{}", refusal.message());
    }
}
