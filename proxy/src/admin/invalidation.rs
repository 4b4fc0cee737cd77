//! `POST /2020-05-31/distribution/{id}/invalidation`: purging in the words of CloudFront's `CreateInvalidation`, for scripts that
//! were written for it (http-cache.md 5.3).
//!
//! The body is an `InvalidationBatch` as the AWS command line reads it from a file: `{"Paths": {"Quantity": 1, "Items":
//! ["/images/*"]}, "CallerReference": "1"}`. A path may end with `*`, lacks its leading slash if it wants to, and is a tag when it
//! begins with `#`. There is one distribution, whatever its id. Deliberately absent: XML, Amazon's signatures (the gate of the admin
//! API decides who may ask), quotas, and waiting: an invalidation is complete when it is answered.

use super::purge::{MAX_SCOPES, RawPurge, scopes};
use crate::{
    cache::{Now, PurgeKind, PurgeOrder},
    edge::Edge,
    purging,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// What is to be invalidated.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Batch {
    paths: Paths,
    caller_reference: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Paths {
    quantity: usize,
    items: Vec<String>,
}

pub(super) async fn create(
    State(edge): State<Arc<Edge>>,
    Path(distribution): Path<String>,
    Json(batch): Json<Batch>,
) -> Response {
    if let Err(wait) = purging::admit() {
        let after = [(header::RETRY_AFTER, purging::whole_seconds(wait).to_string())];
        return (StatusCode::TOO_MANY_REQUESTS, after, refusal("Throttling", "too many at a time")).into_response();
    }
    let invalid = |message: &str| (StatusCode::BAD_REQUEST, refusal("InvalidArgument", message)).into_response();
    let urls = match urls(&batch.paths) {
        Ok(urls) => urls,
        Err(problem) => return invalid(&problem),
    };
    let site = edge.site();
    let scopes = match scopes(&RawPurge::of_urls(urls), &site) {
        Ok(scopes) => scopes,
        Err(problem) => return invalid(&problem),
    };
    let (cache, paths) = (site.cache.clone(), batch.paths.items.len());
    let order = PurgeOrder { scopes, kind: PurgeKind::Hard, sync: false, count: false };
    // It waits for a file.
    let Ok(purged) = tokio::task::spawn_blocking(move || cache.purge(&order, Now::read())).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    tracing::info!(sequence = purged.number, paths, "invalidation");
    let id = format!("I{:013}", purged.number);
    let location = format!("/2020-05-31/distribution/{distribution}/invalidation/{id}");
    let answer = json!({ "Invalidation": { "Id": id, "Status": "Completed", "InvalidationBatch": batch } });
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    if let Ok(location) = location.try_into() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn refusal(code: &str, message: &str) -> Json<serde_json::Value> {
    Json(json!({ "Error": { "Code": code, "Message": message } }))
}

/// The paths as URLs without host: they count for every host, as a distribution's do.
fn urls(paths: &Paths) -> Result<Vec<String>, String> {
    if paths.quantity != paths.items.len() {
        return Err(format!("Quantity is {}, but there are {} Items", paths.quantity, paths.items.len()));
    }
    if paths.items.len() > MAX_SCOPES {
        return Err(format!("more than {MAX_SCOPES} Items"));
    }
    paths.items.iter().map(|item| url(item)).collect()
}

fn url(item: &str) -> Result<String, String> {
    if item.starts_with('#') {
        return Ok(item.to_owned());
    }
    if item.trim_end_matches('*').contains('*') {
        return Err(format!("{item:?}: `*` stands at the end only; POST /purge takes it anywhere"));
    }
    Ok(if item.starts_with('/') { item.to_owned() } else { format!("/{item}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_cloudfront() {
        for (item, expected) in [
            ("/a.jpg", Some("/a.jpg")),
            ("a.jpg", Some("/a.jpg")),
            ("/*", Some("/*")),
            ("*", Some("/*")),
            ("/a*", Some("/a*")),
            ("/a?b=1", Some("/a?b=1")),
            ("#Tag", Some("#Tag")),
            ("/a*/b", None),
            ("/*.jpg*", None),
        ] {
            assert_eq!(url(item).ok().as_deref(), expected, "{item}");
        }
        assert!(urls(&Paths { quantity: 2, items: vec!["/a".to_owned()] }).is_err());
    }
}
