//! Every request comes here first: its target is checked, the router or `opening` answers it, and the
//! unread rest of its body is taken.
//!
//! The API listens before the node is open, for a node that makes its index again takes long, and a
//! supervisor has to see that it lives. Until [`Front::opened`] every request is answered by `opening`,
//! from then on by the router.

use std::io;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use optimusdb_db::{Node, NodeOpening};

use super::auth::BearerToken;
use super::edge::allow_every_origin;
use super::{Api, HttpConfig, body, metrics, opening, routes, target, unread};

/// The API, before and after its node is open.
pub(crate) struct Front {
    prefix: String,
    token: Option<BearerToken>,
    opening: NodeOpening,
    router: OnceLock<TowerToHyperService<Router>>,
}

impl Front {
    /// The API of a node that is being opened.
    ///
    /// # Errors
    /// `InvalidInput` when the context or the token cannot be served.
    pub(crate) fn new(config: &HttpConfig, opening: NodeOpening) -> io::Result<Front> {
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
        let prefix = routes::prefix(&config.context).map_err(invalid)?;
        let token =
            config.api_token.as_deref().map(BearerToken::new).transpose().map_err(invalid)?;
        Ok(Front { prefix, token, opening, router: OnceLock::new() })
    }

    /// From now on `node` answers.
    pub(crate) fn opened(&self, node: Node) {
        let api = Api {
            metrics: metrics::Metrics::new(&node),
            bodies: body::BodyReader::new(),
            node,
            prefix: self.prefix.clone(),
            token: self.token.clone(),
        };
        let router = routes::router(&self.prefix, Arc::new(api));
        // Only the first node answers; there is no second.
        let _ = self.router.set(TowerToHyperService::new(router));
    }

    /// Answers a request, and sees to it that nothing of it is left on its connection.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response {
        unread::answer_whole(request, |request| self.reply(request)).await
    }

    async fn reply(&self, request: Request<Body>) -> Response {
        let mut response = match (target::plain(request), self.router.get()) {
            (Ok(request), Some(router)) => {
                return router.call(request).await.unwrap_or_else(|never| match never {});
            }
            (Ok(request), None) => opening::answer(&request, &self.prefix, &self.opening),
            (Err(refusal), _) => refusal.into_response(),
        };
        allow_every_origin(response.headers_mut());
        response
    }
}
