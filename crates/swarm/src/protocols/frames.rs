//! Frames: an unsigned varint of a length, and so many bytes. Our protocols of requests and answers use them.

use std::io;

use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a varint that can say a length within any limit.
const LENGTH_BYTES_MAX: usize = 4;

/// Bytes that are set aside for a frame before it arrives.
const READ_BYTES: usize = 64 * 1024;

pub(crate) async fn write_frame(to: &mut (impl AsyncWrite + Unpin), body: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(LENGTH_BYTES_MAX + body.len());
    let mut length = body.len();
    while length >= 0x80 {
        frame.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    frame.push(length as u8);
    frame.extend_from_slice(body);
    to.write_all(&frame).await?;
    to.flush().await
}

/// The next frame of at most `bytes_max` bytes; `None` where the stream ends between two. Memory grows
/// with what arrives, not with what is promised.
pub(crate) async fn read_frame(
    from: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> io::Result<Option<Vec<u8>>> {
    match begin_frame(from).await? {
        Some(first) => end_frame(from, first, bytes_max).await.map(Some),
        None => Ok(None),
    }
}

/// The first byte of the next frame. Until it comes, nothing is kept of the stream.
pub(crate) async fn begin_frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<u8>> {
    let mut first = [0];
    Ok((from.read(&mut first).await? > 0).then_some(first[0]))
}

/// The frame that begins with `first`.
pub(crate) async fn end_frame(
    from: &mut (impl AsyncRead + Unpin),
    first: u8,
    bytes_max: usize,
) -> io::Result<Vec<u8>> {
    let invalid = |why: &'static str| io::Error::new(io::ErrorKind::InvalidData, why);
    let (mut byte, mut length) = ([first], 0_usize);
    for place in 0..=LENGTH_BYTES_MAX {
        if place > 0 {
            from.read_exact(&mut byte).await?;
        }
        if place == LENGTH_BYTES_MAX || (place > 0 && byte[0] == 0) {
            return Err(invalid("a length that is none"));
        }
        length |= usize::from(byte[0] & 0x7f) << (7 * place);
        if byte[0] < 0x80 {
            break;
        }
    }
    if length > bytes_max {
        return Err(invalid("a frame over the limit"));
    }
    let mut body = Vec::with_capacity(length.min(READ_BYTES));
    from.take(length as u64).read_to_end(&mut body).await?;
    if body.len() == length { Ok(body) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use libp2p::futures::io::Cursor;

    use super::*;
    use crate::limits::SYNC_FRAME_BYTES_MAX;

    #[tokio::test]
    async fn frames_come_back() {
        for size in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let mut bytes = Vec::new();
            write_frame(&mut Cursor::new(&mut bytes), &vec![7; size]).await.unwrap();
            let mut from = Cursor::new(bytes);
            let read = read_frame(&mut from, SYNC_FRAME_BYTES_MAX).await.unwrap();
            assert_eq!(read, Some(vec![7; size]));
            assert_eq!(read_frame(&mut from, SYNC_FRAME_BYTES_MAX).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn other_bytes_are_errors() {
        let over = SYNC_FRAME_BYTES_MAX + 1;
        let over =
            [over & 0x7f | 0x80, over >> 7 & 0x7f | 0x80, over >> 14 & 0x7f | 0x80, over >> 21];
        for (bytes, kind) in [
            (over.map(|byte| byte as u8).to_vec(), io::ErrorKind::InvalidData),
            (vec![0xff; 9], io::ErrorKind::InvalidData),
            (vec![0x80, 0], io::ErrorKind::InvalidData),
            (vec![0x80], io::ErrorKind::UnexpectedEof),
            (vec![5, 1, 2], io::ErrorKind::UnexpectedEof),
        ] {
            let read = read_frame(&mut Cursor::new(&bytes), SYNC_FRAME_BYTES_MAX).await;
            assert_eq!(read.unwrap_err().kind(), kind, "{bytes:?}");
        }
    }
}
