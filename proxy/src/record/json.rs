//! The record of one request as everybody reads it: admin API, `trace`, `tail`, test reports. Secrets are masked here.
//!
//! The shape is published as `proxy/schemas/request-record.json`, which a test holds to these types; it only grows within a
//! schema number.

use super::{
    HookRecord, Mask, OriginRecord, Record,
    event::{event_json, result_json, text_or_base64},
    key::{KeyPart, key_parts},
    trace::{Sample, Trace, TracedKey},
};
use crate::cache::StoreResult;
use edgehook_contract::{Header, RequestMessage, ResponseMessage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// Number of the shape.
const SCHEMA: u32 = 1;

/// What happened to one request, and why.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RequestRecord {
    /// Number of this shape: 1.
    pub schema: u32,
    /// The id that the viewer got in `X-Amz-Cf-Id`.
    pub id: String,
    /// When the request came, RFC 3339 in UTC.
    pub time: String,
    /// Whether every step was recorded; else only what is kept of any error and any slow request.
    pub complete: bool,
    /// The viewer's address.
    pub viewer: String,
    /// The method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// `HTTP/1.1`, `HTTP/2.0`.
    pub protocol: String,
    /// Host as asked for.
    pub host: String,
    /// Path and query as asked for.
    pub target: String,
    /// The behavior that was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behavior: Option<BehaviorPart>,
    /// What let the viewer in, or kept it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admission: Option<AdmissionPart>,
    /// Variants of experiments.
    pub experiments: Vec<ExperimentPart>,
    /// Functions that ran, in order.
    pub hooks: Vec<HookPart>,
    /// The cache key, part by part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<KeyPart>>,
    /// The cache's part in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CachePart>,
    /// Exchanges with origins, in order.
    pub origins: Vec<OriginPart>,
    /// Whether the origin's answer was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StorePart>,
    /// The request as the functions and the cache saw it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<MessagePart>,
    /// The answer as it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<MessagePart>,
    /// The outcome word: hit, stale, revalidated, miss, expired, uncacheable, bypass, generated, error.
    pub outcome: String,
    /// The status that the viewer got; 499: it left first.
    pub status: u16,
    /// Where a redirect leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Path of the page that the viewer got in place of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_page: Option<String>,
    /// Microseconds to the head of the answer.
    pub took_us: u64,
}

/// A behavior.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct BehaviorPart {
    /// Its path pattern.
    pub path: String,
    /// Its place in the file, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Its cache policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_policy: Option<String>,
}

/// Admission of a viewer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct AdmissionPart {
    /// Whether the viewer was let in.
    pub passed: bool,
    /// What was passed, such as `authorizer staff`.
    pub by: Vec<String>,
    /// Why the viewer was kept out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A part in an experiment.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ExperimentPart {
    /// The experiment.
    pub name: String,
    /// The variant.
    pub variant: String,
    /// How the viewer came to it: drawn, kept, moved, hashed, forced.
    pub how: String,
    /// Whether it is in the cache key.
    pub keyed: bool,
}

/// One run of a function.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct HookPart {
    /// viewer-request, origin-request, origin-response or viewer-response.
    pub hook: String,
    /// The function.
    pub function: String,
    /// Wall time in microseconds, from event to checked result.
    pub took_us: u64,
    /// CPU time in microseconds, for viewer functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_us: Option<u64>,
    /// Share of the budget in percent, for viewer functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization: Option<u8>,
    /// Microseconds of INIT, where a Lambda environment had to be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold_start_us: Option<u64>,
    /// Whether it answered in place of cache and origin.
    pub generated: bool,
    /// Console output.
    pub console: Vec<String>,
    /// What it did in vain.
    pub warnings: Vec<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The event that it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Value>,
    /// What it made of it: `request` or `response`, in the shape of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// The cache's part.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct CachePart {
    /// The outcome word.
    pub outcome: String,
    /// Why the origin was asked: bypass, method, uri-miss, vary-miss, miss, request, stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A finer word: why the cache was passed by, or which rule allowed a stale answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The origin's status, where it differs from the viewer's or explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_status: Option<u16>,
    /// Age of the answer in seconds.
    pub age: u64,
    /// Seconds of freshness left, negative when stale; for answers from the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Whether the request shared another one's fetch.
    pub collapsed: bool,
}

