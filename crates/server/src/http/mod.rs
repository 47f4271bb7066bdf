//! The HTTP API: commands, uploads, stores, logs and the node's state, as JSON under one context.
//!
//! In reading order: `listen` accepts connections, `routes` says which paths there are, `edge` does
//! what every request needs (CORS, token, deadline, figures), `command` and its neighbours carry
//! requests out. A request is data: whatever it holds, it yields an answer, never a panic. Nothing
//! here knows how the node keeps its documents.

mod answer;
mod auth;
mod body;
mod command;
mod edge;
mod error;
mod keys;
mod limits;
mod listen;
mod log;
mod metrics;
mod openapi;
mod routes;
mod stall;
mod state;
mod stores;
mod stream;
mod upload;
mod weight;

use std::io;
use std::sync::Arc;

use optimusdb_db::Node;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the API needs to know beside the node.
#[derive(Debug, Clone)]
pub(crate) struct HttpConfig {
    /// The path that everything lives under, such as `swarmkb`; slashes around it do not matter.
    pub(crate) context: String,
    /// The token that requests must bear, if any.
    pub(crate) api_token: Option<String>,
}

/// What the handlers share.
struct Api {
    node: Node,
    bodies: body::BodyReader,
    metrics: metrics::Metrics,
    token: Option<auth::Token>,
}

/// Serves the API on `listener` until `shutdown` is cancelled and the requests in flight have ended.
///
/// # Errors
/// `InvalidInput` when the context or the token cannot be served; nothing is served then.
pub(crate) async fn serve(
    listener: TcpListener,
    node: Node,
    config: HttpConfig,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
    let prefix = routes::prefix(&config.context).map_err(invalid)?;
    let token = config.api_token.as_deref().map(auth::Token::new).transpose().map_err(invalid)?;
    let api =
        Api { metrics: metrics::Metrics::new(&node), bodies: body::BodyReader::new(), node, token };
    let router = routes::router(&prefix, Arc::new(api));
    listen::serve(listener, router, shutdown).await;
    Ok(())
}
