//! `[response_headers_policy.NAME]`: headers taken from and added to answers on their way to viewers; also the managed
//! policies (http-cache.md 6.3).
//!
//! Deliberately absent: what an answer looks like afterwards, which the proxy works out for each request.

use std::time::Duration;

use crate::address;
use crate::cache::MAX_TTL;
use crate::diagnostic::{Code, Problem};
use crate::keys::Table;
use crate::section::{Section, Value};

/// Changes to the headers of answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHeadersPolicy {
    /// Its name.
    pub name: String,
    /// Taken away first; names in lower case.
    pub remove: Vec<String>,
    /// Cross-origin requests.
    pub cors: Option<Cors>,
    /// Security headers, and others with fixed values, in the order in which they are set.
    pub set: Vec<SetHeader>,
    /// Percentage of answers that get `Server-Timing`.
    pub server_timing: u8,
}

/// One header with a fixed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetHeader {
    /// Its name, in lower case.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether the origin's value is replaced.
    pub overrides: bool,
}

/// What other origins may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// `*`, or origins as browsers send them, with a left-most `*.` allowed in the host; not empty.
    pub allow_origins: Vec<String>,
    /// Whether credentials may be sent.
    pub allow_credentials: bool,
    /// `*` or header names; for preflights.
    pub allow_headers: Vec<String>,
    /// Methods; for preflights.
    pub allow_methods: Vec<String>,
    /// `*` or header names that scripts may read.
    pub expose_headers: Vec<String>,
    /// How long a preflight holds.
    pub max_age: Option<Duration>,
    /// Whether the origin's own fields are replaced.
    pub overrides: bool,
}

/// Managed policies with their ids.
pub(crate) const MANAGED: [(&str, &str); 5] = [
    ("SimpleCORS", "60669652-455b-4ae9-85a4-c4c02393f86c"),
    ("CORS-With-Preflight", "5cc3b908-e619-4b99-88e5-2cf7f45965bd"),
    ("SecurityHeadersPolicy", "67f7725c-6f97-4210-82d7-5512b31e9d03"),
    ("CORS-and-SecurityHeadersPolicy", "e61eb60c-9c35-4d20-a928-2b84e02af89c"),
    ("CORS-with-preflight-and-SecurityHeadersPolicy", "eaab4381-ed33-4a86-88ca-d9558dc6cd63"),
];

const ALL_METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

/// Headers that no policy takes away (http-cache.md 6.3), besides those that begin with [`KEPT_PREFIXES`].
const KEPT: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
];
const KEPT_PREFIXES: [&str; 3] = ["proxy-", "x-accel-", "x-amz-cf-"];

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// A managed policy by its CloudFront name.
pub(crate) fn managed(name: &str) -> Option<ResponseHeadersPolicy> {
    let (cors, preflight, security) = match name {
        "SimpleCORS" => (true, false, false),
        "CORS-With-Preflight" => (true, true, false),
        "SecurityHeadersPolicy" => (false, false, true),
        "CORS-and-SecurityHeadersPolicy" => (true, false, true),
        "CORS-with-preflight-and-SecurityHeadersPolicy" => (true, true, true),
        _ => return None,
    };
    let cors = cors.then(|| Cors {
        allow_origins: owned(&["*"]),
        allow_credentials: false,
        allow_headers: Vec::new(),
        allow_methods: if preflight { owned(&ALL_METHODS) } else { Vec::new() },
        expose_headers: if preflight { owned(&["*"]) } else { Vec::new() },
        max_age: None,
        overrides: false,
    });
    let header = |(name, value, overrides): (&str, &str, bool)| SetHeader {
        name: name.to_owned(),
        value: value.to_owned(),
        overrides,
    };
    let fields = [
        ("referrer-policy", "strict-origin-when-cross-origin", false),
        ("strict-transport-security", "max-age=31536000", false),
        ("x-content-type-options", "nosniff", true),
        ("x-frame-options", "SAMEORIGIN", false),
        ("x-xss-protection", "1; mode=block", false),
    ];
    let set = if security { fields.into_iter().map(header).collect() } else { Vec::new() };
    Some(ResponseHeadersPolicy { name: name.to_owned(), remove: Vec::new(), cors, set, server_timing: 0 })
}

