//! `[cache_policy.NAME]`: what is in the cache key and how long answers stay fresh; also the managed policies.
//!
//! What is keyed is also what the origin gets. How a key is built is the cache's business, not this module's.

use crate::address;
use crate::cache::{Ttl, ttl};
use crate::diagnostic::{Code, Problem};
use crate::keys::Table;
use crate::section::{Section, Value};

/// A cache policy, own or managed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePolicy {
    /// Its name.
    pub name: String,
    /// Bounds and default of freshness.
    pub ttl: Ttl,
    /// Whether they are the policy's own, or those of `[cache]`.
    pub has_ttl: bool,
    /// Query parameters in the key; names compare with case.
    pub query: Selection,
    /// Headers in the key, names in lower case: [`Selection::None`] or [`Selection::Include`] only.
    pub headers: Selection,
    /// Cookies in the key; names compare with case.
    pub cookies: Selection,
    /// One more header with purge tags, in lower case.
    pub tags: Option<String>,
    /// What is done to a request before its key is made.
    pub normalize: Normalize,
}

/// How requests that mean the same are made the same (http-cache.md 7.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Normalize {
    /// Query parameters are sorted by name.
    pub sort: bool,
    /// Query parameters that are there twice, name and value, are there once.
    pub dedupe: bool,
    /// Parameters that only track viewers are dropped.
    pub strip_tracking: bool,
    /// A query with one of these parameters is left byte for byte.
    pub signed_names: Vec<String>,
    /// Content codings that viewers may get, the best first; empty: `Accept-Encoding` is a field like any other.
    pub encodings: Vec<Encoding>,
    /// Header names in lower case with the values that matter; the best match takes the field's place.
    pub best_match: Vec<(String, Vec<String>)>,
}

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `br`
    Brotli,
    /// `gzip`
    Gzip,
    /// `zstd`
    Zstd,
}

/// Parameters that mark a signed query (http-cache.md 7.1).
const SIGNED_NAMES: [&str; 4] = ["X-Amz-Signature", "Signature", "sig", "hmac"];

impl Normalize {
    /// Where nothing is written: the two codings that every browser has.
    #[must_use]
    pub fn usual() -> Self {
        Self {
            signed_names: SIGNED_NAMES.map(str::to_owned).to_vec(),
            encodings: vec![Encoding::Brotli, Encoding::Gzip],
            ..Self::default()
        }
    }
}

/// Which of a request's parameters, headers or cookies are meant. Lists are not empty and name nothing twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Selection {
    /// None of them.
    #[default]
    None,
    /// All of them.
    All,
    /// Only these.
    Include(Vec<String>),
    /// All but these.
    Exclude(Vec<String>),
}

