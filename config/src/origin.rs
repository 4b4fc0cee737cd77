//! `[origin.NAME]`: where answers come from. Also reads the replacements of `[dev] origin`, which have the same targets.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::{self, OriginUrl};
use crate::cache_rules::Profile;
use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::section::{Section, Value};

/// An origin.
#[derive(Clone)]
pub struct Origin {
    /// Its name in the file.
    pub name: String,
    /// What is asked.
    pub target: OriginTarget,
    /// What a Lambda event shows it as.
    pub kind: OriginKind,
    /// Headers added to requests, names in lower case. Values are often secrets: `Debug` shows the names only.
    pub headers: Vec<(String, String)>,
    /// Wait for a connection.
    pub connection_timeout: Duration,
    /// Attempts for GET and HEAD, 1 to 3.
    pub connection_attempts: u32,
    /// Wait for the head and between bytes.
    pub read_timeout: Duration,
    /// Idle connections are closed after this.
    pub keepalive_timeout: Duration,
    /// Pool limit.
    pub max_connections: u32,
    /// PEM file, absolute, of who may sign the origin's certificate; `None`: the system's store.
    pub ca: Option<PathBuf>,
}

/// What an origin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginTarget {
    /// An HTTP server.
    Url(OriginUrl),
    /// A folder, absolute, that exists.
    Dir(PathBuf),
    /// The built-in server that answers with the request it received; as a replacement for development only.
    Echo,
}

impl OriginTarget {
    /// A replacement as it is written on a command line: `echo`, a URL, or a folder as seen from here.
    ///
    /// # Errors
    /// What is wrong with it, for who wrote it.
    pub fn replacement(text: &str) -> Result<Self, String> {
        if text == ECHO {
            return Ok(Self::Echo);
        }
        if text.contains("://") {
            return address::origin_url(text).map(Self::Url).map_err(|label| format!("{text:?}: {label}"));
        }
        let folder = std::path::absolute(text).map_err(|error| format!("{text:?}: {error}"))?;
        if folder.is_dir() {
            Ok(Self::Dir(folder))
        } else {
            Err(format!("{text:?} is no folder; write a folder, \"echo\" or a URL"))
        }
    }
}

/// The built-in server, as it is written.
const ECHO: &str = "echo";

/// What kind of origin a Lambda event shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginKind {
    /// `custom`
    Custom,
    /// `s3`
    S3,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Origin")
            .field("name", &self.name)
            .field("target", &self.target)
            .field("kind", &self.kind)
            .field("headers", &headers)
            .field("connection_timeout", &self.connection_timeout)
            .field("connection_attempts", &self.connection_attempts)
            .field("read_timeout", &self.read_timeout)
            .field("keepalive_timeout", &self.keepalive_timeout)
            .field("max_connections", &self.max_connections)
            .field("ca", &self.ca)
            .finish()
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Headers that an origin's `headers` may not set (http-cache.md 6.2), besides names that begin with [`RESERVED_PREFIXES`].
const RESERVED: [&str; 11] = [
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "host",
    "keep-alive",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
    "via",
];
const RESERVED_PREFIXES: [&str; 4] = ["if-", "x-edge-", "x-amz-", "proxy-"];

pub(crate) fn read(name: &str, section: &Section<'_>, profile: Profile) -> Option<Origin> {
    let attempts = if profile == Profile::StrictRfc { 1 } else { 3 };
    let seconds = |key, most, default| {
        section.duration(key, SECOND..=Duration::from_secs(most)).unwrap_or(Duration::from_secs(default))
    };
    let origin = (
        headers(section),
        seconds("connection_timeout", 10, 10),
        section.count("connection_attempts", 1..=3).unwrap_or(attempts),
        seconds("read_timeout", 120, 30),
        seconds("keepalive_timeout", 120, 5),
        section.count("max_connections", 1..=1_000_000).unwrap_or(256),
        section.existing("ca", Expect::File),
    );
    let (headers, connection_timeout, connection_attempts, read_timeout, keepalive_timeout, max_connections, ca) =
        origin;
    Some(Origin {
        name: name.to_owned(),
        kind: section
            .choice("type", &[("custom", OriginKind::Custom), ("s3", OriginKind::S3)], &[])
            .unwrap_or(OriginKind::Custom),
        target: target(section)?,
        headers,
        connection_timeout,
        connection_attempts,
        read_timeout,
        keepalive_timeout,
        max_connections,
        ca,
    })
}

