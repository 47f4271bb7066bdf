//! What a node said of its own work.

use super::Node;
use crate::error::Error;
use crate::logs::{self, LogRecord};

impl Node {
    /// The log records of one hour (UTC), newest first. `date` is `YYYY-MM-DD`.
    pub async fn log_records(&self, date: &str, hour: u8) -> Result<Vec<LogRecord>, Error> {
        let (place, date) = (self.inner.log_place.clone(), date.to_owned());
        tokio::task::spawn_blocking(move || logs::records_of_hour(&place, &date, hour))
            .await
            .map_err(|e| Error::Internal(format!("reading the log: {e}")))?
    }
}
