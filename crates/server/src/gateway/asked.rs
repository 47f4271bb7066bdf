//! What a request asks for: which format, under which name, which part of a DAG.
//!
//! The URL decides before the headers do (IPIP-523). Parameters that nobody knows are passed over, as
//! others at the gateways of IPFS are used to.

use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri};
use optimusdb_db::{CarScope, EntityBytes};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::accept;
use super::format::Format;
use super::limits::{FILENAME_CHARS_MAX, QUERY_BYTES_MAX};
use crate::http::error::ApiError;

/// What a request asks for beside its path.
#[derive(Debug)]
pub(super) struct AskedContent {
    /// The format that was named.
    pub(super) format: Option<Format>,
    /// Whether any other will do where that one does not fit.
    pub(super) anything: bool,
    /// Whether a page for people is wanted.
    pub(super) page: bool,
    /// Whether the headers had a say in the format.
    pub(super) negotiated: bool,
    pub(super) filename: Option<String>,
    pub(super) download: bool,
    pub(super) car: CarAsked,
    /// The query string that asks for the same without headers, where they were needed.
    pub(super) same_as: Option<String>,
}

/// What is asked for of a CAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CarAsked {
    pub(super) scope: CarScope,
    /// Whether a block is sent as often as it is met.
    pub(super) twice: bool,
}

/// The names of what belongs to a format, in the URL and among the parameters of a media type.
const CAR_PARAMETERS: [(&str, &str); 3] =
    [("car-version", "version"), ("car-order", "order"), ("car-dups", "dups")];

impl AskedContent {
    /// Reads what a request asks for.
    ///
    /// # Errors
    /// 400 for what is no such format or part, 414 for a query string without end.
    pub(super) fn read(uri: &Uri, headers: &HeaderMap) -> Result<AskedContent, ApiError> {
        if uri.query().is_some_and(|query| query.len() > QUERY_BYTES_MAX) {
            let why = format!("The query string has more than {QUERY_BYTES_MAX} bytes.");
            return Err(ApiError::new(StatusCode::URI_TOO_LONG, why));
        }
        let query = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text()))?;
        let named = |name: &str| {
            query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
        };
        let accepted = accept::read(headers);
        let format = match named("format").filter(|name| !name.is_empty()) {
            None => accepted.format,
            Some(name) => Some(Format::named(name).ok_or_else(|| no_format(name))?),
        };
        let negotiated = named("format").is_none();
        let parameters =
            if accepted.format == format { accepted.parameters.as_slice() } else { &[] };
        let car_parameter = |(in_url, in_type): (&str, &str)| {
            let accepted = parameters.iter().find(|(known, _)| known == in_type);
            named(in_url).or(accepted.map(|(_, value)| value.as_str()))
        };
        let [version, order, dups] = CAR_PARAMETERS.map(car_parameter);
        let is_car = format == Some(Format::Car);
        let car = CarAsked {
            scope: scope(named("dag-scope"), named("entity-bytes"))?,
            twice: is_car && car_form(version, order, dups)?,
        };
        let same_as = accepted.format.and(format).map(|format| {
            let given = query.iter().filter(|(name, _)| {
                name != "format" && !CAR_PARAMETERS.iter().any(|(known, _)| known == name)
            });
            let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
            let car = CAR_PARAMETERS.map(|names| (names.0, car_parameter(names)));
            let car = car.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let format = [("format", format.name())].into_iter();
            let pairs = format.chain(car.filter(|_| is_car)).chain(given);
            let pairs = pairs.map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
            pairs.collect::<Vec<_>>().join("&")
        });
        Ok(AskedContent {
            format,
            anything: accepted.anything && negotiated,
            page: accepted.page && negotiated,
            negotiated,
            filename: named("filename")
                .filter(|name| !name.is_empty())
                .map(|name| name.chars().take(FILENAME_CHARS_MAX).collect()),
            download: named("download") == Some("true"),
            car,
            same_as,
        })
    }
}

fn no_format(name: &str) -> ApiError {
    let known = Format::ALL.map(Format::name).join(", ");
    let name: String = name.chars().take(80).collect();
    ApiError::bad_request(format!("'{name}' is no format; there are {known}."))
}

fn escaped(text: &str) -> impl std::fmt::Display {
    /// What may stand in a query as it is (RFC 3986, 2.3), and what names of media types hold.
    const PLAIN: &percent_encoding::AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
    utf8_percent_encode(text, PLAIN)
}

/// Whether blocks are sent as often as they are met, of a CAR in a form that can be had.
fn car_form(
    version: Option<&str>,
    order: Option<&str>,
    dups: Option<&str>,
) -> Result<bool, ApiError> {
    if !matches!(version, None | Some("1")) {
        return Err(ApiError::bad_request("CARs are written in version 1 alone."));
    }
    // Depth first is one of the orders that nobody knows.
    if !matches!(order, None | Some("" | "dfs" | "unk")) {
        return Err(ApiError::bad_request("The order of a CAR is 'dfs', or 'unk' for any."));
    }
    match dups {
        None | Some("" | "n") => Ok(false),
        Some("y") => Ok(true),
        Some(_) => Err(ApiError::bad_request("The dups of a CAR are 'y' or 'n'.")),
    }
}

fn scope(scope: Option<&str>, bytes: Option<&str>) -> Result<CarScope, ApiError> {
    let named = match scope {
        None | Some("" | "all") => CarScope::All,
        Some("entity") => CarScope::Entity,
        Some("block") => CarScope::Block,
        Some(_) => {
            let known = "'dag-scope' is 'block', 'entity' or 'all'.";
            return Err(ApiError::bad_request(known));
        }
    };
    let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return Ok(named) };
    entity_bytes(bytes).map(CarScope::Bytes).ok_or_else(|| {
        ApiError::bad_request(
            "'entity-bytes' is 'from:to', numbers of bytes, of which 'to' may be '*' for the last.",
        )
    })
}

fn entity_bytes(text: &str) -> Option<EntityBytes> {
    let (from, to) = text.split_once(':')?;
    let from = from.parse().ok()?;
    let to = if to == "*" { None } else { Some(to.parse().ok()?) };
    // What ends before it begins, both counted from the same end, is nothing anywhere.
    let inverted = to.is_some_and(|to: i64| to < from && (to < 0) == (from < 0));
    (!inverted).then_some(EntityBytes { from, to })
}

#[cfg(test)]
mod tests;