pub(crate) fn read(name: &str, section: &Section<'_>) -> Option<ResponseHeadersPolicy> {
    if MANAGED.iter().any(|(managed, _)| *managed == name) {
        section.cx.report(
            Problem::new(Code::Conflict, section.span.clone(), format!("`{name}` is a managed policy"))
                .label("cannot be written again")
                .help("choose another name, or use the managed one without writing it"),
        );
        return None;
    }
    let remove = section.list("remove", removable).unwrap_or_default();
    let cors = section.value("cors").and_then(|value| value.section(Table::Cors)).and_then(|table| cors(&table));
    let security = section.value("security").and_then(|value| value.section(Table::Security));
    let mut set = security.map(|table| read_security(&table)).unwrap_or_default();
    set.extend(section.value("custom").map(|value| custom(&value)).unwrap_or_default());
    let server_timing = section.count("server_timing", 0..=100).unwrap_or(0);
    Some(ResponseHeadersPolicy { name: name.to_owned(), remove, cors, set, server_timing })
}

fn removable(text: &str) -> Result<String, String> {
    let name = address::header_name(text)?;
    if KEPT.contains(&name.as_str()) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Err("cannot be removed".to_owned());
    }
    Ok(name)
}

/// `https://*.example.com`, `*`: what `Origin` is compared with.
fn allowed_origin(text: &str) -> Result<String, String> {
    let bad = || Err("\"*\", or an origin such as \"https://app.example.com\" or \"https://*.example.com\"".to_owned());
    if text == "*" {
        return Ok(text.to_owned());
    }
    let Some((scheme, host)) = text.split_once("://") else { return bad() };
    let plain = host.strip_prefix("*.").unwrap_or(host);
    let fits = !plain.is_empty() && !plain.contains(['/', '*', ' ']) && ["http", "https"].contains(&scheme);
    if fits { Ok(text.to_ascii_lowercase()) } else { bad() }
}

fn name_or_star(text: &str) -> Result<String, String> {
    if text == "*" { Ok(text.to_owned()) } else { address::header_name(text) }
}

fn cors(section: &Section<'_>) -> Option<Cors> {
    section.required("allow_origins", "allow_origins = [\"https://app.example.com\"]")?;
    let allow_origins = section.list("allow_origins", allowed_origin)?;
    let allow_credentials = section.boolean("allow_credentials").unwrap_or(false);
    if allow_credentials && allow_origins.iter().any(|origin| origin == "*") {
        let problem = Problem::new(Code::Conflict, section.span.clone(), "`cors` gives credentials to every origin");
        section.cx.report(problem.label("browsers refuse this").help("name the origins, or leave the credentials out"));
    }
    let methods = |text: &str| {
        if text == "ALL" || ALL_METHODS.contains(&text) { Ok(text.to_owned()) } else { Err("a method".to_owned()) }
    };
    let written = section.list("allow_methods", methods).unwrap_or_default();
    let allow_methods = if written.iter().any(|method| method == "ALL") { owned(&ALL_METHODS) } else { written };
    Some(Cors {
        allow_origins,
        allow_credentials,
        allow_headers: section.list("allow_headers", name_or_star).unwrap_or_default(),
        allow_methods,
        expose_headers: section.list("expose_headers", name_or_star).unwrap_or_default(),
        max_age: section.duration("max_age", Duration::ZERO..=MAX_TTL),
        overrides: section.boolean("override").unwrap_or(false),
    })
}

fn read_security(section: &Section<'_>) -> Vec<SetHeader> {
    let overrides = section.boolean("override").unwrap_or(false);
    let value = |key| section.parsed(key, address::header_value);
    let fields = [
        ("content-security-policy", value("csp")),
        ("referrer-policy", value("referrer_policy")),
        ("strict-transport-security", value("hsts")),
        ("x-frame-options", value("frame_options")),
        ("x-xss-protection", value("xss_protection")),
        ("x-content-type-options", (section.boolean("nosniff") == Some(true)).then(|| "nosniff".to_owned())),
    ];
    let set =
        |(name, value): (&str, Option<String>)| Some(SetHeader { name: name.to_owned(), value: value?, overrides });
    fields.into_iter().filter_map(set).collect()
}

fn custom(value: &Value<'_>) -> Vec<SetHeader> {
    let mut set = Vec::new();
    for (name, value) in value.map("a table of headers and their values").unwrap_or_default() {
        let name = match removable(&name) {
            Ok(name) => name,
            Err(label) => {
                let message = format!("`{}` cannot be set here", name.escape_debug());
                value.cx.report(Problem::new(Code::BadName, value.key_span.clone(), message).label(label));
                continue;
            }
        };
        let (text, overrides) = if value.is_text() {
            (value.text(), true)
        } else {
            let Some(table) = value.section(Table::CustomHeader) else { continue };
            let text = table.required("value", "value = \"…\"").and_then(|value| value.text());
            (text, table.boolean("override").unwrap_or(false))
        };
        let text = text.and_then(|text| text.parsed(value.cx, address::header_value));
        set.extend(text.map(|value| SetHeader { name, value, overrides }));
    }
    set
}
