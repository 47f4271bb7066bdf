//! The signals that ask a process to stop, and the one that does not.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, caught from construction on. This also makes them work for the first process
/// of a container, which the kernel shields from signals that it does not catch.
///
/// SIGHUP is caught, too: it comes when a terminal closes, or from those who take it for a request
/// to read the settings again. There are none that a running node could change, so it goes on.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Starts to catch.
    ///
    /// # Errors
    ///
    /// The system refuses a handler.
    pub(crate) fn catch() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The name of the next signal that asks to stop.
    pub(crate) async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => tracing::info!(
                    "SIGHUP: the node goes on as it is; settings are read when it starts"
                ),
            }
        }
    }
}
