//! What a request accepts (RFC 9110, 12.5.1), as far as it is one of the formats.

use axum::http::{HeaderMap, header};

use super::format::Format;
use super::limits::ACCEPTED_TYPES_MAX;

/// What `Accept` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The format that it likes best.
    pub(super) format: Option<Format>,
    /// Its parameters, names in small letters, values without quotes.
    pub(super) parameters: Vec<(String, String)>,
    /// Whether a page for people is liked no less than that.
    pub(super) page: bool,
    /// Whether anything else will do as well.
    pub(super) anything: bool,
}

/// Reads the header. What cannot be read in it counts for nothing.
pub(super) fn read(headers: &HeaderMap) -> Accepted {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut accepted = Accepted::default();
    let (mut best, mut best_page) = (0, 0);
    for range in values.flat_map(|value| value.split(',')).take(ACCEPTED_TYPES_MAX) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut parameters: Vec<(String, String)> = parts
            .filter_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                let value = value.trim().trim_matches('"');
                Some((name.trim().to_ascii_lowercase(), value.to_owned()))
            })
            .collect();
        let weight = parameters.iter().position(|(name, _)| name == "q");
        let weight = weight.map_or(1_000, |at| thousandths(&parameters.remove(at).1));
        if weight == 0 {
            continue;
        }
        match media_type.as_str() {
            "*/*" | "application/*" => accepted.anything = true,
            "text/html" => best_page = best_page.max(weight),
            other => {
                // Of two that are liked the same, the first one.
                if let Some(format) = Format::of_media_type(other).filter(|_| weight > best) {
                    best = weight;
                    (accepted.format, accepted.parameters) = (Some(format), parameters);
                }
            }
        }
    }
    accepted.page = best_page > 0 && best_page >= best;
    if best_page > best {
        (accepted.format, accepted.parameters) = (None, Vec::new());
    }
    accepted
}

/// A weight from 0 to 1 in thousandths; what is none counts as 1.
fn thousandths(weight: &str) -> u32 {
    match weight.parse::<f32>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1_000.0) as u32,
        _ => 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &str) -> Accepted {
        read(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]))
    }

    #[test]
    fn the_format_that_is_liked_best_is_taken() {
        for (accept, format) in [
            ("application/vnd.ipld.raw", Some(Format::Raw)),
            ("APPLICATION/VND.IPLD.CAR; version=1", Some(Format::Car)),
            ("application/json;q=0.5, application/cbor", Some(Format::Cbor)),
            ("application/json;q=0", None),
            ("application/json, application/cbor", Some(Format::Json)),
            ("text/html,application/xhtml+xml,*/*;q=0.8", None),
            ("text/html;q=0.5, application/x-tar", Some(Format::Tar)),
            ("text/html, application/x-tar;q=0.5", None),
            ("image/png", None),
            ("", None),
            (";;,=", None),
        ] {
            assert_eq!(of(accept).format, format, "{accept}");
        }
    }

    #[test]
    fn parameters_belong_to_the_format() {
        let accepted =
            of("application/cbor;q=0.1;x=1, application/vnd.ipld.car; Order=dfs;dups=\"y\"");
        let expected = [("order", "dfs"), ("dups", "y")];
        assert_eq!(accepted.parameters, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert!(!accepted.page && !accepted.anything);
        let accepted = of("text/html, application/json;q=0.9, */*;q=0.1");
        assert!(accepted.page && accepted.anything);
        assert!(!of("text/html;q=0.1, application/json").page);
    }
}
