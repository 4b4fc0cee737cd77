//! What one line says, before it is text.

use crate::{
    body::Body,
    listener::{Connection, Scheme},
    record::Record,
    site::Site,
    trace_context::Trace,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version, header};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// What is known of a request as it arrives.
#[derive(Debug)]
pub struct Note {
    pub(super) at: SystemTime,
    pub(super) began: Instant,
    pub(super) connection: Arc<Connection>,
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) host: String,
    pub(super) referer: Option<String>,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) forwarded_for: Option<HeaderValue>,
    /// Bytes of the request: its head as HTTP/1.1 would write it, and its body as announced.
    pub(super) bytes: u64,
    pub(super) trace: Trace,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All of it was sent.
    Whole,
    /// Its body broke off.
    Broken,
    /// The viewer left.
    Abandoned,
}

/// One line.
#[derive(Debug)]
pub struct Line {
    pub(super) note: Note,
    pub(super) id: String,
    /// 0: the viewer left before there was an answer.
    pub(super) status: u16,
    pub(super) location: Option<HeaderValue>,
    pub(super) domain: String,
    pub(super) outcome: &'static str,
    pub(super) result: &'static str,
    pub(super) detailed: Option<&'static str>,
    pub(super) behavior: Option<String>,
    pub(super) ending: Ending,
    /// Bytes of the answer: its head as HTTP/1.1 would write it, and what was sent of its body.
    pub(super) bytes: u64,
    pub(super) content_type: Option<HeaderValue>,
    pub(super) content_length: Option<HeaderValue>,
    pub(super) content_range: Option<HeaderValue>,
    pub(super) first_byte: Duration,
    pub(super) taken: Duration,
}

impl Note {
    /// Looks at a request that has just come, with the id that it was given.
    #[must_use]
    pub(crate) fn of(connection: &Arc<Connection>, request: &Request<Body>, id: &str, site: &Site) -> Self {
        let (headers, secrets) = (request.headers(), &site.guard.secrets);
        let value = |name: HeaderName| headers.get(name).cloned();
        let path = request.uri().path().to_owned();
        let query = request.uri().query().map(|query| {
            let shown = secrets.redact(&format!("?{query}")).into_owned();
            shown.trim_start_matches('?').to_owned()
        });
        let host = request.uri().authority().map(|authority| authority.as_str().to_owned());
        let host = host.or_else(|| Some(headers.get(header::HOST)?.to_str().ok()?.to_owned()));
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let first = request.method().as_str().len() + path.len() + query.as_ref().map_or(0, |query| query.len() + 1);
        Self {
            at: SystemTime::now(),
            began: Instant::now(),
            connection: connection.clone(),
            method: request.method().clone(),
            version: request.version(),
            path,
            query,
            host: host.unwrap_or_default(),
            referer: value(header::REFERER).and_then(|value| Some(secrets.redact(value.to_str().ok()?).into_owned())),
            user_agent: value(header::USER_AGENT),
            forwarded_for: value(HeaderName::from_static("x-forwarded-for")),
            // "GET /path HTTP/1.1", line ends included.
            bytes: (first + 14 + fields(headers)) as u64 + announced.unwrap_or(0_u64),
            trace: Trace::of(headers, id),
        }
    }

    pub(super) fn trace_id(&self) -> &str {
        &self.trace.id
    }

    pub(super) fn is_https(&self) -> bool {
        self.connection.scheme == Scheme::Https
    }
}

/// Bytes of a head's fields as HTTP/1.1 would write them, with the empty line.
fn fields(headers: &HeaderMap) -> usize {
    2 + headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
}

impl Line {
    /// For an answer that is about to be sent.
    pub(super) fn answered(note: Note, record: &Record, site: &Site, response: &Response<Body>) -> Self {
        let headers = response.headers();
        let value = |name: HeaderName| headers.get(name).cloned();
        Self {
            status: response.status().as_u16(),
            result: record.result,
            detailed: record.detailed,
            // "HTTP/1.1 200 OK", line end included.
            bytes: (15 + response.status().canonical_reason().map_or(0, str::len) + fields(headers)) as u64,
            content_type: value(header::CONTENT_TYPE),
            content_length: value(header::CONTENT_LENGTH),
            content_range: value(header::CONTENT_RANGE),
            first_byte: note.began.elapsed(),
            ..Self::abandoned(note, record, site)
        }
    }

    /// For a viewer who left before there was an answer.
    pub(super) fn abandoned(note: Note, record: &Record, site: &Site) -> Self {
        let taken = note.began.elapsed();
        let domain = site.hosts.first().map_or_else(|| note.host.clone(), ToString::to_string);
        Self {
            id: record.id.clone(),
            status: 0,
            location: site.pop.clone(),
            domain,
            outcome: record.outcome.as_str(),
            result: "Error",
            detailed: Some("ClientHungUpRequest"),
            behavior: record.behavior.clone(),
            ending: Ending::Whole,
            bytes: 0,
            content_type: None,
            content_length: None,
            content_range: None,
            first_byte: taken,
            taken,
            note,
        }
    }

    /// Notes how the answer ended, after so many bytes of its body.
    pub(super) fn sent(&mut self, bytes: u64, ending: Ending) {
        self.bytes += bytes;
        self.ending = ending;
        self.taken = self.note.began.elapsed();
    }

    /// How the answer was made (`x-edge-result-type`).
    pub(super) fn result_type(&self) -> &'static str {
        if self.ending == Ending::Whole { self.result } else { "Error" }
    }

    /// Whether `Content-Range` tells of another length than the body has: only an origin's own 206 can (http-cache.md 3.10).
    fn tells_another_length(&self) -> bool {
        let told = || {
            let range = self.content_range.as_ref()?.to_str().ok()?.strip_prefix("bytes ")?;
            let (first, last) = range.split_once('/')?.0.split_once('-')?;
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            let length: u64 = self.content_length.as_ref()?.to_str().ok()?.parse().ok()?;
            Some(last.checked_sub(first).and_then(|before| before.checked_add(1)) != Some(length))
        };
        self.status == 206 && told().unwrap_or(false)
    }

    /// The same with the reason of an error.
    pub(super) fn detailed_type(&self) -> &'static str {
        match self.ending {
            Ending::Whole if self.tells_another_length() => "OriginContentRangeLengthError",
            Ending::Whole => self.detailed.unwrap_or(self.result),
            Ending::Broken => "OriginReadError",
            Ending::Abandoned => "ClientCommError",
        }
    }
}
