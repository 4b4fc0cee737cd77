//! Lines as text: CloudFront's standard format, and JSON with the same names.
//!
//! In both every value is text, and what there is nothing to say of is `-`, as CloudFront writes it.

use super::Line;
use http::{HeaderValue, Version};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use serde_json::{Map, Value};
use std::time::{Duration, UNIX_EPOCH};
use time::OffsetDateTime;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object a line.
    Json,
    /// 33 fields between tabs (W3C extended log file format).
    CloudFront,
}

/// Names of the standard log's fields, in order (http-cache.md 6.8).
const FIELDS: [&str; 33] = [
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs(Host)",
    "cs-uri-stem",
    "sc-status",
    "cs(Referer)",
    "cs(User-Agent)",
    "cs-uri-query",
    "cs(Cookie)",
    "x-edge-result-type",
    "x-edge-request-id",
    "x-host-header",
    "cs-protocol",
    "cs-bytes",
    "time-taken",
    "x-forwarded-for",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-response-result-type",
    "cs-protocol-version",
    "fle-status",
    "fle-encrypted-fields",
    "c-port",
    "time-to-first-byte",
    "x-edge-detailed-result-type",
    "sc-content-type",
    "sc-content-len",
    "sc-range-start",
    "sc-range-end",
];

/// Bytes that are escaped in the standard format: so no value holds a tab, a line end or a blank.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'<')
    .add(b'>')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'\\')
    .add(b'^')
    .add(b'~')
    .add(b'[')
    .add(b']')
    .add(b'`')
    .add(b'\'');

impl Format {
    /// What stands at the beginning of a file.
    #[must_use]
    pub fn heading(self) -> String {
        match self {
            Self::Json => String::new(),
            Self::CloudFront => format!("#Version: 1.0\n#Fields: {}\n", FIELDS.join(" ")),
        }
    }

    /// Appends a line, its end included.
    pub fn write(self, line: &Line, text: &mut String) {
        let values = values(line);
        match self {
            Self::CloudFront => {
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        text.push('\t');
                    }
                    // A dash that is a value of its own cannot be told from nothing; CloudFront does not either.
                    match value.as_deref().filter(|value| !value.is_empty()) {
                        Some(value) => text.extend(percent_encode(value, ESCAPED)),
                        None => text.push('-'),
                    }
                }
            }
            Self::Json => {
                let shown = |value: Bytes| {
                    let value = value.filter(|value| !value.is_empty());
                    Value::from(value.map_or_else(|| "-".into(), |value| String::from_utf8_lossy(&value).into_owned()))
                };
                let mut object: Map<String, Value> =
                    FIELDS.iter().zip(values).map(|(name, value)| ((*name).to_owned(), shown(value))).collect();
                for (name, value) in besides(line) {
                    object.insert(name.to_owned(), shown(value));
                }
                text.push_str(&Value::Object(object).to_string());
            }
        }
        text.push('\n');
    }
}

type Bytes = Option<Vec<u8>>;

fn text(text: impl Into<String>) -> Bytes {
    Some(text.into().into_bytes())
}

fn header(value: Option<&HeaderValue>) -> Bytes {
    value.map(|value| value.as_bytes().to_vec())
}

/// The values, in the order of [`FIELDS`].
fn values(line: &Line) -> [Bytes; 33] {
    let note = &line.note;
    let at = OffsetDateTime::from(note.at);
    let tls = note.connection.tls.as_ref();
    let (from, to) = line.content_range.as_ref().and_then(range).unzip();
    let result = line.result_type();
    [
        text(format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day())),
        text(format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())),
        header(line.location.as_ref()),
        text(line.bytes.to_string()),
        text(note.connection.peer.ip().to_canonical().to_string()),
        text(note.method.as_str()),
        text(line.domain.clone()),
        text(note.path.clone()),
        text(format!("{:03}", line.status)),
        note.referer.clone().map(String::into_bytes),
        header(note.user_agent.as_ref()),
        note.query.clone().map(String::into_bytes),
        // Cookies are credentials more often than not; CloudFront's own default is to leave them out.
        None,
        text(result),
        text(line.id.clone()),
        text(note.host.clone()),
        text(if note.is_https() { "https" } else { "http" }),
        text(note.bytes.to_string()),
        text(seconds(line.taken)),
        header(note.forwarded_for.as_ref()),
        tls.map(|tls| tls.version.as_bytes().to_vec()),
        tls.map(|tls| tls.cipher.clone().into_bytes()),
        text(result),
        text(version(note.version)),
        None,
        None,
        text(note.connection.peer.port().to_string()),
        text(seconds(line.first_byte)),
        text(line.detailed_type()),
        header(line.content_type.as_ref()),
        header(line.content_length.as_ref()),
        from,
        to,
    ]
}

/// What JSON lines have besides: the names of CloudFront's real-time log, and words of ours.
fn besides(line: &Line) -> [(&'static str, Bytes); 5] {
    let milliseconds = line.note.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    [
        ("timestamp(ms)", text(milliseconds.to_string())),
        ("cache-behavior-path-pattern", line.behavior.clone().map(String::into_bytes)),
        ("outcome", text(line.outcome)),
        ("connection-id", text(line.note.connection.name())),
        ("trace-id", text(line.note.trace_id())),
    ]
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// `bytes 0-99/1234`: its two ends.
fn range(value: &HeaderValue) -> Option<(Vec<u8>, Vec<u8>)> {
    let (from, to) = value.to_str().ok()?.strip_prefix("bytes ")?.split('/').next()?.split_once('-')?;
    Some((from.as_bytes().to_vec(), to.as_bytes().to_vec()))
}
