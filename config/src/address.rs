//! Names and addresses as they are written: hosts, `host:port`, listener and origin URLs, networks, words.
//!
//! Pure: nothing is resolved and nothing is connected to. Every reader answers a label for the caret as its error.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// The scheme of a listener or an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port meant when none is written: 80 or 443.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A host and a port. `Display` writes them as `host:port`, an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// A DNS name in lower case, or an IP address without brackets.
    pub host: String,
    /// The port; 0 lets the system choose one (listeners only).
    pub port: u16,
}

impl Address {
    /// The host as an IP address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether only this machine can reach it: a loopback address or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.ip().is_some_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The address of an origin: `https://app.example.com:8443/prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginUrl {
    /// How the origin is spoken to.
    pub scheme: Scheme,
    /// Where it is; the port is never 0.
    pub address: Address,
    /// What comes before every request path: empty, or `/` and more without a `/` at the end.
    pub path: String,
}

impl fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.address, self.path)
    }
}

/// Splits a `http://` or `https://` off.
fn scheme(text: &str) -> Result<(Scheme, &str), String> {
    if let Some(rest) = text.strip_prefix("https://") {
        Ok((Scheme::Https, rest))
    } else if let Some(rest) = text.strip_prefix("http://") {
        Ok((Scheme::Http, rest))
    } else {
        Err("must begin with http:// or https://".to_owned())
    }
}

/// `host:port`, or `host` when there is a default port.
pub(crate) fn address(text: &str, default_port: Option<u16>) -> Result<Address, String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("`[` without `]`")?;
        let ip: Ipv6Addr = host.parse().map_err(|_| "not an IPv6 address")?;
        match rest {
            "" => (ip.to_string(), None),
            _ => (ip.to_string(), Some(rest.strip_prefix(':').ok_or("expected `:` and a port after `]`")?)),
        }
    } else {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        (host_name(host)?, port)
    };
    let port = match port {
        None => default_port.ok_or("a port is needed: host:port")?,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().map_err(|_| "the port must be a number up to 65535")?
        }
        Some(_) => return Err("the port must be a number; IPv6 addresses stand in [ ]".to_owned()),
    };
    Ok(Address { host, port })
}

/// A listener: `https://0.0.0.0:443`.
pub(crate) fn listener(text: &str) -> Result<(Scheme, Address), String> {
    let (scheme, rest) = scheme(text)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#', '@']) {
        return Err("a listener has host and port only".to_owned());
    }
    Ok((scheme, address(rest, Some(scheme.default_port()))?))
}

/// An origin's address, with an optional path that is put before every request path.
pub(crate) fn origin_url(text: &str) -> Result<OriginUrl, String> {
    let (scheme, rest) = scheme(text)?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    if text.contains(['?', '#']) {
        return Err("an origin has no query and no fragment".to_owned());
    }
    if authority.contains('@') {
        return Err("credentials do not stand in the URL; use headers".to_owned());
    }
    let path = path.trim_end_matches('/');
    if !path
        .bytes()
        .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'))
        || path.split('/').any(|segment| matches!(segment, "." | ".."))
    {
        return Err("the path must be URL-encoded and without . or .. segments".to_owned());
    }
    let address = address(authority, Some(scheme.default_port()))?;
    if address.port == 0 {
        return Err("port 0 cannot be connected to".to_owned());
    }
    Ok(OriginUrl { scheme, address, path: path.to_owned() })
}

/// A DNS name in lower case, or an IPv4 address. Underscores are allowed, as they occur in private names.
pub(crate) fn host_name(text: &str) -> Result<String, String> {
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if text.len() > 253 || !text.split('.').all(label_fits) {
        return Err("not a host name".to_owned());
    }
    // A name whose last label is a number could only be an IPv4 address (WHATWG URL, host parsing).
    let numeric = text.rsplit('.').next().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    if numeric && text.parse::<std::net::Ipv4Addr>().is_err() {
        return Err("not an IPv4 address".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

/// A host of `[server] hosts` or of a behavior: a name, `*.name`, or an IP address without brackets.
pub(crate) fn host_pattern(text: &str) -> Result<String, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(ip.to_string());
    }
    match text.strip_prefix("*.") {
        Some(rest) => Ok(format!("*.{}", host_name(rest)?)),
        None => host_name(text).map_err(|label| format!("{label}; write www.example.com or *.example.com")),
    }
}

/// Whether every host that `inner` stands for is one that `outer` stands for. A `*.` stands for one label.
pub(crate) fn host_covers(outer: &str, inner: &str) -> bool {
    outer == inner
        || outer.strip_prefix('*').is_some_and(|suffix| {
            inner.strip_suffix(suffix).is_some_and(|label| !label.is_empty() && !label.contains(['.', '*']))
        })
}

/// A network: `10.0.0.0/8`, or a single address.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let net: IpNet = match text.parse::<IpAddr>() {
        Ok(ip) => ip.into(),
        Err(_) => text.parse().map_err(|_| "not a network such as 10.0.0.0/8")?,
    };
    if net.trunc() == net { Ok(net) } else { Err(format!("has bits set after its prefix; write {}", net.trunc())) }
}

