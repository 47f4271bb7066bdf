//! Reading the journal of a node.

use super::Node;
use crate::error::Error;
use crate::journal::{self, JournalRecord};

impl Node {
    /// The journal of one hour (UTC), newest first. `date` is `YYYY-MM-DD`.
    pub async fn journal(&self, date: &str, hour: u8) -> Result<Vec<JournalRecord>, Error> {
        let (place, date) = (self.inner.journal_place.clone(), date.to_owned());
        tokio::task::spawn_blocking(move || journal::records_of_hour(&place, &date, hour))
            .await
            .map_err(|e| Error::Internal(format!("reading the journal: {e}")))?
    }
}
