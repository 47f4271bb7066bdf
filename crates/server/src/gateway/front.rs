//! Every request of the gateway comes here first.
//!
//! The gateway listens before the node is open, as the API does; until then every request is a 503.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use optimusdb_db::{Error, Node, NodeOpening};
use tokio::sync::Semaphore;

use super::answer::{self, Gateway};
use super::figures::GatewayFigures;
use super::limits::ANSWERS_MAX;
use crate::http::error::ApiError;
use crate::http::{Answers, target, unread};

/// What `OPTIONS` and a 405 say.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// The gateway, before and after its node is open.
pub(crate) struct GatewayFront {
    opening: NodeOpening,
    gateway: OnceLock<Gateway>,
    figures: GatewayFigures,
}

impl GatewayFront {
    /// The gateway of a node that is being opened.
    pub(crate) fn new(opening: NodeOpening, figures: GatewayFigures) -> GatewayFront {
        GatewayFront { opening, gateway: OnceLock::new(), figures }
    }

    /// From now on `node` answers.
    pub(crate) fn opened(&self, node: Node) {
        let turns = || Arc::new(Semaphore::new(ANSWERS_MAX));
        let gateway = Gateway { node, turns: turns(), distant_turns: turns() };
        // Only the first node answers; there is no second.
        let _ = self.gateway.set(gateway);
    }

    async fn reply(&self, request: Request<Body>) -> Response {
        let started = Instant::now();
        let is_head = request.method() == Method::HEAD;
        let mut format = "none";
        let answered = self.answer_of(request, &mut format).await;
        let mut response = answered.unwrap_or_else(IntoResponse::into_response);
        allow_every_origin(response.headers_mut());
        self.figures.answered(format, response.status(), started.elapsed());
        if is_head {
            *response.body_mut() = Body::empty();
        }
        response
    }

    async fn answer_of(
        &self,
        request: Request<Body>,
        format: &mut &'static str,
    ) -> Result<Response, ApiError> {
        let request = target::plain(request)?;
        match *request.method() {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(StatusCode::NO_CONTENT.into_response()),
            _ => {
                let why = "The gateway only reads: GET, HEAD and OPTIONS.";
                let refusal = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, why);
                return Err(refusal.with_header(header::ALLOW, METHODS));
            }
        }
        let Some(gateway) = self.gateway.get() else {
            let why = format!("the node is not ready: {}", self.opening.step());
            return Err(Error::Unavailable(why).into());
        };
        let (head, _) = request.into_parts();
        answer::answer(gateway, &head, format).await
    }
}

impl Answers for GatewayFront {
    const NAME: &'static str = "the gateway";

    async fn answer(&self, request: Request<Incoming>) -> Response {
        unread::answer_whole(request, |request| self.reply(request)).await
    }
}

/// Any page may read what is public, and see what was said of it.
fn allow_every_origin(headers: &mut HeaderMap) {
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Content-Type, Range, User-Agent, X-Requested-With"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "Content-Range, Content-Length, Content-Location, ETag, X-Ipfs-Path, X-Ipfs-Roots, \
             X-Chunked-Output, X-Stream-Output",
        ),
    );
}