/// One exchange with an origin.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct OriginPart {
    /// The origin's name, or the address that a function chose.
    pub origin: String,
    /// Microseconds to the head of its answer.
    pub took_us: u64,
    /// Its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The request that it got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<MessagePart>,
    /// Its answer, before origin-response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<MessagePart>,
}

/// What became of the origin's answer in the cache.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct StorePart {
    /// Whether it was stored.
    pub stored: bool,
    /// Its freshness lifetime in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// Why it was not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A message.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct MessagePart {
    /// The method, of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path and query, of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The status, of a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Names and values, line by line.
    pub headers: Vec<(String, String)>,
    /// The body, where bodies are recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyPart>,
}

/// The beginning of a body.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct BodyPart {
    /// Text, or base64.
    pub data: String,
    /// Whether `data` is base64.
    pub base64: bool,
    /// Whether there was more.
    pub truncated: bool,
}

impl BodyPart {
    fn of(sample: &Sample) -> Self {
        let (bytes, truncated) = sample.read();
        let base64 = std::str::from_utf8(&bytes).is_err();
        let data = text_or_base64(&bytes).as_str().unwrap_or_default().to_owned();
        Self { data, base64, truncated }
    }
}

impl MessagePart {
    fn request(message: &RequestMessage, mask: &Mask) -> Self {
        let query = message.query.as_ref().map(|query| format!("?{}", mask.query(query))).unwrap_or_default();
        Self {
            method: Some(message.method.clone()),
            target: Some(format!("{}{query}", message.uri)),
            headers: lines(&message.headers, mask),
            ..Self::default()
        }
    }

