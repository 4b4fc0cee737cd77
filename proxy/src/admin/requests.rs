//! `GET /requests`: what happened to the last requests, as JSON (`proxy/schemas/request-record.json`).
//!
//! `/requests?limit=..&url=..` lists records, the newest first; `/requests/ID` is one of them, and the beginning of an id will do;
//! `/requests/follow` goes on for as long as somebody listens, one record a line. Deliberately absent: filters by status, path
//! and the like, which are the reader's (`workbench::filter`).

use super::Api;
use crate::record::{Kept, RequestRecord};
use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Records in one answer.
const MOST: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    limit: usize,
    /// A whole URL, or a path with its query.
    url: Option<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { limit: 100, url: None }
    }
}

impl Wanted {
    fn takes(&self, kept: &Kept) -> bool {
        let Some(url) = &self.url else { return true };
        let (host, target) = &kept.url;
        match url.split_once("://") {
            None => url == target,
            Some((_, rest)) => rest
                .strip_prefix(host.as_str())
                .is_some_and(|rest| rest == target || (rest.is_empty() && target == "/")),
        }
    }
}

pub(super) async fn list(State(api): State<Api>, Query(wanted): Query<Wanted>) -> Json<Value> {
    let found = api.edge.records.all().into_iter().filter(|kept| wanted.takes(kept));
    let mut records: Vec<RequestRecord> = found.map(|kept| kept.read()).collect();
    records.sort_by(|a, b| b.time.cmp(&a.time));
    records.truncate(wanted.limit.min(MOST));
    Json(json!({ "schema": 1, "requests": records }))
}

pub(super) async fn one(State(api): State<Api>, Path(id): Path<String>) -> Response {
    match api.edge.records.find(&id) {
        Some(kept) => Json(kept.read()).into_response(),
        None => {
            (StatusCode::NOT_FOUND, "no record of this request; it was not sampled, or is too old\n").into_response()
        }
    }
}

pub(super) async fn follow(State(api): State<Api>) -> Response {
    let lines = futures_util::stream::unfold(api.edge.records.follow(), |mut receiver| async move {
        let line = next_line(&mut receiver).await?;
        Some((Ok::<_, Infallible>(line), receiver))
    });
    // The head goes out before the first record: who follows knows that nothing is missed from then on.
    let begin = futures_util::stream::iter([Ok(Bytes::from_static(b"\n"))]);
    let body = Body::from_stream(futures_util::StreamExt::chain(begin, lines));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

async fn next_line(receiver: &mut Receiver<Arc<Kept>>) -> Option<Bytes> {
    let line = match receiver.recv().await {
        Ok(kept) => serde_json::to_value(kept.read()).unwrap_or_default(),
        Err(RecvError::Lagged(missed)) => json!({ "schema": 1, "missed": missed }),
        Err(RecvError::Closed) => return None,
    };
    Some(format!("{line}\n").into())
}
