//! Which names this node answers to, and whose pages may ask it.
//!
//! A browser sends requests for whatever page its user visits, and many of them without asking the node
//! first. It says by which name it reached the node (`Host`), and for which page it asks (`Origin`). Both
//! are checked before anything of a body is read: a name that leads here only for that page (DNS
//! rebinding) is a 421, a page of another origin a 403. Programs that are no browsers send no `Origin`, and
//! notice nothing. With a token every name and every origin is served, for no page has the token.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};

use super::error::ApiError;
use super::keys::quoted;
use crate::web_origin;

/// What pages of other origins may send along.
const HEADERS_ALLOWED: HeaderValue =
    HeaderValue::from_static("Content-Type, Authorization, X-Causal-Token");

/// Which pages may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pages {
    /// Those of every origin.
    Every,
    /// Those that this machine serves.
    SameMachine,
    /// Those of these origins, such as `https://app.example.org`.
    Listed(Vec<String>),
}

/// Whom a node serves that has these settings and listens there.
#[derive(Debug)]
pub(super) struct OriginPolicy {
    /// Whether any name will do, from anybody.
    every_host: bool,
    /// Whether only this machine reaches the node.
    loopback: bool,
    /// Names that will do beside those that anybody can have.
    hosts: Vec<String>,
    pages: Pages,
}

/// The page that a request was let in for: what its answer has to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PageAllowed {
    /// Every page may read the answer.
    Every,
    /// This one may, and the answer is for it alone.
    This(HeaderValue),
    /// It was asked for no page.
    NoPage,
}

impl OriginPolicy {
    /// `hosts` and `origins` are as configured: lower-case names, origins, and `*` for all of them.
    pub(super) fn new(
        bound: SocketAddr,
        token: bool,
        hosts: &[String],
        origins: &[String],
    ) -> OriginPolicy {
        let every = |list: &[String]| list.iter().any(|one| one == "*");
        let pages = match origins {
            [] if token => Pages::Every,
            [] => Pages::SameMachine,
            _ if every(origins) => Pages::Every,
            _ => Pages::Listed(origins.to_vec()),
        };
        OriginPolicy {
            every_host: token || every(hosts),
            loopback: bound.ip().is_loopback(),
            hosts: hosts.to_vec(),
            pages,
        }
    }

    /// Whether this request is served, judged by its head.
    ///
    /// # Errors
    /// 421 for a name that is not the node's, 403 for a page that may not ask.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<PageAllowed, ApiError> {
        let headers = request.headers();
        // The target's own authority stands before the header (RFC 9112, 3.2.2), so neither may lie.
        for host in [written_host(headers), request.uri().host().map(str::to_owned)] {
            let Some(host) = host else { continue };
            if !self.answers_to(&plain_name(&host), is_browser(headers)) {
                return Err(misdirected(&host));
            }
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return match cross_site_write(request.method(), headers) {
                true => Err(foreign("another site")),
                false if self.pages == Pages::Every => Ok(PageAllowed::Every),
                false => Ok(PageAllowed::NoPage),
            };
        };
        if self.pages == Pages::Every {
            return Ok(PageAllowed::Every);
        }
        let text = origin.to_str().unwrap_or_default();
        let own = written_host(headers).is_some_and(|host| is_own(text, &host));
        if origins.next().is_none() && (own || self.is_listed(text)) {
            return Ok(PageAllowed::This(origin.clone()));
        }
        Err(foreign(text))
    }

    fn answers_to(&self, name: &str, browser: bool) -> bool {
        if self.every_host || is_ip(name) || is_loopback_name(name) {
            return true;
        }
        if self.hosts.iter().any(|host| host == name) {
            return true;
        }
        // A name without a dot is one of this network: no page from elsewhere has it.
        !self.loopback && (!browser || !name.contains('.'))
    }

    fn is_listed(&self, origin: &str) -> bool {
        match &self.pages {
            Pages::Every => true,
            Pages::SameMachine => web_origin::host_of(origin).is_some_and(|host| {
                is_loopback_name(&host) || ip(&host).is_some_and(|ip| ip.is_loopback())
            }),
            Pages::Listed(origins) => origins.iter().any(|one| one.eq_ignore_ascii_case(origin)),
        }
    }
}

impl PageAllowed {
    /// Says in an answer who may read it.
    pub(super) fn mark(self, headers: &mut HeaderMap) {
        let origin = match self {
            PageAllowed::Every => HeaderValue::from_static("*"),
            PageAllowed::This(origin) => {
                headers.append(header::VARY, HeaderValue::from_static("Origin"));
                origin
            }
            PageAllowed::NoPage => {
                headers.append(header::VARY, HeaderValue::from_static("Origin"));
                return;
            }
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS_ALLOWED);
    }
}

/// The host and port that the request says it asks.
fn written_host(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// A host without its port, in lower case.
fn plain_name(host: &str) -> String {
    let end = match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => colon,
        _ => host.len(),
    };
    host[..end].trim_end_matches('.').to_ascii_lowercase()
}

fn ip(name: &str) -> Option<IpAddr> {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(name).parse().ok()
}

fn is_ip(name: &str) -> bool {
    ip(name).is_some()
}

/// RFC 6761: these never lead anywhere else.
fn is_loopback_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn is_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
        || headers.keys().any(|name| name.as_str().starts_with("sec-fetch-"))
}

