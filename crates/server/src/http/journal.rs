//! `/log`: what the node said of its work within one hour, from its journal.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use optimusdb_db::{JournalRecord, timestamp};
use serde::Serialize;

use super::error::ApiError;
use super::keys::{Keys, Opened};
use super::{Api, answer};

const KEYS: Keys =
    Keys { of: "the query string", known: &["date", "hour"], instead: &[("day", "date")] };

/// `GET|POST /log?date=YYYY-MM-DD&hour=HH` (UTC): a bare array, newest first.
pub(super) async fn journal(
    State(api): State<Arc<Api>>,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(parameters) = parameters.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let parameters = KEYS.open(parameters)?;
    let (date, hour) = date_and_hour(&parameters)?;
    let records = api.node.journal(date, hour).await?;
    Ok(answer::bare(&records.iter().map(ShownRecord::from).collect::<Vec<_>>()))
}

/// A record as clients see it.
#[derive(Serialize)]
struct ShownRecord<'r> {
    timestamp: String,
    level: &'r str,
    message: &'r str,
    source: &'r str,
}

impl<'r> From<&'r JournalRecord> for ShownRecord<'r> {
    fn from(record: &'r JournalRecord) -> ShownRecord<'r> {
        let JournalRecord { timestamp_ms, level, message, source } = record;
        ShownRecord { timestamp: timestamp(*timestamp_ms), level, message, source }
    }
}

/// Both parameters; whether there is such a day is for the node to know.
fn date_and_hour(parameters: &Opened<String>) -> Result<(&str, u8), ApiError> {
    let missing = |name| {
        ApiError::bad_request(format!(
            "'{name}' is missing: ask for /log?date=YYYY-MM-DD&hour=HH (UTC)."
        ))
    };
    let given = |name| parameters.get(name).map(String::as_str).ok_or_else(|| missing(name));
    let (date, hour) = (given("date")?, given("hour")?);
    let digits = (1..=2).contains(&hour.len()) && hour.bytes().all(|byte| byte.is_ascii_digit());
    match hour.parse() {
        Ok(hour @ 0..=23) if digits => Ok((date, hour)),
        _ => Err(ApiError::bad_request("'hour' must be an hour from 00 to 23.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(date: Option<&str>, hour: Option<&str>) -> Result<u8, String> {
        let given = [("date", date), ("hour", hour)].into_iter();
        let given = given.filter_map(|(name, text)| Some((name, text?.to_owned())));
        date_and_hour(&given.collect())
            .map(|(_, hour)| hour)
            .map_err(|refusal| refusal.message().to_owned())
    }

    #[test]
    fn date_and_hour_are_both_needed() {
        for (hour, expected) in [("0", 0), ("07", 7), ("23", 23)] {
            assert_eq!(asked(Some("2025-09-30"), Some(hour)), Ok(expected));
        }
        assert!(asked(None, Some("1")).unwrap_err().contains("'date' is missing"));
        assert!(asked(Some("2025-09-30"), None).unwrap_err().contains("'hour' is missing"));
        for hour in ["", "24", "-1", "+1", "007", "1.5", "x"] {
            assert!(
                asked(Some("2025-09-30"), Some(hour)).unwrap_err().contains("'hour' must"),
                "{hour}"
            );
        }
    }
}
