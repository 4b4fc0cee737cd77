//! Targeted cache control: fields such as `CDN-Cache-Control`, which speak to this kind of cache alone (RFC 9213).
//!
//! [`governing`] finds the directives that count for us: the first usable field of the list, else `Cache-Control`. A
//! targeted field is a Dictionary of RFC 9651, read strictly; one that is broken or empty counts as absent (http-cache.md
//! 3.5). Deliberately absent: what the directives mean, which is `policy`'s.

use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::{
    cache_control::{CacheControl, MAX_SECONDS, Scope},
    rules::Targeted,
};

/// The directives of a response, and whether a targeted field gave them: then `Expires` says nothing to us.
pub(crate) fn governing(headers: &HeaderMap, list: &[Targeted]) -> (CacheControl, bool) {
    match list.iter().find_map(|targeted| parse(headers, &targeted.field)) {
        Some(directives) => (directives, true),
        None => (CacheControl::parse(headers), false),
    }
}

/// The directives of one targeted field; `None` where it is absent, empty, or not entirely valid.
fn parse(headers: &HeaderMap, name: &HeaderName) -> Option<CacheControl> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
    let text = lines.join(&b", "[..]);
    let members = Parser::new(&text).parse::<Dictionary>().ok().filter(|members| !members.is_empty())?;
    let mut directives = CacheControl::default();
    for (name, member) in &members {
        take(&mut directives, name.as_str(), member)?;
    }
    Some(directives)
}

/// Takes one member in; `None` if a known directive has a value of the wrong type.
fn take(directives: &mut CacheControl, name: &str, member: &ListEntry) -> Option<()> {
    match name {
        "no-store" => directives.no_store = flag(member)?,
        "public" => directives.public = flag(member)?,
        "must-revalidate" => directives.must_revalidate = flag(member)?,
        "proxy-revalidate" => directives.proxy_revalidate = flag(member)?,
        "must-understand" => directives.must_understand = flag(member)?,
        "private" => directives.private = scope(member)?,
        "no-cache" => directives.no_cache = scope(member)?,
        "max-age" => directives.max_age = Some(seconds(member)?),
        "s-maxage" => directives.s_maxage = Some(seconds(member)?),
        "stale-while-revalidate" => directives.stale_while_revalidate = Some(seconds(member)?),
        "stale-if-error" => directives.stale_if_error = Some(seconds(member)?),
        _ => {}
    }
    Some(())
}

fn bare(member: &ListEntry) -> Option<&BareItem> {
    match member {
        ListEntry::Item(item) => Some(&item.bare_item),
        ListEntry::InnerList(_) => None,
    }
}

fn flag(member: &ListEntry) -> Option<bool> {
    match bare(member)? {
        BareItem::Boolean(present) => Some(*present),
        _ => None,
    }
}

fn scope(member: &ListEntry) -> Option<Scope> {
    match bare(member)? {
        BareItem::Boolean(present) => Some(if *present { Scope::Whole } else { Scope::Absent }),
        BareItem::String(names) => Some(Scope::of(names.as_str().as_bytes())),
        _ => None,
    }
}

/// Negative numbers are no lifetime at all, so stale.
fn seconds(member: &ListEntry) -> Option<u64> {
    match bare(member)? {
        BareItem::Integer(number) => Some(u64::try_from(i64::from(*number)).unwrap_or(0).min(MAX_SECONDS)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "tests/targeted.rs"]
mod tests;
