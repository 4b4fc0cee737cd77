//! What a configuration permits that may surprise its operator, said once when it is loaded (http-cache.md 7.2, security.md C06):
//! parts of requests that reach an origin without being in the cache key, and times that overrule an origin's `no-store`.
//!
//! Deliberately absent: what is always wrong; the configuration's own checks refuse that.

use crate::{
    cache::Selection,
    site::{Behavior, Site},
};

/// Writes it to the log.
pub(super) fn tell(site: &Site) {
    for behavior in site.behaviors.iter().filter(|behavior| !behavior.policy.is_disabled()) {
        let path = behavior.path.as_str();
        if let Some(parts) = unkeyed(behavior) {
            tracing::info!(
                "behavior {path:?}: {parts} reach the origin and are not in the cache key; an answer that depends on them is for \
                 everybody, unless its Vary names them"
            );
        }
        let least = behavior.policy.ttl.min;
        if behavior.policy.rules.min_ttl_wins && !least.is_zero() {
            tracing::warn!(
                "behavior {path:?}: `cloudfront_min_ttl` stores answers for {least:?} at least, also those with no-store, private or \
                 no-cache"
            );
        }
    }
}

/// What goes on to the origin of a behavior that caches, and is not keyed.
fn unkeyed(behavior: &Behavior) -> Option<String> {
    let key = &behavior.policy;
    if key.rules.forward_all {
        return Some("all headers and cookies".to_owned());
    }
    let policy = behavior.request_policy.as_ref()?;
    let parts = [
        besides("headers", &policy.headers, |name| key.headers.takes_ignoring_case(name), &key.headers),
        besides("query parameters", &policy.query, |name| key.query.takes(name), &key.query),
        besides("cookies", &policy.cookies, |name| key.cookies.takes(name), &key.cookies),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn besides(kind: &str, sent: &Selection, keyed: impl Fn(&str) -> bool, key: &Selection) -> Option<String> {
    match sent {
        _ if *key == Selection::All => None,
        Selection::None => None,
        Selection::All => Some(format!("all {kind}")),
        Selection::Exclude(names) => Some(format!("all {kind} but {}", names.join(", "))),
        Selection::Include(names) => {
            let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| !keyed(name)).collect();
            (!names.is_empty()).then(|| format!("{kind} {}", names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_besides_the_key() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let key = Selection::Include(list(&["a", "b"]));
        let said = |sent: &Selection| besides("cookies", sent, |name| key.takes(name), &key);
        assert_eq!(said(&Selection::None), None);
        assert_eq!(said(&Selection::Include(list(&["a"]))), None);
        assert_eq!(said(&Selection::Include(list(&["a", "c", "d"]))).as_deref(), Some("cookies c, d"));
        assert_eq!(said(&Selection::Exclude(list(&["x"]))).as_deref(), Some("all cookies but x"));
        assert_eq!(said(&Selection::All).as_deref(), Some("all cookies"));
        assert_eq!(besides("cookies", &Selection::All, |_| true, &Selection::All), None);
    }
}
