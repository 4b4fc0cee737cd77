//! Origins that a viewer-request function names: what it asked for, and what becomes of that once it is checked
//! (cloudfront-functions.md 6.5).
//!
//! The isolate host records an [`OriginDirective`], whose types are right and whose values are not yet checked;
//! [`OriginDirective::checked`] makes an [`OriginChoice`] of it, which the proxy can apply. Which origins exist is the proxy's to know.

use crate::{RequestMessage, Violation, ViolationCode, Violations, header_rules, text};
use std::net::IpAddr;

/// The last origin call of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum OriginDirective {
    /// `cf.updateRequestOrigin(properties)`.
    Update(Box<OriginProperties>),
    /// `cf.selectRequestOriginById(id, overrides)`.
    Select(GroupMember),
    /// `cf.createRequestOriginGroup({originIds, selectionCriteria, failoverCriteria})`.
    Group {
        /// `originIds`, in order.
        members: Vec<GroupMember>,
        /// `selectionCriteria`.
        selection: Option<String>,
        /// `failoverCriteria.statusCodes`.
        status_codes: Vec<f64>,
    },
}

/// An origin by its id, with what differs for this request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// The origin's id: its name in the configuration.
    pub id: String,
    /// What differs.
    pub overrides: OriginOverrides,
}

/// What may differ for a selected origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginOverrides {
    /// `hostHeader`.
    pub host_header: Option<String>,
    /// `sni`.
    pub sni: Option<String>,
    /// `allowedCertificateNames`.
    pub allowed_certificate_names: Option<Vec<String>>,
}

/// The argument of `updateRequestOrigin`, as it was written. Times in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OriginProperties {
    /// `domainName`.
    pub domain_name: Option<String>,
    /// `originPath`.
    pub origin_path: Option<String>,
    /// `customHeaders`, in order.
    pub custom_headers: Option<Vec<(String, String)>>,
    /// `connectionAttempts`.
    pub connection_attempts: Option<f64>,
    /// `hostHeader`, `sni`, `allowedCertificateNames`.
    pub overrides: OriginOverrides,
    /// `timeouts`.
    pub timeouts: OriginTimeouts,
    /// `customOriginConfig`.
    pub custom: Option<CustomOriginConfig>,
    /// `originShield`.
    pub shield: Option<OriginShield>,
    /// `originAccessControlConfig`.
    pub access_control: Option<OriginAccessControl>,
    /// `mTLSConfig`.
    pub mtls: Option<String>,
}

/// `timeouts`, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OriginTimeouts {
    /// `readTimeout`.
    pub read: Option<f64>,
    /// `responseCompletionTimeout`.
    pub completion: Option<f64>,
    /// `keepAliveTimeout`.
    pub keepalive: Option<f64>,
    /// `connectionTimeout`.
    pub connection: Option<f64>,
}

/// `customOriginConfig`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CustomOriginConfig {
    /// `port`.
    pub port: Option<f64>,
    /// `protocol`.
    pub protocol: Option<String>,
    /// `sslProtocols`.
    pub ssl_protocols: Option<Vec<String>>,
    /// `ipAddressType`.
    pub ip_address_type: Option<String>,
}

/// `originShield`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginShield {
    /// `enabled`.
    pub enabled: bool,
    /// `region`.
    pub region: Option<String>,
}

/// `originAccessControlConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginAccessControl {
    /// `enabled`.
    pub enabled: bool,
    /// `signingBehavior`.
    pub signing_behavior: Option<String>,
    /// `signingProtocol`.
    pub signing_protocol: Option<String>,
    /// `originType`.
    pub origin_type: Option<String>,
}

/// A directive whose values are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginChoice {
    /// The behavior's origin, changed.
    Update(OriginUpdate),
    /// Another origin of the configuration.
    Select(GroupMember),
    /// Two origins of the configuration; the second is asked when the first fails.
    Group {
        /// Asked first.
        primary: GroupMember,
        /// Asked when the first could not be reached or answered with one of `failover`.
        secondary: GroupMember,
        /// Statuses.
        failover: Vec<u16>,
    },
}

