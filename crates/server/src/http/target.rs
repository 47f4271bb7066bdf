//! What a request has to say before its path is looked at: whom it asks, in which encoding.
//!
//! The router compares paths as they are written. A path is brought into its plain form first (RFC 3986,
//! 6.2.2.2): characters that never need an escape are written without one, so `/%73tores` is `/stores`.
//! All others stay escaped until a path's parameter is read, once: `%2F` never parts two segments.

use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{HeaderMap, Request, Uri, Version, header};

use super::error::ApiError;

/// Brings the path of a request into its plain form.
///
/// # Errors
/// 400 where it does not name one host, or its path is no text.
pub(crate) fn plain<B>(mut request: Request<B>) -> Result<Request<B>, ApiError> {
    one_host(request.version(), request.headers())?;
    if let Some(path) = plain_path(request.uri().path())? {
        *request.uri_mut() = with_path(request.uri(), path)?;
    }
    Ok(request)
}

/// RFC 9112, 3.2: one `Host`, which only HTTP/1.0 may leave out.
fn one_host(version: Version, headers: &HeaderMap) -> Result<(), ApiError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::HTTP_11 => Ok(()),
        (None, _) => Err(ApiError::bad_request("The request has no Host header.")),
        (Some(_), Some(_)) => Err(ApiError::bad_request("The request has several Host headers.")),
        (Some(host), None) => {
            let valid = host.is_empty()
                || host
                    .to_str()
                    .is_ok_and(|host| !host.contains('@') && host.parse::<Authority>().is_ok());
            if valid {
                Ok(())
            } else {
                Err(ApiError::bad_request("The Host header names no host."))
            }
        }
    }
}

/// The path in its plain form, if it is not in it already.
fn plain_path(path: &str) -> Result<Option<String>, ApiError> {
    if !path.contains('%') {
        return Ok(None);
    }
    let (mut plain, mut decoded) = (String::with_capacity(path.len()), Vec::new());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        let byte = escape
            .get(1..3)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let Some(byte) = byte else {
            return Err(ApiError::bad_request(
                "The path has a '%' that no two hexadecimal digits follow; a '%' itself is written %25.",
            ));
        };
        plain.push_str(before);
        decoded.extend_from_slice(before.as_bytes());
        decoded.push(byte);
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            plain.push(byte.into());
        } else {
            plain.push_str(&escape[..3]);
        }
        rest = &escape[3..];
    }
    plain.push_str(rest);
    if std::str::from_utf8(&decoded).is_err() {
        return Err(ApiError::bad_request("The path is not UTF-8 once its escapes are read."));
    }
    Ok(Some(plain))
}

fn with_path(uri: &Uri, path: String) -> Result<Uri, ApiError> {
    let path = match uri.query() {
        None => path,
        Some(query) => format!("{path}?{query}"),
    };
    let mut parts = uri.clone().into_parts();
    let plain: Result<PathAndQuery, _> = path.parse();
    let uri = plain.ok().and_then(|plain| {
        parts.path_and_query = Some(plain);
        Uri::from_parts(parts).ok()
    });
    uri.ok_or_else(|| ApiError::bad_request("The path cannot be read."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_escape_loses_it() {
        for (path, expected) in [
            ("/stores", None),
            ("/%73tores", Some("/stores")),
            ("/%73%74%6F%72es/%61%2Fb/%2e", Some("/stores/a%2Fb/.")),
            ("/%2573tores", Some("/%2573tores")),
            ("/k%C3%A4se/%7B%00", Some("/k%C3%A4se/%7B%00")),
        ] {
            assert_eq!(plain_path(path).ok().unwrap().as_deref(), expected, "{path}");
        }
        for path in ["/%", "/%7", "/%7/", "/%zz", "/%+1", "/%é", "/%ff", "/%C3/%A4", "/é%ff"] {
            assert!(plain_path(path).is_err(), "{path}");
        }
        let uri: Uri = "/%61?b=%61".parse().unwrap();
        assert_eq!(with_path(&uri, "/a".into()).ok().unwrap(), "/a?b=%61");
    }

    #[test]
    fn a_request_names_one_host() {
        let asking = |version, hosts: &[&str]| {
            let mut map = HeaderMap::new();
            for host in hosts {
                map.append(header::HOST, host.parse().unwrap());
            }
            one_host(version, &map).is_ok()
        };
        for host in ["localhost:8089", "[::1]:80", "192.0.2.1", "node.example.org", ""] {
            assert!(asking(Version::HTTP_11, &[host]), "{host}");
        }
        for host in ["a b", "a/b", "user@host", "a:b:c"] {
            assert!(!asking(Version::HTTP_11, &[host]), "{host}");
        }
        assert!(!asking(Version::HTTP_11, &[]) && !asking(Version::HTTP_11, &["a", "a"]));
        assert!(asking(Version::HTTP_10, &[]) && !asking(Version::HTTP_10, &["a", "b"]));
    }
}
