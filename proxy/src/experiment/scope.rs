//! Who takes part in an experiment, and the path that a variant asks for instead.

use super::cookie;
use crate::{edge_fields::GeoDatabases, gate::Received, routing::PathPattern};
use http::HeaderName;

/// Who takes part: all conditions hold.
#[derive(Debug)]
pub struct Scope {
    /// Which paths, of the viewer's request.
    pub path: PathPattern,
    /// What else.
    pub conditions: Conditions,
}

/// Conditions besides the path. A value `*` is any.
#[derive(Debug, Default)]
pub struct Conditions {
    /// Headers, and the values of which each must have one.
    pub headers: Vec<(HeaderName, Vec<String>)>,
    /// The same for cookies.
    pub cookies: Vec<(String, Vec<String>)>,
    /// Countries that the viewer is in one of; empty: wherever.
    pub countries: Vec<String>,
}

impl Scope {
    pub(super) fn takes(&self, request: &Received, geo: Option<&GeoDatabases>) -> bool {
        let fits =
            |wanted: &[String], found: &[u8]| wanted.iter().any(|wanted| wanted == "*" || wanted.as_bytes() == found);
        let header = |(name, wanted): &(HeaderName, Vec<String>)| {
            request.headers.get_all(name).iter().any(|value| fits(wanted, value.as_bytes()))
        };
        let cookie = |(name, wanted): &(String, Vec<String>)| {
            cookie::value(&request.headers, name).is_some_and(|value| fits(wanted, value.as_bytes()))
        };
        self.path.matches(&request.path)
            && self.conditions.headers.iter().all(header)
            && self.conditions.cookies.iter().all(cookie)
            && self.inside(request, geo)
    }
}

impl Scope {
    fn inside(&self, request: &Received, geo: Option<&GeoDatabases>) -> bool {
        let countries = &self.conditions.countries;
        countries.is_empty()
            || geo.and_then(|geo| geo.country(request.viewer)).is_some_and(|found| countries.contains(&found))
    }
}

/// A path to ask for instead of the viewer's.
#[derive(Debug, PartialEq, Eq)]
pub struct PathRewrite {
    to: String,
    /// What stands before and behind the `*` of the scope's pattern, when what it stood for is carried over.
    around: Option<(String, String)>,
}

impl PathRewrite {
    /// `to` is a path, or a path and a `*` for what the only `*` of `from` stands for.
    #[must_use]
    pub fn new(from: &PathPattern, to: &str) -> Self {
        let around = to.strip_suffix('*').and_then(|_| from.as_str().split_once('*'));
        let around = around.map(|(before, behind)| (before.to_owned(), behind.to_owned()));
        Self { to: to.strip_suffix('*').unwrap_or(to).to_owned(), around }
    }

    /// The path to ask for instead of `path`, which matches the pattern.
    #[must_use]
    pub fn apply(&self, path: &str) -> String {
        let carried = self.around.as_ref().map_or("", |(before, behind)| {
            path.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(behind.as_str())).unwrap_or_default()
        });
        // `*` alone matches a path with its slash, and a path never needs two.
        let carried = if self.to.ends_with('/') { carried.strip_prefix('/').unwrap_or(carried) } else { carried };
        format!("{}{carried}", self.to)
    }
}

/// The first value of a query parameter, as it stands there.
pub(super) fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// A query without a parameter, the rest byte for byte; `None` when nothing remains of one that had it.
pub(super) fn without_parameter(query: &str, name: &str) -> Option<String> {
    let is_it = |pair: &&str| pair.split_once('=').map_or(*pair, |(key, _)| key) == name;
    if !query.split('&').any(|pair| is_it(&pair)) {
        return Some(query.to_owned());
    }
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_it(pair)).collect();
    (!rest.is_empty()).then(|| rest.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (from, to, path, expected) in [
            ("/checkout*", "/v2*", "/checkout/pay", "/v2/pay"),
            ("/checkout*", "/v2*", "/checkout", "/v2"),
            ("/checkout*", "/v2", "/checkout/pay", "/v2"),
            ("*", "/v2/*", "/a/b", "/v2/a/b"),
            ("/*", "/v2/*", "/a/b", "/v2/a/b"),
            ("/a/*.html", "/b/*", "/a/x.html", "/b/x"),
            ("docs/*", "/new/*", "/docs/x", "/new/x"),
        ] {
            assert_eq!(PathRewrite::new(&PathPattern::new(from), to).apply(path), expected, "{from} {to} {path}");
        }
    }

    #[test]
    fn parameters() {
        assert_eq!(parameter("a=1&b=2&b=3", "b"), Some("2"));
        assert_eq!(parameter("a=1&b", "b"), None);
        assert_eq!(without_parameter("a=1&b=2&c", "b").as_deref(), Some("a=1&c"));
        assert_eq!(without_parameter("b=2&b", "b"), None);
        assert_eq!(without_parameter("a=%20&&", "b").as_deref(), Some("a=%20&&"));
        assert_eq!(without_parameter("", "b").as_deref(), Some(""));
    }
}
