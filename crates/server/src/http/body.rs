//! Request bodies: read with a size limit, a deadline and a share of the memory for bodies.
//!
//! A small body costs nothing beyond itself: one that arrives in one piece is not even copied. One
//! above [`BODY_FREE_BYTES`] takes room as its bytes come, so that clients together cannot fill the memory, and
//! a client that stops in the middle holds no more than it sent. Where no room is left, one body after the
//! other comes to its end in a room of its own, so that no two wait for each other half read. Content types
//! are not looked at.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use optimusdb_db::{Error, reason};

use super::coding;
use super::error::ApiError;
use super::limits::{
    BODIES_BYTES_MAX, BODY_BYTES_MAX, BODY_FREE_BYTES, BODY_PAUSE_MAX, BODY_READ_TIMEOUT,
    BODY_ROOM_STEP_BYTES, GIVEN_BACK_BYTES_MIN, HELD_PER_PARSED_BYTES, PARSED_BESIDE_BYTES_MAX,
    PARSED_BYTES_MAX, PARSED_TOGETHER_BYTES_MAX, WEIGHED_BYTES_MIN,
};
use super::weight::parsed_bytes;
use crate::allocator;

/// A body that was read whole. Its share of the memory for bodies is held as long as it lives.
pub(super) struct ReceivedBody {
    /// The bytes, without a content coding.
    pub(super) bytes: Bytes,
    /// The share of the memory, for large bodies.
    pub(super) room: BodyRoom,
}

/// A share of the memory for bodies; given back when dropped.
#[derive(Default)]
pub(super) struct BodyRoom {
    shared: Option<OwnedSemaphorePermit>,
    /// The room in which a body comes to its end however long it is.
    last: Option<OwnedSemaphorePermit>,
}

impl BodyRoom {
    /// How many bytes it is for, beside those that need none.
    fn bytes(&self) -> usize {
        match (&self.last, &self.shared) {
            (Some(_), _) => BODY_BYTES_MAX,
            (None, Some(shared)) => shared.num_permits() * 1024,
            (None, None) => 0,
        }
    }
}

impl Drop for BodyRoom {
    fn drop(&mut self) {
        if self.bytes() >= GIVEN_BACK_BYTES_MIN {
            allocator::give_back();
        }
    }
}

/// Reads bodies; one for the whole API, as the memory is shared.
#[derive(Clone)]
pub(super) struct BodyReader {
    pub(super) kib_free: Arc<Semaphore>,
    last_free: Arc<Semaphore>,
    parsed_kib_free: Arc<Semaphore>,
    parsed_large_free: Arc<Semaphore>,
}

