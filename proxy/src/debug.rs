//! What an answer tells to who knows the secret of `[debug]`, and to everybody in `dev`: the cache key, why it is so, and how long
//! each step took (experience.md 7.2, http-cache.md 3.19).
//!
//! Such a request leaves a record, whatever share is sampled. The header itself goes no further, be its value right or wrong.
//! Deliberately absent: any influence on the answer. Values that are masked in records are masked here.

use crate::{
    record::{Record, key_parts},
    server_timing::SERVER_TIMING,
    site::Site,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{fmt, fmt::Write as _};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const DETAIL: HeaderName = HeaderName::from_static("x-edgehook-detail");

/// Most of a key or reason that is sent, in bytes.
const LONGEST: usize = 2048;

/// Who may see.
#[derive(Clone)]
pub struct Debug {
    header: HeaderName,
    secret: Vec<u8>,
}

impl fmt::Debug for Debug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debug").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Debug {
    /// With a header, and the value that it must have. `None`: it is no header name.
    #[must_use]
    pub fn new(header: &str, secret: &str) -> Option<Self> {
        let header = HeaderName::from_bytes(header.as_bytes()).ok()?;
        Some(Self { header, secret: secret.as_bytes().to_owned() })
    }

    /// The header.
    pub(crate) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Whether these headers ask for it; they no longer do afterwards.
    pub fn take(&self, headers: &mut HeaderMap) -> bool {
        let sent: Vec<HeaderValue> = headers.get_all(&self.header).iter().cloned().collect();
        headers.remove(&self.header);
        let [sent] = sent.as_slice() else { return false };
        verify_slices_are_equal(sent.as_bytes(), &self.secret).is_ok()
    }
}

/// Writes it into an answer that is otherwise complete.
pub(crate) fn write(headers: &mut HeaderMap, record: &Record, site: &Site) {
    if let Some(key) = record.trace.as_deref().and_then(|trace| trace.key.as_ref()) {
        let parts = key_parts(key, &site.tracing.mask);
        let keyed = parts.iter().filter(|part| part.keyed).map(|part| format!("{}={}", part.part, part.value));
        let text = quoted(&keyed.collect::<Vec<_>>().join(" | "));
        // The last is ours: those before come from whoever answered us.
        if let Some(own) = headers.get_all(CACHE_STATUS).iter().next_back().cloned() {
            let others: Vec<HeaderValue> = headers.get_all(CACHE_STATUS).iter().cloned().collect();
            let told = own.to_str().ok().and_then(|own| HeaderValue::try_from(format!("{own}; key={text}")).ok());
            headers.remove(CACHE_STATUS);
            for other in &others[..others.len() - 1] {
                headers.append(CACHE_STATUS, other.clone());
            }
            headers.append(CACHE_STATUS, told.unwrap_or(own));
        }
    }
    if let Ok(timing) = HeaderValue::try_from(timings(record)) {
        headers.append(SERVER_TIMING, timing);
    }
    if let Some(failure) = &record.failure
        && let Ok(text) = HeaderValue::try_from(plain(failure))
    {
        headers.insert(DETAIL, text);
    }
}

/// `viewer-request;desc="rewrite";dur=0.1, origin;desc="site";dur=12.4, total;dur=12.9`
fn timings(record: &Record) -> String {
    let mut text = String::with_capacity(160);
    let mut add = |name: &str, of: Option<&str>, time: std::time::Duration| {
        let comma = if text.is_empty() { "" } else { ", " };
        let of = of.map(|of| format!(";desc={}", quoted(of))).unwrap_or_default();
        let _ = write!(text, "{comma}{name}{of};dur={:.1}", time.as_secs_f64() * 1e3); // writing into a String cannot fail
    };
    for hook in &record.hooks {
        add(hook.hook.as_str(), Some(&hook.function), hook.time);
    }
    for origin in &record.origins {
        add("origin", Some(&origin.origin), origin.time);
    }
    add("total", None, record.elapsed());
    text
}

/// Visible ASCII and blanks; everything else becomes `?`.
fn plain(text: &str) -> String {
    let letters = text.chars().map(|letter| if (' '..='~').contains(&letter) { letter } else { '?' });
    letters.take(LONGEST).collect()
}

/// A string of RFC 9651.
fn quoted(text: &str) -> String {
    format!("\"{}\"", plain(text).replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_asks_and_the_header_never_stays() {
        let debug = Debug::new("x-debug", "0123456789abcdef").unwrap();
        let asks = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-debug", HeaderValue::from_static(value));
            }
            let asked = debug.take(&mut headers);
            assert!(headers.is_empty());
            asked
        };
        assert!(asks(&["0123456789abcdef"]));
        let others: [&[&'static str]; 4] =
            [&[], &["0123456789abcdeF"], &[""], &["0123456789abcdef", "0123456789abcdef"]];
        others.into_iter().for_each(|values| assert!(!asks(values), "{values:?}"));
        assert!(!format!("{debug:?}").contains("0123"));
    }

    #[test]
    fn texts_are_strings_of_structured_fields() {
        assert_eq!(quoted("a\"b\\c\né"), "\"a\\\"b\\\\c??\"");
        assert_eq!(quoted(&"x".repeat(5000)).len(), LONGEST + 2);
    }
}
