//! W3C Trace Context, level 1: which trace a request belongs to, and what origins are told of it.
//!
//! A valid `traceparent` of the viewer is passed on with a parent id of this edge's own; where there is none, one is made of the
//! request id, so that it is the same wherever it is asked for. Only origins are told: functions see what the viewer sent. It
//! is in no cache key, which is safe because nothing of it but hexadecimal digits goes on. `tracestate` may hold anything and so goes
//! on only where everything does, and never without a valid `traceparent`. Deliberately absent: recording spans.

use http::{HeaderMap, HeaderName, HeaderValue};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Which trace, which part of it, and how it is treated.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracing systems say about it.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The trace of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// 32 hexadecimal digits, not all 0.
    pub id: String,
    /// Whether the viewer named it.
    pub given: bool,
    flags: String,
}

impl Trace {
    /// The trace that the viewer's fields name, or else the request's own.
    #[must_use]
    pub fn of(viewer: &HeaderMap, request_id: &str) -> Self {
        let mut lines = viewer.get_all(&TRACEPARENT).iter();
        let given = lines.next().filter(|_| lines.next().is_none()).and_then(|line| parse(line.to_str().ok()?));
        given.unwrap_or_else(|| Self {
            // 0 has no meaning here.
            id: format!("{:032x}", xxh3_128(request_id.as_bytes()).max(1)),
            given: false,
            flags: "00".to_owned(),
        })
    }

    /// Writes the fields that an origin gets.
    pub fn pass_on(&self, request_id: &str, headers: &mut HeaderMap) {
        let parent = xxh3_64(request_id.as_bytes()).max(1);
        // Hexadecimal digits and dashes are always a value.
        if let Ok(value) = HeaderValue::from_str(&format!("00-{}-{parent:016x}-{}", self.id, self.flags)) {
            headers.insert(TRACEPARENT, value);
        }
        if !self.given {
            headers.remove(TRACESTATE);
        }
    }
}

/// `VERSION-TRACE-PARENT-FLAGS`, of version 00 or one to come (section 3.2 of the recommendation).
fn parse(line: &str) -> Option<Trace> {
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let set = |text: &&str| text.bytes().any(|byte| byte != b'0');
    let mut parts = line.trim().split('-');
    let version = parts.next().filter(|version| hex(version, 2) && *version != "ff")?;
    let id = parts.next().filter(|id| hex(id, 32)).filter(set)?;
    parts.next().filter(|parent| hex(parent, 16)).filter(set)?;
    let flags = parts.next().filter(|flags| hex(flags, 2))?;
    if version == "00" && parts.next().is_some() {
        return None;
    }
    // Of the flags only the first is known to version 00.
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1;
    Some(Trace { id: id.to_owned(), given: true, flags: format!("{sampled:02x}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn of(lines: &[&str]) -> Trace {
        let lines = lines.iter().map(|line| (TRACEPARENT, line.parse().unwrap()));
        Trace::of(&lines.collect(), "request-1")
    }

    #[test]
    fn what_counts_as_given() {
        for (line, given) in [
            (GIVEN, true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings", true),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", false),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more", false),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1", false),
            ("0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
            ("", false),
        ] {
            let trace = of(&[line]);
            assert_eq!((trace.given, trace.id == ID), (given, given), "{line}");
        }
        assert!(!of(&[GIVEN, GIVEN]).given, "two are none");
    }

    #[test]
    fn what_origins_are_told() {
        let told = |trace: &Trace| {
            let mut headers = HeaderMap::from_iter([(TRACESTATE, HeaderValue::from_static("a=1"))]);
            trace.pass_on("request-1", &mut headers);
            (headers[&TRACEPARENT].to_str().unwrap().to_owned(), headers.contains_key(&TRACESTATE))
        };
        let (line, state) = told(&of(&[GIVEN]));
        assert!(line.starts_with(&format!("00-{ID}-")) && line.ends_with("-01") && state, "{line}");
        assert_ne!(line, GIVEN, "the parent is this edge");
        let (made, state) = told(&of(&[]));
        assert!(parse(&made).is_some() && made.ends_with("-00") && !state, "{made}");
        assert_eq!(made, told(&of(&["nonsense"])).0, "the same for one request");
        assert_ne!(Trace::of(&HeaderMap::new(), "request-2").id, of(&[]).id);
        let future = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-x";
        assert!(told(&of(&[future])).0.ends_with("-01"), "only flags that are known");
    }
}
