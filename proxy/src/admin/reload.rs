//! `POST /reload`: the configuration file is read again, as at SIGHUP, and who asks is told what became of it.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

/// Asks for a reload; the answer is the number of the configuration that serves from then on, or why nothing has changed.
pub(crate) type Reloads = mpsc::Sender<oneshot::Sender<Result<u64, String>>>;

pub(super) async fn reload(State(reloads): State<Option<Reloads>>) -> Response {
    let Some(reloads) = reloads else {
        return (StatusCode::CONFLICT, "`dev` follows what is saved; there is nothing to reload\n").into_response();
    };
    let (answer, answered) = oneshot::channel();
    if reloads.send(answer).await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "this node is about to end\n").into_response();
    }
    match answered.await {
        Ok(Ok(number)) => Json(json!({ "schema": 1, "config": number })).into_response(),
        Ok(Err(problem)) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{problem}\n")).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "this node is about to end\n").into_response(),
    }
}
