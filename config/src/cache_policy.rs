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
}

/// Which of a request's parameters, headers or cookies are meant. Lists are not empty and name nothing twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// None of them.
    None,
    /// All of them.
    All,
    /// Only these.
    Include(Vec<String>),
    /// All but these.
    Exclude(Vec<String>),
}

/// Names of the managed policies (http-cache.md 6.1).
pub(crate) const MANAGED: [&str; 6] = [
    "CachingOptimized",
    "CachingDisabled",
    "CachingOptimizedForUncompressedObjects",
    "UseOriginCacheControlHeaders",
    "UseOriginCacheControlHeaders-QueryStrings",
    "Amplify",
];

/// A managed policy by its CloudFront name.
///
/// Accept-Encoding buckets are not available in this version, so that CachingOptimized keys nothing; the method
/// override fields that CloudFront lets through stay stripped, so that they are not keyed either.
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
    Some(CachePolicy { name: name.to_owned(), ttl, has_ttl: true, query, headers, cookies, tags: None })
}

pub(crate) fn read(name: &str, section: &Section<'_>, inherited: Ttl) -> Option<CachePolicy> {
    if MANAGED.contains(&name) {
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
    })
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

fn include_or_exclude(
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

fn names(
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

fn any_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        Err("not a name".to_owned())
    } else {
        Ok(text.to_owned())
    }
}
