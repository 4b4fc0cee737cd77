//! Purge tags of a response: which fields carry them, how they compare, how many there may be (http-cache.md 5.3).
//!
//! `Surrogate-Key` is split at blanks and compared as it stands; `Cache-Tag`, and the one more field that a cache policy
//! may name, are split at commas and compared in lower case. The two kinds never match each other, a purge by tag names
//! both. `Cache-Groups` (RFC 9875) is a kind of its own, within one scheme, host and port, which no tag matches. Deliberately absent: the table of purged tags, which is `purge`'s.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{BareItem, List, ListEntry, Parser};

use super::key::UrlParts;

/// Bytes of one tag at most.
const MAX_TAG: usize = 1_024;
/// Bytes of all tag fields of one response at most.
const MAX_FIELDS: usize = 16 << 10;

const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");
const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
const CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// Marks a tag that compares as it stands, in front of it.
const EXACT: char = '=';
/// Marks a tag in lower case.
const FOLDED: char = '~';
/// Marks a cache group, in front of the origin that it belongs to.
const GROUP: char = '@';

/// Where tags are looked for, and whether viewers see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagRules {
    /// One more field with tags, split at commas (`[cache_policy.NAME] tags`).
    pub field: Option<HeaderName>,
    /// Viewers get the tag fields too (`[cache] tag_fields = "forward"`).
    pub forward: bool,
    /// Cache groups are obeyed (`[cache] cache_groups`).
    pub groups: bool,
}

impl TagRules {
    /// Takes the tag fields out, unless viewers are to see them.
    pub fn strip(&self, headers: &mut HeaderMap) {
        if !self.forward {
            [SURROGATE_KEY, CACHE_TAG].iter().chain(&self.field).for_each(|name| drop(headers.remove(name)));
        }
    }
}

/// A response has more tags than are kept, or one that cannot be: a purge would miss it, so it is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyTags;

/// The tags of one response, each with the mark of its kind in front, sorted, none twice. Cloning shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags(
    #[allow(
        clippy::redundant_allocation,
        reason = "every response has one of these, and nearly none has tags: one pointer"
    )]
    Option<Arc<Box<[Box<str>]>>>,
);

impl Tags {
    /// Reads the tags of a response for `url`, whose origin its groups belong to.
    pub(crate) fn of(headers: &HeaderMap, rules: &TagRules, url: &UrlParts<'_>) -> Result<Self, TooManyTags> {
        let mut tags = Vec::new();
        let mut total = 0;
        let fields = [(Some(&SURROGATE_KEY), EXACT), (Some(&CACHE_TAG), FOLDED), (rules.field.as_ref(), FOLDED)];
        for (name, kind) in fields.into_iter().filter_map(|(name, kind)| Some((name?, kind))) {
            for line in headers.get_all(name) {
                total += line.len();
                let text = line.to_str().map_err(|_| TooManyTags)?;
                let separator = |c: char| if kind == EXACT { c == ' ' || c == '\t' } else { c == ',' };
                for tag in text.split(separator).map(str::trim).filter(|tag| !tag.is_empty()) {
                    if tag.len() > MAX_TAG {
                        return Err(TooManyTags);
                    }
                    tags.push(marked(kind, tag));
                }
            }
        }
        if rules.groups {
            total += headers.get_all(CACHE_GROUPS).iter().map(HeaderValue::len).sum::<usize>();
            tags.extend(strings(headers, &CACHE_GROUPS).iter().map(|group| group_form(url.scheme, url.host, group)));
        }
        if total > MAX_FIELDS {
            return Err(TooManyTags);
        }
        Ok(Self::from_marked(tags))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|tags| tags.is_empty())
    }

    /// Whether any tag field stands in `headers`.
    pub(crate) fn present(headers: &HeaderMap, rules: &TagRules) -> bool {
        let tagged = [SURROGATE_KEY, CACHE_TAG].iter().chain(&rules.field).any(|name| headers.contains_key(name));
        tagged || (rules.groups && headers.contains_key(CACHE_GROUPS))
    }

    /// Tags that have their marks already, as they were kept.
    pub(crate) fn from_marked(mut tags: Vec<Box<str>>) -> Self {
        tags.sort_unstable();
        tags.dedup();
        Self((!tags.is_empty()).then(|| Arc::new(tags.into())))
    }

    /// Each tag with its mark.
    pub(crate) fn marked(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|tags| tags.iter()).map(AsRef::as_ref)
    }

    /// Bytes that the tags occupy.
    pub(crate) fn weight(&self) -> usize {
        self.marked().map(|tag| tag.len() + size_of::<Box<str>>()).sum()
    }
}

/// The two forms under which a purge by `tag` is looked up.
pub(crate) fn purged_forms(tag: &str) -> [Box<str>; 2] {
    [marked(EXACT, tag), marked(FOLDED, tag)]
}

/// The form under which a purge of a cache group is looked up. Neither a scheme nor a host has a blank in it.
pub(crate) fn group_form(scheme: &str, host: &str, group: &str) -> Box<str> {
    format!("{GROUP}{scheme}://{host} {group}").into()
}

/// Cache groups that an answer to an unsafe method declares to be out of date (RFC 9875 section 3), none if the field is
/// malformed.
#[must_use]
pub fn invalidated_groups(headers: &HeaderMap) -> Vec<String> {
    if headers.get_all(CACHE_GROUP_INVALIDATION).iter().map(HeaderValue::len).sum::<usize>() > MAX_FIELDS {
        return Vec::new();
    }
    strings(headers, &CACHE_GROUP_INVALIDATION)
}

/// The members of a List of Strings (RFC 9651); none where the field is anything else. Parameters mean nothing.
fn strings(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    let Ok(list) = Parser::new(&lines.join(&b", "[..])).parse::<List>() else { return Vec::new() };
    let text = |member: &ListEntry| match member {
        ListEntry::Item(item) => match &item.bare_item {
            BareItem::String(text) => Some(text.as_str().to_owned()),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    };
    list.iter().map(text).collect::<Option<_>>().unwrap_or_default()
}

/// Whether a purge can name this tag: visible ASCII, not too long.
pub(crate) fn is_tag(tag: &str) -> bool {
    (1..=MAX_TAG).contains(&tag.len()) && tag.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && tag.trim() == tag
}

fn marked(kind: char, tag: &str) -> Box<str> {
    let mut text = String::with_capacity(tag.len() + 1);
    text.push(kind);
    text.push_str(tag);
    if kind == FOLDED {
        text.make_ascii_lowercase();
    }
    text.into()
}

#[cfg(test)]
#[path = "tests/tags.rs"]
mod tests;
