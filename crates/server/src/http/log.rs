//! `/log`: what the node wrote to its log within one hour.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::error::ApiError;
use super::{Api, answer};

/// The parameters of the request, as sent.
#[derive(Deserialize)]
pub(super) struct Parameters {
    date: Option<String>,
    hour: Option<String>,
}

/// `GET|POST /log?date=YYYY-MM-DD&hour=HH` (UTC): a bare array, newest first.
pub(super) async fn log(
    State(api): State<Arc<Api>>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(parameters) = parameters.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let (date, hour) = date_and_hour(&parameters)?;
    Ok(answer::bare(&api.node.log_records(date, hour).await?))
}

/// Both parameters; whether there is such a day is for the node to know.
fn date_and_hour(parameters: &Parameters) -> Result<(&str, u8), ApiError> {
    let missing = |name| {
        ApiError::bad_request(format!(
            "'{name}' is missing: ask for /log?date=YYYY-MM-DD&hour=HH (UTC)."
        ))
    };
    let date = parameters.date.as_deref().ok_or_else(|| missing("date"))?;
    let hour = parameters.hour.as_deref().ok_or_else(|| missing("hour"))?;
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
        let parameters =
            Parameters { date: date.map(str::to_owned), hour: hour.map(str::to_owned) };
        date_and_hour(&parameters)
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
