//! The first bytes of a TCP connection: whether the two ends can understand each other at all.
//!
//! libp2p begins every connection, from both ends, with the same line, and a swarm key encrypts it.
//! So the first byte nearly always tells whether the other end has the same key, and the whole line
//! tells it for sure. Without this look, a wrong key would show as nonsense at one end, and as silence
//! until a timeout at the other.
//!
//! The end that was dialled speaks second. When it cannot understand the other, it sends its line all
//! the same before it hangs up, so that the other end knows at once, too.
//!
//! What comes after the line is not looked at.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use libp2p::futures::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};

use crate::limits::{DRAINED_BYTES_MAX, FAREWELL_GRACE};

/// How libp2p begins (multistream-select 1.0): the length of a line, and the line.
const LINE: &[u8] = b"\x13/multistream/1.0.0\n";

/// Why the other end cannot be understood, as far as can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// Both ends should have a swarm key, and the line is not what comes out.
    Unreadable,
    /// It speaks plainly, where a swarm key should encrypt.
    Plain,
    /// There is no swarm key here, and the line is not what comes.
    Nonsense,
}

/// All that a stranger can be.
const STRANGERS: [Stranger; 3] = [Stranger::Unreadable, Stranger::Plain, Stranger::Nonsense];

impl Stranger {
    fn text(self) -> &'static str {
        match self {
            Stranger::Unreadable => {
                "what it sends cannot be read with this node's swarm key: \
                 its key is another one, or it is no libp2p host"
            }
            Stranger::Plain => "it has no swarm key, and this node has one",
            Stranger::Nonsense => {
                "what it sends is not how libp2p begins: \
                 it has a swarm key and this node has none, or it is no libp2p host"
            }
        }
    }

    /// The stranger that the reason of a failed connection tells of. Of the error only the text comes
    /// up here.
    pub(crate) fn of(reason: &str) -> Option<Stranger> {
        STRANGERS.into_iter().find(|stranger| reason.contains(stranger.text()))
    }

    /// Whether it may be due to the swarm key of this node.
    pub(crate) fn is_about_our_key(self) -> bool {
        self != Stranger::Nonsense
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Stranger {}

/// A connection whose first bytes are looked at.
pub(crate) struct Opening<S> {
    io: S,
    /// The stranger that is there if the first bytes are not the expected ones.
    otherwise: Stranger,
    /// Bytes of the line that came.
    came: usize,
    decided: bool,
    wrote: bool,
    /// Once there is a stranger.
    farewell: Option<Farewell>,
}

/// How far the goodbye to a stranger is.
struct Farewell {
    /// Bytes of our line that are written.
    written: usize,
    closed: bool,
    /// Bytes that were read since, and thrown away.
    drained: usize,
    until: Pin<Box<Sleep>>,
}

impl<S> Opening<S> {
    fn new(io: S, otherwise: Stranger) -> Opening<S> {
        Opening { io, otherwise, came: 0, decided: false, wrote: false, farewell: None }
    }

    /// A connection of a swarm without a key.
    pub(crate) fn plain(io: S) -> Opening<S> {
        Opening::new(io, Stranger::Nonsense)
    }

    /// What a connection of a swarm with a key carries, decrypted.
    pub(crate) fn decrypted(io: S) -> Opening<S> {
        Opening::new(io, Stranger::Unreadable)
    }

    /// What a connection of a swarm with a key carries as it is. It begins with random bytes.
    pub(crate) fn encrypted(io: S) -> Opening<S> {
        Opening::new(io, Stranger::Plain)
    }

    /// Looks at what came. True if all is well so far.
    fn look(&mut self, bytes: &[u8]) -> bool {
        let expected = &LINE[self.came..];
        let compared = expected.len().min(bytes.len());
        let same = bytes[..compared] == expected[..compared];
        self.came += compared;
        let complete = same && self.came == LINE.len();
        self.decided = complete || !same;
        match self.otherwise {
            Stranger::Plain => !complete,
            Stranger::Unreadable | Stranger::Nonsense => same,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Opening<S> {
    /// Says the line to a stranger who waits for it, and hangs up: not before the stranger does, or
    /// [`FAREWELL_GRACE`] is over. A connection that ends with something unread is reset, and the
    /// reset may overtake the line.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let error = || io::Error::new(io::ErrorKind::InvalidData, self.otherwise);
        let Some(farewell) = self.farewell.as_mut() else {
            return Poll::Ready(error());
        };
        if farewell.until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(error());
        }
        let mut io = Pin::new(&mut self.io);
        while farewell.written < LINE.len() {
            match ready!(io.as_mut().poll_write(cx, &LINE[farewell.written..])) {
                Ok(count) if count > 0 => farewell.written += count,
                _ => return Poll::Ready(error()),
            }
        }
        if !farewell.closed {
            let _ = ready!(io.as_mut().poll_close(cx));
            farewell.closed = true;
        }
        let mut drained = [0; 256];
        while farewell.drained < DRAINED_BYTES_MAX {
            match ready!(io.as_mut().poll_read(cx, &mut drained)) {
                Ok(count) if count > 0 => farewell.drained += count,
                _ => break,
            }
        }
        Poll::Ready(error())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.farewell.is_some() {
            return self.poll_farewell(cx).map(Err);
        }
        let count = ready!(Pin::new(&mut self.io).poll_read(cx, into))?;
        if self.decided || self.look(&into[..count]) {
            return Poll::Ready(Ok(count));
        }
        self.farewell = Some(Farewell {
            // The end that spoke first, or that encrypts, sends no line.
            written: if self.wrote { LINE.len() } else { 0 },
            closed: false,
            drained: 0,
            until: Box::pin(sleep(FAREWELL_GRACE)),
        });
        self.poll_farewell(cx).map(Err)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wrote = true;
        Pin::new(&mut self.io).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_may_come_in_pieces_and_anything_may_follow_it() {
        for make in [Opening::plain, Opening::decrypted] {
            let mut opening = make(());
            assert!(opening.look(b"") && opening.look(b"\x13/multi"));
            assert!(!opening.decided);
            assert!(opening.look(b"stream/1.0.0\n\x07/noise\n") && opening.decided);
        }
        for nonsense in [&b"GET / HTTP/1.1\r\n"[..], b"\x13/multistream/2.0.0\n", b"\x00"] {
            assert!(!Opening::plain(()).look(nonsense), "{nonsense:?}");
        }
    }

    #[test]
    fn below_a_swarm_key_the_line_must_not_come() {
        let mut opening = Opening::encrypted(());
        assert!(opening.look(&[0x13, 0x2f, 0xff]) && opening.decided);
        let mut opening = Opening::encrypted(());
        assert!(opening.look(&LINE[..10]) && !opening.decided);
        assert!(!opening.look(&LINE[10..]));
    }

    #[test]
    fn a_stranger_is_found_in_the_reason_and_nobody_else_is_one() {
        for stranger in STRANGERS {
            assert_eq!(Stranger::of(&format!("Handshake failed: {stranger}")), Some(stranger));
        }
        for other in ["", "Connection reset by peer (os error 104)", "Timeout has been reached"] {
            assert_eq!(Stranger::of(other), None);
        }
    }
}
