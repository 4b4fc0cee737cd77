//! The host that a request is for: exactly one, in canonical form (http-cache.md 7.1 step 1, security.md S19, S20, H04).

use crate::fault::{Fault, Refusal};
use http::{HeaderMap, HeaderValue, Uri, Version, header};
use std::net::Ipv6Addr;

/// A host in canonical form: lower case, no trailing dot, no default port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    /// The name or address, without port; IPv6 in brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name and port, as it stands in URLs and keys.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.port {
            None => self.name.clone(),
            Some(port) => format!("{}:{port}", self.name),
        }
    }

    /// Whether it names this machine's loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        matches!(self.name.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }

    pub(super) fn to_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.authority()).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
    }

    /// Reads `name[:port]`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                let address: Ipv6Addr = address.parse().ok()?;
                (format!("[{address}]"), port.strip_prefix(':').or(port.is_empty().then_some(""))?)
            }
            None => {
                let (name, port) = text.split_once(':').unwrap_or((text, ""));
                if text.ends_with(':') {
                    return None;
                }
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
                is_name(&name).then_some((name, port))?
            }
        };
        let port = match port {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse::<u16>().ok().filter(|&port| port != 0)?)
            }
            _ => return None,
        };
        Some(Self { name, port: port.filter(|&port| port != 80 && port != 443) })
    }
}

fn is_name(name: &str) -> bool {
    (1..=253).contains(&name.len())
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}

/// The host of a request; authority and `Host` must agree where both are there.
pub(super) fn of(uri: &Uri, headers: &HeaderMap, version: Version) -> Result<Host, Fault> {
    let bad = || Fault::from(Refusal::BadHost);
    let mut lines = headers.get_all(header::HOST).iter();
    let line = lines.next();
    if lines.next().is_some() {
        return Err(bad());
    }
    let from_line = match line {
        None => None,
        Some(value) => Some(value.to_str().ok().and_then(Host::parse).ok_or_else(bad)?),
    };
    let from_target = match uri.authority() {
        None => None,
        Some(authority) => Some(Host::parse(authority.as_str()).ok_or_else(bad)?),
    };
    match (from_target, from_line) {
        (Some(target), Some(line)) if target == line => Ok(target),
        (Some(_), Some(_)) => Err(bad()),
        (Some(target), None) if version >= Version::HTTP_2 => Ok(target),
        (None, Some(line)) => Ok(line),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Host::parse(text).map(|host| host.authority()).as_deref(), expected, "{text}");
    }

    #[test]
    fn canonical_forms() {
        check("WWW.Example.com", Some("www.example.com"));
        check("a.example.", Some("a.example"));
        check("a:80", Some("a"));
        check("a:443", Some("a"));
        check("a:8080", Some("a:8080"));
        check("[::1]:8080", Some("[::1]:8080"));
        check("[0:0::1]", Some("[::1]"));
        check("127.0.0.1", Some("127.0.0.1"));
    }

    #[test]
    fn what_is_no_host() {
        for text in [
            "", ".", "a..b", "a@b", "a/b", "a?b", "a:", "a:0", "a:65536", "a:99999", "a:+1", "[::1", "[x]", "[::1]x",
            "ä", "a b",
        ] {
            check(text, None);
        }
    }
}
