//! From a stored response (or one on its way) to the answer for one viewer: conditions, ranges, HEAD, `Age`.
//!
//! Deliberately absent: the choice of the response, and fields that the cache does not own (`Via`, `X-Cache`).

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, response::Parts};
use http_body_util::BodyExt;

use super::{
    Now,
    buffer::FillReader,
    conditional, date, duties,
    entry::{Meta, StoredBody},
    parts::{Cut, Multipart},
    policy::Lent,
    range::{self, Part, Selected},
    rules::{AgePenalty, Rules},
    status::Report,
    ticket::FetchTicket,
};
use crate::body::{self, Body};
use crate::trailers::{self, Announced};

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
    pub(crate) rules: &'a Rules,
}

/// Where the body comes from.
pub(crate) enum Source<'a> {
    Stored(&'a StoredBody),
    /// A body on its way, if its beginning is still there, and its length, if that is known.
    Filling(Option<FillReader>, Option<u64>),
}

/// Makes the answer. `report` gets age and remaining freshness filled in.
pub(crate) fn serve(meta: &Meta, source: Source<'_>, wish: Wish<'_>, now: Now, mut report: Report) -> Served {
    let resident = meta.resident(now);
    report.age = meta.freshness.age(resident);
    report.ttl_left = Some(meta.freshness.ttl_left(resident));
    report.detail = report.detail.or(meta.lent.map(Lent::as_str));
    let mut answer = shape(meta, meta.headers.to_map(), source, wish, now);
    match wish.rules.age_penalty {
        AgePenalty::Off => drop(answer.headers.insert(header::AGE, HeaderValue::from(report.age.as_secs()))),
        AgePenalty::DropAge => {}
        AgePenalty::RewriteDate => drop(answer.headers.insert(header::DATE, date::format(now.wall))),
    }
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = answer.status;
    head.headers = answer.headers;
    if let Some(trailers) = meta.headers.trailers().filter(|_| head.status == meta.status)
        && let Some(announced) = Announced::of(&trailers)
    {
        head.extensions.insert(announced);
    }
    Served { head, body: answer.body, length: answer.length, report, refresh: None }
}

/// Whether the viewer's condition makes this a 304. Conditions concern successful answers only (RFC 9110 section
/// 13.2.1).
fn is_unchanged(meta: &Meta, headers: &HeaderMap, wish: Wish<'_>, now: Now) -> bool {
    let received = date::unix(meta.received.wall());
    meta.status == StatusCode::OK
        && matches!(*wish.method, Method::GET | Method::HEAD)
        && conditional::is_not_modified(wish.headers, headers, received, date::unix(now.wall))
}

/// An answer before the fields that every answer gets.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) length: Option<u64>,
}

/// What this viewer gets of a response with these `headers`: nothing but a 304, a part, parts, the head, or all of it.
pub(crate) fn shape(meta: &Meta, headers: HeaderMap, source: Source<'_>, wish: Wish<'_>, now: Now) -> Answer {
    let mut answer = if is_unchanged(meta, &headers, wish, now) {
        let headers = conditional::not_modified_fields(&headers);
        Answer { status: StatusCode::NOT_MODIFIED, headers, body: body::empty(), length: None }
    } else {
        match source {
            Source::Stored(stored) => of_stored(meta, headers, stored, wish, now),
            Source::Filling(reader, length) => of_filling(meta, headers, reader, length, wish, now),
        }
    };
    duties::strip_targeted(&mut answer.headers, wish.rules);
    if *wish.method == Method::HEAD {
        answer.body = body::empty();
    }
    answer
}

/// From a body that is coming in, one part at most: several would have to wait for one another.
fn of_filling(
    meta: &Meta,
    headers: HeaderMap,
    reader: Option<FillReader>,
    length: Option<u64>,
    wish: Wish<'_>,
    now: Now,
) -> Answer {
    let selected = length.map_or(Selected::Whole, |length| wanted(meta, &headers, length, wish, now));
    let body = reader.map_or_else(body::empty, BodyExt::boxed_unsync);
    match (selected, length) {
        (Selected::One(part), Some(whole)) => {
            let body = Cut::new(body, part).boxed_unsync();
            partial(headers, part, whole, body)
        }
        (Selected::Unsatisfiable, Some(whole)) => unsatisfiable(&headers, whole),
        _ => Answer { status: meta.status, headers, body, length },
    }
}

fn of_stored(meta: &Meta, headers: HeaderMap, stored: &StoredBody, wish: Wish<'_>, now: Now) -> Answer {
    let length = stored.length();
    match wanted(meta, &headers, length, wish, now) {
        Selected::Whole => {
            let body = stored.reader(0, length);
            let body = match meta.headers.trailers() {
                Some(trailers) => trailers::behind(body, trailers),
                None => body,
            };
            Answer { status: meta.status, headers, body, length: Some(length) }
        }
        Selected::One((start, end)) => partial(headers, (start, end), length, stored.reader(start, end)),
        Selected::Several(parts) => several_parts(headers, stored, &parts),
        Selected::Unsatisfiable => unsatisfiable(&headers, length),
    }
}

fn partial(mut headers: HeaderMap, (start, end): Part, whole: u64, body: Body) -> Answer {
    headers.insert(header::CONTENT_RANGE, range::content_range(Some((start, end)), whole));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
    Answer { status: StatusCode::PARTIAL_CONTENT, headers, body, length: Some(end - start) }
}

fn several_parts(mut headers: HeaderMap, stored: &StoredBody, parts: &[Part]) -> Answer {
    let kind = headers.get(header::CONTENT_TYPE).cloned();
    let multipart = Multipart::new(parts, stored.length(), kind.as_ref());
    headers.insert(header::CONTENT_TYPE, multipart.content_type());
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(multipart.length()));
    let length = Some(multipart.length());
    let body = multipart.body(|(start, end)| stored.reader(start, end));
    Answer { status: StatusCode::PARTIAL_CONTENT, headers, body, length }
}

fn unsatisfiable(stored: &HeaderMap, length: u64) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_RANGE, range::content_range(None, length));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    if let Some(date) = stored.get(header::DATE) {
        headers.insert(header::DATE, date.clone());
    }
    Answer { status: StatusCode::RANGE_NOT_SATISFIABLE, headers, body: body::empty(), length: Some(0) }
}

fn wanted(meta: &Meta, headers: &HeaderMap, length: u64, wish: Wish<'_>, now: Now) -> Selected {
    let whole = *wish.method != Method::GET || meta.status != StatusCode::OK || length == 0;
    let ranges = if whole { None } else { range::requested(wish.headers) };
    let permitted = |_: &Vec<_>| conditional::permits_range(wish.headers, headers, date::unix(now.wall));
    ranges.filter(permitted).map_or(Selected::Whole, |ranges| range::select(&ranges, length))
}
