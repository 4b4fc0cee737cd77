//! Conditions in both directions: those of viewers, answered from a stored response, and ours towards the origin.
//!
//! Follows http-cache.md 3.8 (RFC 9110 section 13, RFC 9111 section 4.3). Entity-tags are compared as the bytes that
//! came. Deliberately absent: `If-Match` and `If-Unmodified-Since`, which belong to the origin and bypass the store.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{cache_control::split_outside_quotes, date};

/// The fields of a stored response that its 304 carries (RFC 9110 section 15.4.5); `Age` is added when it is sent.
const NOT_MODIFIED_FIELDS: [HeaderName; 6] =
    [header::CACHE_CONTROL, header::CONTENT_LOCATION, header::DATE, header::ETAG, header::EXPIRES, header::VARY];

/// The viewer's conditions and ranges, which are answered here and do not reach the origin during a fill.
const VIEWER_CONDITIONS: [HeaderName; 3] = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_RANGE];

/// Fields of a 304 that say nothing about the stored response (http-cache.md 3.8). Hop-by-hop fields are gone by then.
const NOT_MERGED: [HeaderName; 6] = [
    header::AGE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::SET_COOKIE,
    header::TRANSFER_ENCODING,
];

/// What a stored response offers for its validation by the origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// For `If-None-Match`.
    pub etag: Option<HeaderValue>,
    /// For `If-Modified-Since`.
    pub last_modified: Option<HeaderValue>,
}

impl Validators {
    /// The validators of a stored response; none if it has none.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let etag = headers.get(header::ETAG).cloned();
        let last_modified = headers.get(header::LAST_MODIFIED).cloned();
        (etag.is_some() || last_modified.is_some()).then_some(Self { etag, last_modified })
    }

    /// Writes them into the origin's request, in place of any condition that is there.
    pub fn apply(&self, request: &mut HeaderMap) {
        strip_conditions(request);
        if let Some(etag) = &self.etag {
            request.insert(header::IF_NONE_MATCH, etag.clone());
        }
        if let Some(date) = &self.last_modified {
            request.insert(header::IF_MODIFIED_SINCE, date.clone());
        }
    }

    /// Whether a 304 with these fields speaks of the response that the validators came from: no tag or the same one.
    pub(crate) fn accept(&self, not_modified: &HeaderMap) -> bool {
        match (not_modified.get(header::ETAG), &self.etag) {
            (None, _) => true,
            (Some(named), Some(ours)) => weakly_equal(named.as_bytes(), ours.as_bytes()),
            (Some(_), None) => false,
        }
    }
}

/// Takes the viewer's `If-None-Match`, `If-Modified-Since` and `If-Range` out of a request.
pub(crate) fn strip_conditions(request: &mut HeaderMap) {
    for name in &VIEWER_CONDITIONS {
        request.remove(name);
    }
}

/// Whether the viewer already has the stored response. `received` is when that arrived, in seconds since 1970.
pub(crate) fn is_not_modified(request: &HeaderMap, stored: &HeaderMap, received: i64, now: i64) -> bool {
    if request.contains_key(header::IF_NONE_MATCH) {
        let mut lines = request.get_all(header::IF_NONE_MATCH).iter();
        return lines.any(|line| lists(line.as_bytes(), stored.get(header::ETAG)));
    }
    let Some(since) = date::of(request, header::IF_MODIFIED_SINCE, now) else { return false };
    let changed = date::of(stored, header::LAST_MODIFIED, now).or_else(|| date::of(stored, header::DATE, now));
    changed.unwrap_or(received) <= since
}

fn lists(line: &[u8], etag: Option<&HeaderValue>) -> bool {
    let mut tags = split_outside_quotes(line, b',').map(<[u8]>::trim_ascii);
    tags.any(|tag| tag == b"*" || etag.is_some_and(|etag| weakly_equal(tag, etag.as_bytes())))
}

fn weakly_equal(one: &[u8], other: &[u8]) -> bool {
    let opaque = |tag| <[u8]>::strip_prefix(tag, b"W/").unwrap_or(tag).to_vec();
    !one.is_empty() && opaque(one) == opaque(other)
}

/// Whether `If-Range` lets a range through: the same strong tag, or the exact `Last-Modified` where that is a strong
/// date, at least a second before `Date` (RFC 9110 sections 8.8.2.2 and 13.1.5). Without the field: yes.
pub(crate) fn permits_range(request: &HeaderMap, stored: &HeaderMap, now: i64) -> bool {
    let mut lines = request.get_all(header::IF_RANGE).iter();
    let Some(wanted) = lines.next() else { return true };
    if lines.next().is_some() {
        return false;
    }
    if let Some(etag) = stored.get(header::ETAG).filter(|etag| *etag == wanted) {
        return !etag.as_bytes().starts_with(b"W/");
    }
    let date = date::of(stored, header::DATE, now);
    let modified = date::of(stored, header::LAST_MODIFIED, now);
    let strong = modified.zip(date).is_some_and(|(modified, date)| modified < date);
    strong && stored.get(header::LAST_MODIFIED) == Some(wanted)
}

/// The fields of a 304 made from a stored response.
pub(crate) fn not_modified_fields(stored: &HeaderMap) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(NOT_MODIFIED_FIELDS.len() + 1);
    for name in NOT_MODIFIED_FIELDS {
        for value in stored.get_all(&name) {
            fields.append(name.clone(), value.clone());
        }
    }
    fields
}

/// Merges the fields of the origin's 304 into those of the stored response: whole fields are replaced, unnamed ones
/// stay.
pub(crate) fn merge(stored: &mut HeaderMap, not_modified: &HeaderMap) {
    for name in not_modified.keys().filter(|name| !NOT_MERGED.contains(name)) {
        stored.remove(name);
        for value in not_modified.get_all(name) {
            stored.append(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
#[path = "tests/conditional.rs"]
mod tests;
