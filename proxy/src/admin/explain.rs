//! `POST /explain`: what would happen to a request on this node, without any effect; `POST /explain/stored`: what its cache has
//! for a key that somebody else has made; `POST /explain/send`: serves a request for real, as if a viewer on this machine had sent
//! it, and tells its record.

use super::Api;
use crate::{
    record::{InFull, Purpose},
    workbench::explain::{self, Lookup, Wanted},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use http_body_util::{BodyExt as _, Limited};

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

/// Bytes of an answer that are read, so that what is stored is whole.
const LONGEST_ANSWER: usize = 64 << 20;

pub(super) async fn send(State(api): State<Api>, Json(wanted): Json<Wanted>) -> Response {
    let (connection, mut request) = match wanted.request() {
        Ok(asked) => asked,
        Err(problem) => return (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    };
    let id = api.edge.site().world.request_id();
    connection.keep_id(id.clone());
    request.extensions_mut().insert(InFull);
    let answer = api.edge.serve(&connection, request).await;
    // Whether it ends well is in the record of the fill, not in this one.
    let _ = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
    match api.edge.records.find(&id) {
        Some(kept) => Json(kept.read()).into_response(),
        None => (StatusCode::CONFLICT, "the node keeps no records: [trace] keep, memory\n").into_response(),
    }
}

pub(super) async fn stored(State(api): State<Api>, Json(lookup): Json<Lookup>) -> Response {
    let site = api.edge.site();
    match explain::stored(&site, &lookup).await {
        Ok(told) => Json(told).into_response(),
        Err(problem) => (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    }
}