    fn response(message: &ResponseMessage, mask: &Mask) -> Self {
        Self { status: Some(message.status), headers: lines(&message.headers, mask), ..Self::default() }
    }

    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn lines(headers: &[Header], mask: &Mask) -> Vec<(String, String)> {
    let line =
        |header: &Header| (header.name.clone(), mask.header(&header.name, &String::from_utf8_lossy(&header.value)));
    headers.iter().map(line).collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl RequestRecord {
    /// The record without the bodies, which may still be passing by; [`RequestRecord::add_bodies`] has those.
    #[must_use]
    pub fn new(record: &Record, mask: &Mask) -> Self {
        let trace = record.trace.as_deref();
        let key = trace.and_then(|trace| trace.key.as_ref());
        let denial = record.denial.clone();
        let passed = trace.map(|trace| trace.admitted.clone()).unwrap_or_default();
        Self {
            schema: SCHEMA,
            id: record.id.clone(),
            time: rfc3339(record.at),
            complete: trace.is_some(),
            viewer: record.viewer.to_string(),
            method: record.method.as_str().to_owned(),
            scheme: record.arrival.scheme().as_str().to_owned(),
            protocol: record.protocol().to_owned(),
            host: record.host.clone(),
            target: record.target.clone(),
            behavior: record.behavior.as_ref().map(|path| BehaviorPart {
                path: path.clone(),
                index: record.behavior_index,
                cache_policy: key.and_then(|key| key.behavior.written.cache_policy.clone()),
            }),
            admission: (denial.is_some() || !passed.is_empty()).then(|| AdmissionPart {
                passed: denial.is_none(),
                by: passed,
                reason: denial,
            }),
            experiments: record.experiments.iter().map(experiment).collect(),
            hooks: record.hooks.iter().map(|hook| hook_part(hook, mask)).collect(),
            key: key.map(|key| shown_key(key, mask)),
            cache: record.cache.map(|report| CachePart {
                outcome: report.outcome.as_str().to_owned(),
                reason: report.forwarded.map(|reason| reason.as_str().to_owned()),
                detail: trace.and_then(|trace| trace.lookup).or(report.detail).map(str::to_owned),
                forwarded_status: report.forwarded_status.map(|status| status.as_u16()),
                age: report.age.as_secs(),
                ttl: report.ttl_left,
                collapsed: report.collapsed,
            }),
            origins: record.origins.iter().map(|origin| origin_part(origin, mask)).collect(),
            store: store_part(trace, record.stored_for),
            request: trace.and_then(|trace| Some(MessagePart::request(trace.request.as_ref()?, mask))),
            response: trace.and_then(|trace| Some(MessagePart::response(trace.response.as_ref()?, mask))),
            outcome: record.outcome.as_str().to_owned(),
            status: record.status.as_u16(),
            location: record.location.clone(),
            failure: record.failure.clone(),
            error_page: record.error_page.as_deref().map(str::to_owned),
            took_us: micros(record.time),
        }
    }

    /// Adds the bodies as far as they have passed by.
    pub fn add_bodies(&mut self, bodies: &Bodies) {
        let part = |sample: &Option<std::sync::Arc<Sample>>| sample.as_deref().map(BodyPart::of);
        if let Some(request) = &mut self.request {
            request.body = part(&bodies.request);
        }
        if let Some(response) = &mut self.response {
            response.body = part(&bodies.response);
        }
        for (origin, sample) in self.origins.iter_mut().zip(&bodies.origins) {
            if let Some(response) = &mut origin.response {
                response.body = part(sample);
            }
        }
    }
}

/// Bodies of one request, as they pass by.
#[derive(Clone, Debug, Default)]
pub struct Bodies {
    request: Option<std::sync::Arc<Sample>>,
    response: Option<std::sync::Arc<Sample>>,
    origins: Vec<Option<std::sync::Arc<Sample>>>,
}

impl Bodies {
    /// Those of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let Some(trace) = record.trace.as_deref() else { return Self::default() };
        let of_origin = |origin: &OriginRecord| origin.messages.as_ref().and_then(|messages| messages.body.clone());
        Self {
            request: trace.request_body.clone(),
            response: trace.response_body.clone(),
            origins: record.origins.iter().map(of_origin).collect(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        let origins = self.origins.iter().filter(|sample| sample.is_some()).count();
        origins + usize::from(self.request.is_some()) + usize::from(self.response.is_some())
    }
}

fn experiment(exposure: &crate::experiment::Exposure) -> ExperimentPart {
    ExperimentPart {
        name: exposure.experiment.name.clone(),
        variant: exposure.variant().name.clone(),
        how: exposure.how.as_str().to_owned(),
        keyed: exposure.variant().keyed,
    }
}

fn hook_part(hook: &HookRecord, mask: &Mask) -> HookPart {
    let event = hook.messages.as_ref().and_then(|messages| messages.event.as_ref()).map(|event| mask.event(event));
    let result = hook.messages.as_ref().and_then(|messages| messages.result.as_ref()).map(|result| mask.result(result));
    HookPart {
        hook: hook.hook.as_str().to_owned(),
        function: hook.function.clone(),
        took_us: micros(hook.time),
        cpu_us: hook.cpu.map(|(cpu, _)| micros(cpu)),
        utilization: hook.utilization,
        cold_start_us: hook.cold_start.map(micros),
        generated: hook.generated,
        console: hook.logs.clone(),
        warnings: hook.warnings.clone(),
        failure: hook.failure.clone(),
        result: event.as_ref().and_then(|event| Some(result_json(event, result.as_ref()?))),
        event: event.as_ref().map(event_json),
    }
}

fn origin_part(origin: &OriginRecord, mask: &Mask) -> OriginPart {
    let messages = origin.messages.as_deref();
    OriginPart {
        origin: origin.origin.clone(),
        took_us: micros(origin.time),
        status: origin.status.map(|status| status.as_u16()),
        error: origin.error.clone(),
        request: messages.map(|messages| MessagePart::request(&messages.request, mask)),
        response: messages.and_then(|messages| Some(MessagePart::response(messages.response.as_ref()?, mask))),
    }
}

fn store_part(trace: Option<&Trace>, stored_for: Option<Duration>) -> Option<StorePart> {
    match (trace.and_then(|trace| trace.store), stored_for) {
        (Some(StoreResult::NotStored(reason)), _) => {
            Some(StorePart { stored: false, ttl: None, reason: Some(reason.as_str().to_owned()) })
        }
        (Some(StoreResult::Stored { ttl }), _) | (None, Some(ttl)) => {
            Some(StorePart { stored: true, ttl: Some(ttl.as_secs()), reason: None })
        }
        (None, None) => None,
    }
}

fn shown_key(key: &TracedKey, mask: &Mask) -> Vec<KeyPart> {
    key_parts(key, mask)
}

/// `2026-01-01T12:00:00.250Z`.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil date from days since 1970 (Howard Hinnant's algorithm), for years from 1970 on.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    /// `EDGEHOOK_BLESS=1` writes the file anew.
    #[test]
    fn the_published_schema_is_that_of_these_types() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/request-record.json");
        let schema = format!("{:#}\n", schemars::schema_for!(RequestRecord).to_value());
        if std::env::var_os("EDGEHOOK_BLESS").is_some() {
            std::fs::write(file, &schema).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), schema);
    }
}