/// A word that can stand in a header: letters, digits, `.`, `_` and `-`.
pub(crate) fn word(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= 128
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits { Ok(text.to_owned()) } else { Err("1 to 128 letters, digits, `.`, `_` and `-`".to_owned()) }
}

/// A header name in lower case (RFC 9110 s5.6.2, token).
pub(crate) fn header_name(text: &str) -> Result<String, String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !text.is_empty() && text.bytes().all(token) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("not a header name".to_owned())
    }
}

/// A header value (RFC 9110 s5.5): visible characters, space and tab, no blank at either end.
pub(crate) fn header_value(text: &str) -> Result<String, String> {
    let blank = |c: Option<char>| matches!(c, Some(' ' | '\t'));
    if text.bytes().any(|b| (b < b' ' && b != b'\t') || b == 0x7f) {
        return Err("control characters cannot stand in a header".to_owned());
    }
    if blank(text.chars().next()) || blank(text.chars().last()) {
        return Err("blanks at the start or end of a header are lost".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let shown = |text| address(text, Some(80)).map(|found| found.to_string());
        assert_eq!(shown("Example.COM"), Ok("example.com:80".to_owned()));
        assert_eq!(shown("127.0.0.1:0"), Ok("127.0.0.1:0".to_owned()));
        assert_eq!(shown("[::1]:8080"), Ok("[::1]:8080".to_owned()));
        assert_eq!(shown("[::1]"), Ok("[::1]:80".to_owned()));
        for text in ["", ":80", "::1", "a:b", "a:65536", "a:+1", "[::1", "[::1]x", "[1.2.3.4]", "a b", "1.2.3", "-a"] {
            assert!(shown(text).is_err(), "{text}");
        }
        assert!(address("a", None).is_err());
    }

    #[test]
    fn loopback() {
        let is = |text| address(text, None).map(|found| found.is_loopback());
        assert_eq!(is("127.9.9.9:1"), Ok(true));
        assert_eq!(is("[::1]:1"), Ok(true));
        assert_eq!(is("[::ffff:127.0.0.1]:1"), Ok(true));
        assert_eq!(is("localhost:1"), Ok(true));
        assert_eq!(is("0.0.0.0:1"), Ok(false));
        assert_eq!(is("localhost.example.com:1"), Ok(false));
    }

    #[test]
    fn origin_urls() {
        let shown = |text| origin_url(text).map(|found| found.to_string());
        assert_eq!(shown("https://a.example/"), Ok("https://a.example:443".to_owned()));
        assert_eq!(shown("http://a:8080/x/y/"), Ok("http://a:8080/x/y".to_owned()));
        for text in [
            "a.example",
            "ftp://a",
            "http://",
            "http://u:p@a",
            "http://a?x",
            "http://a#x",
            "http://a/../b",
            "http://a:0",
        ] {
            assert!(shown(text).is_err(), "{text}");
        }
    }

    #[test]
    fn listeners() {
        assert!(listener("http://0.0.0.0:80/").is_ok());
        for text in ["0.0.0.0:80", "http://0.0.0.0:80/x", "http://a@b", "tcp://a:1"] {
            assert!(listener(text).is_err(), "{text}");
        }
    }

    #[test]
    fn host_patterns() {
        assert_eq!(host_pattern("*.Example.com"), Ok("*.example.com".to_owned()));
        assert_eq!(host_pattern("::1"), Ok("::1".to_owned()));
        for text in ["", "*", "*.", "a.*.b", "http://a", "a:80", "a..b"] {
            assert!(host_pattern(text).is_err(), "{text}");
        }
        assert!(host_covers("*.a.b", "x.a.b"));
        assert!(!host_covers("*.a.b", "a.b"));
        assert!(!host_covers("*.a.b", "x.y.a.b"));
        assert!(!host_covers("x.a.b", "*.a.b"));
    }

    #[test]
    fn networks() {
        assert_eq!(network("10.0.0.1").map(|net| net.to_string()), Ok("10.0.0.1/32".to_owned()));
        assert_eq!(network("10.0.0.1/8"), Err("has bits set after its prefix; write 10.0.0.0/8".to_owned()));
        assert!(network("2001:db8::/32").is_ok());
        assert!(network("10.0.0.0/33").is_err());
    }

    #[test]
    fn headers() {
        assert_eq!(header_name("X-Api-Key"), Ok("x-api-key".to_owned()));
        for text in ["", "a b", "a:", "ä"] {
            assert!(header_name(text).is_err(), "{text}");
        }
        assert!(header_value("a\tb ä").is_ok());
        for text in ["a\r\nb", "\0", " a", "a\t"] {
            assert!(header_value(text).is_err(), "{text:?}");
        }
    }
}
