//! Web origins (RFC 6454), such as `https://app.example.org:8443`: what a browser says a page is of.

use axum::http::Uri;

/// The host of an origin, in lower case; none if it is not one, as `null` is.
pub(crate) fn host_of(origin: &str) -> Option<String> {
    let uri: Uri = origin.parse().ok()?;
    let plain = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.path() == "/"
        && !origin.ends_with('/')
        && uri.query().is_none()
        && !origin.contains('@');
    plain.then(|| uri.host().map(str::to_ascii_lowercase)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_told_from_what_is_none() {
        for (origin, host) in [
            ("http://a", "a"),
            ("https://A.example:8443", "a.example"),
            ("http://[::1]:80", "[::1]"),
        ] {
            assert_eq!(host_of(origin).as_deref(), Some(host), "{origin}");
        }
        for none in [
            "",
            "*",
            "null",
            "a.example",
            "http://",
            "http://a/",
            "http://a/b",
            "http://a?b",
            "ftp://a",
            "http://b@a",
        ] {
            assert_eq!(host_of(none), None, "{none}");
        }
    }
}
