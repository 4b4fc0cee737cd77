//! The admin API: what operators, the command line and monitoring ask of a running node, on an address of its own.
//!
//! | request | where |
//! |---|---|
//! | `GET /status`, `GET /experiments` | [`status`] |
//! | `GET /metrics` | [`metrics`] |
//! | `POST /purge` | [`purge`] |
//! | `POST /2020-05-31/distribution/{id}/invalidation` | [`invalidation`] |
//! | `POST /2015-03-31/functions/{name}/invocations` | [`invocations`] |
//! | `POST /reload` | [`reload`] |
//! | `/kvs` and below | [`kvs`] |
//! | `GET /requests` and below | [`requests`] |
//! | `POST /explain` and below | [`explain`] |
//!
//! [`gate`] stands before all of them and decides who may ask. Nothing here can be reached through the public listeners.
//! Deliberately absent: addresses and tokens' whereabouts (`app::admin`), and configuration types.

mod door;
mod explain;
mod gate;
mod invalidation;
mod invocations;
mod kvs;
mod metrics;
mod purge;
mod reload;
mod requests;
mod status;

pub(crate) use door::Door;
pub(crate) use gate::Gate;
pub(crate) use purge::scopes_of as purge_scopes;
pub(crate) use reload::Reloads;

use crate::{edge::Edge, stores::Stores};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, header},
    middleware,
    response::Response,
    routing::{get, post},
};
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

/// What the routes look at.
#[derive(Clone)]
struct Api {
    edge: Arc<Edge>,
    started: Instant,
    started_at: SystemTime,
}

/// The whole API behind `gate`.
pub(crate) fn router(edge: Arc<Edge>, stores: Arc<Stores>, reloads: Option<Reloads>, gate: Gate) -> Router {
    let api = Api { edge, started: Instant::now(), started_at: SystemTime::now() };
    let purging = Router::new()
        .route("/purge", post(purge::purge))
        .route("/2020-05-31/distribution/{distribution}/invalidation", post(invalidation::create))
        .with_state(Arc::clone(&api.edge));
    let invoking = Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invocations::invoke))
        // One byte more, so that what is too much is told as Lambda does.
        .layer(DefaultBodyLimit::max(invocations::EVENT_LIMIT + 1))
        .with_state(Arc::clone(&api.edge));
    let reloading = Router::new().route("/reload", post(reload::reload)).with_state(reloads);
    Router::new()
        .route("/status", get(status::status))
        .route("/experiments", get(status::experiments))
        .route("/metrics", get(metrics::metrics))
        .route("/explain", post(explain::explain))
        .route("/explain/send", post(explain::send))
        .route("/explain/stored", post(explain::stored))
        .route("/requests", get(requests::list))
        .route("/requests/follow", get(requests::follow))
        .route("/requests/{id}", get(requests::one))
        .with_state(api)
        .merge(purging)
        .merge(invoking)
        .merge(reloading)
        .merge(kvs::router(stores))
        .layer(middleware::from_fn_with_state(Arc::new(gate), gate::admit))
        .layer(middleware::map_response(guarded))
}

/// Nothing that the API says is to be stored, guessed at, or run by a browser.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
