//! Key value stores in the admin API: what operators and the command line read and edit.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /kvs` | all stores |
//! | `GET /kvs/STORE?prefix=P` | its entries, or those whose keys begin so |
//! | `GET /kvs/STORE/value?key=K` | one value, or null |
//! | `POST /kvs/STORE/edits` | `{"changes": [{"put": {"key", "value"}}, {"remove": {"key"}}]}`, all or none |
//! | `GET /kvs/STORE/edits?after=N` | the edits since then, in order; 410 when too many of them are gone |
//! | `PUT /kvs/STORE` | a data file in the place of everything |
//! | `PATCH /kvs/STORE` | a data file on top of what is there |
//!
//! An edit is answered when it is on the medium and the hosts have it. Who may ask is `admin`'s to say; values reach no log.

use crate::stores::{Served, Stores, StoresError};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use edgehook_kvs::{Change, Edited, MAX_CHANGES, StoreError, file, limits::MAX_FILE};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// A request that was not done: why, for the one who asked.
#[derive(Debug)]
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}

impl From<StoresError> for Refused {
    fn from(error: StoresError) -> Self {
        let status = match &error {
            StoresError::Store { error: StoreError::Limit(_), .. } => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!("{error}");
        }
        Self(status, error.to_string())
    }
}

type Answer = Result<Json<Value>, Refused>;

pub(super) fn router(stores: Arc<Stores>) -> Router {
    // A data file of the largest size may be asked for; that it is one is checked when it is read.
    let limit = DefaultBodyLimit::max(usize::try_from(MAX_FILE).unwrap_or(usize::MAX) + 1);
    Router::new()
        .route("/kvs", get(list))
        .route("/kvs/{store}", get(entries).put(replace).patch(merge))
        .route("/kvs/{store}/value", get(value))
        .route("/kvs/{store}/edits", get(records).post(edit))
        .layer(limit)
        .with_state(stores)
}

fn named(stores: &Stores, name: &str) -> Result<Arc<Served>, Refused> {
    stores.get(name).ok_or_else(|| {
        let names: Vec<String> = stores.all().iter().map(|(store, _)| store.name().to_owned()).collect();
        let known = if names.is_empty() { "there is none".to_owned() } else { format!("stores: {}", names.join(", ")) };
        Refused(StatusCode::NOT_FOUND, format!("no key value store \"{}\"; {known}", name.escape_debug()))
    })
}

async fn list(State(stores): State<Arc<Stores>>) -> Answer {
    let mut list = Vec::new();
    for (store, id) in stores.all() {
        let (meta, entries) = store.with(|store| store.content()).await?;
        list.push(json!({
            "name": store.name(),
            "id": id,
            "keys": entries.len(),
            "bytes": bytes(&entries),
            "sequence": meta.sequence,
            "created_ms": meta.created,
            "updated_ms": meta.updated,
        }));
    }
    Ok(Json(json!({ "schema": 1, "stores": list })))
}

fn bytes(entries: &std::collections::BTreeMap<String, String>) -> usize {
    entries.iter().map(|(key, value)| key.len() + value.len()).sum()
}

#[derive(Deserialize)]
struct Prefix {
    #[serde(default)]
    prefix: String,
}

async fn entries(
    State(stores): State<Arc<Stores>>,
    Path(name): Path<String>,
    Query(Prefix { prefix }): Query<Prefix>,
) -> Answer {
    let store = named(&stores, &name)?;
    let (meta, entries) = store.with(|store| store.content()).await?;
    let list: Vec<Value> = entries
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect();
    Ok(Json(json!({ "schema": 1, "store": name, "sequence": meta.sequence, "data": list })))
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

async fn value(State(stores): State<Arc<Stores>>, Path(name): Path<String>, Query(Key { key }): Query<Key>) -> Answer {
    let asked = key.clone();
    let value = named(&stores, &name)?.with(move |store| store.get(&asked)).await?;
    Ok(Json(json!({ "schema": 1, "store": name, "key": key, "value": value })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    changes: Vec<Change>,
}

async fn edit(
    State(stores): State<Arc<Stores>>,
    Path(name): Path<String>,
    changes: Result<Json<Edit>, JsonRejection>,
) -> Answer {
    let store = named(&stores, &name)?;
    let Json(Edit { changes }) = changes.map_err(|error| Refused(error.status(), error.body_text()))?;
    if changes.len() > MAX_CHANGES {
        let text = format!("{} changes; one edit has at most {MAX_CHANGES}", changes.len());
        return Err(Refused(StatusCode::UNPROCESSABLE_ENTITY, text));
    }
    Ok(done(&store, store.edit(changes).await?))
}

async fn replace(State(stores): State<Arc<Stores>>, Path(name): Path<String>, body: Bytes) -> Answer {
    let store = named(&stores, &name)?;
    let entries = file::parse(&body).map_err(unusable)?;
    Ok(done(&store, store.replace(entries).await?))
}

async fn merge(State(stores): State<Arc<Stores>>, Path(name): Path<String>, body: Bytes) -> Answer {
    let store = named(&stores, &name)?;
    let entries = file::parse(&body).map_err(unusable)?;
    let changes = entries.into_iter().map(|(key, value)| Change::Put { key, value }).collect();
    Ok(done(&store, store.edit(changes).await?))
}

fn unusable(error: edgehook_kvs::FileError) -> Refused {
    Refused(StatusCode::UNPROCESSABLE_ENTITY, format!("the data cannot be used: {error}"))
}

fn done(store: &Served, edited: Edited) -> Json<Value> {
    let Edited { sequence, put, removed } = edited;
    tracing::info!(store = store.name(), sequence, put, removed, "key value store edited");
    Json(json!({ "schema": 1, "store": store.name(), "sequence": sequence, "put": put, "removed": removed }))
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn records(
    State(stores): State<Arc<Stores>>,
    Path(name): Path<String>,
    Query(After { after }): Query<After>,
) -> Answer {
    let records = named(&stores, &name)?.with(move |store| store.records(after)).await?;
    let Some(records) = records else {
        let text = format!("not all edits after {after} are remembered; take all of GET /kvs/{name}");
        return Err(Refused(StatusCode::GONE, text));
    };
    Ok(Json(json!({ "schema": 1, "store": name, "edits": records })))
}