/// What an update changes; `None`: as the behavior's origin has it. Times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginUpdate {
    /// DNS name, lower case.
    pub domain_name: Option<String>,
    /// Prefix of the path: empty, or `/x` without a slash at its end.
    pub path: Option<String>,
    /// Headers in place of the configured ones.
    pub headers: Option<Vec<(String, String)>>,
    /// 1 to 3.
    pub attempts: Option<u8>,
    /// Host header, server name, names in the certificate.
    pub overrides: OriginOverrides,
    /// Port.
    pub port: Option<u16>,
    /// Whether to speak TLS.
    pub https: Option<bool>,
    /// 1 to 120.
    pub read_timeout: Option<u64>,
    /// 1 to 120.
    pub keepalive_timeout: Option<u64>,
    /// 1 to 10.
    pub connection_timeout: Option<u64>,
    /// Names of properties that are right but mean nothing to this edge, besides those of `overrides`.
    pub without_effect: Vec<&'static str>,
}

impl OriginChoice {
    /// Names of properties that are right but mean nothing to this edge.
    #[must_use]
    pub fn without_effect(&self) -> Vec<&'static str> {
        let (mut names, overrides) = match self {
            Self::Update(update) => (update.without_effect.clone(), vec![&update.overrides]),
            Self::Select(member) => (Vec::new(), vec![&member.overrides]),
            Self::Group { primary, secondary, .. } => (Vec::new(), vec![&primary.overrides, &secondary.overrides]),
        };
        if overrides.iter().any(|overrides| overrides.allowed_certificate_names.is_some()) {
            names.push("allowedCertificateNames");
        }
        names
    }
}

/// Longest DNS name, in characters.
const NAME: usize = 253;

fn bad(field: &str, rule: impl AsRef<str>) -> Violation {
    Violation::new(ViolationCode::OriginField, format!("origin.{field} {}", rule.as_ref()))
}

impl OriginDirective {
    /// The directive with every value checked. `given` is the request that the viewer sent.
    ///
    /// # Errors
    /// Every value that breaks a rule, by its name.
    pub fn checked(&self, given: &RequestMessage) -> Result<OriginChoice, Violations> {
        let mut found = Violations::default();
        match self {
            Self::Update(properties) => {
                let update = properties.checked(given, &mut found);
                found.none_or(OriginChoice::Update(update))
            }
            Self::Select(member) => {
                member.overrides.check("", &mut found);
                found.none_or(OriginChoice::Select(member.clone()))
            }
            Self::Group { members, selection, status_codes } => {
                for (index, member) in members.iter().enumerate().take(2) {
                    member.overrides.check(&format!("originIds[{index}].originOverrides."), &mut found);
                }
                found.take(one_of("selectionCriteria", selection.as_deref(), &["default", "media-quality-score"]));
                let failover = found.take(failover(status_codes)).unwrap_or_default();
                let [primary, secondary] = members.as_slice() else {
                    found.add(bad("originIds", format!("must hold exactly two origins, got {}", members.len())));
                    return Err(found);
                };
                let (primary, secondary) = (primary.clone(), secondary.clone());
                found.none_or(OriginChoice::Group { primary, secondary, failover })
            }
        }
    }
}

/// Statuses that may start a failover.
const FAILOVER: [u16; 9] = [400, 403, 404, 416, 429, 500, 502, 503, 504];

fn failover(codes: &[f64]) -> Result<Vec<u16>, Violation> {
    let rule =
        || bad("failoverCriteria.statusCodes", "must list at least one of 400, 403, 404, 416, 429, 500, 502, 503, 504");
    if codes.is_empty() {
        return Err(rule());
    }
    codes.iter().map(|&code| FAILOVER.into_iter().find(|&known| f64::from(known) == code).ok_or_else(rule)).collect()
}

impl OriginOverrides {
    /// `place`: where they stand, with a dot at its end, or nothing.
    fn check(&self, place: &str, found: &mut Violations) {
        if self.host_header.as_deref().is_some_and(|host| !is_name(host, NAME)) {
            let rule = "must be a DNS name of at most 253 characters, without port, and no IP address";
            found.add(bad(&format!("{place}hostHeader"), rule));
        }
        if self.sni.as_deref().is_some_and(|name| !is_name(name, NAME)) {
            found.add(bad(&format!("{place}sni"), "must be a DNS name of at most 253 characters"));
        }
        let names = self.allowed_certificate_names.as_deref().unwrap_or_default();
        let fits = |name: &String| is_name(name.strip_prefix("*.").unwrap_or(name), 64) && name.len() <= 64;
        if names.len() > 20 || !names.iter().all(fits) {
            let rule = "must list at most 20 names of at most 64 characters";
            found.add(bad(&format!("{place}allowedCertificateNames"), rule));
        }
    }
}

