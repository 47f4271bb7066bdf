//! What a node keeps of files, and what it is fetching.

use super::Node;
use crate::clock::now_ms;
use crate::error::Error;
use crate::files::{TransferShown, off_task};
use crate::limits::{FILE_NAME_BYTES_MAX, PIN_ANSWER_MS, PINS_SHOWN_MAX};
use optimusdb_dag::Cid;
use optimusdb_storage::{Pin, PinState};
use serde::Serialize;
use std::time::Duration;

/// A pin as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinShown {
    /// What it keeps, with all below it.
    pub cid: String,
    /// What it is called; may be empty.
    pub name: String,
    /// When it was made; of a replica, when it was contributed. In milliseconds of the wall clock.
    pub created_ms: u64,
    /// `user`, or `replica` when the node made it of its own accord.
    pub by: &'static str,
    /// `here`, `fetching`, `absent` when it could not be had, `skipped` when there is no room for it.
    pub state: &'static str,
    /// When it is tried again, where it was tried in vain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_try_ms: Option<u64>,
    /// What was wrong then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Node {
    /// What is pinned, oldest first: so many, behind the pin of an address or from the first on.
    ///
    /// # Errors
    /// [`Error::NotFound`] behind an address that is not pinned; when it cannot be read.
    pub async fn pins(&self, after: Option<Cid>, limit: usize) -> Result<Vec<PinShown>, Error> {
        if let Some(after) = &after {
            self.pin_of(after.clone()).await?;
        }
        let (blocks, limit) = (self.inner.files.blocks(), limit.min(PINS_SHOWN_MAX));
        let pins = off_task(move || blocks.pins_after(after.as_ref(), limit)).await?;
        Ok(pins.into_iter().map(|pin| self.pin_shown(pin)).collect())
    }

    /// The pin of an address.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none; when it cannot be read.
    pub async fn pin_of(&self, cid: Cid) -> Result<PinShown, Error> {
        let blocks = self.inner.files.blocks();
        let (pinned, what) = (cid.clone(), cid);
        let pin = off_task(move || blocks.pin_of(&pinned)).await?;
        let pin = pin.ok_or_else(|| Error::NotFound(format!("{what} is not pinned")))?;
        Ok(self.pin_shown(pin))
    }

    /// Keeps what is below an address: what is not here is fetched. Answers how far it is, after a short while.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a longer name, or too many pins.
    pub async fn pin(&self, cid: Cid, name: String) -> Result<PinShown, Error> {
        if name.len() > FILE_NAME_BYTES_MAX {
            return Err(Error::TooLarge(format!(
                "the name of a pin has {} bytes; {FILE_NAME_BYTES_MAX} are allowed",
                name.len()
            )));
        }
        let files = &self.inner.files;
        let (blocks, pinned) = (files.blocks(), cid.clone());
        off_task(move || blocks.pin(&pinned, &name, now_ms())).await?;
        let mut outcomes = files.pinned();
        let until = tokio::time::Instant::now() + Duration::from_millis(PIN_ANSWER_MS);
        loop {
            outcomes.borrow_and_update();
            let (blocks, pinned) = (files.blocks(), cid.clone());
            let pin = off_task(move || blocks.pin_of(&pinned)).await?;
            let pin =
                pin.ok_or_else(|| Error::NotFound(format!("{cid} was unpinned meanwhile")))?;
            let waits = pin.outcome.state == PinState::Wanted;
            if !waits || tokio::time::timeout_at(until, outcomes.changed()).await.is_err() {
                return Ok(self.pin_shown(pin));
            }
        }
    }

    /// Takes a pin away: what nothing else keeps is removed soon, and the node does not pin it again of its own
    /// accord.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn unpin(&self, cid: Cid) -> Result<(), Error> {
        let blocks = self.inner.files.blocks();
        let (pinned, what) = (cid.clone(), cid);
        if !off_task(move || blocks.unpin(&pinned)).await? {
            return Err(Error::NotFound(format!("{what} is not pinned")));
        }
        self.inner.files.unpinned(&what);
        self.inner.files.provide(what, false).await;
        Ok(())
    }

    /// What is being fetched whole, and what waits to be.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn transfers(&self) -> Result<Vec<TransferShown>, Error> {
        self.inner.files.transfers_shown().await
    }

    fn pin_shown(&self, pin: Pin) -> PinShown {
        let outcome = pin.outcome;
        let state = match outcome.state {
            PinState::Here => "here",
            PinState::Wanted => "fetching",
            _ if self.inner.files.is_fetching(&pin.cid) => "fetching",
            PinState::Absent => "absent",
            PinState::Skipped => "skipped",
        };
        PinShown {
            cid: pin.cid.to_string(),
            name: pin.name,
            created_ms: pin.created_ms,
            by: if pin.replica { "replica" } else { "user" },
            state,
            next_try_ms: Some(outcome.due_ms).filter(|due| *due > 0),
            error: Some(outcome.error).filter(|error| !error.is_empty()),
        }
    }
}
