//! W3C Trace Context, level 1: which trace a request belongs to, and what origins and Lambda functions are told of it. A trace
//! that the viewer names as X-Ray does (`X-Amzn-Trace-Id`, lambda-edge.md 10.4) counts where there is no `traceparent`.
//!
//! A valid `traceparent` of the viewer is passed on with a parent id of this edge's own; where there is none, one is made of the
//! request id, so that it is the same wherever it is asked for. Lambda functions
//! are told only of a trace that the viewer named. It
//! is in no cache key, which is safe because nothing of it but hexadecimal digits goes on. `tracestate` may hold anything and so goes
//! on only where everything does, and never without a valid `traceparent`. Deliberately absent: recording spans.

use edgehook_contract::Header;
use http::{HeaderMap, HeaderName, HeaderValue};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Which trace, which part of it, and how it is treated.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracing systems say about it.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What X-Ray has in the place of both.
const AMAZON: &str = "x-amzn-trace-id";

/// The trace of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// 32 hexadecimal digits, not all 0.
    pub id: String,
    /// Whether the viewer named it.
    pub given: bool,
    /// 16 hexadecimal digits, not all 0: the part of it that the viewer names.
    parent: String,
    flags: String,
}

impl Trace {
    /// The trace that the viewer's fields name, or else the request's own.
    #[must_use]
    pub fn of(viewer: &HeaderMap, request_id: &str) -> Self {
        let mut lines = viewer.get_all(&TRACEPARENT).iter();
        let given = lines.next().filter(|_| lines.next().is_none()).and_then(|line| parse(line.to_str().ok()?));
        let amazons = || parse_amazon(viewer.get(AMAZON)?.to_str().ok()?, request_id);
        given.or_else(amazons).unwrap_or_else(|| Self {
            // 0 has no meaning here.
            id: format!("{:032x}", xxh3_128(request_id.as_bytes()).max(1)),
            given: false,
            parent: part_of(request_id),
            flags: "00".to_owned(),
        })
    }

    /// The trace that the fields of a function's event name, if they do.
    #[must_use]
    pub fn named(fields: &[Header], request_id: &str) -> Option<Self> {
        let one = |name: &str| {
            let mut lines = fields.iter().filter(|field| field.name == name);
            let line = lines.next().filter(|_| lines.next().is_none())?;
            std::str::from_utf8(&line.value).ok()
        };
        let given = one(TRACEPARENT.as_str()).and_then(parse);
        given.or_else(|| parse_amazon(one(AMAZON)?, request_id))
    }

    /// Writes the field that functions at origin hooks find, where the viewer named the trace.
    #[must_use]
    pub fn tell(self, headers: &mut HeaderMap) -> Self {
        if self.given
            && let Ok(value) = HeaderValue::from_str(&self.traceparent())
        {
            headers.insert(TRACEPARENT, value);
        }
        self
    }

    /// As W3C writes it, with the viewer's own part of it.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{}", self.id, self.parent, self.flags)
    }

    /// As X-Ray writes it.
    #[must_use]
    pub fn amazon(&self) -> String {
        let (time, rest) = self.id.split_at(8);
        let sampled = u8::from(self.flags == "01");
        format!("Root=1-{time}-{rest};Parent={};Sampled={sampled}", self.parent)
    }

    /// Writes the fields that an origin gets.
    pub fn pass_on(&self, request_id: &str, headers: &mut HeaderMap) {
        let parent = part_of(request_id);
        // Hexadecimal digits and dashes are always a value.
        if let Ok(value) = HeaderValue::from_str(&format!("00-{}-{parent}-{}", self.id, self.flags)) {
            headers.insert(TRACEPARENT, value);
        }
        if !self.given {
            headers.remove(TRACESTATE);
        }
    }
}

/// `VERSION-TRACE-PARENT-FLAGS`, of version 00 or one to come (section 3.2 of the recommendation).
fn parse(line: &str) -> Option<Trace> {
    let mut parts = line.trim().split('-');
    let version = parts.next().filter(|version| hex(version, 2) && *version != "ff")?;
    let id = parts.next().filter(|id| hex(id, 32)).filter(set)?;
    let parent = parts.next().filter(|parent| hex(parent, 16)).filter(set)?;
    let flags = parts.next().filter(|flags| hex(flags, 2))?;
    if version == "00" && parts.next().is_some() {
        return None;
    }
    // Of the flags only the first is known to version 00.
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1;
    Some(Trace { id: id.to_owned(), given: true, parent: parent.to_owned(), flags: format!("{sampled:02x}") })
}

fn hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn set(text: &&str) -> bool {
    text.bytes().any(|byte| byte != b'0')
}

/// This edge's own part of a trace.
fn part_of(request_id: &str) -> String {
    format!("{:016x}", xxh3_64(request_id.as_bytes()).max(1))
}

/// `Root=1-TIME-REST;Parent=PART;Sampled=1`, in any order; other pairs are left alone (lambda-edge.md 10.4).
fn parse_amazon(line: &str, request_id: &str) -> Option<Trace> {
    let (mut root, mut parent, mut sampled) = (None, None, false);
    for (name, value) in line.split(';').filter_map(|pair| pair.trim().split_once('=')) {
        match name {
            "Root" => root = Some(value),
            "Parent" => parent = Some(value).filter(|parent| hex(parent, 16)).filter(set),
            "Sampled" => sampled = value == "1",
            _ => {}
        }
    }
    let (time, rest) =
        root?.strip_prefix("1-")?.split_once('-').filter(|(time, rest)| hex(time, 8) && hex(rest, 24))?;
    let id = format!("{time}{rest}");
    let parent = parent.map_or_else(|| part_of(request_id), str::to_owned);
    set(&id.as_str()).then(|| Trace { id, given: true, parent, flags: if sampled { "01" } else { "00" }.to_owned() })
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
    fn x_rays_form_and_back() {
        let given = "Root=1-68a1b2c3-00112233445566778899aabb;Parent=c0ffee0012345678;Sampled=1";
        let of = |line: &str| Trace::named(&[Header::new(AMAZON, line)], "request-1");
        let trace = of(given).unwrap();
        assert_eq!(trace.traceparent(), "00-68a1b2c300112233445566778899aabb-c0ffee0012345678-01", "row 129");
        assert_eq!(trace.amazon(), given);
        let turned = of("Self=1-2-3; Sampled=?;Lineage=a:0 ;Root=1-68a1b2c3-00112233445566778899aabb").unwrap();
        assert_eq!((turned.id, turned.flags.as_str(), turned.parent.len()), (trace.id.clone(), "00", 16));
        for line in [
            "",
            "Root=1-68a1b2c3",
            "Root=2-68a1b2c3-00112233445566778899aabb",
            "Root=1-68a1b2cX-00112233445566778899aabb",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
        let both = [Header::new(AMAZON, given), Header::new("traceparent", GIVEN)];
        assert_eq!(Trace::named(&both, "request-1").unwrap().id, ID, "W3C's goes before");
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
