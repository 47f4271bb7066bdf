//! Which paths there are, and who answers them.
//!
//! One table, [`endpoints`]: the router, the trailing-slash forms and the test against the API's
//! description are made from it.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, any, get, post, put};

use super::edge::{self, Edge};
use super::error::ApiError;
use super::{
    Api, car, command, files, journal, metrics, openapi, pins, sql, state, stores, tosca, upload,
    welcome,
};

/// One path of the API.
pub(super) struct Endpoint {
    /// The path within the context.
    pub(super) path: &'static str,
    name: &'static str,
    handlers: MethodRouter<Arc<Api>>,
    /// Answered without the token: for probes.
    open: bool,
    /// Answered outside the context, too.
    outside: bool,
    keeps_deadline: bool,
}

/// Every path of the API.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = |path, name, handlers| Endpoint {
        path,
        name,
        handlers,
        open: false,
        outside: false,
        keeps_deadline: false,
    };
    let probe = |path, name, handlers| Endpoint {
        open: true,
        outside: true,
        ..endpoint(path, name, handlers)
    };
    vec![
        Endpoint { outside: true, ..endpoint("/", "welcome", get(welcome::welcome)) },
        Endpoint {
            keeps_deadline: true,
            ..endpoint("/command", "command", post(command::command))
        },
        endpoint("/sql", "sql", post(sql::run)),
        endpoint("/sql/schema", "sql_schema", get(sql::schema)),
        endpoint("/upload", "upload", post(upload::upload)),
        endpoint("/tosca/match", "tosca", post(tosca::find_matches)),
        endpoint("/stores", "stores", get(stores::list)),
        endpoint("/stores/{name}", "stores", put(stores::create)),
        endpoint(
            "/stores/{name}/access",
            "access",
            get(stores::access).post(stores::change_access),
        ),
        Endpoint { keeps_deadline: true, ..endpoint("/files", "files", put(files::add)) },
        endpoint("/files/{cid}", "files", get(files::root)),
        endpoint("/files/{cid}/{*path}", "files", get(files::below)),
        Endpoint { keeps_deadline: true, ..endpoint("/car", "car", put(car::add)) },
        endpoint("/pins", "pins", get(pins::list)),
        endpoint("/pins/{cid}", "pins", get(pins::show).put(pins::pin).delete(pins::unpin)),
        endpoint("/transfers", "transfers", get(pins::transfers)),
        endpoint("/id", "id", get(state::id)),
        endpoint("/peers", "peers", get(state::peers)),
        endpoint("/ems", "ems", get(state::peers)),
        endpoint("/log", "log", get(journal::journal).post(journal::journal)),
        endpoint("/benchmarks", "benchmarks", get(state::benchmarks)),
        probe("/healthz", "healthz", get(state::healthz)),
        probe("/readyz", "readyz", get(state::readyz)),
        endpoint("/metrics", "metrics", get(metrics::metrics)),
        endpoint("/openapi.json", "openapi", get(openapi::openapi)),
    ]
}

/// The router of the whole API under `prefix` (see [`prefix`]).
pub(super) fn router(prefix: &str, api: Arc<Api>) -> Router {
    let mut router = Router::new();
    for endpoint in endpoints() {
        let edge = Edge {
            api: Arc::clone(&api),
            endpoint: endpoint.name,
            open: endpoint.open,
            keeps_deadline: endpoint.keeps_deadline,
        };
        let handlers =
            endpoint.handlers.fallback(wrong_method).layer(from_fn_with_state(edge, edge::pass));
        let path = endpoint.path.trim_end_matches('/');
        let mut paths = vec![format!("{prefix}{path}")];
        if endpoint.outside && !prefix.is_empty() {
            paths.push(path.to_owned());
        }
        for path in paths {
            // What takes the rest of a path takes its slashes, too.
            if !path.ends_with("*path}") {
                router = router.route(&format!("{path}/"), handlers.clone());
            }
            if !path.is_empty() {
                router = router.route(&path, handlers.clone());
            }
        }
    }
    let edge = Edge { api: Arc::clone(&api), endpoint: "none", open: false, keeps_deadline: false };
    let unknown = not_found(prefix);
    let unknown = any(move || async move { unknown() }).layer(from_fn_with_state(edge, edge::pass));
    // Bodies have their own limit and reader, which the extractors of axum do not know.
    router
        .fallback_service(unknown.with_state(()))
        .layer(DefaultBodyLimit::disable())
        .with_state(api)
}

/// The path prefix of a context: empty, or `/a/b`. Refuses what no plain path can hold.
pub(super) fn prefix(context: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let mut prefix = String::new();
    for segment in context.split('/').filter(|segment| !segment.is_empty()) {
        if !segment.bytes().all(plain) || segment == "." || segment == ".." {
            return Err(format!(
                "the context '{context}' holds more than letters, digits, '-', '.', '_', '~' and '/'"
            ));
        }
        prefix.push('/');
        prefix.push_str(segment);
    }
    Ok(prefix)
}

fn not_found(prefix: &str) -> impl Fn() -> ApiError + Clone + use<> {
    let message = format!(
        "No such path. The API lives under '{prefix}/'; '{prefix}/openapi.json' describes it."
    );
    move || ApiError::new(StatusCode::NOT_FOUND, message.clone())
}

async fn wrong_method(method: Method) -> ApiError {
    let method: String = method.as_str().chars().take(20).collect();
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("This path does not take {method}; its Allow header says what it takes."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_become_prefixes() {
        for (context, expected) in [
            ("swarmkb", "/swarmkb"),
            ("/swarmkb/", "/swarmkb"),
            ("a//b", "/a/b"),
            ("", ""),
            ("/", ""),
        ] {
            assert_eq!(prefix(context).unwrap(), expected);
        }
        for refused in ["{x}", "a b", "..", "a/../b", "é", "a?b", "a%20"] {
            assert!(prefix(refused).is_err(), "{refused}");
        }
    }
}
