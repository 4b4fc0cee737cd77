//! How answers are cached, as far as `[cache]` and `[behavior.cache]` both may say: a profile's values, and the keys that
//! are written.
//!
//! A table starts from its `profile`, or without one from the table around it, and each written key replaces one value
//! (experience.md 3.5, http-cache.md 1). What the values do is the cache's business, not this module's.

use std::time::Duration;

use crate::address;
use crate::cache::{MAX_TTL, Ttl};
use crate::diagnostic::{Code, Problem};
use crate::keys::Table;
use crate::section::{Section, Value};

/// Named sets of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Production.
    Default,
    /// The protocol's text and nothing else.
    StrictRfc,
}

/// Answers that set cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetCookie {
    /// Stripped and stored where that is safe, else not stored.
    Auto,
    /// Always stripped.
    Strip,
    /// Stored as they come.
    Store,
    /// Never stored.
    Bypass,
}

/// What becomes of `Age`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgePenalty {
    /// The true age is sent.
    Off,
    /// None is sent.
    DropAge,
    /// None is sent, and `Date` is now.
    RewriteDate,
}

/// The least time that an answer with one status stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorTtl {
    /// The status.
    pub status: u16,
    /// The time.
    pub ttl: Duration,
    /// Only where the origin states `max-age` or `s-maxage`.
    pub only_declared: bool,
}

/// A field that speaks to CDNs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targeted {
    /// Its name, in lower case.
    pub field: String,
    /// Whether viewers do not see it.
    pub strip: bool,
}

/// Everything that may stand in `[cache]` and in `[behavior.cache]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRules {
    /// Where the values come from that are not written.
    pub profile: Profile,
    /// Larger bodies are passed on, not stored; bytes. `None`: the node's own limit.
    pub max_object: Option<u64>,
    /// Larger bodies are stored on disk on their second request; bytes. `None`: on their first.
    pub admit_after: Option<u64>,
    /// How long expired objects stay. `None`: as for the node.
    pub keep: Option<Duration>,
    /// Times where the cache policy writes none.
    pub ttl: Ttl,
    /// Freshness from `Last-Modified`.
    pub heuristics: bool,
    /// Least times by status.
    pub error_ttl: Vec<ErrorTtl>,
    /// Errors caused by odd requests are never stored.
    pub poison_guard: bool,
    /// Stale answers while the origin cannot be reached; zero: none.
    pub stale_if_unreachable: Duration,
    /// Stale answers while the origin fails; zero: none.
    pub stale_on_5xx: Duration,
    /// When to answer stale while waiting.
    pub stale_soft_deadline: Option<Duration>,
    /// Pause between tries while stale answers are sent.
    pub stale_retry: Duration,
    /// Whether the viewer's Cache-Control counts.
    pub honour_requests: bool,
    /// Answers that set cookies.
    pub set_cookie: SetCookie,
    /// Whether bodies that end with the connection are stored.
    pub store_close_delimited: bool,
    /// Fields obeyed before Cache-Control, in this order.
    pub targeted: Vec<Targeted>,
    /// Answers to POST serve GET.
    pub post_reuse: bool,
    /// A HEAD that misses is fetched as GET.
    pub head_fill: bool,
    /// The body of a GET or HEAD is dropped instead of being refused.
    pub strip_bodies: bool,
    /// Accept-Language is compared by weights.
    pub normalise_language: bool,
    /// What becomes of Age.
    pub age_penalty: AgePenalty,
    /// `ttl.min` above 0 beats no-store, private and no-cache.
    pub cloudfront_min_ttl: bool,
    /// All end-to-end fields go to origins.
    pub forward_all: bool,
    /// Host and path are made canonical, and nothing else of a request is changed.
    pub host_path_only: bool,
    /// Encoded delimiters in paths are refused.
    pub reject_encoded_delimiters: bool,
    /// Answers whose type does not suit the path's extension are not stored.
    pub deception_armor: bool,
    /// Cache groups are obeyed (RFC 9875).
    pub cache_groups: bool,
    /// No-Vary-Search is obeyed.
    pub no_vary_search: bool,
    /// Viewers see the fields with purge tags.
    pub forward_tags: bool,
}

/// Bodies up to here are stored on their first request (http-cache.md 4.3).
const ADMIT_AFTER: u64 = 64 << 20;
const DAY: Duration = Duration::from_hours(24);
const ERROR_TTL: Duration = Duration::from_secs(10);

