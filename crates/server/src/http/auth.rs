//! The API token: who has it may do everything, who has it not may ask whether the node is well.

use std::hint::black_box;

use axum::http::{HeaderMap, header};

/// The token that a request must bear.
#[derive(Clone)]
pub(super) struct BearerToken(Box<[u8]>);

impl BearerToken {
    /// A token, as configured. Refused when no header could carry it.
    pub(super) fn new(token: &str) -> Result<Self, String> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the API token must be non-empty, printable ASCII without spaces".into());
        }
        Ok(BearerToken(token.as_bytes().into()))
    }

    /// Whether the request bears this token (`Authorization: Bearer …`, RFC 6750).
    pub(super) fn is_borne_by(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return false };
        let Some((scheme, token)) = value.as_bytes().split_at_checked("Bearer ".len()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"Bearer ") && same(&self.0, token.trim_ascii())
    }
}

/// Compares in a time that depends on the lengths alone, not on where the first difference is.
fn same(expected: &[u8], given: &[u8]) -> bool {
    if expected.len() != given.len() {
        return false;
    }
    let difference =
        expected.iter().zip(given).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearing(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn only_the_exact_token_opens() {
        let token = BearerToken::new("s3cret").unwrap();
        for opens in ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret"] {
            assert!(token.is_borne_by(&bearing(opens)), "{opens}");
        }
        for stays_shut in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer s3cre",
            "Bearer s3crets",
            "Bearer S3cret",
            "Basic s3cret",
        ] {
            assert!(!token.is_borne_by(&bearing(stays_shut)), "{stays_shut}");
        }
        assert!(!token.is_borne_by(&HeaderMap::new()));
    }

    #[test]
    fn tokens_that_no_header_carries_are_refused() {
        for token in ["", "two words", "tab\t", "grün"] {
            assert!(BearerToken::new(token).is_err(), "{token:?}");
        }
    }
}
