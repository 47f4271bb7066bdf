//! Writes messages to one peer, over one stream that is opened when there is something to say.
//!
//! The stream stays open while messages follow each other and is closed after
//! [`STREAM_IDLE_MS`] of silence: opening one costs a round trip, and readers that handle one
//! stream per message handle the next message of the same stream just as well.

use std::time::Duration;

use libp2p::futures::AsyncWriteExt;
use libp2p::{PeerId, Stream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::PROTOCOL;
use super::limits::{SEND_TIMEOUT_MS, STREAM_IDLE_MS};
use crate::protocols::streams::{Control, OpenStreamError};

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendOutcome {
    Yes,
    /// The stream failed or took too long.
    No,
    /// The peer does not speak bitswap.
    Unsupported,
}

/// Sends what comes through `messages` until its other end is dropped, and reports each.
pub(super) async fn write(
    peer: PeerId,
    mut control: Control,
    mut messages: mpsc::Receiver<Vec<u8>>,
    report: impl AsyncFn(SendOutcome),
) {
    let mut stream: Option<Stream> = None;
    loop {
        let next = match &stream {
            Some(_) => timeout(Duration::from_millis(STREAM_IDLE_MS), messages.recv()).await,
            None => Ok(messages.recv().await),
        };
        match next {
            Ok(Some(message)) => {
                let sending = send(peer, &mut control, &mut stream, &message);
                let sent = match timeout(Duration::from_millis(SEND_TIMEOUT_MS), sending).await {
                    Ok(Ok(())) => SendOutcome::Yes,
                    Ok(Err(OpenStreamError::UnsupportedProtocol(_))) => SendOutcome::Unsupported,
                    Ok(Err(OpenStreamError::Io(_))) | Err(_) => SendOutcome::No,
                };
                if sent != SendOutcome::Yes {
                    stream = None;
                }
                report(sent).await;
            }
            Ok(None) => return close(stream.take()).await,
            Err(_) => close(stream.take()).await,
        }
    }
}

async fn send(
    peer: PeerId,
    control: &mut Control,
    stream: &mut Option<Stream>,
    message: &[u8],
) -> Result<(), OpenStreamError> {
    if let Some(open) = stream {
        if write_all(open, message).await.is_ok() {
            return Ok(());
        }
        // The peer may have closed the idle stream. A message that arrives twice does no harm.
        *stream = None;
    }
    let open = stream.insert(control.open_stream(peer, PROTOCOL).await?);
    Ok(write_all(open, message).await?)
}

async fn write_all(stream: &mut Stream, message: &[u8]) -> std::io::Result<()> {
    stream.write_all(message).await?;
    stream.flush().await
}

async fn close(stream: Option<Stream>) {
    if let Some(mut stream) = stream {
        // Whether the peer takes note of the end does not matter.
        let _ = timeout(Duration::from_millis(SEND_TIMEOUT_MS), stream.close()).await;
    }
}