impl BodyReader {
    /// A reader with all its memory free.
    pub(super) fn new() -> Self {
        BodyReader {
            kib_free: Arc::new(Semaphore::new((BODIES_BYTES_MAX - BODY_BYTES_MAX) / 1024)),
            last_free: Arc::new(Semaphore::new(1)),
            parsed_kib_free: Arc::new(Semaphore::new(PARSED_TOGETHER_BYTES_MAX / 1024)),
            parsed_large_free: Arc::new(Semaphore::new(1)),
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
            return Ok(BodyRoom::default());
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
        let held = bytes * HELD_PER_PARSED_BYTES;
        let waiting = async {
            if held > PARSED_BESIDE_BYTES_MAX {
                let last = Arc::clone(&self.parsed_large_free).acquire_owned().await?;
                return Ok::<_, AcquireError>(BodyRoom { shared: None, last: Some(last) });
            }
            let kib = u32::try_from(held.div_ceil(1024)).unwrap_or(u32::MAX);
            let shared = Arc::clone(&self.parsed_kib_free).acquire_many_owned(kib).await?;
            Ok(BodyRoom { shared: Some(shared), last: None })
        };
        match timeout(BODY_READ_TIMEOUT, waiting).await {
            Ok(Ok(room)) => Ok(room),
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
        let first = next(&mut stream).await?.unwrap_or_default();
        if declared == Some(first.len() as u64) {
            return Ok(ReceivedBody { bytes: first, room: BodyRoom::default() });
        }
        let mut room = BodyRoom::default();
        let mut bytes = BytesMut::with_capacity(declared_capacity(declared));
        bytes.extend_from_slice(&first);
        while let Some(chunk) = next(&mut stream).await? {
            let length = bytes.len() + chunk.len();
            if length > BODY_BYTES_MAX {
                return Err(too_large());
            }
            while length > BODY_FREE_BYTES + room.bytes() {
                self.widen(&mut room).await?;
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(ReceivedBody { bytes: bytes.freeze(), room })
    }

    /// Takes room for some more bytes, or the last room of all.
    async fn widen(&self, room: &mut BodyRoom) -> Result<(), ApiError> {
        let step = u32::try_from(BODY_ROOM_STEP_BYTES / 1024).unwrap_or(u32::MAX);
        let (shared, last) = (Arc::clone(&self.kib_free), Arc::clone(&self.last_free));
        let closed = |_| ApiError::internal("the memory for bodies was closed");
        tokio::select! {
            biased;
            permit = shared.acquire_many_owned(step) => {
                let permit = permit.map_err(closed)?;
                match &mut room.shared {
                    Some(shared) => shared.merge(permit),
                    None => room.shared = Some(permit),
                }
            }
            permit = last.acquire_owned() => room.last = Some(permit.map_err(closed)?),
        }
        Ok(())
    }
}

/// The next piece of a body; 408 when none comes for too long.
async fn next(stream: &mut BodyDataStream) -> Result<Option<Bytes>, ApiError> {
    match timeout(BODY_PAUSE_MAX, stream.next()).await {
        Ok(chunk) => chunk.transpose().map_err(broken_off),
        Err(_elapsed) => Err(ApiError::client_timed_out(format!(
            "Nothing of the request body came for {} s.",
            BODY_PAUSE_MAX.as_secs()
        ))),
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

    const SHARED_KIB: usize = (BODIES_BYTES_MAX - BODY_BYTES_MAX) / 1024;

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
        assert_eq!(reader.kib_free.available_permits(), SHARED_KIB - BODY_BYTES_MAX / 1024);
        drop(exact);
        assert_eq!(reader.kib_free.available_permits(), SHARED_KIB);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_stop_hold_what_they_sent_and_the_others_come_to_their_end() {
        let reader = BodyReader::new();
        let stopped = || {
            let sent = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 70_000]))]);
            Body::from_stream(sent.chain(stream::pending()))
        };
        let mut held: Vec<_> = (0..200)
            .map(|_| {
                let reader = reader.clone();
                tokio::spawn(
                    async move { reader.read(&declaring(BODY_BYTES_MAX), stopped()).await },
                )
            })
            .collect();
        tokio::task::yield_now().await;
        // Others do not wait for them.
        let honest = reader.read(&declaring(100_000), chunked(2, 50_000)).await.ok().unwrap();
        assert_eq!(honest.bytes.len(), 100_000);
        drop(honest);
        // And none waits for room that another half of a body has.
        let all = (0..20).map(|_| async {
            let body = reader.read(&HeaderMap::new(), chunked(64, BODY_BYTES_MAX / 64)).await;
            body.ok().unwrap().bytes.len()
        });
        let lengths = futures_util::future::join_all(all).await;
        assert!(lengths.iter().all(|length| *length == BODY_BYTES_MAX), "{lengths:?}");
        for stopped in held.drain(..) {
            let refusal = stopped.await.unwrap().err().unwrap();
            assert_eq!(refusal.into_response().status(), 408);
        }
        assert_eq!(reader.kib_free.available_permits(), SHARED_KIB);
    }

    #[tokio::test(start_paused = true)]
    async fn puts_of_very_many_documents_are_parsed_one_after_the_other() {
        let reader = BodyReader::new();
        let many = r#"{"_id":"k","n":1},"#.repeat(99_000);
        let first = reader.room_to_parse(many.as_bytes()).await.ok().unwrap();
        // Others go on beside it, also while the next one waits.
        let next = tokio::spawn({
            let (reader, many) = (reader.clone(), many.clone());
            async move { reader.room_to_parse(many.as_bytes()).await.is_ok() }
        });
        tokio::task::yield_now().await;
        let fewer = &many[..many.len() / 10];
        drop(reader.room_to_parse(fewer.as_bytes()).await.ok().unwrap());
        let refusal = reader.room_to_parse(many.as_bytes()).await.err().unwrap();
        assert_eq!(refusal.into_response().status(), 503);
        assert!(!next.await.unwrap());
        drop(first);
        reader.room_to_parse(many.as_bytes()).await.ok().unwrap();
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
