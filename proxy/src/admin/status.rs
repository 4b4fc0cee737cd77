//! `GET /status` and `GET /experiments`: what serves, and what has been counted since the start.

use super::Api;
use axum::{Json, extract::State};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn experiments(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "schema": 1, "experiments": crate::experiment::report(&api.edge.site().experiments) }))
}

/// What has been counted of the Lambda functions that the configuration uses, by name; times in milliseconds, memory in KiB.
fn environments(site: &crate::site::Site) -> serde_json::Map<String, Value> {
    let hooks = site.behaviors.iter().flat_map(|behavior| {
        [&behavior.viewer_request, &behavior.origin_request, &behavior.origin_response, &behavior.viewer_response]
    });
    let measured = hooks.flatten().filter_map(|function| Some((function.identity()?, function.measured()?)));
    let milliseconds = |time: std::time::Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    let shown = measured.map(|(identity, of)| {
        let counted = json!({
            "version": identity.version,
            "code_sha256": identity.content,
            "invocations": of.invocations,
            "errors": of.errors,
            "throttles": of.throttles,
            "concurrent": of.concurrent,
            "most_concurrent": of.most_concurrent,
            "duration_ms": milliseconds(of.duration),
            "queue_ms": milliseconds(of.queue),
            "cold_starts": of.cold_starts,
            "init_ms": milliseconds(of.init),
            "max_memory_kib": of.max_memory,
            "environments": of.environments,
            "idle": of.idle,
        });
        (identity.name.clone(), counted)
    });
    shown.collect()
}

pub(super) async fn status(State(api): State<Api>) -> Json<Value> {
    let site = api.edge.site();
    let outcomes: serde_json::Map<String, Value> =
        api.edge.counters.outcomes().map(|(word, count)| (word.to_owned(), json!(count))).collect();
    let behaviors: Vec<Value> = site
        .behaviors
        .iter()
        .map(|behavior| {
            let name = |function: &Option<Arc<crate::hooks::Function>>| {
                function.as_ref().map_or(Value::Null, |function| json!(function.name))
            };
            json!({
                "path": behavior.path.as_str(),
                "origin": behavior.origin.name,
                "viewer_request": name(&behavior.viewer_request),
                "origin_request": name(&behavior.origin_request),
                "origin_response": name(&behavior.origin_response),
                "viewer_response": name(&behavior.viewer_response),
                "shadow": behavior.shadow.as_ref().map(|shadow| {
                    let [answered, failed, left_out] = shadow.counts();
                    json!({ "origin": shadow.origin(), "answered": answered, "failed": failed, "left_out": left_out })
                }),
            })
        })
        .collect();
    Json(json!({
        "schema": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "node": site.node,
        "config": site.number,
        "uptime_seconds": api.started.elapsed().as_secs(),
        "requests": api.edge.counters.requests(),
        "outcomes": outcomes,
        "cache_bytes": site.cache.weight(),
        "disk": site.cache.on_disk().map(|(bytes, objects)| json!({ "bytes": bytes, "objects": objects })),
        "behaviors": behaviors,
        "functions": functions(&site),
        "lambda": environments(&site),
    }))
}

/// What was counted of each function, under Amazon's names (cloudfront-functions.md 8).
fn functions(site: &crate::site::Site) -> serde_json::Map<String, Value> {
    let one = |function: &crate::hooks::Function| {
        let (sums, utilization) = function.counts.metrics();
        let mut metrics: serde_json::Map<String, Value> =
            sums.into_iter().map(|(name, sum)| (name.to_owned(), json!(sum))).collect();
        if let Some(average) = utilization {
            metrics.insert("FunctionComputeUtilization".to_owned(), json!(average));
        }
        metrics
    };
    let mut all: Vec<_> = site.functions.iter().map(|(name, function)| (name.clone(), json!(one(function)))).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.into_iter().collect()
}