impl CustomOriginConfig {
    fn check(&self, with_domain: bool, found: &mut Violations) {
        found.take(one_of("customOriginConfig.protocol", self.protocol.as_deref(), &["http", "https"]));
        for name in self.ssl_protocols.iter().flatten() {
            let known = ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"];
            found.take(one_of("customOriginConfig.sslProtocols", Some(name), &known));
        }
        let addresses = self.ip_address_type.as_deref();
        found.take(one_of("customOriginConfig.ipAddressType", addresses, &["ipv4", "ipv6", "dualstack"]));
        if addresses.is_some() && !with_domain {
            found.add(bad("customOriginConfig.ipAddressType", "needs domainName beside it"));
        }
    }
}

impl OriginProperties {
    fn checked(&self, given: &RequestMessage, found: &mut Violations) -> OriginUpdate {
        self.overrides.check("", found);
        self.check_access(found);
        found.take(self.check_shield());
        found.take(one_of("mTLSConfig", self.mtls.as_deref(), &["off"]));
        let custom = self.custom.clone().unwrap_or_default();
        custom.check(self.domain_name.is_some(), found);
        let OriginTimeouts { read, completion, keepalive, connection } = self.timeouts;
        let mut number = |field, value, range| found.take(whole(field, value, range)).flatten();
        let read_timeout = number("timeouts.readTimeout", read, 1..=120);
        number("timeouts.responseCompletionTimeout", completion, read_timeout.unwrap_or(1)..=86_400);
        let keepalive_timeout = number("timeouts.keepAliveTimeout", keepalive, 1..=120);
        let connection_timeout = number("timeouts.connectionTimeout", connection, 1..=10);
        let attempts = number("connectionAttempts", self.connection_attempts, 1..=3);
        let port = number("customOriginConfig.port", custom.port, 1..=65_535);
        OriginUpdate {
            domain_name: self.domain_name.as_deref().and_then(|name| found.take(self.checked_name(name))),
            path: self.origin_path.as_deref().and_then(|path| found.take(checked_path(path))),
            headers: self.custom_headers.as_deref().map(|headers| checked_headers(headers, given, found)),
            attempts: attempts.and_then(|attempts| u8::try_from(attempts).ok()),
            overrides: self.overrides.clone(),
            port: port.and_then(|port| u16::try_from(port).ok()),
            https: custom.protocol.as_deref().map(|protocol| protocol == "https"),
            read_timeout,
            keepalive_timeout,
            connection_timeout,
            without_effect: self.without_effect(),
        }
    }

    fn is_s3(&self) -> bool {
        self.access_control.as_ref().is_some_and(|access| access.enabled && access.origin_type.as_deref() == Some("s3"))
    }

    fn checked_name(&self, name: &str) -> Result<String, Violation> {
        if self.is_s3() {
            if name.len() > 128 || name.bytes().any(|byte| byte.is_ascii_uppercase()) || !is_name(name, NAME) {
                return Err(bad(
                    "domainName",
                    "of an S3 origin must be a DNS name in lower case of at most 128 characters",
                ));
            }
        } else if !is_name(name, NAME) {
            return Err(bad(
                "domainName",
                "must be a DNS name of at most 253 characters, without port, and no IP address",
            ));
        }
        Ok(name.to_ascii_lowercase())
    }

    fn check_access(&self, found: &mut Violations) {
        let Some(access) = self.access_control.as_ref().filter(|access| access.enabled) else { return };
        let needed = |name: &str, value: &Option<String>, known: &[&str]| {
            let field = format!("originAccessControlConfig.{name}");
            match value.as_deref() {
                None => Err(bad(&field, "is needed when enabled")),
                value => one_of(&field, value, known),
            }
        };
        found.take(needed("signingBehavior", &access.signing_behavior, &["always", "never", "no-override"]));
        found.take(needed("signingProtocol", &access.signing_protocol, &["sigv4"]));
        found.take(needed("originType", &access.origin_type, &["s3", "mediapackagev2", "mediastore", "lambda"]));
        if self.overrides.host_header.is_some() {
            found.add(bad("hostHeader", "cannot be set where originAccessControlConfig is enabled"));
        }
    }