fn errors(statuses: &[u16], only_declared: bool) -> impl Iterator<Item = ErrorTtl> {
    statuses.iter().map(move |status| ErrorTtl { status: *status, ttl: ERROR_TTL, only_declared })
}

/// CloudFront's table (http-cache.md 3.12).
pub(crate) fn cloudfront_errors() -> Vec<ErrorTtl> {
    let declared = errors(&[400, 403, 405, 412, 415], true);
    errors(&[404, 414, 500, 501, 502, 503, 504], false).chain(declared).collect()
}

impl CacheRules {
    /// The values of a profile (http-cache.md 1).
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        let strict = profile == Profile::StrictRfc;
        let field = |name: &str, strip| Targeted { field: name.to_owned(), strip };
        Self {
            profile,
            max_object: None,
            admit_after: (!strict).then_some(ADMIT_AFTER),
            keep: None,
            ttl: if strict {
                Ttl { min: Duration::ZERO, default: Duration::ZERO, max: MAX_TTL }
            } else {
                Ttl::from_secs(0, 86_400, 31_536_000)
            },
            heuristics: strict,
            error_ttl: if strict { Vec::new() } else { errors(&[404, 500, 502, 503, 504], false).collect() },
            poison_guard: !strict,
            stale_if_unreachable: DAY,
            stale_on_5xx: DAY,
            stale_soft_deadline: (!strict).then_some(Duration::from_secs(1)),
            stale_retry: Duration::from_secs(if strict { 0 } else { 10 }),
            honour_requests: strict,
            set_cookie: if strict { SetCookie::Store } else { SetCookie::Auto },
            store_close_delimited: strict,
            targeted: vec![field("edgehook-cdn-cache-control", !strict), field("cdn-cache-control", false)],
            post_reuse: strict,
            head_fill: false,
            strip_bodies: false,
            normalise_language: strict,
            age_penalty: AgePenalty::Off,
            cloudfront_min_ttl: false,
            forward_all: strict,
            host_path_only: strict,
            reject_encoded_delimiters: false,
            deception_armor: false,
            cache_groups: true,
            no_vary_search: false,
            forward_tags: strict,
        }
    }
}

/// Reads a table; what is not written comes from its own profile, or from `around`.
pub(crate) fn read(section: &Section<'_>, around: Option<&CacheRules>) -> CacheRules {
    let profiles = [("default", Profile::Default), ("strict-rfc", Profile::StrictRfc)];
    let own = section.choice("profile", &profiles, &[]).map(CacheRules::of);
    let mut rules = own.or_else(|| around.cloned()).unwrap_or_else(|| CacheRules::of(Profile::Default));
    set(&mut rules.max_object, section.size("max_object", 0..=u64::MAX).map(Some));
    set(&mut rules.admit_after, admit_after(section));
    set(&mut rules.keep, section.duration("keep", Duration::ZERO..=MAX_TTL).map(Some));
    rules.ttl = crate::cache::ttl(section, rules.ttl);
    read_staleness(section, &mut rules);
    read_errors(section, &mut rules);
    set(&mut rules.heuristics, section.boolean("heuristics"));
    set(&mut rules.poison_guard, section.boolean("poison_guard"));
    set(&mut rules.post_reuse, section.boolean("post_reuse"));
    set(&mut rules.head_fill, section.boolean("head_fill"));
    set(&mut rules.cloudfront_min_ttl, section.boolean("cloudfront_min_ttl"));
    set(&mut rules.reject_encoded_delimiters, section.boolean("reject_encoded_delimiters"));
    set(&mut rules.deception_armor, section.boolean("deception_armor"));
    set(&mut rules.cache_groups, section.boolean("cache_groups"));
    set(&mut rules.no_vary_search, section.boolean("no_vary_search"));
    read_words(section, &mut rules);
    if let Some(targeted) = section.value("targeted").and_then(|value| read_targeted(&value)) {
        rules.targeted = targeted;
    }
    rules
}

fn admit_after(section: &Section<'_>) -> Option<Option<u64>> {
    let value = section.value("admit_after")?;
    if value.is_text() && value.text().is_some_and(|text| text.value == "off") {
        return Some(None);
    }
    value.size(1 << 20..=u64::MAX).map(Some)
}

