//! The counts of all experiments as the admin API shows them.

use super::{
    Experiment,
    ratio::{self, Verdict},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// One object per experiment, in the order of the file.
#[must_use]
pub fn report(experiments: &[Arc<Experiment>]) -> Vec<Value> {
    experiments.iter().map(|experiment| self::experiment(experiment)).collect()
}

fn experiment(experiment: &Experiment) -> Value {
    let shown = experiment.tally.shown();
    let (weights, viewers, requests) = (
        experiment.variants.iter().map(|variant| u64::from(variant.weight)).sum::<u64>(),
        shown.iter().map(|counts| counts.viewers).sum::<u64>(),
        shown.iter().map(|counts| counts.requests).sum::<u64>(),
    );
    let variants: Vec<Value> = experiment
        .variants
        .iter()
        .zip(&shown)
        .map(|(variant, counts)| {
            let [p50, p95, p99] = counts.latency.map(|time| time.as_secs_f64() * 1000.0);
            json!({
                "name": variant.name,
                "weight": variant.weight,
                "expected_share": share(u64::from(variant.weight), weights),
                "viewers": counts.viewers,
                "viewer_share": share(counts.viewers, viewers),
                "requests": counts.requests,
                "request_share": share(counts.requests, requests),
                "status": {
                    "1xx": counts.statuses[0], "2xx": counts.statuses[1], "3xx": counts.statuses[2],
                    "4xx": counts.statuses[3], "5xx": counts.statuses[4],
                },
                "latency_ms": { "p50": p50, "p95": p95, "p99": p99 },
                "hit_ratio": share(counts.hits, counts.lookups),
                "in_cache_key": variant.keyed,
            })
        })
        .collect();
    json!({
        "name": experiment.name,
        "match": experiment.scope.path.as_str(),
        "assign": experiment.assign.to_string(),
        "fallback": experiment.variants[experiment.fallback].name,
        "since": httpdate::fmt_http_date(experiment.tally.since()),
        "variants": variants,
        "sample_ratio": sample_ratio(experiment),
    })
}

fn sample_ratio(experiment: &Experiment) -> Value {
    let counts: Vec<(u32, u64)> =
        experiment.variants.iter().map(|variant| variant.weight).zip(experiment.tally.viewers()).collect();
    let (verdict, statistic, p) = match ratio::judge(&counts) {
        Verdict::TooFew => return json!({ "verdict": "too-few" }),
        Verdict::Fits { statistic, p } => ("fits", statistic, p),
        Verdict::Mismatch { statistic, p } => ("mismatch", statistic, p),
    };
    json!({ "verdict": verdict, "chi_square": statistic, "p": p, "threshold": ratio::SIGNIFICANT })
}

/// `null` where there is nothing to share.
fn share(part: u64, whole: u64) -> Value {
    if whole == 0 { Value::Null } else { json!(part as f64 / whole as f64) }
}
