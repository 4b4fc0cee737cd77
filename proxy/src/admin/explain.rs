//! `POST /explain`: what would happen to a request on this node, without any effect; `POST /explain/stored`: what its cache has
//! for a key that somebody else has made.

use super::Api;
use crate::{
    record::Purpose,
    workbench::explain::{self, Lookup, Wanted},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

pub(super) async fn explain(State(api): State<Api>, Json(wanted): Json<Wanted>) -> Response {
    let site = api.edge.site();
    match explain::explain(&site, &wanted, Purpose::ExplainLive, &site.tracing.mask).await {
        Ok(mut told) => {
            told.cache_from = "live".to_owned();
            Json(told).into_response()
        }
        Err(problem) => (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    }
}

pub(super) async fn stored(State(api): State<Api>, Json(lookup): Json<Lookup>) -> Response {
    let site = api.edge.site();
    match explain::stored(&site, &lookup) {
        Ok(told) => Json(told).into_response(),
        Err(problem) => (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    }
}