/// Managed policies with their ids (http-cache.md 6.1).
pub(crate) const MANAGED: [(&str, &str); 6] = [
    ("CachingOptimized", "658327ea-f89d-4fab-a63d-7e88639e58f6"),
    ("CachingDisabled", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"),
    ("CachingOptimizedForUncompressedObjects", "b2884449-e4de-46a7-ac36-70bc7f1ddd6d"),
    ("UseOriginCacheControlHeaders", "83da9c7e-98b4-4e11-a168-04f0df8e2c65"),
    ("UseOriginCacheControlHeaders-QueryStrings", "4cc15a8a-d715-48a4-82b8-cc0b614638fe"),
    ("Amplify", "2e54312d-136d-493c-8eb9-b001f22f67d2"),
];

/// A managed policy by its CloudFront name.
///
/// The method override fields that CloudFront lets through stay stripped, so that they are not keyed either.
pub(crate) fn managed(name: &str) -> Option<CachePolicy> {
    let include = |names: &[&str]| Selection::Include(names.iter().map(|name| (*name).to_owned()).collect());
    let none = Selection::None;
    let (ttl, query, headers, cookies) = match name {
        "CachingOptimized" | "CachingOptimizedForUncompressedObjects" => {
            (Ttl::from_secs(1, 86_400, 31_536_000), none.clone(), none.clone(), none)
        }
        "CachingDisabled" => (Ttl::from_secs(0, 0, 0), none.clone(), none.clone(), none),
        "UseOriginCacheControlHeaders" => {
            (Ttl::from_secs(0, 0, 31_536_000), none, include(&["host", "origin"]), Selection::All)
        }
        "UseOriginCacheControlHeaders-QueryStrings" => {
            (Ttl::from_secs(0, 0, 31_536_000), Selection::All, include(&["host", "origin"]), Selection::All)
        }
        "Amplify" => {
            let headers = include(&["authorization", "cloudfront-viewer-country", "host"]);
            (Ttl::from_secs(2, 2, 600), Selection::All, headers, Selection::All)
        }
        _ => return None,
    };
    let mut normalize = Normalize::usual();
    if matches!(name, "CachingOptimizedForUncompressedObjects" | "CachingDisabled") {
        normalize.encodings.clear();
    }
    Some(CachePolicy { name: name.to_owned(), ttl, has_ttl: true, query, headers, cookies, tags: None, normalize })
}

pub(crate) fn read(name: &str, section: &Section<'_>, inherited: Ttl) -> Option<CachePolicy> {
    if MANAGED.iter().any(|(managed, _)| *managed == name) {
        section.cx.report(
            Problem::new(Code::Conflict, section.span.clone(), format!("`{name}` is a managed policy"))
                .label("cannot be written again")
                .help("choose another name, or use the managed one without writing it"),
        );
        return None;
    }
    let selection = |key, read: fn(&Value<'_>) -> Option<Selection>| {
        section.value(key).and_then(|value| read(&value)).unwrap_or(Selection::None)
    };
    Some(CachePolicy {
        name: name.to_owned(),
        ttl: ttl(section, inherited),
        has_ttl: section.value("ttl").is_some(),
        query: selection("query", query),
        headers: selection("headers", headers),
        cookies: selection("cookies", cookies),
        tags: section.parsed("tags", address::header_name),
        normalize: normalize(section),
    })
}

const ENCODINGS: [(&str, Encoding); 3] = [("br", Encoding::Brotli), ("gzip", Encoding::Gzip), ("zstd", Encoding::Zstd)];

fn normalize(section: &Section<'_>) -> Normalize {
    let mut normalize = Normalize::usual();
    if let Some(names) = section.list("signed_names", any_name) {
        normalize.signed_names = names;
    }
    if let Some(items) = section.value("encodings").and_then(|value| value.list("a list of codings")) {
        let known = |item: &Value<'_>| item.text()?.choice(item.cx, &ENCODINGS, &[]);
        normalize.encodings = items.iter().filter_map(known).collect();
        let mut seen = Vec::new();
        normalize.encodings.retain(|encoding| {
            !seen.contains(encoding) && {
                seen.push(*encoding);
                true
            }
        });
    }
    let table = |key, table| section.value(key).filter(|value| !value.is_text()).and_then(|value| value.section(table));
    let words = table("query", Table::Query)
        .and_then(|query| query.value("normalize"))
        .and_then(|value| value.list("a list of \"sort\", \"dedupe\" and \"strip-tracking\""));
    for item in words.unwrap_or_default() {
        match item
            .text()
            .and_then(|text| text.choice(item.cx, &[("sort", 0), ("dedupe", 1), ("strip-tracking", 2)], &[]))
        {
            Some(0) => normalize.sort = true,
            Some(1) => normalize.dedupe = true,
            Some(_) => normalize.strip_tracking = true,
            None => {}
        }
    }
    let matches = table("headers", Table::Headers).and_then(|headers| headers.value("normalize"));
    for (name, value) in matches.and_then(|value| value.map("a table of headers and values")).unwrap_or_default() {
        let values = value.list("a list of values").unwrap_or_default();
        let values: Vec<String> = values
            .iter()
            .filter_map(|item| item.text()?.parsed(item.cx, address::header_value))
            .filter(|text| !text.is_empty())
            .collect();
        match address::header_name(&name) {
            Ok(name) if !values.is_empty() => normalize.best_match.push((name, values)),
            _ => value.report(Code::BadValue, format!("`{}` needs values", value.name), "such as [\"en\", \"fr\"]"),
        }
    }
    normalize
}

const WORDS: [(&str, bool); 2] = [("none", false), ("all", true)];

fn query(value: &Value<'_>) -> Option<Selection> {
    if value.is_text() {
        return Some(word(value.text()?.choice(value.cx, &WORDS, &[])?));
    }
    let section = value.section(Table::Query)?;
    if section.value("include").is_none() && section.value("exclude").is_none() && section.boolean("all") == Some(true)
    {
        return Some(Selection::All);
    }
    if section.value("all").is_some() {
        section.boolean("all")?;
        section.cx.report(
            Problem::new(Code::Conflict, value.key_span.clone(), "`query` takes `all = true` alone")
                .help("\"none\", \"all\", { include = [..] } or { exclude = [..] }"),
        );
        return None;
    }
    include_or_exclude(&section, value, any_name)
}

fn cookies(value: &Value<'_>) -> Option<Selection> {
    if value.is_text() {
        return Some(word(value.text()?.choice(value.cx, &WORDS, &[])?));
    }
    include_or_exclude(&value.section(Table::Cookies)?, value, any_name)
}

fn headers(value: &Value<'_>) -> Option<Selection> {
    if value.is_text() {
        let none = value.text()?.choice(value.cx, &[("none", ())], &[]);
        return none.map(|()| Selection::None);
    }
    let section = value.section(Table::Headers)?;
    let written = section.required("include", "headers = { include = [\"accept-language\"] }")?;
    names(&section, "include", &written, address::header_name).map(Selection::Include)
}

fn word(all: bool) -> Selection {
    if all { Selection::All } else { Selection::None }
}

pub(crate) fn include_or_exclude(
    section: &Section<'_>,
    value: &Value<'_>,
    read: fn(&str) -> Result<String, String>,
) -> Option<Selection> {
    match (section.value("include"), section.value("exclude")) {
        (Some(written), None) => names(section, "include", &written, read).map(Selection::Include),
        (None, Some(written)) => names(section, "exclude", &written, read).map(Selection::Exclude),
        (both, _) => {
            let message = format!("`{}` takes one of `include` and `exclude`", value.name);
            let label = if both.is_some() { "both are written" } else { "neither is written" };
            let help = "\"none\", \"all\", { include = [..] } or { exclude = [..] }";
            section.cx.report(Problem::new(Code::Conflict, value.key_span.clone(), message).label(label).help(help));
            None
        }
    }
}

pub(crate) fn names(
    section: &Section<'_>,
    key: &'static str,
    written: &Value<'_>,
    read: fn(&str) -> Result<String, String>,
) -> Option<Vec<String>> {
    if written.is_empty_list() {
        let message = format!("`{}` must name something", written.name);
        written.report(Code::BadValue, message, "write \"none\" or \"all\" instead");
    }
    let mut names = section.list(key, read)?;
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    (!names.is_empty()).then_some(names)
}

pub(crate) fn any_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        Err("not a name".to_owned())
    } else {
        Ok(text.to_owned())
    }
}