fn target(section: &Section<'_>) -> Option<OriginTarget> {
    match (section.value("url"), section.value("dir")) {
        (Some(url), None) => target_url(&url).map(OriginTarget::Url),
        (None, Some(dir)) => section.cx.existing(&dir.text()?, Expect::Folder).map(OriginTarget::Dir),
        (Some(_), Some(dir)) => {
            section.cx.report(
                Problem::new(Code::Conflict, dir.key_span, format!("{} has both `url` and `dir`", section.shown))
                    .label("`url` is written too")
                    .help("keep one of them"),
            );
            None
        }
        (None, None) => {
            section.cx.report(
                Problem::new(Code::MissingKey, section.span.clone(), format!("{} needs `url` or `dir`", section.shown))
                    .label("neither is written")
                    .help("url = \"https://www.example.com\", or dir = \"./site\""),
            );
            None
        }
    }
}

/// `[s3] endpoint`.
pub(crate) fn s3_endpoint(section: &Section<'_>) -> Option<OriginUrl> {
    section.value("endpoint").and_then(|value| target_url(&value))
}

/// A URL whose placeholders make it unusable becomes one that nothing answers at.
fn target_url(value: &Value<'_>) -> Option<OriginUrl> {
    let text = value.text()?;
    match text.parsed(value.cx, address::origin_url) {
        None if text.placeholder => address::origin_url("http://unset.invalid").ok(),
        parsed => parsed,
    }
}

/// The `headers` of an origin or of an experiment's variant.
pub(crate) fn headers(section: &Section<'_>) -> Vec<(String, String)> {
    let Some(map) = section.value("headers").and_then(|value| value.map("a table of header names and texts")) else {
        return Vec::new();
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for (written, value) in &map {
        section.cx.hide(value.span.clone());
        let Some(text) = value.text() else { continue };
        let name = match address::header_name(written) {
            Ok(name) => name,
            Err(label) => {
                let message = format!("`{}` is not a header", value.name);
                section.cx.report(Problem::new(Code::BadName, value.key_span.clone(), message).label(label));
                continue;
            }
        };
        if is_reserved(&name) {
            let message = format!("`{name}` cannot be a custom header");
            let label = "the edge sets or removes it itself";
            section.cx.report(Problem::new(Code::BadName, value.key_span.clone(), message).label(label));
        } else if headers.iter().any(|(other, _)| *other == name) {
            let message = format!("`{name}` is written twice");
            let label = "header names have no case";
            section.cx.report(Problem::new(Code::Conflict, value.key_span.clone(), message).label(label));
        } else if let Some(text) = text.parsed(section.cx, address::header_value) {
            headers.push((name, text));
        }
    }
    headers
}

/// Whether the edge sets or removes a header itself; `name` in lower case.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A replacement of `[dev] origin`: the echo server, a URL, else a folder. The folder must exist where `dev` is what will run.
pub(crate) fn replacement(value: &Value<'_>) -> Option<OriginTarget> {
    let text = value.text()?;
    if text.value == ECHO {
        Some(OriginTarget::Echo)
    } else if text.value.contains("://") {
        target_url(value).map(OriginTarget::Url)
    } else if value.cx.mode == crate::Mode::Serve {
        value.cx.path(&text).map(OriginTarget::Dir)
    } else {
        value.cx.existing(&text, Expect::Folder).map(OriginTarget::Dir)
    }
}
