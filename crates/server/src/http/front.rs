//! Every request comes here first: its target is checked, and whether its page may ask; the router or
//! `opening` answers it, and the unread rest of its body is taken.
//!
//! The API listens before the node is open, for a node that makes its index again takes long, and a
//! supervisor has to see that it lives. Until [`Front::opened`] every request is answered by `opening`,
//! from then on by the router.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use optimusdb_db::{Node, NodeOpening};
use prometheus_client::registry::Registry;

use super::auth::BearerToken;
use super::listen::Answers;
use super::origins::OriginPolicy;
use super::{Api, HttpConfig, body, metrics, opening, routes, target, unread};

/// The API, before and after its node is open.
pub(crate) struct Front {
    prefix: String,
    token: Option<BearerToken>,
    origins: OriginPolicy,
    opening: NodeOpening,
    router: OnceLock<TowerToHyperService<Router>>,
}

impl Front {
    /// The API of a node that is being opened, on the port that it listens on.
    ///
    /// # Errors
    /// `InvalidInput` when the context or the token cannot be served.
    pub(crate) fn new(
        config: &HttpConfig,
        bound: SocketAddr,
        opening: NodeOpening,
    ) -> io::Result<Front> {
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
        let prefix = routes::prefix(&config.context).map_err(invalid)?;
        let token =
            config.api_token.as_deref().map(BearerToken::new).transpose().map_err(invalid)?;
        let origins = OriginPolicy::new(bound, token.is_some(), &config.hosts, &config.origins);
        Ok(Front { prefix, token, origins, opening, router: OnceLock::new() })
    }

    /// From now on `node` answers. `register` adds figures to those of the API.
    pub(crate) fn opened(&self, node: Node, register: impl FnOnce(&mut Registry)) {
        let api = Api {
            metrics: metrics::Metrics::new(&node, register),
            bodies: body::BodyReader::new(),
            node,
            prefix: self.prefix.clone(),
            token: self.token.clone(),
        };
        let router = routes::router(&self.prefix, Arc::new(api));
        // Only the first node answers; there is no second.
        let _ = self.router.set(TowerToHyperService::new(router));
    }

    async fn reply(&self, request: Request<Body>) -> Response {
        let checked =
            target::plain(request).and_then(|request| Ok((self.origins.check(&request)?, request)));
        let (page, request) = match checked {
            Ok(checked) => checked,
            Err(refusal) => return refusal.into_response(),
        };
        let mut response = match self.router.get() {
            Some(router) => router.call(request).await.unwrap_or_else(|never| match never {}),
            None => opening::answer(&request, &self.prefix, &self.opening),
        };
        page.mark(response.headers_mut());
        response
    }
}

impl Answers for Front {
    const NAME: &'static str = "the API";

    fn is_probe(request: &Request<Incoming>) -> bool {
        let path = request.uri().path();
        path.ends_with("/healthz") || path.ends_with("/readyz")
    }

    async fn answer(&self, request: Request<Incoming>) -> Response {
        unread::answer_whole(request, |request| self.reply(request)).await
    }
}
