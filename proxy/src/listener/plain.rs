//! The plainest of requests: a GET whose head says nothing that an answer from the cache could depend on, but its target,
//! its host and the codings that it takes.
//!
//! [`Plain::read`] looks at the bytes of one whole HTTP/1.1 head that [`super::strict`] has found in order. Whatever it does not
//! know it leaves to the ordinary way: fields are let through by name, and only those that no decision before or at the
//! cache looks at where neither key nor `Vary` names them. Pure. Deliberately absent: what a target or host means.

use memchr::memchr;

/// Fields that change nothing.
const OF_NO_EFFECT: [&[u8]; 12] = [
    b"accept",
    b"accept-charset",
    b"accept-language",
    b"cookie",
    b"dnt",
    b"from",
    b"origin",
    b"pragma",
    b"priority",
    b"referer",
    b"upgrade-insecure-requests",
    b"user-agent",
];

/// The same for all whose names begin so: client hints, fetch metadata.
const OF_NO_EFFECT_PREFIX: &[u8] = b"sec-";

/// A request that asks for nothing but what is at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain<'a> {
    /// All of its head, as it came.
    pub head: &'a [u8],
    /// The path as it came; it begins with `/`.
    pub path: &'a str,
    /// What stands behind the `?`, if there is one.
    pub query: Option<&'a str>,
    /// The value of `Host`.
    pub host: &'a str,
    /// The value of `Accept-Encoding`, if there is one.
    pub codings: Option<&'a str>,
}

impl<'a> Plain<'a> {
    /// Reads the head of one request, if these bytes are that and nothing else. `most`: fields that it may have.
    pub(crate) fn read(bytes: &'a [u8], most: usize) -> Option<Self> {
        let rest = bytes.strip_suffix(b"\r\n")?.strip_prefix(b"GET ")?;
        let (line, mut rest) = rest.split_at(memchr(b'\n', rest)? + 1);
        let target = line.strip_suffix(b" HTTP/1.1\r\n").filter(|target| target.iter().all(in_target))?;
        let target = std::str::from_utf8(target).ok().filter(|target| target.starts_with('/'))?;
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let (mut host, mut codings, mut count) = (None, None, 0);
        while !rest.is_empty() {
            let (line, behind) = rest.split_at(memchr(b'\n', rest)? + 1);
            rest = behind;
            count += 1;
            let line = line.strip_suffix(b"\r\n")?;
            let (name, value) = line.split_at(memchr(b':', line)?);
            let value = value[1..].trim_ascii();
            let place = match name.len() {
                4 if name.eq_ignore_ascii_case(b"host") => &mut host,
                15 if name.eq_ignore_ascii_case(b"accept-encoding") => &mut codings,
                10 if name.eq_ignore_ascii_case(b"connection") && value.eq_ignore_ascii_case(b"keep-alive") => continue,
                _ if has_no_effect(name) => continue,
                _ => return None,
            };
            let value = std::str::from_utf8(value).ok().filter(|value| value.is_ascii())?;
            if place.replace(value).is_some() {
                return None;
            }
        }
        (count <= most).then_some(Self { head: bytes, path, query, host: host?, codings })
    }
}

/// What RFC 3986 lets stand in paths and queries; parsers differ about the rest.
fn in_target(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/.-_~%!$&'()*+,;=:@?".contains(byte)
}

/// Whether a field of this name is let through.
pub(crate) fn has_no_effect(name: &[u8]) -> bool {
    let prefix = name.get(..OF_NO_EFFECT_PREFIX.len());
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(OF_NO_EFFECT_PREFIX) && !name.contains(&b'_'))
        || OF_NO_EFFECT.iter().any(|known| known.len() == name.len() && known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &str) -> String {
        format!("GET /a?b=c HTTP/1.1\r\nHost: x.test\r\n{fields}\r\n")
    }

    #[test]
    fn what_browsers_send_is_plain() {
        let fields = "Connection: keep-alive\r\nsec-ch-ua: \"x\"\r\nUser-Agent: y\r\nAccept: */*\r\nSec-Fetch-Site: none\r\n\
                      Referer: http://x.test/\r\nAccept-Encoding: gzip, br\r\nAccept-Language: de\r\nCookie: a=b\r\n";
        let (full, bare) = (head(fields), head(""));
        let (codings, query) = (Some("gzip, br"), Some("b=c"));
        let expected = Plain { head: full.as_bytes(), path: "/a", query, host: "x.test", codings };
        assert_eq!(Plain::read(full.as_bytes(), 100), Some(expected));
        let expected = Plain { head: bare.as_bytes(), codings: None, ..expected };
        assert_eq!(Plain::read(bare.as_bytes(), 1), Some(expected));
    }

    #[test]
    fn whatever_could_matter_is_not() {
        for fields in [
            "Range: bytes=0-1\r\n",
            "If-None-Match: \"a\"\r\n",
            "if-modified-since: x\r\n",
            "Cache-Control: no-cache\r\n",
            "Authorization: Basic x\r\n",
            "Connection: close\r\n",
            "Connection: keep-alive, cookie\r\n",
            "Content-Length: 0\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Expect: 100-continue\r\n",
            "Upgrade: h2c\r\n",
            "X-Forwarded-Host: evil\r\n",
            "X-HTTP-Method-Override: POST\r\n",
            "Sec_x: y\r\n",
            "sec-a_b: y\r\n",
            "Host: x.test\r\n",
            "Accept-Encoding: a\r\nAccept-Encoding: b\r\n",
            "Accept-Encoding: \u{e9}\r\n",
            "Anything: else\r\n",
            "\r\nGET /b HTTP/1.1\r\nHost: x.test\r\n",
        ] {
            assert_eq!(Plain::read(head(fields).as_bytes(), 100), None, "{fields}");
        }
        for bytes in [
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /# HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\"< HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nG",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            assert_eq!(Plain::read(bytes.as_bytes(), 100), None, "{bytes}");
        }
        assert!(Plain::read(head("Accept: a\r\nAccept: b\r\n").as_bytes(), 3).is_some());
        assert!(Plain::read(head("Accept: a\r\nAccept: b\r\n").as_bytes(), 2).is_none());
    }
}
