//! Resources of policies: addresses with wildcards (http-cache.md 6.6).
//!
//! `*` stands for any number of characters, `?` for one, each within its part of the address: scheme, host, path or query. A `*`
//! that ends the path also stands for any query, one that ends the host for any path and query. No scheme means any; `*` alone
//! everything. The `?` in front of a query is written `\?`. Whatever does not parse matches nothing.

use crate::routing;

/// An address in canonical form, taken apart. What is signed and what is routed are this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host, and port where it is not the default.
    pub authority: &'a str,
    /// Canonical path.
    pub path: &'a str,
    /// The query without signing parameters.
    pub query: Option<&'a str>,
}

impl Address<'_> {
    /// As it is written.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { scheme, authority, path, query } = self;
        query.map_or_else(
            || format!("{scheme}://{authority}{path}"),
            |query| format!("{scheme}://{authority}{path}?{query}"),
        )
    }
}

/// A resource with wildcards.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resource<'r> {
    Everything,
    Parts { scheme: &'r str, host: String, path: &'r str, query: Query },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Query {
    None,
    Any,
    /// An escaped question mark is U+0001 in it.
    Pattern(String),
}

impl<'r> Resource<'r> {
    /// Reads a resource; `None` when it has no meaning.
    pub(super) fn parse(text: &'r str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everything);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (base, query) = text.split_once("\\?").map_or((text, None), |(base, query)| (base, Some(query)));
        if base.contains('\\') || query.is_some_and(|query| query.replace("\\?", "").contains('\\')) {
            return None;
        }
        let (scheme, rest) = base.split_once("://").unwrap_or(("*", base));
        let (host, path) = rest.find('/').map_or((rest, None), |at| (&rest[..at], Some(&rest[at..])));
        if scheme.is_empty() || scheme.contains('/') || host.is_empty() {
            return None;
        }
        let open = path.map_or(host.ends_with('*'), |path| path.ends_with('*'));
        let query = match query {
            // Within a pattern an escaped question mark is one that stands for itself.
            Some(pattern) => Query::Pattern(pattern.replace("\\?", "\u{1}")),
            None if open => Query::Any,
            None => Query::None,
        };
        let path = path.unwrap_or(if host.ends_with('*') { "*" } else { "/" });
        Some(Self::Parts { scheme, host: host.to_ascii_lowercase(), path, query })
    }

    /// Whether an address is meant.
    pub(super) fn matches(&self, address: Address<'_>) -> bool {
        let Self::Parts { scheme, host, path, query } = self else { return true };
        wildcard(scheme, address.scheme)
            && wildcard(host, address.authority)
            && wildcard(path, address.path)
            && match (query, address.query) {
                (Query::Any, _) | (Query::None, None) => true,
                (Query::Pattern(pattern), Some(query)) => wildcard(pattern, query),
                (Query::None, Some(_)) | (Query::Pattern(_), None) => false,
            }
    }
}

/// Whether `text` matches `pattern`, in which U+0001 is a literal question mark.
fn wildcard(pattern: &str, text: &str) -> bool {
    routing::wildcard(pattern, text, |symbol, byte| symbol == byte || (symbol == 1 && byte == b'?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resource: &str, matching: &[&str], other: &[&str]) {
        let parsed = Resource::parse(resource);
        let matches = |url: &str| {
            let (scheme, rest) = url.split_once("://").unwrap();
            let (authority, target) = rest.split_at(rest.find('/').unwrap());
            let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
            parsed.as_ref().is_some_and(|resource| resource.matches(Address { scheme, authority, path, query }))
        };
        for url in matching {
            assert!(matches(url), "{resource} should match {url}");
        }
        for url in other {
            assert!(!matches(url), "{resource} should not match {url}");
        }
    }

    #[test]
    fn wildcards_stay_in_their_part() {
        check("*", &["https://a/x?y", "http://b:1/"], &[]);
        check(
            "https://a/x",
            &["https://a/x"],
            &["http://a/x", "https://b/x", "https://a/x?y", "https://a/x/", "https://a/X"],
        );
        check("a/x", &["http://a/x", "https://a/x"], &["https://ba/x"]);
        check("http*://a/x", &["http://a/x", "https://a/x"], &["https://b/a/x"]);
        check("https://a/x/*", &["https://a/x/", "https://a/x/y/z?q=1"], &["https://a/x", "https://b/a/x/y"]);
        check(
            "https://a/x*.jpg",
            &["https://a/x1.jpg", "https://a/x/y.jpg"],
            &["https://a/x.jpg?y", "https://a/x?y.jpg"],
        );
        check("https://a/x?", &["https://a/xy"], &["https://a/x", "https://a/x?", "https://a/x?y", "https://a/xyz"]);
        check(
            "https://a/x\\?size=*",
            &["https://a/x?size=1&b"],
            &["https://a/x", "https://a/x?b&size=1", "https://a/xxsize=1"],
        );
        check("https://a/x*\\?k=?", &["https://a/xyz?k=1"], &["https://a/xyz?k=12", "https://a/xyz"]);
        check("https://a/x\\?b=\\?c", &["https://a/x?b=?c"], &["https://a/x?b=xc"]);
        check("https://*.a", &["https://b.a/"], &["https://b.a/x", "https://a/", "https://x/b.a/"]);
        check("https://A.*", &["https://a.b/x?y"], &["https://b.a/x"]);
        check("https://*/x", &["https://a/x", "https://b:1/x"], &["https://a/b/x"]);
        check("https://a", &["https://a/"], &["https://a/x", "https://a/?y"]);
    }

    #[test]
    fn what_means_nothing_matches_nothing() {
        for resource in [
            "",
            "/x",
            "https://",
            "https:///x",
            "://a/x",
            "https://a/\\*",
            "https://a\\/x",
            "https://a/x y",
            "https://a/ü",
            "https://a/x\\?\\y",
        ] {
            assert_eq!(Resource::parse(resource), None, "{resource}");
        }
    }
}
