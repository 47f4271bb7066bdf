//! Bodies that were not read before the answer.
//!
//! An answer may come before the body was read: there is no such path, the token is wrong, the body is
//! too large. Most clients send all of the body before they read the answer. If the server closed the
//! connection at once, they would see a broken pipe and no answer; if it kept it, the rest of the body
//! would be taken for the next request. So the rest is read and thrown away, within bounds, before the
//! answer is sent. A rest beyond these bounds makes the answer say `Connection: close`, and `hang_up`
//! reads on for a while after it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, header};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::limits::{
    DISCARD_BYTES_MAX, DISCARD_PAUSE_MAX, DISCARD_TIMEOUT, HANG_UP_BUFFER_BYTES, HANG_UP_BYTES_MAX,
    HANG_UP_PAUSE_MAX, HANG_UP_TIMEOUT,
};

/// Answers a request with `handle`, and reads the rest of the body that it leaves.
pub(crate) async fn answer_whole<F>(
    request: Request<Incoming>,
    handle: impl FnOnce(Request<Body>) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    if request.body().is_end_stream() {
        return handle(request.map(Body::new)).await;
    }
    let expects = request.headers().get(header::EXPECT);
    let expects = expects.is_some_and(|what| what.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let left = Arc::new(Mutex::new(None));
    let lend =
        |body| Body::new(LentBody { body: Some(body), touched: false, left: Arc::clone(&left) });
    let mut response = handle(request.map(lend)).await;
    let unread = left.lock().unwrap_or_else(PoisonError::into_inner).take();
    let usable = match unread {
        // Read to its end, or still being read.
        None => true,
        // Asked for leave to send and was not given it: whether it sends all the same, nobody knows.
        Some(Left { touched: false, .. }) if expects => false,
        Some(Left { body, .. }) => take_rest(body).await,
    };
    if !usable {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads and forgets the rest of a body; true when it came to its end within the bounds.
async fn take_rest(mut body: Incoming) -> bool {
    // What has a length is not begun where it cannot be ended.
    if body.size_hint().lower() > DISCARD_BYTES_MAX {
        return false;
    }
    let taking = async {
        let mut taken = 0;
        while !body.is_end_stream() && taken <= DISCARD_BYTES_MAX {
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
            match timeout(DISCARD_PAUSE_MAX, frame).await {
                Ok(None) => return true,
                Ok(Some(Ok(frame))) => taken += frame.data_ref().map_or(0, Bytes::len) as u64,
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
        body.is_end_stream()
    };
    timeout(DISCARD_TIMEOUT, taking).await.unwrap_or(false)
}

/// Ends a connection: says that nothing more comes, and takes what the client still sends, within
/// bounds, so that the system does not reset the connection before the client has read its answer. A
/// client that has hung up ends it at once, and so does `shutdown`.
pub(super) async fn hang_up<S>(mut stream: S, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if stream.shutdown().await.is_err() {
        return;
    }
    let taking = async {
        let mut buffer = vec![0; HANG_UP_BUFFER_BYTES];
        let mut taken = 0;
        while taken < HANG_UP_BYTES_MAX {
            match timeout(HANG_UP_PAUSE_MAX, stream.read(&mut buffer)).await {
                Ok(Ok(read @ 1..)) => taken += read as u64,
                _ => break,
            }
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        _ = timeout(HANG_UP_TIMEOUT, taking) => {}
    }
}

/// A body that a handler reads from; the rest that it does not read goes into `left`.
struct LentBody {
    body: Option<Incoming>,
    touched: bool,
    left: Arc<Mutex<Option<Left>>>,
}

/// A body that was not read to its end.
struct Left {
    body: Incoming,
    /// Whether anybody asked for any of it: a client that waits for leave to send has got it then.
    touched: bool,
}

impl HttpBody for LentBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.touched = true;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for LentBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            let left = Left { body, touched: self.touched };
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
        }
    }
}
