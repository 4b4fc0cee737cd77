//! `No-Vary-Search`: which parameters of a URL's query make no difference to its answers (http-cache.md 3.16, a draft of the HTTP
//! working group, so off unless `[cache] no_vary_search` says otherwise).
//!
//! [`Searches`] remembers the newest value seen for each path; from then on the query in the key of requests for that path is the
//! simplified one. Keys that were made under one value are never found under another: each value has a number of its own, which is
//! in the key. What was stored under the exact query before the first value was seen is not looked for again, and nothing
//! that is stored for such a policy outlives the process. Deliberately absent:
//! the request to the origin, which has the viewer's query.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::{Cache, CachePolicy, KeyInput, KeyedRequest};

const NO_VARY_SEARCH: HeaderName = HeaderName::from_static("no-vary-search");

/// Paths that are remembered; beyond, all are forgotten, which costs misses.
const MOST_PATHS: usize = 65_536;

/// What stays as it is in a simplified query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// Which parameters count.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Counts {
    All,
    AllBut(Vec<String>),
    Only(Vec<String>),
}

/// What one value of the field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoVarySearch {
    counts: Counts,
    /// The order of parameters with different names counts.
    ordered: bool,
}

impl NoVarySearch {
    /// The value of a response; none where it is absent, malformed, or says nothing.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let lines: Vec<&[u8]> = headers.get_all(NO_VARY_SEARCH).iter().map(HeaderValue::as_bytes).collect();
        let members = Parser::new(&lines.join(&b", "[..])).parse::<Dictionary>().ok()?;
        let ordered = match members.get("key-order") {
            None => true,
            Some(member) => !boolean(member)?,
        };
        let except = members.get("except").map(strings);
        let counts = match (members.get("params"), except) {
            (None, None) => Counts::All,
            (None, Some(except)) => Counts::Only(except?),
            (Some(params), except) => match (boolean(params), except) {
                (Some(false), None) => Counts::All,
                (Some(true), except) => Counts::Only(except.unwrap_or(Some(Vec::new()))?),
                (None, None) => Counts::AllBut(strings(params)?),
                (Some(false) | None, Some(_)) => return None,
            },
        };
        let says = Self { counts, ordered };
        (says != Self { counts: Counts::All, ordered: true }).then_some(says)
    }

    /// The query with nothing in it that makes no difference, in one form for all that mean the same.
    pub(crate) fn simplify(&self, query: &str) -> String {
        let pairs =
            query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut pairs: Vec<(String, String)> = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
        pairs.retain(|(name, _)| match &self.counts {
            Counts::All => true,
            Counts::AllBut(names) => !names.contains(name),
            Counts::Only(names) => names.contains(name),
        });
        if !self.ordered {
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other)); // stable: values of one name keep their order
        }
        let shown = |(name, value): &(String, String)| format!("{}={}", escaped(name), escaped(value));
        pairs.iter().map(shown).collect::<Vec<_>>().join("&")
    }
}

fn boolean(member: &ListEntry) -> Option<bool> {
    match member {
        ListEntry::Item(item) => match item.bare_item {
            BareItem::Boolean(value) => Some(value),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    }
}

fn strings(member: &ListEntry) -> Option<Vec<String>> {
    let ListEntry::InnerList(list) = member else { return None };
    let text = |item: &sfv::Item| match &item.bare_item {
        BareItem::String(text) => Some(decoded(text.as_str())),
        _ => None,
    };
    list.items.iter().map(text).collect()
}

/// As forms are encoded: `+` is a blank. What is no UTF-8 is the same as other such text.
fn decoded(text: &str) -> String {
    let text: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The newest value for one path.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// None: the last answer had no value any more.
    says: Option<Arc<NoVarySearch>>,
    path: Arc<str>,
    /// Tells it from every other value that was ever seen, in other runs too.
    number: u64,
}

impl Known {
    /// The query as it is keyed.
    fn simplify(&self, query: Option<&str>) -> Option<String> {
        match &self.says {
            Some(says) => query.map(|query| says.simplify(query)).filter(|query| !query.is_empty()),
            None => query.map(str::to_owned),
        }
    }
}

/// What is known of paths.
#[derive(Debug)]
pub(crate) struct Searches {
    known: RwLock<HashMap<Box<[u8]>, Known>>,
    /// The number of paths of which nothing is known.
    unknown: AtomicU64,
    next: AtomicU64,
}

impl Default for Searches {
    fn default() -> Self {
        // Not a number that answers on disk have in their keys from the run before.
        let first = RandomState::new().hash_one(0);
        let (unknown, next) = (AtomicU64::new(first), AtomicU64::new(first.wrapping_add(1)));
        Self { known: RwLock::default(), unknown, next }
    }
}

impl Searches {
    /// What is known of a path, given as the part of a key up to it.
    pub(crate) fn known(&self, path: &[u8]) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Takes in what an answer says for the path `shown`, of which `path` is the part of a key.
    pub(crate) fn learn(&self, path: &[u8], shown: &str, headers: &HeaderMap) {
        let says = NoVarySearch::of(headers);
        let before = self.known(path).and_then(|known| known.says);
        if before.as_deref() == says.as_ref() {
            return;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut table = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= MOST_PATHS {
            table.clear();
            self.unknown.store(self.next.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        }
        table.insert(path.into(), Known { says: says.map(Arc::new), path: shown.into(), number });
    }
}

impl Cache {
    /// Under which other queries answers for this path and query may be stored, on whatever host.
    #[must_use]
    pub fn simplified_queries(&self, path: &str, query: Option<&str>) -> Vec<String> {
        let table = self.inner.searches.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = table.values().filter(|known| *known.path == *path);
        known.map(|known| known.simplify(query).unwrap_or_default()).collect()
    }

    /// The key of a request, by what is known of the query of its path where the policy goes by that.
    #[must_use]
    pub fn keyed(&self, policy: &CachePolicy, input: &KeyInput<'_>) -> KeyedRequest {
        let keyed = KeyedRequest::new(policy, input);
        if !policy.rules.no_vary_search {
            return keyed;
        }
        let searches = &self.inner.searches;
        let (query, number) = match searches.known(keyed.key.path_bytes()) {
            Some(known) => (known.simplify(keyed.query.as_deref()), known.number),
            None => (keyed.query.clone(), searches.unknown.load(Ordering::Relaxed)),
        };
        let number = number.to_string();
        let buckets = [input.buckets, &[("no-vary-search", &*number)]].concat();
        keyed.rewritten(policy, input, query.as_deref(), &buckets)
    }
}

#[cfg(test)]
#[path = "tests/search.rs"]
mod tests;
