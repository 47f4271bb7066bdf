//! A stream on its way to a thread that may wait for the disk.
//!
//! Whoever sends is held back by a short queue. The thread ends when everything came, when it has
//! to give up, and when who sends hangs up: then it has no outcome, and leaves nothing.

use crate::error::Error;
use crate::limits::ADD_QUEUE_CHUNKS;
use tokio::sync::{mpsc, oneshot};

/// The near end.
#[derive(Debug)]
pub(super) struct Feed<S, T> {
    steps: mpsc::Sender<S>,
    outcome: oneshot::Receiver<Result<T, Error>>,
}

impl<S: Send + 'static, T: Send + 'static> Feed<S, T> {
    /// Starts the thread. `work` takes what comes, and has an outcome unless the sender hung up.
    pub(super) fn start(
        work: impl FnOnce(mpsc::Receiver<S>) -> Result<Option<T>, Error> + Send + 'static,
    ) -> Result<Feed<S, T>, Error> {
        let (steps, received) = mpsc::channel(ADD_QUEUE_CHUNKS);
        let (reply, outcome) = oneshot::channel();
        std::thread::Builder::new()
            .name("add".into())
            .spawn(move || {
                if let Some(outcome) = work(received).transpose() {
                    // Who no longer waits has hung up; what is added stays.
                    let _ = reply.send(outcome);
                }
            })
            .map_err(|e| Error::Internal(format!("a thread for files did not start: {e}")))?;
        Ok(Feed { steps, outcome })
    }

    /// Hands a step over.
    ///
    /// # Errors
    /// Why the thread has given up.
    pub(super) async fn send(&mut self, step: S) -> Result<(), Error> {
        if self.steps.send(step).await.is_ok() {
            return Ok(());
        }
        match (&mut self.outcome).await {
            Ok(Err(error)) => Err(error),
            _ => Err(ended()),
        }
    }

    /// Hands the last step over, and waits for the outcome.
    pub(super) async fn finish(mut self, step: S) -> Result<T, Error> {
        self.send(step).await?;
        self.outcome.await.map_err(|_| ended())?
    }
}

fn ended() -> Error {
    Error::Internal("a thread for files ended".into())
}
