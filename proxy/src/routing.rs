//! From a request to its behavior: by host and path pattern, first match wins (http-cache.md 6.4).
//!
//! Chosen once, on the viewer's canonical path, before any function runs; a rewritten path does not choose again.

use crate::gate::Host;

/// A path pattern: `*` stands for any number of characters, `/` among them, `?` for exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern(String);

impl PathPattern {
    /// A pattern as configured; a missing leading `/` is put in front.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let anchored = pattern.starts_with('/') || pattern.starts_with('*') || pattern.starts_with('?');
        Self(if anchored { pattern.to_owned() } else { format!("/{pattern}") })
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a canonical path matches. Time is bounded by the product of both lengths.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        wildcard(&self.0, path, |symbol, byte| symbol == byte)
    }
}

/// Whether `text` matches `pattern`: `*` stands for any number of bytes, `?` for one, any other symbol for the bytes that are its
/// `same`. Time is bounded by the product of both lengths.
pub(crate) fn wildcard(pattern: &str, text: &str, same: impl Fn(u8, u8) -> bool) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut position) = (0, 0);
    // Where to go on when a literal fails: behind the last star, one byte further than last time.
    let mut retry: Option<(usize, usize)> = None;
    while position < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, position));
                at += 1;
            }
            Some(&symbol) if symbol == b'?' || same(symbol, text[position]) => {
                at += 1;
                position += 1;
            }
            _ => match &mut retry {
                None => return false,
                Some((star, from)) => {
                    *from += 1;
                    (at, position) = (*star, *from);
                }
            },
        }
    }
    pattern[at..].iter().all(|&symbol| symbol == b'*')
}

/// A host pattern: a name, or `*.` and a name for anything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(String);

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl HostPattern {
    /// A pattern as configured, in lower case.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_ascii_lowercase())
    }

    /// Whether a host matches, whatever its port.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => host.name().len() > suffix.len() && host.name().ends_with(suffix),
            None => host.name() == self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let pattern = PathPattern::new(pattern);
        for path in matching {
            assert!(pattern.matches(path), "{pattern:?} should match {path}");
        }
        for path in other {
            assert!(!pattern.matches(path), "{pattern:?} should not match {path}");
        }
    }

    #[test]
    fn patterns() {
        check("*", &["/", "/a/b"], &[]);
        check("/api/*", &["/api/", "/api/a/b"], &["/api", "/API/", "/x/api/"]);
        check("*.jpg", &["/a.jpg", "/x/y.jpg"], &["/a.jpeg", "/a.jpg/"]);
        check("images/*", &["/images/a"], &["/ximages/a"]);
        check("/a?c", &["/abc", "/a/c"], &["/ac", "/abbc"]);
        check("/*a*b", &["/ab", "/xaxb", "/abab"], &["/ba", "/aba"]);
        check("/a", &["/a"], &["/a/", "/ab"]);
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[a*?]{0,8}", path in "[a/]{0,8}") {
            fn matches(pattern: &[u8], path: &[u8]) -> bool {
                match pattern.split_first() {
                    None => path.is_empty(),
                    Some((b'*', rest)) => (0..=path.len()).any(|skip| matches(rest, &path[skip..])),
                    Some((b'?', rest)) => !path.is_empty() && matches(rest, &path[1..]),
                    Some((symbol, rest)) => path.first() == Some(symbol) && matches(rest, &path[1..]),
                }
            }
            let (pattern, path) = (format!("/{pattern}"), format!("/{path}"));
            let expected = matches(pattern.as_bytes(), path.as_bytes());
            prop_assert_eq!(PathPattern::new(&pattern).matches(&path), expected);
        }
    }
}
