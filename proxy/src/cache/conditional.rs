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
const NOT_MERGED: [HeaderName; 5] =
    [header::AGE, header::CONTENT_ENCODING, header::CONTENT_LENGTH, header::CONTENT_RANGE, header::TRANSFER_ENCODING];

/// What stored responses offer for their validation by the origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// For `If-None-Match`.
    pub etags: Vec<HeaderValue>,
    /// For `If-Modified-Since`, where one response alone is validated.
    pub last_modified: Option<HeaderValue>,
}

/// Entity-tags of one key that are offered at most; more would not fit into a request.
const MOST_ETAGS: usize = 16;

impl Validators {
    /// The validators of the stored responses of one key, the one to be validated first; none if there are none.
    pub(crate) fn of<'a>(stored: impl Iterator<Item = &'a HeaderMap>) -> Option<Self> {
        let mut validators = Self::default();
        for (index, headers) in stored.enumerate() {
            validators.last_modified = if index == 0 { headers.get(header::LAST_MODIFIED).cloned() } else { None };
            if let Some(etag) = headers.get(header::ETAG).filter(|etag| !validators.etags.contains(etag)) {
                validators.etags.push(etag.clone());
            }
        }
        validators.etags.truncate(MOST_ETAGS);
        (!validators.etags.is_empty() || validators.last_modified.is_some()).then_some(validators)
    }

    /// Writes them into the origin's request, in place of any condition that is there.
    pub fn apply(&self, request: &mut HeaderMap) {
        strip_conditions(request);
        let tags: Vec<&[u8]> = self.etags.iter().map(HeaderValue::as_bytes).collect();
        if let Some(list) = HeaderValue::from_bytes(&tags.join(&b", "[..])).ok().filter(|list| !list.is_empty()) {
            request.insert(header::IF_NONE_MATCH, list);
        }
        if let Some(date) = &self.last_modified {
            request.insert(header::IF_MODIFIED_SINCE, date.clone());
        }
    }
}

/// Which of the stored responses a 304 speaks of (RFC 9111 section 4.3.4), as an index: the one with the same strong tag,
/// else one with the same weak tag, else, if the 304 has no tag, the first if it is the only one or has the date that the
/// 304 names. The first stands before others that would do as well.
pub(crate) fn confirmed<'a>(stored: impl Iterator<Item = &'a HeaderMap>, not_modified: &HeaderMap) -> Option<usize> {
    let stored: Vec<&HeaderMap> = stored.collect();
    let Some(named) = not_modified.get(header::ETAG) else {
        let first = stored.first()?;
        let dated = not_modified.get(header::LAST_MODIFIED);
        let same_date = dated.is_some() && dated == first.get(header::LAST_MODIFIED);
        return (stored.len() == 1 || same_date).then_some(0);
    };
    let tag = |headers: &&HeaderMap| headers.get(header::ETAG).cloned();
    let strong = !named.as_bytes().starts_with(b"W/");
    let identical = stored.iter().position(|headers| strong && tag(headers).as_ref() == Some(named));
    identical.or_else(|| {
        let same = |tag: HeaderValue| weakly_equal(tag.as_bytes(), named.as_bytes());
        stored.iter().position(|headers| tag(headers).is_some_and(same))
    })
}

/// Whether the head of an answer to HEAD describes the stored response: the same validators, and the same length where it
/// tells one (RFC 9111 section 4.3.5).
pub(crate) fn describes(head: &HeaderMap, stored: &HeaderMap, length: u64) -> bool {
    let same = |name: &HeaderName| head.get(name) == stored.get(name);
    let announced = crate::body::announced_length(head);
    same(&header::ETAG) && same(&header::LAST_MODIFIED) && announced.is_none_or(|announced| announced == length)
}

/// Takes the viewer's `If-None-Match`, `If-Modified-Since` and `If-Range` out of a request.
pub(crate) fn strip_conditions(request: &mut HeaderMap) {
    for name in &VIEWER_CONDITIONS {
        request.remove(name);
    }
}

/// Whether a request may be answered with 304.
pub(crate) fn has_conditions(request: &HeaderMap) -> bool {
    request.contains_key(header::IF_NONE_MATCH) || request.contains_key(header::IF_MODIFIED_SINCE)
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

/// What was compressed here has a weak tag and depends on `Accept-Encoding`, neither of which the origin knows: takes from
/// its 304 what would undo that.
pub(crate) fn keep_weakness(not_modified: &mut HeaderMap, stored: &HeaderMap) {
    let tags = not_modified.get(header::ETAG).zip(stored.get(header::ETAG));
    let same = tags.is_some_and(|(new, old)| new != old && weakly_equal(new.as_bytes(), old.as_bytes()));
    if same && stored.contains_key(header::CONTENT_ENCODING) {
        not_modified.remove(header::ETAG);
        not_modified.remove(header::VARY);
    }
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
