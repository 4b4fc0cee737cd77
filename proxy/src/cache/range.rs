//! Byte ranges: what a viewer asks for, and what of a body of known length that is (http-cache.md 3.10).
//!
//! A field that cannot be read, and one that asks for many or tangled ranges only to be expensive, counts as absent: the
//! whole body is a correct answer (RFC 9110 section 14.2). Deliberately absent: bodies and messages.

use http::{HeaderMap, HeaderValue, header};

/// Ranges of one request that are looked at; more are answered with the whole body.
const MOST_RANGES: usize = 16;
/// Ranges of one request that may overlap their predecessor.
const MOST_OVERLAPS: usize = 1;

/// One range as a viewer writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// From a first byte up to and including a last one, or to the end.
    From(u64, Option<u64>),
    /// That many bytes at the end.
    Suffix(u64),
}

/// Bytes from the first position up to but excluding the second.
pub(crate) type Part = (u64, u64);

/// What ranges mean in a body of known length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selected {
    /// Everything: the ranges are not worth the trouble.
    Whole,
    /// One part.
    One(Part),
    /// Several, in ascending order.
    Several(Vec<Part>),
    /// Bytes that do not exist.
    Unsatisfiable,
}

/// Reads the request's `Range`; none unless it asks for ranges of bytes in the way of RFC 9110 section 14.
pub(crate) fn requested(request: &HeaderMap) -> Option<Vec<ByteRange>> {
    let mut lines = request.get_all(header::RANGE).iter();
    let line = lines.next()?.to_str().ok()?;
    if lines.next().is_some() {
        return None;
    }
    let (unit, set) = line.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let members = set.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty());
    let ranges = members.map(one).collect::<Option<Vec<_>>>()?;
    (!ranges.is_empty()).then_some(ranges)
}

fn one(text: &str) -> Option<ByteRange> {
    let (first, last) = text.split_once('-')?;
    match (first, last) {
        ("", _) => Some(ByteRange::Suffix(position(last)?)),
        (_, "") => Some(ByteRange::From(position(first)?, None)),
        _ => {
            let (first, last) = (position(first)?, position(last)?);
            (first <= last).then_some(ByteRange::From(first, Some(last)))
        }
    }
}

impl ByteRange {
    /// The bytes that the range means in a body of `length` bytes, if there are any.
    pub(crate) fn within(self, length: u64) -> Option<Part> {
        let (start, end) = match self {
            Self::From(first, last) => (first, last.map_or(length, |last| last.saturating_add(1)).min(length)),
            Self::Suffix(count) => (length.saturating_sub(count), length),
        };
        (start < end).then_some((start, end))
    }
}

/// Applies ranges to a body of `length` bytes, which is not zero.
pub(crate) fn select(ranges: &[ByteRange], length: u64) -> Selected {
    if ranges.len() > MOST_RANGES {
        return Selected::Whole;
    }
    let parts: Vec<Part> = ranges.iter().filter_map(|range| range.within(length)).collect();
    let pairs = || parts.iter().zip(parts.iter().skip(1));
    let ascending = pairs().all(|((start, _), (next, _))| start <= next);
    let overlaps = pairs().filter(|((_, end), (next, _))| next < end).count();
    match parts.as_slice() {
        [] => Selected::Unsatisfiable,
        [part] => Selected::One(*part),
        _ if !ascending || overlaps > MOST_OVERLAPS => Selected::Whole,
        _ => Selected::Several(parts),
    }
}

/// First byte, end and complete length that a `Content-Range` tells.
pub(crate) fn told(headers: &HeaderMap) -> Option<(u64, u64, u64)> {
    let (part, total) = headers.get(header::CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = part.split_once('-')?;
    let (first, last, total): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (first <= last && last < total).then_some((first, last + 1, total))
}

/// The `Content-Range` of a part of a body of `length` bytes; without a part, of a 416.
pub(crate) fn content_range(part: Option<Part>, length: u64) -> HeaderValue {
    let text = match part {
        Some((start, end)) => format!("bytes {start}-{}/{length}", end.saturating_sub(1)),
        None => format!("bytes */{length}"),
    };
    HeaderValue::try_from(text).expect("digits and punctuation are visible ASCII")
}

/// A number of up to any length; what does not fit is larger than every body.
fn position(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
#[path = "tests/range.rs"]
mod tests;
