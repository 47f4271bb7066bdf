//! `GET /` and the root of the context: what this is and which paths there are, for first visitors.
//!
//! The list is made from `openapi.json`. Paths are relative to the one that was
//! asked for: a proxy may have stripped a prefix.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use super::{Api, answer, openapi};
use crate::version::VERSION;

/// What is here.
#[derive(Serialize)]
struct Welcome {
    name: &'static str,
    version: &'static str,
    context: String,
    /// A first request, to be copied.
    example: String,
    links: Vec<WelcomeLink>,
}

/// One method of one path.
#[derive(Serialize)]
struct WelcomeLink {
    method: String,
    path: String,
    does: String,
}

/// Answers with the list, as a page for those who ask for one.
pub(super) async fn welcome(State(api): State<Arc<Api>>, uri: Uri, headers: HeaderMap) -> Response {
    let welcome = Welcome {
        name: "OptimusDB",
        version: VERSION,
        context: if api.prefix.is_empty() { "/".to_owned() } else { api.prefix.clone() },
        example: example(&headers, &api.prefix, api.token.is_some()),
        links: links(base(uri.path(), &api.prefix)),
    };
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let mut response = if accept.is_some_and(|accept| accept.contains("text/html")) {
        Html(page(&welcome)).into_response()
    } else {
        answer::data(&welcome)
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// What leads from the path that was asked for to the context.
fn base<'p>(path: &str, prefix: &'p str) -> &'p str {
    match path {
        "/" => prefix.trim_start_matches('/'),
        path if path.ends_with('/') => "",
        _ => prefix.rsplit('/').next().unwrap_or_default(),
    }
}

fn links(base: &str) -> Vec<WelcomeLink> {
    let description = openapi::description();
    let paths = description["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, operations)| {
            let path = format!("{base}{path}");
            let path = if base.is_empty() { path.trim_start_matches('/').to_owned() } else { path };
            let operations = operations.as_object().into_iter().flatten();
            operations.filter_map(move |(method, operation)| {
                let does = operation.get("summary").and_then(Value::as_str)?.to_owned();
                Some(WelcomeLink { method: method.to_uppercase(), path: path.clone(), does })
            })
        })
        .collect()
}

/// A request to copy, to the address that this one was sent to.
fn example(headers: &HeaderMap, prefix: &str, guarded: bool) -> String {
    // Nothing else of a stranger's header gets into what is pasted into a shell.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .filter(|host| !host.is_empty() && host.bytes().all(plain))
        .unwrap_or("localhost");
    let token = if guarded { r#" -H "Authorization: Bearer $TOKEN""# } else { "" };
    format!(r#"curl{token} http://{host}{prefix}/command -d '{{"method":{{"cmd":"help"}}}}'"#)
}

fn page(welcome: &Welcome) -> String {
    let text = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let mut page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{name}</title>\n<h1>{name} {version}</h1>\n\
         <p>The API is under <code>{context}</code>. A first request:</p>\n<pre>{example}</pre>\n<ul>\n",
        name = welcome.name,
        version = welcome.version,
        context = welcome.context,
        example = text(&welcome.example),
    );
    for WelcomeLink { method, path, does } in &welcome.links {
        let name = if method == "GET" && !path.contains('{') {
            format!("<a href=\"{path}\">{method} {path}</a>")
        } else {
            format!("{method} {path}")
        };
        page.push_str(&format!("<li>{name}: {}</li>\n", text(does)));
    }
    page.push_str("</ul>\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_from_where_they_stand() {
        for (path, prefix, expected) in
            [("/", "/a/b", "a/b"), ("/a/b", "/a/b", "b"), ("/a/b/", "/a/b", ""), ("/", "", "")]
        {
            assert_eq!(base(path, prefix), expected, "{path} {prefix}");
        }
        let has = |base: &str, path: &str| links(base).iter().any(|link| link.path == path);
        assert!(has("", "stores") && has("b", "b/stores") && has("a/b", "a/b/stores"));
        assert!(links("").iter().all(|link| !link.path.starts_with('/')));
    }

    #[test]
    fn an_example_holds_nothing_that_a_shell_reads() {
        let of = |host: &str| {
            example(&HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]), "/c", false)
        };
        assert!(of("[::1]:80").starts_with("curl http://[::1]:80/c/command "));
        for hostile in ["a';reboot", "$(reboot)", "a`b`", ""] {
            assert!(of(hostile).starts_with("curl http://localhost/c/command "), "{hostile}");
        }
    }
}
