//! From a stored response (or one on its way) to the answer for one viewer: conditions, range, HEAD, `Age`.
//!
//! Deliberately absent: the choice of the response, and fields that the cache does not own (`Via`, `X-Cache`).

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, response::Parts};
use http_body_util::BodyExt;

use super::{
    Now,
    buffer::FillReader,
    conditional, date,
    entry::{Meta, StoredBody},
    policy::Lent,
    range::{ByteRange, Selected},
    status::Report,
    ticket::FetchTicket,
};
use crate::body::{self, Body};

/// An answer from the store.
#[derive(Debug)]
pub struct Served {
    /// Status and fields, `Age` included; `Cache-Status` is the caller's to append.
    pub head: Parts,
    /// The body; empty for HEAD and 304.
    pub body: Body,
    /// Bytes of the body (for HEAD: of the body that GET would get), where known; none for a 304.
    pub length: Option<u64>,
    /// The cache's part in it.
    pub report: Report,
    /// Set on a stale answer within `stale-while-revalidate`: somebody has to fetch with this ticket in the background.
    pub refresh: Option<Box<FetchTicket>>,
}

/// The viewer's side of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
}

/// Where the body comes from.
pub(crate) enum Source<'a> {
    Stored(&'a StoredBody),
    Filling(FillReader),
}

/// Makes the answer. `report` gets age and remaining freshness filled in.
pub(crate) fn serve(meta: &Meta, source: Source<'_>, wish: Wish<'_>, now: Now, mut report: Report) -> Served {
    let resident = meta.resident(now);
    report.age = meta.freshness.age(resident);
    report.ttl_left = Some(meta.freshness.ttl_left(resident));
    report.detail = report.detail.or(meta.lent.map(Lent::as_str));
    let mut answer = if is_unchanged(meta, wish, now) {
        Answer {
            status: StatusCode::NOT_MODIFIED,
            headers: conditional::not_modified_fields(&meta.headers),
            body: body::empty(),
            length: None,
        }
    } else {
        contents(meta, source, wish, now)
    };
    answer.headers.insert(header::AGE, HeaderValue::from(report.age.as_secs()));
    if *wish.method == Method::HEAD {
        answer.body = body::empty();
    }
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = answer.status;
    head.headers = answer.headers;
    Served { head, body: answer.body, length: answer.length, report, refresh: None }
}

/// Whether the viewer's condition makes this a 304. Conditions concern successful answers only (RFC 9110 section
/// 13.2.1).
pub(crate) fn is_unchanged(meta: &Meta, wish: Wish<'_>, now: Now) -> bool {
    let received = date::unix(meta.received.wall);
    meta.status == StatusCode::OK
        && conditional::is_not_modified(wish.headers, &meta.headers, received, date::unix(now.wall))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    length: Option<u64>,
}

fn contents(meta: &Meta, source: Source<'_>, wish: Wish<'_>, now: Now) -> Answer {
    let headers = meta.headers.clone();
    let stored = match source {
        Source::Filling(reader) => {
            let length = reader.length();
            return Answer { status: meta.status, headers, body: reader.boxed_unsync(), length };
        }
        Source::Stored(stored) => stored,
    };
    let length = stored.length();
    match wanted(meta, length, wish, now).map(|range| range.select(length)) {
        None => Answer { status: meta.status, headers, body: stored.reader(0, length), length: Some(length) },
        Some(selected @ Selected::Part(start, end)) => {
            let mut headers = headers;
            headers.insert(header::CONTENT_RANGE, selected.content_range(length));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
            let body = stored.reader(start, end);
            Answer { status: StatusCode::PARTIAL_CONTENT, headers, body, length: Some(end - start) }
        }
        Some(selected @ Selected::Unsatisfiable) => {
            let mut fields = HeaderMap::new();
            fields.insert(header::CONTENT_RANGE, selected.content_range(length));
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
            if let Some(date) = headers.get(header::DATE) {
                fields.insert(header::DATE, date.clone());
            }
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            Answer { status, headers: fields, body: body::empty(), length: Some(0) }
        }
    }
}

fn wanted(meta: &Meta, length: u64, wish: Wish<'_>, now: Now) -> Option<ByteRange> {
    let whole = *wish.method != Method::GET || meta.status != StatusCode::OK || length == 0;
    let range = if whole { None } else { ByteRange::requested(wish.headers) };
    range.filter(|_| conditional::permits_range(wish.headers, &meta.headers, date::unix(now.wall)))
}
