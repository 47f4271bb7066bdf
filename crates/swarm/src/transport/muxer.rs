//! Yamux with frames as large as a stream's first window, and with streams that end when their
//! connection is closed.
//!
//! libp2p's own wrapper cuts every write at 16 KiB. Readers exist that take a frame for a message
//! (the heads exchange of OrbitDB in JavaScript does), so a head must go in one frame.
//!
//! When a connection breaks, Yamux tells its streams; when this node closes one, Yamux does not. But
//! this node closes connections whose peer has gone silent, and a task that waits for that peer on a
//! stream, or serves it on one, must learn of it at once and not by a timeout of its own. Nor may
//! the close itself wait for such a peer to take what was still on its way.
//!
//! Apart from that, and from tighter limits, this does what that wrapper does.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::futures::channel::oneshot;
use libp2p::futures::future::{self, FusedFuture, FutureExt, Ready, Shared};
use libp2p::futures::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};

use crate::limits::{
    CLOSE_TIMEOUT, FRAME_BYTES_MAX, RECEIVE_WINDOW_BYTES_MAX, STREAMS_PER_CONNECTION_MAX,
};

/// Upgrades a secured connection to a multiplexed one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Yamux;

impl Yamux {
    fn connection<C>(io: C, mode: yamux::Mode) -> Muxer<C>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let mut config = yamux::Config::default();
        config
            .set_max_num_streams(STREAMS_PER_CONNECTION_MAX)
            .set_max_connection_receive_window(Some(RECEIVE_WINDOW_BYTES_MAX))
            .set_split_send_size(FRAME_BYTES_MAX);
        let (open, closed) = oneshot::channel();
        Muxer {
            connection: yamux::Connection::new(io, config, mode),
            waiting: VecDeque::new(),
            waker: None,
            open: Some(open),
            closed: closed.shared(),
            closing: None,
        }
    }
}

impl UpgradeInfo for Yamux {
    type Info = &'static str;
    type InfoIter = iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C> InboundConnectionUpgrade<C> for Yamux
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, io: C, _: Self::Info) -> Self::Future {
        future::ready(Ok(Yamux::connection(io, yamux::Mode::Server)))
    }
}

impl<C> OutboundConnectionUpgrade<C> for Yamux
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, io: C, _: Self::Info) -> Self::Future {
        future::ready(Ok(Yamux::connection(io, yamux::Mode::Client)))
    }
}

/// A multiplexed connection.
pub(crate) struct Muxer<C> {
    connection: yamux::Connection<C>,
    /// Streams that arrived while only progress was asked for. Yamux makes progress by accepting.
    waiting: VecDeque<Stream>,
    waker: Option<Waker>,
    /// Dropped when the connection is closed, which resolves `closed`.
    open: Option<oneshot::Sender<Infallible>>,
    closed: Closed,
    /// When a close that has not ended is given up.
    closing: Option<Pin<Box<Sleep>>>,
}

/// Resolves when the connection is closed. Each clone wakes one task.
type Closed = Shared<oneshot::Receiver<Infallible>>;

impl<C> Muxer<C>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        Poll::Ready(match ready!(self.connection.poll_next_inbound(cx)) {
            Some(stream) => stream.map(|stream| self.stream(stream)).map_err(into_io),
            None => Err(into_io(yamux::ConnectionError::Closed)),
        })
    }

    fn stream(&self, inner: yamux::Stream) -> Stream {
        Stream { inner, read_closed: self.closed.clone(), write_closed: self.closed.clone() }
    }
}

impl<C> StreamMuxer for Muxer<C>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    type Substream = Stream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        if let Some(stream) = self.waiting.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        if let Poll::Ready(stream) = self.poll_next(cx) {
            return Poll::Ready(stream);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let stream = ready!(self.connection.poll_new_outbound(cx)).map_err(into_io)?;
        Poll::Ready(Ok(self.stream(stream)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open = None;
        if let Poll::Ready(closed) = self.connection.poll_close(cx) {
            return Poll::Ready(closed.map_err(into_io));
        }
        let closing = self.closing.get_or_insert_with(|| Box::pin(sleep(CLOSE_TIMEOUT)));
        closing.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        let stream = ready!(self.poll_next(cx))?;
        // Beyond the limit the stream is dropped, which resets it.
        if self.waiting.len() < STREAMS_PER_CONNECTION_MAX {
            self.waiting.push_back(stream);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
        // Others get a turn before the next stream is accepted.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A stream that ends with its connection.
pub(crate) struct Stream {
    inner: yamux::Stream,
    /// One for each task that may wait.
    read_closed: Closed,
    write_closed: Closed,
}

/// What a stream answers, unless that is to wait and its connection is closed.
fn unless_closed<T>(
    polled: Poll<io::Result<T>>,
    closed: &mut Closed,
    cx: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    if polled.is_pending() && (closed.is_terminated() || closed.poll_unpin(cx).is_ready()) {
        return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
    }
    polled
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_read(cx, into);
        unless_closed(polled, &mut self.read_closed, cx)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, from);
        unless_closed(polled, &mut self.write_closed, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        unless_closed(polled, &mut self.write_closed, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_close(cx);
        unless_closed(polled, &mut self.write_closed, cx)
    }
}

fn into_io(error: yamux::ConnectionError) -> io::Error {
    match error {
        yamux::ConnectionError::Io(error) => error,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::muxing::StreamMuxerExt;
    use libp2p::futures::future::poll_fn;
    use libp2p::futures::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    /// The other end of a wire that nobody reads: it takes so many bytes and no more.
    struct Silent {
        bytes_left: usize,
    }

    impl AsyncRead for Silent {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Silent {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            from: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = from.len().min(self.bytes_left);
            self.bytes_left -= taken;
            if taken == 0 { Poll::Pending } else { Poll::Ready(Ok(taken)) }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A task on a stream of a silent peer waits no longer than the connection stands, and the
    /// connection waits only a moment for what the peer does not take.
    #[tokio::test(start_paused = true)]
    async fn streams_end_when_their_connection_is_closed() {
        for bytes_left in [usize::MAX, 100] {
            let mut muxer = Yamux::connection(Silent { bytes_left }, yamux::Mode::Client);
            let mut stream = poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await.unwrap();
            stream.write_all(&[1; 10_000]).await.unwrap();
            let reading = tokio::spawn(async move {
                assert!(stream.read(&mut [0; 10]).await.is_err());
                // What is asked afterwards is answered, too.
                assert!(stream.read(&mut [0; 10]).await.is_err());
            });
            // The reader waits by then, and the wire has what it takes.
            poll_fn(|cx| {
                assert!(muxer.poll_unpin(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            tokio::task::yield_now().await;
            assert!(!reading.is_finished());
            let closed = timeout(2 * CLOSE_TIMEOUT, muxer.close()).await.unwrap();
            assert_eq!(closed.is_ok(), bytes_left == usize::MAX);
            timeout(CLOSE_TIMEOUT, reading).await.unwrap().unwrap();
        }
    }
}
