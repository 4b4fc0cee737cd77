//! Purge tags of a response: which fields carry them, how they compare, how many there may be (http-cache.md 5.3).
//!
//! `Surrogate-Key` is split at blanks and compared as it stands; `Cache-Tag`, and the one more field that a cache policy
//! may name, are split at commas and compared in lower case. The two kinds never match each other, a purge by tag names
//! both. Deliberately absent: the table of purged tags, which is `purge`'s.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};

/// Bytes of one tag at most.
const MAX_TAG: usize = 1_024;
/// Bytes of all tag fields of one response at most.
const MAX_FIELDS: usize = 16 << 10;

const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

/// Marks a tag that compares as it stands, in front of it.
const EXACT: char = '=';
/// Marks a tag in lower case.
const FOLDED: char = '~';

/// Where tags are looked for, and whether viewers see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagRules {
    /// One more field with tags, split at commas (`[cache_policy.NAME] tags`).
    pub field: Option<HeaderName>,
    /// Viewers get the tag fields too (`[cache] tag_fields = "forward"`).
    pub forward: bool,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tags(Arc<[Box<str>]>);

impl Default for Tags {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl Tags {
    /// Reads the tags of a response.
    pub(crate) fn of(headers: &HeaderMap, rules: &TagRules) -> Result<Self, TooManyTags> {
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
        if total > MAX_FIELDS {
            return Err(TooManyTags);
        }
        Ok(Self::from_marked(tags))
    }

    /// Whether any tag field stands in `headers`.
    pub(crate) fn present(headers: &HeaderMap, rules: &TagRules) -> bool {
        [SURROGATE_KEY, CACHE_TAG].iter().chain(&rules.field).any(|name| headers.contains_key(name))
    }

    /// Tags that have their marks already, as they were kept.
    pub(crate) fn from_marked(mut tags: Vec<Box<str>>) -> Self {
        tags.sort_unstable();
        tags.dedup();
        Self(tags.into())
    }

    /// Each tag with its mark.
    pub(crate) fn marked(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Bytes that the tags occupy.
    pub(crate) fn weight(&self) -> usize {
        self.0.iter().map(|tag| tag.len() + size_of::<Box<str>>()).sum()
    }
}

/// The two forms under which a purge by `tag` is looked up.
pub(crate) fn purged_forms(tag: &str) -> [Box<str>; 2] {
    [marked(EXACT, tag), marked(FOLDED, tag)]
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
