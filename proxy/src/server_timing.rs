//! `Server-Timing`: what the edge tells scripts and developer tools about one answer, under CloudFront's names (http-cache.md
//! 6.3), for the share of answers that a response headers policy asks for.
//!
//! Deliberately absent: name resolution and connecting, which are part of the time to the first byte, and a way for viewers to
//! ask for it.

use crate::{
    cache::{Outcome, Report},
    record::Record,
};
use http::{HeaderName, HeaderValue};
use std::{fmt::Write as _, time::Duration};
use xxhash_rust::xxh3::xxh3_64;

/// The field.
pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Whether a request is among the `percent` that are told.
pub(crate) fn takes(percent: u8, request_id: &str) -> bool {
    xxh3_64(request_id.as_bytes()) % 100 < u64::from(percent)
}

/// The metrics of an answer that is about to be sent, milliseconds with one decimal.
pub(crate) fn value(record: &Record, report: &Report, pop: Option<&HeaderValue>) -> Option<HeaderValue> {
    let mut text = String::with_capacity(160);
    let asked = record.origins.last();
    if let Some(origin) = asked {
        text.push_str("cdn-upstream-layer;desc=\"EDGE\", cdn-upstream-fbl;dur=");
        push_milliseconds(&mut text, origin.time);
        text.push_str(", ");
    }
    text.push_str(match report.outcome {
        Outcome::Hit | Outcome::Stale => "cdn-cache-hit",
        Outcome::Revalidated => "cdn-cache-refresh",
        Outcome::Miss | Outcome::Expired | Outcome::Uncacheable | Outcome::Bypass => "cdn-cache-miss",
    });
    if let Some(pop) = pop.and_then(|pop| pop.to_str().ok()) {
        let _ = write!(text, ", cdn-pop;desc=\"{pop}\""); // writing into a String cannot fail
    }
    let _ = write!(text, ", cdn-rid;desc=\"{}\"", record.id);
    if asked.is_none() {
        text.push_str(", cdn-hit-layer;desc=\"EDGE\"");
    }
    text.push_str(", cdn-downstream-fbl;dur=");
    push_milliseconds(&mut text, record.elapsed());
    HeaderValue::try_from(text).ok()
}

fn push_milliseconds(text: &mut String, time: Duration) {
    let _ = write!(text, "{:.1}", time.as_secs_f64() * 1e3); // writing into a String cannot fail
}
