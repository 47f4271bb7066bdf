//! The HTTP API: commands, uploads, stores, the journal and the node's state, as JSON under one context.
//!
//! In reading order: `listen` accepts connections, `front` is what every request meets first, `routes` says
//! which paths there are, `edge` does what all of them need (token, deadline, figures), `command` and
//! its neighbours carry requests out. A request is data: every one yields an answer, never a panic. Nothing
//! here knows how the node keeps its documents. What is not the API's alone (connections, refusals, ranges,
//! streams, content types) the gateway uses as it is.

mod answer;
mod auth;
mod body;
mod car;
mod coding;
mod command;
mod connections;
pub(crate) mod content_type;
mod edge;
pub(crate) mod error;
pub(crate) mod files;
mod front;
mod journal;
mod json;
mod keys;
pub(crate) mod limits;
pub(crate) mod listen;
pub(crate) mod metrics;
mod once;
mod openapi;
mod opening;
mod origins;
pub(crate) mod pieces;
mod pins;
pub(crate) mod range;
mod routes;
mod sql;
mod stall;
mod state;
mod stores;
mod stream;
pub(crate) mod target;
mod tosca;
pub(crate) mod unread;
mod upload;
mod weight;
mod welcome;

use optimusdb_db::Node;

pub(crate) use front::Front;
pub(crate) use listen::{Answers, serve};

/// What the API needs to know beside the node.
#[derive(Debug, Clone)]
pub(crate) struct HttpConfig {
    /// The path that everything lives under, such as `swarmkb`; slashes around it do not matter.
    pub(crate) context: String,
    /// The token that requests must bear, if any.
    pub(crate) api_token: Option<String>,
    /// Names by which browsers may reach the node, beside those that are its own anyway; `*` for all.
    pub(crate) hosts: Vec<String>,
    /// Origins whose pages may ask, if that was said; `*` for all.
    pub(crate) origins: Vec<String>,
}

/// What the handlers share.
struct Api {
    node: Node,
    /// The path that everything lives under: empty, or such as `/swarmkb`.
    prefix: String,
    bodies: body::BodyReader,
    metrics: metrics::Metrics,
    token: Option<auth::BearerToken>,
}