/// Browsers that tell of no origin still tell that a page of another site writes.
fn cross_site_write(method: &Method, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site == Some(b"cross-site") && !method.is_safe()
}

/// Whether an origin is the node itself, as the page reached it.
fn is_own(origin: &str, host: &str) -> bool {
    origin
        .split_once("://")
        .is_some_and(|(_scheme, authority)| authority.eq_ignore_ascii_case(host))
}

fn misdirected(host: &str) -> ApiError {
    let host = quoted(host);
    ApiError::new(
        StatusCode::MISDIRECTED_REQUEST,
        format!(
            "This node does not answer to '{host}': ask it by localhost or an IP address, or name it in its \
             -http-hosts."
        ),
    )
}

fn foreign(origin: &str) -> ApiError {
    let origin = quoted(origin);
    ApiError::new(
        StatusCode::FORBIDDEN,
        format!(
            "A page of '{origin}' may not use this node: -cors-origins names those that may, or set a token."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(bound: &str, token: bool, hosts: &[&str], origins: &[&str]) -> OriginPolicy {
        let owned = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        OriginPolicy::new(bound.parse().unwrap(), token, &owned(hosts), &owned(origins))
    }

    fn asked(policy: &OriginPolicy, headers: &[(&str, &str)]) -> Result<PageAllowed, u16> {
        let mut request = Request::builder().method("POST").uri("/swarmkb/command");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let checked = policy.check(&request.body(()).unwrap());
        checked.map_err(|refusal| {
            axum::response::IntoResponse::into_response(refusal).status().as_u16()
        })
    }

    #[test]
    fn a_node_on_loopback_has_no_other_names() {
        let node = policy("127.0.0.1:8089", false, &["node.example.org"], &[]);
        for host in [
            "localhost:8089",
            "LOCALHOST",
            "localhost.:8089",
            "a.localhost",
            "127.0.0.1:8089",
            "[::1]:8089",
            "192.0.2.7",
            "node.example.org:8089",
        ] {
            assert_eq!(asked(&node, &[("host", host)]), Ok(PageAllowed::NoPage), "{host}");
        }
        for host in ["rebound.example", "node", "localhost.example", "127.0.0.1.example:8089"] {
            assert_eq!(asked(&node, &[("host", host)]), Err(421), "{host}");
        }
        let absolute =
            Request::builder().uri("http://rebound.example/").header("host", "localhost");
        assert!(node.check(&absolute.body(()).unwrap()).is_err());
    }

    #[test]
    fn a_node_that_others_reach_has_any_name_for_programs() {
        let node = policy("0.0.0.0:8089", false, &[], &[]);
        let browser = ("sec-fetch-mode", "cors");
        for host in ["node-1.swarm.internal", "node1:8089", "203.0.113.5"] {
            assert_eq!(asked(&node, &[("host", host)]), Ok(PageAllowed::NoPage), "{host}");
        }
        assert_eq!(asked(&node, &[("host", "node1:8089"), browser]), Ok(PageAllowed::NoPage));
        assert_eq!(asked(&node, &[("host", "rebound.example"), browser]), Err(421));
        let named = policy("0.0.0.0:8089", false, &["node.example"], &[]);
        assert_eq!(asked(&named, &[("host", "node.example"), browser]), Ok(PageAllowed::NoPage));
    }

    #[test]
    fn only_pages_of_this_machine_ask_a_node_without_a_token() {
        let node = policy("127.0.0.1:8089", false, &[], &[]);
        let host = ("host", "localhost:8089");
        for origin in [
            "http://localhost:3000",
            "https://localhost",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost:8089",
        ] {
            let this = PageAllowed::This(HeaderValue::from_static(origin));
            assert_eq!(asked(&node, &[host, ("origin", origin)]), Ok(this), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://page.example",
            "http://localhost.example",
            "http://localhost@page.example",
            "file://",
            "http://192.0.2.1:8089",
        ] {
            assert_eq!(asked(&node, &[host, ("origin", origin)]), Err(403), "{origin}");
        }
        let two = [host, ("origin", "http://localhost"), ("origin", "http://page.example")];
        assert_eq!(asked(&node, &two), Err(403));
        assert_eq!(asked(&node, &[host, ("sec-fetch-site", "cross-site")]), Err(403));
        assert_eq!(asked(&node, &[host, ("sec-fetch-site", "same-site")]), Ok(PageAllowed::NoPage));
    }

    #[test]
    fn the_nodes_own_page_may_ask_wherever_it_was_reached() {
        let node = policy("0.0.0.0:8089", false, &[], &["https://app.example"]);
        let at = |host: &'static str, origin: &'static str| {
            asked(&node, &[("host", host), ("origin", origin)])
        };
        assert!(at("192.0.2.1:8089", "http://192.0.2.1:8089").is_ok());
        assert!(at("192.0.2.1:8089", "https://app.example").is_ok());
        assert_eq!(at("192.0.2.1:8089", "http://localhost:3000"), Err(403));
        assert_eq!(at("rebound.example:8089", "http://rebound.example:8089"), Err(421));
    }

    #[test]
    fn a_token_or_a_star_lets_every_page_ask() {
        for node in [
            policy("127.0.0.1:8089", true, &[], &[]),
            policy("127.0.0.1:8089", false, &["*"], &["*"]),
        ] {
            let page = [("host", "anything.example"), ("origin", "http://page.example")];
            assert_eq!(asked(&node, &page), Ok(PageAllowed::Every));
        }
    }
}