fn set<T>(slot: &mut T, written: Option<T>) {
    if let Some(value) = written {
        *slot = value;
    }
}

fn read_words(section: &Section<'_>, rules: &mut CacheRules) {
    let two = |key, off: &'static str, on: &'static str| section.choice(key, &[(off, false), (on, true)], &[]);
    set(&mut rules.honour_requests, two("request_directives", "ignore", "honour"));
    set(&mut rules.store_close_delimited, two("close_delimited", "pass", "store"));
    set(&mut rules.strip_bodies, two("fat_get", "reject", "strip"));
    set(&mut rules.normalise_language, two("vary_language", "syntax", "normalised"));
    set(&mut rules.forward_all, two("forward", "policy", "all"));
    set(&mut rules.host_path_only, two("rewrite", "full", "host-path"));
    set(&mut rules.forward_tags, two("tag_fields", "strip", "forward"));
    let cookies = [
        ("auto", SetCookie::Auto),
        ("strip", SetCookie::Strip),
        ("store", SetCookie::Store),
        ("bypass", SetCookie::Bypass),
    ];
    set(&mut rules.set_cookie, section.choice("set_cookie", &cookies, &[]));
    let penalties =
        [("off", AgePenalty::Off), ("drop-age", AgePenalty::DropAge), ("rewrite-date", AgePenalty::RewriteDate)];
    set(&mut rules.age_penalty, section.choice("age_penalty", &penalties, &[]));
}

fn read_staleness(section: &Section<'_>, rules: &mut CacheRules) {
    set(
        &mut rules.stale_if_unreachable,
        duration_or_off(section, "stale_if_unreachable").map(Option::unwrap_or_default),
    );
    set(&mut rules.stale_on_5xx, duration_or_off(section, "stale_on_5xx").map(Option::unwrap_or_default));
    set(&mut rules.stale_soft_deadline, duration_or_off(section, "stale_soft_deadline"));
    set(&mut rules.stale_retry, section.duration("stale_retry", Duration::ZERO..=DAY));
}

/// A duration, or `"off"` for none.
fn duration_or_off(section: &Section<'_>, key: &'static str) -> Option<Option<Duration>> {
    let value = section.value(key)?;
    if value.is_text() && value.text()?.value == "off" {
        return Some(None);
    }
    value.duration(Duration::ZERO..=MAX_TTL).map(Some)
}

/// `error_caching` chooses the table, `error_ttl` replaces entries of it.
fn read_errors(section: &Section<'_>, rules: &mut CacheRules) {
    let tables = [("edgehook", false), ("cloudfront", true)];
    match section.choice("error_caching", &tables, &[]) {
        Some(true) => {
            rules.error_ttl = cloudfront_errors();
        }
        Some(false) => rules.error_ttl = CacheRules::of(rules.profile).error_ttl,
        None => {}
    }
    let written = section.value("error_ttl").and_then(|value| value.map("a table of statuses and durations"));
    for (name, value) in written.unwrap_or_default() {
        let status = name.parse().ok().filter(|status| (400..600).contains(status));
        let Some(status) = status else {
            let problem = Problem::new(Code::BadValue, value.key_span.clone(), format!("`{name}` is no error status"));
            section.cx.report(problem.label("400 to 599").help("error_ttl = { \"404\" = \"10s\" }"));
            continue;
        };
        let Some(ttl) = value.duration(Duration::ZERO..=MAX_TTL) else { continue };
        rules.error_ttl.retain(|entry| entry.status != status);
        if !ttl.is_zero() {
            rules.error_ttl.push(ErrorTtl { status, ttl, only_declared: false });
        }
    }
}

fn read_targeted(value: &Value<'_>) -> Option<Vec<Targeted>> {
    let mut list = Vec::new();
    for item in value.list("a list of { field, to_viewers }")? {
        let Some(entry) = item.section(Table::Targeted) else { continue };
        let field = entry.required("field", "field = \"CDN-Cache-Control\"").and_then(|value| value.text());
        let field = field.and_then(|text| text.parsed(entry.cx, address::header_name));
        let strip = entry.choice("to_viewers", &[("forward", false), ("strip", true)], &[]).unwrap_or(false);
        list.extend(field.map(|field| Targeted { field, strip }));
    }
    Some(list)
}
