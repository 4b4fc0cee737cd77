//! `request.origin`: where an origin-request function may send the request (lambda-edge.md 2.6).

use super::headers;
use crate::{Header, Violation, ViolationCode, header_rules};
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// An origin as functions see it: `custom`, or `s3` when [`Origin::s3`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `domainName`.
    pub domain_name: String,
    /// `port`. Not shown for `s3`.
    pub port: u16,
    /// Whether `protocol` is `https`. Not shown for `s3`.
    pub https: bool,
    /// `path`: prefix of the request path, `""` or `/x` without a slash at its end.
    pub path: String,
    /// `customHeaders`.
    pub custom_headers: Vec<Header>,
    /// `readTimeout` in seconds. Not shown for `s3`.
    pub read_timeout: u64,
    /// `keepaliveTimeout` in seconds. Not shown for `s3`.
    pub keepalive_timeout: u64,
    /// What only `s3` origins have; `None`: a `custom` origin.
    pub s3: Option<S3>,
}

/// The fields that only an `s3` origin has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3 {
    /// Whether `authMethod` is `origin-access-identity`; otherwise it is `none`.
    pub identity: bool,
    /// `region`.
    pub region: String,
}

/// How strictly a returned origin is checked (`origin_rules`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OriginRules {
    /// As CloudFront does, with time-outs up to 180 s.
    #[default]
    Aws,
    /// IP addresses and any port besides; time-outs out of range are moved into it.
    Relaxed,
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
        let custom_headers = headers::to_value(&self.custom_headers, false);
        if let Some(s3) = &self.s3 {
            return json!({
                "s3": {
                    "authMethod": if s3.identity { IDENTITY } else { "none" },
                    "customHeaders": custom_headers,
                    "domainName": self.domain_name,
                    "path": self.path,
                    "region": s3.region,
                }
            });
        }
        json!({
            "custom": {
                "customHeaders": custom_headers,
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
    pub(super) fn parse(
        value: &Value,
        given: &Self,
        request_headers: &[Header],
        rules: OriginRules,
    ) -> Result<Self, Violation> {
        let shape = |text: &str| Violation::new(ViolationCode::OriginShape, text.to_owned());
        let object = value.as_object().ok_or_else(|| shape("origin must be an object"))?;
        let (custom, s3) = match (object.get("custom"), object.get("s3")) {
            (Some(Value::Object(custom)), None) => (custom, None),
            (None, Some(Value::Object(s3))) => (s3, Some(s3)),
            _ => return Err(shape("origin must hold exactly one of custom and s3, an object")),
        };
        if value == &given.to_value() {
            return Ok(given.clone());
        }
        match s3 {
            None => Self::custom(custom, given, request_headers, rules),
            Some(s3) => Self::s3(s3, given, request_headers),
        }
    }

    fn custom(
        custom: &Map<String, Value>,
        given: &Self,
        request_headers: &[Header],
        rules: OriginRules,
    ) -> Result<Self, Violation> {
        let origin = Self {
            domain_name: domain_name(custom, given, rules)?,
            port: port(custom, given, rules)?,
            https: protocol(custom)?,
            path: path(custom, "custom", given)?,
            custom_headers: custom_headers(custom, request_headers)?,
            read_timeout: seconds(custom, ("readTimeout", 4), given.read_timeout, rules)?,
            keepalive_timeout: seconds(custom, ("keepaliveTimeout", 1), given.keepalive_timeout, rules)?,
            s3: None,
        };
        check_ssl_protocols(custom)?;
        Ok(origin)
    }

    /// An `s3` origin is always asked over https, at its own name or at the configured endpoint.
    fn s3(s3: &Map<String, Value>, given: &Self, request_headers: &[Header]) -> Result<Self, Violation> {
        let wrong =
            |field: &str, rule: &str| Violation::new(ViolationCode::OriginField, format!("origin.s3.{field} {rule}"));
        let text = |field: &str| s3.get(field).and_then(Value::as_str);
        let name = text("domainName").filter(|name| is_bucket_host(name)).ok_or_else(|| {
            wrong("domainName", "must be a bucket's host name in lower case, of at most 128 characters")
        })?;
        let identity = match text("authMethod") {
            Some(IDENTITY) => true,
            Some("none") => false,
            _ => return Err(wrong("authMethod", "must be \"origin-access-identity\" or \"none\"")),
        };
        match &given.s3 {
            None if identity => return Err(wrong("authMethod", "cannot add an access identity to a custom origin")),
            Some(before) if before.identity != identity => {
                return Err(wrong("authMethod", "must stay what the configured origin has"));
            }
            _ => {}
        }
        let region = match s3.get("region") {
            None if identity => return Err(wrong("region", "is required with an access identity")),
            None => "",
            Some(region) => region.as_str().ok_or_else(|| wrong("region", "must be a string"))?,
        };
        Ok(Self {
            domain_name: name.to_owned(),
            port: 443,
            https: true,
            path: path(s3, "s3", given)?,
            custom_headers: custom_headers(s3, request_headers)?,
            read_timeout: given.read_timeout,
            keepalive_timeout: given.keepalive_timeout,
            s3: Some(S3 { identity, region: region.to_owned() }),
        })
    }

    /// The bucket that an `s3` origin's host name stands for: what is before `.s3.` or `.s3-`, else the first label.
    #[must_use]
    pub fn bucket(&self) -> &str {
        let end = [".s3.", ".s3-"].iter().filter_map(|mark| self.domain_name.find(mark)).min();
        let end = end.or_else(|| self.domain_name.find('.'));
        &self.domain_name[..end.unwrap_or(self.domain_name.len())]
    }
}

const IDENTITY: &str = "origin-access-identity";

fn is_bucket_host(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    (1..=128).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with(['.', '-'])
        && !name.contains("..")
        && !is_numeric(name)
}

/// Spellings such as `127.1` or `0x7f.1` name an address: a DNS name's last label is never numeric.
fn is_numeric(name: &str) -> bool {
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x")
}

fn bad(field: &str, rule: &str) -> Violation {
    Violation::new(ViolationCode::OriginField, format!("origin.custom.{field} {rule}"))
}

fn domain_name(custom: &Map<String, Value>, given: &Origin, rules: OriginRules) -> Result<String, Violation> {
    let rule = || bad("domainName", "must be a DNS name of at most 253 characters, without port, and no IP address");
    let name = custom.get("domainName").and_then(Value::as_str).ok_or_else(rule)?;
    if name == given.domain_name {
        return Ok(name.to_owned());
    }
    if rules == OriginRules::Relaxed && name.parse::<IpAddr>().is_ok() {
        return Ok(name.to_owned());
    }
    let is_name = (1..=253).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && !name.starts_with(['.', '-']);
    if !is_name || is_numeric(name) || name.parse::<IpAddr>().is_ok() {
        return Err(rule());
    }
    Ok(name.to_ascii_lowercase())
}

fn port(custom: &Map<String, Value>, given: &Origin, rules: OriginRules) -> Result<u16, Violation> {
    match custom.get("port").and_then(Value::as_u64) {
        Some(port) if port == u64::from(given.port) && given.s3.is_none() => Ok(given.port),
        Some(port @ (80 | 443 | 1024..=65535)) => Ok(u16::try_from(port).unwrap_or(given.port)),
        Some(port @ 1..=65535) if rules == OriginRules::Relaxed => Ok(u16::try_from(port).unwrap_or(given.port)),
        _ if rules == OriginRules::Relaxed => Err(bad("port", "must be 1 to 65535")),
        _ => Err(bad("port", "must be 80, 443 or 1024 to 65535")),
    }
}

fn protocol(custom: &Map<String, Value>) -> Result<bool, Violation> {
    match custom.get("protocol").and_then(Value::as_str) {
        Some("https") => Ok(true),
        Some("http") => Ok(false),
        _ => Err(bad("protocol", "must be \"http\" or \"https\"")),
    }
}

fn path(fields: &Map<String, Value>, kind: &str, given: &Origin) -> Result<String, Violation> {
    let wrong = |rule: &str| Violation::new(ViolationCode::OriginField, format!("origin.{kind}.path {rule}"));
    let path = match fields.get("path") {
        None => return Ok(given.path.clone()),
        Some(value) => value.as_str().ok_or_else(|| wrong("must be a string"))?,
    };
    let valid = path.is_empty()
        || (path.starts_with('/')
            && !path.ends_with('/')
            && path.len() <= 255
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte)));
    if valid { Ok(path.to_owned()) } else { Err(wrong("must be \"\" or begin, and not end, with \"/\", URL-encoded")) }
}

/// A time-out of whole seconds, `least` to 180.
fn seconds(
    custom: &Map<String, Value>,
    (field, least): (&str, u64),
    given: u64,
    rules: OriginRules,
) -> Result<u64, Violation> {
    const MOST: u64 = 180;
    let Some(value) = custom.get(field) else { return Ok(given) };
    let rule = || bad(field, &format!("must be {least} to {MOST} seconds"));
    let seconds = value.as_u64().ok_or_else(rule)?;
    if seconds == given || (least..=MOST).contains(&seconds) {
        Ok(seconds)
    } else if rules == OriginRules::Relaxed {
        Ok(seconds.clamp(least, MOST))
    } else {
        Err(rule())
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
