//! `request.origin`: where an origin-request function may send the request (lambda-edge.md 2.6).
//!
//! Only `custom` origins exist here so far; an `s3` origin is refused with a text that says so.

use super::headers;
use crate::{Header, Violation, ViolationCode, header_rules};
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// A custom origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `domainName`.
    pub domain_name: String,
    /// `port`.
    pub port: u16,
    /// Whether `protocol` is `https`.
    pub https: bool,
    /// `path`: prefix of the request path, `""` or `/x` without a slash at its end.
    pub path: String,
    /// `customHeaders`.
    pub custom_headers: Vec<Header>,
    /// `readTimeout` in seconds.
    pub read_timeout: u64,
    /// `keepaliveTimeout` in seconds.
    pub keepalive_timeout: u64,
}

/// Names that `customHeaders` may not hold, besides the prefixes `x-amz-` and `x-edge-`.
const FORBIDDEN: [&str; 24] = [
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "pragma",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "request-range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
    "keep-alive",
    "proxy-authenticate",
];

impl Origin {
    pub(super) fn to_value(&self) -> Value {
        json!({
            "custom": {
                "customHeaders": headers::to_value(&self.custom_headers, false),
                "domainName": self.domain_name,
                "keepaliveTimeout": self.keepalive_timeout,
                "path": self.path,
                "port": self.port,
                "protocol": if self.https { "https" } else { "http" },
                "readTimeout": self.read_timeout,
                "sslProtocols": ["TLSv1.2"],
            }
        })
    }

    /// Reads a returned `origin`; `request_headers` are the names in `request.headers`, which may not occur twice.
    pub(super) fn parse(value: &Value, given: &Self, request_headers: &[Header]) -> Result<Self, Violation> {
        let shape = |text: &str| Violation::new(ViolationCode::OriginShape, text.to_owned());
        let object = value.as_object().ok_or_else(|| shape("origin must be an object"))?;
        let custom = match (object.get("custom"), object.get("s3")) {
            (Some(Value::Object(custom)), None) => custom,
            (None, Some(_)) => return Err(shape("s3 origins are not available in this version; use custom")),
            _ => return Err(shape("origin must hold exactly one of custom and s3, an object")),
        };
        if value == &given.to_value() {
            return Ok(given.clone());
        }
        let origin = Self {
            domain_name: domain_name(custom, given)?,
            port: port(custom, given)?,
            https: protocol(custom, given)?,
            path: path(custom, given)?,
            custom_headers: custom_headers(custom, request_headers)?,
            read_timeout: seconds(custom, "readTimeout", 4, 180, given.read_timeout)?,
            keepalive_timeout: seconds(custom, "keepaliveTimeout", 1, 180, given.keepalive_timeout)?,
        };
        check_ssl_protocols(custom)?;
        Ok(origin)
    }
}

fn bad(field: &str, rule: &str) -> Violation {
    Violation::new(ViolationCode::OriginField, format!("origin.custom.{field} {rule}"))
}

fn domain_name(custom: &Map<String, Value>, given: &Origin) -> Result<String, Violation> {
    let rule = || bad("domainName", "must be a DNS name of at most 253 characters, without port, and no IP address");
    let name = custom.get("domainName").and_then(Value::as_str).ok_or_else(rule)?;
    if name == given.domain_name {
        return Ok(name.to_owned());
    }
    let is_name = (1..=253).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && !name.starts_with(['.', '-']);
    // Spellings such as `127.1` or `0x7f.1` name an address too: a DNS name's last label is never numeric.
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if !is_name || numeric || name.parse::<IpAddr>().is_ok() {
        return Err(rule());
    }
    Ok(name.to_ascii_lowercase())
}

fn port(custom: &Map<String, Value>, given: &Origin) -> Result<u16, Violation> {
    match custom.get("port").and_then(Value::as_u64) {
        Some(port) if port == u64::from(given.port) => Ok(given.port),
        Some(port @ (80 | 443 | 1024..=65535)) => Ok(u16::try_from(port).unwrap_or(given.port)),
        _ => Err(bad("port", "must be 80, 443 or 1024 to 65535")),
    }
}

fn protocol(custom: &Map<String, Value>, _: &Origin) -> Result<bool, Violation> {
    match custom.get("protocol").and_then(Value::as_str) {
        Some("https") => Ok(true),
        Some("http") => Ok(false),
        _ => Err(bad("protocol", "must be \"http\" or \"https\"")),
    }
}

fn path(custom: &Map<String, Value>, given: &Origin) -> Result<String, Violation> {
    let path = match custom.get("path") {
        None => return Ok(given.path.clone()),
        Some(value) => value.as_str().ok_or_else(|| bad("path", "must be a string"))?,
    };
    let valid = path.is_empty()
        || (path.starts_with('/')
            && !path.ends_with('/')
            && path.len() <= 255
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte)));
    if valid {
        Ok(path.to_owned())
    } else {
        Err(bad("path", "must be \"\" or begin, and not end, with \"/\", URL-encoded"))
    }
}

fn seconds(custom: &Map<String, Value>, field: &str, least: u64, most: u64, given: u64) -> Result<u64, Violation> {
    match custom.get(field) {
        None => Ok(given),
        Some(value) => match value.as_u64() {
            Some(seconds) if (least..=most).contains(&seconds) || seconds == given => Ok(seconds),
            _ => Err(bad(field, &format!("must be {least} to {most} seconds"))),
        },
    }
}

fn check_ssl_protocols(custom: &Map<String, Value>) -> Result<(), Violation> {
    let known = ["TLSv1.2", "TLSv1.1", "TLSv1", "SSLv3"];
    match custom.get("sslProtocols") {
        None => Ok(()),
        Some(Value::Array(list)) if list.iter().all(|word| word.as_str().is_some_and(|word| known.contains(&word))) => {
            Ok(())
        }
        Some(_) => Err(bad("sslProtocols", "must be a list of TLSv1.2, TLSv1.1, TLSv1, SSLv3")),
    }
}

fn custom_headers(custom: &Map<String, Value>, request_headers: &[Header]) -> Result<Vec<Header>, Violation> {
    let refused = |name: &str, why: &str| {
        let shown: String = name.escape_default().take(256).collect();
        Violation::new(ViolationCode::OriginHeader, format!("customHeaders.{shown} {why}"))
    };
    let mut result = Vec::new();
    for (name, values) in headers::parse(custom.get("customHeaders"), "customHeaders")? {
        let forbidden = FORBIDDEN.contains(&name.as_str()) || name.starts_with("x-amz-") || name.starts_with("x-edge-");
        if forbidden || !header_rules::is_token(&name) {
            return Err(refused(&name, "is not allowed"));
        }
        if request_headers.iter().any(|header| header.name == name) {
            return Err(refused(&name, "is also in request.headers"));
        }
        for value in values {
            header_rules::check_value(&name, &value)?;
            if name.len() > 256 || value.len() > 1_783 {
                return Err(refused(&name, "is longer than 256 (name) or 1,783 (value) characters"));
            }
            result.push(Header::new(name.clone(), value));
        }
    }
    let total: usize = result.iter().map(|header| header.name.len() + header.value.len()).sum();
    if total > 10_240 {
        return Err(Violation::new(ViolationCode::OriginHeader, "customHeaders take more than 10,240 characters"));
    }
    Ok(result)
}
