//! Records of requests that took the short way (`at_hand`).
//!
//! Of such a request that is drawn for a record the short way keeps what came and what went, and nothing else: a [`Drawn`]. Its record is
//! made later, together with others' or when somebody wants to read it: by then the code that makes records is warm, which makes
//! it several times cheaper than it would be between two plain hits. The record is the one that the ordinary way would have left; a
//! property test compares them. Deliberately absent: whatever a request that may take the short way does not meet.

use crate::{
    body,
    cache::{Now, Report},
    edge::{begin_as, delivered, note_request},
    edge_fields,
    fetch::Answer,
    gate,
    invalidate::key,
    lifecycle::{self, Asked, Delivery},
    listener::Connection,
    record::{self, Record, Records, Sample},
    site::Site,
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use std::{sync::Arc, time::Duration};

/// A request that was answered, and is to be recorded.
pub(crate) struct Drawn {
    /// Its id.
    pub(crate) id: String,
    /// When it came.
    pub(crate) at: Now,
    /// How long its answer took.
    pub(crate) time: Duration,
    /// Where it came.
    pub(crate) connection: Arc<Connection>,
    /// The configuration that answered it.
    pub(crate) site: Arc<Site>,
    /// Its head as it came.
    pub(crate) request: Box<[u8]>,
    /// The head of its answer as it went.
    pub(crate) response: Box<[u8]>,
    /// The body of its answer, where bodies are recorded.
    pub(crate) body: Option<Bytes>,
    /// The cache's part in it.
    pub(crate) report: Report,
}

impl Drawn {
    /// Puts its record to the others.
    pub(crate) fn leave(self, records: &Records) {
        let site = self.site.clone();
        if let Some(record) = self.record() {
            records.take(&record, &site.tracing);
        }
    }

    /// The record. None only where the ordinary way would have come to another answer, which it would not.
    fn record(self) -> Option<Record> {
        let Self { id, at, time, connection, site, request, response, body, report } = self;
        let (line, headers) = read(&request)?;
        let target = line.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")?;
        let mut request = Request::new(body::empty());
        *request.uri_mut() = target.parse().ok()?;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        let mut record = begin_as(id, &connection, &request, &site);
        (record.start, record.at, record.trace) = (at.mono, at.wall, Some(site.tracing.in_full()));

        let (mut request, unread) = gate::receive(&connection, request).ok()?;
        edge_fields::strip(&site.header_prefix, &mut request.headers);
        let mut unread = note_request(&request, unread, &mut record);
        // No step of a request that took the short way waits for anything.
        let asked = lifecycle::question(&site, request, &mut unread, &mut record).now_or_never()?.ok()?;
        let Asked::Cache(question) = asked else { return None };
        let keyed = key(&site.cache, &question.behavior, &question.request, &question.buckets);
        let seen = (&*question.request, question.asked.as_ref());
        drop(lifecycle::note_key(&mut record, seen, &question.behavior, &keyed, &question.buckets));

        let (_, headers) = read(&response)?;
        let mut head = Response::new(()).into_parts().0;
        head.headers = headers;
        let answer = Answer { head, body: body::empty(), length: None, report, generated: false, stored_for: None };
        let response = delivered(Ok(Delivery::Answered(answer)), &site, &mut record).response;
        (record.status, record.time) = (response.status(), time);
        let trace = record.trace.as_mut()?;
        trace.response = Some(record::response(response.status().as_u16(), response.headers()));
        trace.response_body = body.map(|body| {
            let sample = Sample::default();
            sample.push(&body);
            Arc::new(sample)
        });
        Some(record)
    }
}

/// The first line of a head, and its fields.
fn read(head: &[u8]) -> Option<(&str, HeaderMap)> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let mut headers = HeaderMap::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        headers.append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
    }
    Some((first, headers))
}
