//! Byte ranges: what a viewer asks for, and what of a complete stored body that is.
//!
//! One range is answered (206 or 416); several, or a field that cannot be read, count as none and get the whole body,
//! which RFC 9110 section 14.2 allows. Deliberately absent: parts of bodies that are not complete, and multipart
//! answers.

use http::{HeaderMap, HeaderValue, header};

/// One range as a viewer writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// From a first byte up to and including a last one, or to the end.
    From(u64, Option<u64>),
    /// That many bytes at the end.
    Suffix(u64),
}

/// The bytes that a range means in a body of known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selected {
    /// From the first byte up to but excluding the second.
    Part(u64, u64),
    /// None of them exist.
    Unsatisfiable,
}

impl ByteRange {
    /// Reads the request's `Range`; none unless it asks for exactly one range of bytes.
    pub(crate) fn requested(request: &HeaderMap) -> Option<Self> {
        let mut lines = request.get_all(header::RANGE).iter();
        let line = lines.next()?.to_str().ok()?;
        if lines.next().is_some() {
            return None;
        }
        let (unit, set) = line.split_once('=')?;
        let (first, last) = set.trim_matches([' ', '\t']).split_once('-')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        match (first, last) {
            ("", _) => Some(Self::Suffix(position(last)?)),
            (_, "") => Some(Self::From(position(first)?, None)),
            _ => {
                let (first, last) = (position(first)?, position(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// Applies the range to a body of `length` bytes, which is not zero.
    pub(crate) fn select(self, length: u64) -> Selected {
        match self {
            Self::From(first, _) if first >= length => Selected::Unsatisfiable,
            Self::From(first, last) => {
                Selected::Part(first, last.map_or(length, |last| last.saturating_add(1)).min(length))
            }
            Self::Suffix(0) => Selected::Unsatisfiable,
            Self::Suffix(count) => Selected::Part(length.saturating_sub(count), length),
        }
    }
}

impl Selected {
    /// The `Content-Range` of the answer.
    pub(crate) fn content_range(self, length: u64) -> HeaderValue {
        let text = match self {
            Self::Part(start, end) => format!("bytes {start}-{}/{length}", end.saturating_sub(1)),
            Self::Unsatisfiable => format!("bytes */{length}"),
        };
        HeaderValue::try_from(text).expect("digits and punctuation are visible ASCII")
    }
}

/// A number of up to any length; what does not fit is larger than every body.
fn position(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
#[path = "tests/range.rs"]
mod tests;
