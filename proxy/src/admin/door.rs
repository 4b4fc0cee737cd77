//! The admin API behind a listener of the edge: the same waits, sizes and strictness about HTTP that viewers meet.

use crate::{
    body::{Body, BodyError},
    listener::{Answer, Connection, Handler},
};
use axum::Router;
use http::Request;
use http_body_util::BodyExt as _;
use std::sync::Arc;
use tower_service::Service as _;

/// Hands requests to the router.
pub(crate) struct Door(pub(crate) Router);

impl Handler for Door {
    fn handle(&self, _: Arc<Connection>, request: Request<Body>) -> Answer {
        // A router is always ready.
        let mut router = self.0.clone();
        Box::pin(async move {
            let answered = router.call(request.map(axum::body::Body::new)).await;
            let response = answered.unwrap_or_else(|never| match never {});
            response.map(|body| body.map_err(|_| BodyError::Origin).boxed_unsync())
        })
    }
}
