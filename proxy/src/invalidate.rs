//! What a successful unsafe request takes out of the cache: its own URL, and those that its answer names (http-cache.md
//! 3.14, RFC 9111 section 4.4), and cache groups (3.15, RFC 9875).
//!
//! Deliberately absent: purging, which operators ask for, and other hosts: an answer may only speak for its own.

use crate::{
    cache::{Cache, KeyInput, KeyedRequest, PurgeKind, PurgeOrder, Scope, invalidated_groups, joined},
    gate::{self, Received},
    site::{Behavior, Site},
};
use http::{HeaderMap, HeaderName, Method, header};

/// Fields that name a URL which the request changed.
const NAMING: [HeaderName; 2] = [header::LOCATION, header::CONTENT_LOCATION];

/// Whether a method may change what GET answers: all but those known to be safe.
pub(crate) fn changes_state(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Removes what `request` has changed, by the fields of the origin's answer to it; the key of the request itself stays to be
/// dealt with by whoever may store the answer.
pub(crate) fn named_urls(site: &Site, request: &Received, answer: &HeaderMap) {
    for value in NAMING.iter().flat_map(|name| answer.get_all(name)) {
        let Some(target) = value.to_str().ok().and_then(|text| resolve(request, text)) else { continue };
        if target.path == request.path && target.query == request.query {
            continue;
        }
        // Its own behavior decides under which key it is stored.
        if let Ok(behavior) = site.behavior(&target) {
            site.cache.invalidate(&key(&site.cache, &behavior, &target, &[]).key);
        }
    }
}

/// Purges the cache groups that the answer to `request` declares to be out of date: those of its own scheme, host and port.
pub(crate) async fn groups(site: &Site, behavior: &Behavior, request: &Received, answer: &HeaderMap) {
    if !behavior.policy.tags.groups {
        return;
    }
    let (scheme, host) = (request.scheme.as_str(), request.host.authority());
    let scope = |group| Scope::Group { scheme: scheme.to_owned(), host: host.clone(), group };
    let scopes: Vec<Scope> = invalidated_groups(answer).into_iter().map(scope).collect();
    if scopes.is_empty() {
        return;
    }
    let (cache, now, _busy) = (site.cache.clone(), site.world.now(), site.world.busy());
    let order = PurgeOrder { scopes, kind: PurgeKind::Hard, sync: false, count: false };
    // The record is a file; a failure to write it is in the log, and the purge holds all the same.
    let _ = tokio::task::spawn_blocking(move || cache.purge(&order, now)).await;
}

/// Whether an answer's `Content-Location` is the URL of the request.
pub(crate) fn speaks_of_itself(request: &Received, answer: &HeaderMap) -> bool {
    let mut values = answer.get_all(header::CONTENT_LOCATION).iter();
    let named = values.next().and_then(|value| resolve(request, value.to_str().ok()?));
    values.next().is_none() && named.is_some_and(|named| named.path == request.path && named.query == request.query)
}

/// The key of a request under its behavior; `chosen`: what the edge has chosen for it, such as a variant.
pub(crate) fn key(cache: &Cache, behavior: &Behavior, request: &Received, chosen: &[(String, String)]) -> KeyedRequest {
    let mut buckets: Vec<(&str, &str)> = chosen.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let codings = joined(&behavior.policy.normalise.bucket(&request.headers));
    if !codings.is_empty() {
        buckets.push(("encoding", codings.to_str().unwrap_or_default()));
    }
    if request.method == Method::OPTIONS {
        buckets.push(("method", "OPTIONS"));
    }
    cache.keyed(
        &behavior.policy,
        &KeyInput {
            namespace: &behavior.origin.namespace,
            scheme: request.scheme.as_str(),
            host: &request.host.authority(),
            path: &request.path,
            query: request.query.as_deref(),
            headers: &request.headers,
            buckets: &buckets,
        },
    )
}

/// A GET for `reference` as a link in the answer to `base`; none if it leads to another scheme, host or port, or nowhere.
fn resolve(base: &Received, reference: &str) -> Option<Received> {
    let reference = reference.split('#').next().unwrap_or_default();
    let own = format!("{}://{}", base.scheme.as_str(), base.host.authority());
    let relative = match reference.split_once("://") {
        Some((scheme, _)) if !scheme.contains(['/', '?']) => {
            let rest = reference
                .get(own.len()..)
                .filter(|_| reference.get(..own.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(&own)))?;
            if !(rest.is_empty() || rest.starts_with(['/', '?'])) {
                return None; // a longer host name
            }
            rest
        }
        _ if reference.starts_with("//") => return None,
        _ => reference,
    };
    let (path, query) = match relative.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (relative, None),
    };
    let path = match path {
        "" if relative.len() < reference.len() => "/".to_owned(),
        "" => base.path.clone(),
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        beside => format!("{}/{beside}", base.path.rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    let path = gate::canonical_path(&path).ok()?;
    Some(Received { method: Method::GET, path, query, ..base.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::Scheme;
    use http::Version;

    fn base() -> Received {
        Received {
            method: Method::POST,
            scheme: Scheme::Http,
            host: gate::Host::parse("www.example.com:8080").unwrap(),
            path: "/a/b".to_owned(),
            query: Some("x=1".to_owned()),
            headers: HeaderMap::new(),
            viewer: [127, 0, 0, 1].into(),
            version: Version::HTTP_11,
            interim: None,
            has_body: false,
            websocket: false,
            grpc: None,
        }
    }

    #[test]
    fn references_lead_where_links_lead() {
        for (reference, expected) in [
            ("/c", Some("/c")),
            ("c", Some("/a/c")),
            ("../c?y=2", Some("/c?y=2")),
            ("?y=2", Some("/a/b?y=2")),
            ("", Some("/a/b")),
            ("/c#part", Some("/c")),
            ("/%63", Some("/c")),
            ("http://www.example.com:8080/c?y", Some("/c?y")),
            ("HTTP://WWW.example.com:8080", Some("/")),
            ("http://www.example.com:80801/c", None),
            ("http://www.example.com/c", None),
            ("https://www.example.com:8080/c", None),
            ("http://other.example.com:8080/c", None),
            ("//www.example.com:8080/c", None),
            ("/c?u=http://other/", Some("/c?u=http://other/")),
            ("/../c", None),
        ] {
            let found = resolve(&base(), reference);
            let shown = found.map(|it| it.path + &it.query.map(|query| format!("?{query}")).unwrap_or_default());
            assert_eq!(shown.as_deref(), expected, "{reference}");
        }
    }

    #[test]
    fn an_answer_speaks_of_itself_by_its_own_url_alone() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_LOCATION, http::HeaderValue::from_static(value));
            speaks_of_itself(&base(), &headers)
        };
        assert!(with("/a/b?x=1") && with("http://www.example.com:8080/a/b?x=1"));
        assert!(!with("/a/b") && !with("/a/b?x=2") && !with("/a/c?x=1"));
    }
}
