//! Bodies that come compressed (`Content-Encoding`, RFC 9110): taken apart while they are read.
//!
//! What comes out is a body like any other, with the same limits: nothing is decoded that is not
//! wanted yet, so that a small body which unfolds to a large one is refused as soon as it is over.

use async_compression::futures::bufread::{GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use futures_util::io::{AsyncRead, AsyncReadExt};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::io;

use super::error::ApiError;
use super::limits::{BODY_BYTES_MAX, DECODED_CHUNK_BYTES, ZSTD_WINDOW_BITS_MAX};

/// The codings that are taken, as `Accept-Encoding` says it.
const KNOWN: &str = "gzip, zstd, deflate";

/// The body without its coding, and whether it had one: then its declared length is not that of what
/// comes out. 415 for a coding that is unknown, or several at once.
pub(super) fn decoded(headers: &HeaderMap, body: Body) -> Result<(Body, bool), ApiError> {
    let named: Vec<&[u8]> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"))
        .collect();
    let name = match named.as_slice() {
        [] => return Ok((body, false)),
        [name] => name.to_ascii_lowercase(),
        _ => return Err(unknown(b"several at once")),
    };
    // What unfolds to nothing has an end, too.
    let mut left = BODY_BYTES_MAX;
    let coded = body.into_data_stream().map(move |chunk| {
        let chunk = chunk.map_err(io::Error::other)?;
        let rest = left.checked_sub(chunk.len());
        left = rest.ok_or_else(|| {
            io::Error::other(format!("it has more than {BODY_BYTES_MAX} bytes as it is sent"))
        })?;
        Ok(chunk)
    });
    let coded = Box::pin(coded).into_async_read();
    let plain: Box<dyn AsyncRead + Send + Unpin> = match name.as_slice() {
        b"gzip" | b"x-gzip" => {
            let mut decoder = GzipDecoder::new(coded);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        b"zstd" => {
            let window = DParameter::window_log_max(ZSTD_WINDOW_BITS_MAX);
            let mut decoder = ZstdDecoder::with_params(coded, &[window]);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        b"deflate" => Box::new(ZlibDecoder::new(coded)),
        other => return Err(unknown(other)),
    };
    let chunks = stream::try_unfold((plain, name), |(mut plain, name)| async move {
        // Decoding never waits for long: others are to have their turn, too.
        tokio::task::yield_now().await;
        let mut chunk = vec![0; DECODED_CHUNK_BYTES];
        let length = plain.read(&mut chunk).await.map_err(|error| {
            let name = String::from_utf8_lossy(&name);
            io::Error::other(format!("it cannot be decoded as {name}: {error}"))
        })?;
        chunk.truncate(length);
        Ok::<_, io::Error>((length > 0).then(|| (Bytes::from(chunk), (plain, name))))
    });
    Ok((Body::from_stream(chunks), true))
}

fn unknown(name: &[u8]) -> ApiError {
    let name: String = String::from_utf8_lossy(name).chars().take(20).collect();
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("The Content-Encoding of the body ({name}) is not one of {KNOWN}."),
    )
    .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static(KNOWN))
}

#[cfg(test)]
mod tests {
    use super::super::body::BodyReader;
    use super::super::limits::BODIES_BYTES_MAX;
    use super::*;
    use async_compression::futures::bufread::{GzipEncoder, ZlibEncoder, ZstdEncoder};
    use axum::response::IntoResponse;

    async fn packed(coding: &str, plain: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        match coding {
            "gzip" => GzipEncoder::new(plain).read_to_end(&mut packed).await,
            "zstd" => ZstdEncoder::new(plain).read_to_end(&mut packed).await,
            _ => ZlibEncoder::new(plain).read_to_end(&mut packed).await,
        }
        .unwrap();
        packed
    }

    async fn read(reader: &BodyReader, coding: &str, body: Vec<u8>) -> Result<Bytes, ApiError> {
        let headers = HeaderMap::from_iter([
            (header::CONTENT_ENCODING, coding.parse().unwrap()),
            (header::CONTENT_LENGTH, body.len().into()),
        ]);
        Ok(reader.read(&headers, Body::from(body)).await?.bytes)
    }

    #[tokio::test]
    async fn known_codings_are_taken_off() {
        let reader = BodyReader::new();
        let plain = b"{\"a\":1}".repeat(100_000);
        for coding in ["gzip", "zstd", "deflate"] {
            let body = packed(coding, &plain).await;
            assert_eq!(read(&reader, &coding.to_uppercase(), body).await.ok().unwrap(), plain);
            assert_eq!(read(&reader, coding, packed(coding, b"").await).await.ok().unwrap(), "");
        }
        let twice = [packed("gzip", b"ab").await, packed("gzip", b"cd").await].concat();
        assert_eq!(read(&reader, "x-gzip, identity", twice).await.ok().unwrap(), "abcd");
        assert_eq!(read(&reader, "identity", b"as it is".into()).await.ok().unwrap(), "as it is");
    }

    #[tokio::test]
    async fn what_cannot_be_decoded_is_refused() {
        let reader = BodyReader::new();
        for coding in ["gzip", "zstd", "deflate"] {
            let mut cut = packed(coding, &b"0123456789".repeat(1000)).await;
            cut.truncate(cut.len() - 5);
            for body in [cut, b"{}".to_vec()] {
                let refusal = read(&reader, coding, body).await.unwrap_err();
                let message = refusal.message().to_owned();
                assert!(message.contains(&format!("decoded as {coding}: ")), "{message}");
                assert_eq!(refusal.into_response().status(), 400);
            }
        }
        for coding in ["br", "gzip, gzip", "compress"] {
            let refusal = read(&reader, coding, b"{}".to_vec()).await.unwrap_err().into_response();
            assert_eq!(refusal.status(), 415, "{coding}");
            assert_eq!(refusal.headers()[header::ACCEPT_ENCODING], KNOWN);
        }
    }

    /// Frames of zstd that hold nothing, as many as the client likes.
    #[tokio::test]
    async fn what_unfolds_to_nothing_has_an_end() {
        let empty = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].repeat(BODY_BYTES_MAX / 8 + 1);
        let chunks = empty.chunks(64 * 1024).map(|chunk| Ok::<_, io::Error>(chunk.to_vec()));
        let body = Body::from_stream(stream::iter(chunks.collect::<Vec<_>>()));
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, "zstd".parse().unwrap())]);
        let refusal = BodyReader::new().read(&headers, body).await.err().unwrap();
        assert!(refusal.message().contains("as it is sent"), "{}", refusal.message());
    }

    /// What it unfolds to counts, and is never made.
    #[tokio::test]
    async fn a_bomb_is_over_the_limit() {
        let reader = BodyReader::new();
        let large = vec![b' '; 4 * BODY_BYTES_MAX];
        for coding in ["gzip", "zstd", "deflate"] {
            let bomb = packed(coding, &large).await;
            assert!(bomb.len() < BODY_BYTES_MAX / 100, "{coding}: {} bytes", bomb.len());
            let refusal = read(&reader, coding, bomb).await.unwrap_err().into_response();
            assert_eq!(refusal.status(), 413, "{coding}");
        }
        let shared = (BODIES_BYTES_MAX - BODY_BYTES_MAX) / 1024;
        assert_eq!(reader.kib_free.available_permits(), shared);
        let exact = packed("zstd", &large[..BODY_BYTES_MAX]).await;
        assert_eq!(read(&reader, "zstd", exact).await.ok().unwrap().len(), BODY_BYTES_MAX);
    }
}
