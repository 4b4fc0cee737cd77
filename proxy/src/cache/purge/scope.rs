//! What a purge covers, and the one question about it: does it cover this object?
//!
//! Scopes are compared with the URL as it stands in the key, so whoever makes one from what an operator typed has to
//! normalise it as requests are. They are written to the journal as JSON. Deliberately absent: numbers and time.

use serde::{Deserialize, Serialize};

use crate::cache::{
    key::UrlParts,
    tags::{self, Tags},
};

/// A set of stored responses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of them.
    All,
    /// Those of one host, in canonical form. Without a port: with any.
    Host(String),
    /// Those of one URL: all variants, methods and encodings, whatever is keyed besides.
    Url {
        /// `http` or `https`; none: both.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        scheme: Option<String>,
        /// Canonical, with the port if it has one; none: any.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        host: Option<String>,
        /// Canonical path, and the query as it is keyed behind a `?` if it is not empty.
        target: String,
    },
    /// Those of all URLs that match.
    Pattern {
        /// `http` or `https`; none: both.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        scheme: Option<String>,
        /// `*` stands for anything; none: any host.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        host: Option<String>,
        /// `*` stands for anything, also for `/`.
        path: String,
        /// The same for the query; none: any query, also none.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        query: Option<String>,
    },
    /// Those with this tag in `Surrogate-Key`, or, in any case, in `Cache-Tag`.
    Tag(String),
    /// Those of one origin that are in this cache group (RFC 9875).
    Group {
        /// `http` or `https`.
        scheme: String,
        /// Canonical, with the port if it has one.
        host: String,
        /// Its name, compared as it stands.
        group: String,
    },
}

impl Scope {
    /// Whether a purge can name this tag: visible ASCII, 1 to 1,024 bytes.
    #[must_use]
    pub fn is_tag(tag: &str) -> bool {
        tags::is_tag(tag)
    }
}

/// A stored response, or one on its way, as far as purges look at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) url: UrlParts<'a>,
    /// None while the head has not come.
    pub(crate) tags: Option<&'a Tags>,
}

/// Path and query as a URL scope writes them.
pub(super) fn target(url: &UrlParts<'_>) -> String {
    if url.query.is_empty() { url.path.to_owned() } else { format!("{}?{}", url.path, url.query) }
}

/// The host without its port.
pub(super) fn without_port(host: &str) -> &str {
    let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
    host.get(..end.unwrap_or(host.len())).unwrap_or(host)
}

/// Whether a pattern covers a URL.
pub(super) fn matches(
    (scheme, host, path, query): (Option<&str>, Option<&str>, &str, Option<&str>),
    url: &UrlParts<'_>,
) -> bool {
    scheme.is_none_or(|scheme| scheme == url.scheme)
        && host.is_none_or(|host| glob(host, url.host))
        && glob(path, url.path)
        && query.is_none_or(|query| glob(query, url.query))
}

/// Whether `pattern`, in which `*` stands for any number of any characters, covers all of `text`.
///
/// Goes back to the last `*` only, so the time is at most the product of the lengths.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut retry = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, seen));
            }
            Some(byte) if text.get(seen) == Some(byte) => {
                at += 1;
                seen += 1;
            }
            _ => match &mut retry {
                Some((after, from)) => {
                    *from += 1;
                    (at, seen) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn globs() {
        for (pattern, text) in
            [("*", ""), ("", ""), ("/a/*", "/a/"), ("/a/*", "/a/b/c"), ("*.jpg", "/x.jpg.jpg"), ("/*/x*z", "/a/b/xyz")]
        {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("/a/*", "/a"), ("*.jpg", "/x.jpg2"), ("/A", "/a"), ("a*b*c", "acb"), ("?", "a")]
        {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
        assert!(!glob(&"*a".repeat(50), &"a".repeat(49)), "and it ends soon");
    }

    #[test]
    fn ports() {
        for (host, name) in [("a", "a"), ("a:8080", "a"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]")] {
            assert_eq!(without_port(host), name);
        }
    }

    proptest! {
        /// Against the definition: cut the pattern at its stars and look for the pieces in order.
        #[test]
        fn globs_are_what_they_say(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
                    Some((byte, rest)) => text.first() == Some(byte) && slow(rest, &text[1..]),
                }
            }
            prop_assert_eq!(glob(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