    fn check_shield(&self) -> Result<(), Violation> {
        let Some(shield) = self.shield.as_ref().filter(|shield| shield.enabled) else { return Ok(()) };
        let known = |region: &str| {
            !region.is_empty()
                && region.len() <= 32
                && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        match shield.region.as_deref() {
            Some(region) if known(region) => Ok(()),
            _ => Err(bad("originShield.region", "is needed when enabled, such as \"us-east-1\"")),
        }
    }

    fn without_effect(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.shield.as_ref().is_some_and(|shield| shield.enabled) {
            names.push("originShield");
        }
        if self.access_control.as_ref().is_some_and(|access| access.enabled) {
            names.push("originAccessControlConfig");
        }
        if self.timeouts.completion.is_some() {
            names.push("timeouts.responseCompletionTimeout");
        }
        if self.custom.as_ref().is_some_and(|custom| custom.ssl_protocols.is_some()) {
            names.push("customOriginConfig.sslProtocols");
        }
        if self.custom.as_ref().is_some_and(|custom| custom.ip_address_type.is_some()) {
            names.push("customOriginConfig.ipAddressType");
        }
        if self.mtls.is_some() {
            names.push("mTLSConfig");
        }
        names
    }
}

/// A DNS name that cannot be taken for an address or carry a port.
fn is_name(name: &str, most: usize) -> bool {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !label.starts_with('-')
    };
    // Spellings such as `127.1` or `0x7f.1` name an address too: a DNS name's last label is never numeric.
    let last = labels.rsplit('.').next().unwrap_or("");
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    name.len() <= most && labels.split('.').all(label) && !numeric && labels.parse::<IpAddr>().is_err()
}

fn checked_path(path: &str) -> Result<String, Violation> {
    let valid = path.is_empty()
        || (path.starts_with('/')
            && !path.ends_with('/')
            && path.len() <= 255
            && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte))
            && !path.split('/').any(|segment| matches!(segment, "." | "..")));
    if valid {
        Ok(path.to_owned())
    } else {
        Err(bad("originPath", "must begin, and not end, with \"/\", URL-encoded, of at most 255 characters"))
    }
}

fn checked_headers(
    headers: &[(String, String)],
    given: &RequestMessage,
    found: &mut Violations,
) -> Vec<(String, String)> {
    for (name, value) in headers {
        let refused = |why: &str| {
            let text = format!("origin.customHeaders[\"{}\"] {why}", text::named(name));
            Violation::new(ViolationCode::OriginHeader, text)
        };
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            found.add(refused("must be in lower case"));
        } else if !header_rules::is_token(name) {
            found.add(refused("is not a header name"));
        } else if header_rules::is_hidden(name) || header_rules::read_only_at_viewer_request(name) || name == "cookie" {
            found.add(refused("is not allowed"));
        } else if given.headers.iter().any(|header| header.name == *name) {
            found.add(refused("is also in the request"));
        }
        if let Some(character) = text::forbidden_in_value(value) {
            found.add(refused(&format!("holds the forbidden character {}", text::escaped(character))));
        }
    }
    headers.to_vec()
}

fn one_of(field: &str, value: Option<&str>, known: &[&str]) -> Result<(), Violation> {
    match value {
        Some(value) if !known.contains(&value) => Err(bad(field, format!("must be one of {}", known.join(", ")))),
        _ => Ok(()),
    }
}

fn whole(field: &str, value: Option<f64>, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, Violation> {
    let Some(number) = value else { return Ok(None) };
    let rule = || bad(field, format!("must be a whole number, {} to {}", range.start(), range.end()));
    if number.fract() != 0.0 || !(0.0..=1e9).contains(&number) {
        return Err(rule());
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of 0 to 1e9")]
    let number = number as u64;
    if range.contains(&number) { Ok(Some(number)) } else { Err(rule()) }
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
